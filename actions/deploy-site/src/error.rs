//! Why a site could not be published.

use delivery_action::aws::CallError;
use delivery_action::failure::{ActionError, FailureType, JobError};
use delivery_action::job::Artifact;
use delivery_release::part::PartError;
use delivery_stack::deployment::DeploymentError;

/// Why a site could not be published.
#[derive(Debug, thiserror::Error)]
pub enum DeploySiteError {
    /// An error that any action can meet.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The release cannot be deployed, or somebody else is deploying.
    #[error(transparent)]
    Part(Box<PartError>),
    /// A value of the release's definition cannot be found.
    #[error("cannot write the site's `config.json`; nothing was uploaded")]
    Config {
        /// Why not.
        source: Box<DeploymentError>,
    },
    /// The artifact is not a site.
    #[error("input artifact {artifact} has no `index.html` {place}, among {files} other files")]
    NoIndex {
        /// The artifact.
        artifact: Artifact,
        /// Where it was looked for.
        place: String,
        /// How many files there are.
        files: usize,
    },
    /// A link leads to no file.
    #[error("input artifact {artifact} has the link `{link}`, which does not lead to a file")]
    Link {
        /// The artifact.
        artifact: Artifact,
        /// The link's path.
        link: String,
    },
    /// The artifact has a file with the manifest's name.
    #[error(
        "input artifact {artifact} has a file `.delivery-manifest.json`, a name that is reserved for the site's manifest"
    )]
    Reserved {
        /// The artifact.
        artifact: Artifact,
    },
    /// A file is larger than an upload may be.
    #[error(
        "`{file}` of input artifact {artifact} has {size_bytes} bytes; the limit is {max_bytes}"
    )]
    TooLarge {
        /// The artifact.
        artifact: Artifact,
        /// The file in it.
        file: String,
        /// Its size.
        size_bytes: u64,
        /// The largest size allowed.
        max_bytes: u64,
    },
    /// A file's contents do not match its fingerprint.
    #[error("`{file}` of input artifact {artifact} does not match its fingerprint in the artifact")]
    OtherContents {
        /// The artifact.
        artifact: Artifact,
        /// The file's key in the bucket.
        file: String,
        /// What S3 said.
        source: CallError,
    },
    /// There is no such bucket.
    #[error("bucket `{bucket}` does not exist")]
    NoBucket {
        /// The parameter.
        bucket: String,
        /// What S3 said.
        source: CallError,
    },
    /// A call to the bucket failed.
    #[error("the site is only partly deployed; its pages still work")]
    Call {
        /// What S3 said.
        source: CallError,
    },
    /// The manifest is not valid.
    #[error("`s3://{bucket}/{key}` is not a manifest of this action")]
    Manifest {
        /// The bucket.
        bucket: String,
        /// The manifest's key.
        key: String,
        /// Where it is not valid.
        source: serde_json::Error,
    },
    /// The manifest was truncated.
    #[error("`s3://{bucket}/{key}` was truncated")]
    ManifestCutShort {
        /// The bucket.
        bucket: String,
        /// The manifest's key.
        key: String,
        /// What interrupted it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The manifest is of another version of this action.
    #[error("`s3://{bucket}/{key}` has format {format}; this function reads format 1")]
    ManifestFormat {
        /// The bucket.
        bucket: String,
        /// The manifest's key.
        key: String,
        /// Its format.
        format: u32,
    },
    /// Another release was deployed to the bucket at the same time.
    #[error(
        "another release was deployed to bucket `{bucket}` at the same time as `{version}`; the manifest names `{other}`"
    )]
    Overtaken {
        /// The bucket.
        bucket: String,
        /// This job's version.
        version: String,
        /// The version that the manifest names now.
        other: String,
    },
    /// The site is deployed, but CloudFront still serves cached files of the release before.
    #[error(
        "the site is deployed as `{version}`, but the cache of distribution `{distribution}` is stale: the invalidation `{reference}` failed"
    )]
    StaleCache {
        /// The distribution's id.
        distribution: String,
        /// This job's version.
        version: String,
        /// The invalidation's caller reference.
        reference: String,
        /// What CloudFront said.
        source: CallError,
    },
}

delivery_action::wraps_job_error!(DeploySiteError);

impl From<PartError> for DeploySiteError {
    fn from(error: PartError) -> Self {
        Self::Part(Box::new(error))
    }
}

impl From<DeploymentError> for DeploySiteError {
    fn from(error: DeploymentError) -> Self {
        Self::Config {
            source: Box::new(error),
        }
    }
}

impl ActionError for DeploySiteError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::Job(error) => error.failure_type(),
            Self::Part(error) => error.failure_type(),
            Self::Config { source } => source.failure_type(),
            Self::Call { source } | Self::StaleCache { source, .. } => source.failure_type(),
            Self::NoIndex { .. }
            | Self::Link { .. }
            | Self::Reserved { .. }
            | Self::TooLarge { .. }
            | Self::OtherContents { .. } => FailureType::JobFailed,
            Self::NoBucket { .. } | Self::Manifest { .. } | Self::ManifestFormat { .. } => {
                FailureType::ConfigurationError
            }
            Self::ManifestCutShort { .. } => FailureType::SystemUnavailable,
            Self::Overtaken { .. } => FailureType::RevisionOutOfSync,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Job(error) => return error.hint(),
            Self::Part(error) => return error.hint(),
            Self::Config { source } => return source.hint(),
            Self::Call { source } => return source.hint(),
            Self::StaleCache { source, .. } => {
                let cause = source.hint().unwrap_or_default();
                return Some(format!(
                    "{cause}; retrying the stage only repeats the invalidation"
                ));
            }
            Self::NoIndex { .. } => {
                "in the action that makes the artifact, name the directory that has `index.html`, or name it by `directory`"
            }
            Self::Link { .. } => "remove the link, or add the file that it leads to",
            Self::Reserved { .. } => "remove the file from the site",
            Self::TooLarge { .. } => "leave the file out of the site, or split it",
            Self::OtherContents { .. } => {
                "build the artifact again: release the change again, or retry the stage that builds it"
            }
            Self::NoBucket { .. } => "correct `bucket` in the action's `UserParameters`",
            Self::Manifest { .. } => {
                "restore the object's previous version, or delete it: then every file is uploaded again and \
                 no older file is removed"
            }
            Self::ManifestCutShort { .. } => "retry the stage",
            Self::ManifestFormat { .. } => "update the function",
            Self::Overtaken { .. } => {
                "retry the stage only if this release should replace the other one, and let only one \
                 pipeline deploy to a bucket and prefix"
            }
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use delivery_action::continuation::ContinuationError;
    use delivery_action::failure::Failure;
    use insta::assert_snapshot;

    use super::*;

    fn artifact() -> Artifact {
        Artifact {
            name: "DistSiteOutput".to_owned(),
            revision: None,
            bucket: "store".to_owned(),
            key: "p/Site/x".to_owned(),
        }
    }

    fn message(error: &DeploySiteError) -> String {
        format!(
            "{:?}: {}",
            error.failure_type(),
            Failure::new(error).message("here")
        )
    }

    #[test]
    fn a_file_that_is_too_large() {
        let error = DeploySiteError::TooLarge {
            artifact: artifact(),
            file: "film.mp4".to_owned(),
            size_bytes: 6_000_000_000,
            max_bytes: 5_000_000_000,
        };
        assert_snapshot!(message(&error), @"
        JobFailed: `film.mp4` of input artifact `DistSiteOutput` (`s3://store/p/Site/x`) has 6000000000 bytes; the limit is 5000000000
        hint: leave the file out of the site, or split it
        log: here
        ");
    }

    #[test]
    fn a_manifest_that_breaks_off() {
        let error = DeploySiteError::ManifestCutShort {
            bucket: "www".to_owned(),
            key: ".delivery-manifest.json".to_owned(),
            source: "connection reset".into(),
        };
        assert_snapshot!(message(&error), @"
        SystemUnavailable: `s3://www/.delivery-manifest.json` was truncated: connection reset
        hint: retry the stage
        log: here
        ");
    }

    #[test]
    fn a_token_of_another_action() {
        let error = DeploySiteError::from(ContinuationError::Unreadable);
        assert_snapshot!(message(&error), @"
        JobFailed: the continuation token cannot be read
        hint: retry the stage: the action then starts over
        log: here
        ");
    }
}
