//! Why a function could not be deployed.

use delivery_action::aws::CallError;
use delivery_action::failure::{ActionError, FailureType, JobError};
use delivery_action::job::Artifact;

/// Why a function could not be deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployAppError {
    /// An error that any action can meet.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The artifact does not begin as a zip does.
    #[error("input artifact {artifact} is not a zip file with at least one entry")]
    NotAZip {
        /// The artifact.
        artifact: Artifact,
    },
    /// Lambda may not read the artifact.
    #[error("Lambda may not read input artifact {artifact}")]
    ArtifactDenied {
        /// The artifact.
        artifact: Artifact,
        /// What Lambda said.
        source: Box<CallError>,
    },
    /// Lambda does not take the artifact as code.
    #[error("Lambda does not take input artifact {artifact} as code")]
    CodeRefused {
        /// The artifact.
        artifact: Artifact,
        /// What Lambda said.
        source: Box<CallError>,
    },
    /// There is no such function.
    #[error("there is no function `{function}`")]
    FunctionMissing {
        /// The function.
        function: String,
        /// What Lambda said.
        source: Box<CallError>,
    },
    /// Lambda took the code and cannot run it.
    #[error("Lambda could not make `{what}` ready to run: {code}: {reason}")]
    NotReady {
        /// The function.
        what: String,
        /// Lambda's reason code.
        code: String,
        /// Lambda's reason.
        reason: String,
    },
    /// The function is being updated all the time.
    #[error("function `{function}` has been in the middle of an update for {minutes} minutes")]
    NeverSettles {
        /// The function.
        function: String,
        /// How long it was waited for.
        minutes: u64,
    },
    /// Someone else puts other code into the function.
    #[error("someone else keeps changing the code of function `{function}`")]
    CodeChanged {
        /// The function.
        function: String,
    },
    /// Someone else moved the alias since the action began.
    #[error(
        "alias `{alias}` was moved by someone else: it was {} when the action began and is on \
         version {found} now, so it was not moved onto version {version}",
        began.as_ref().map_or_else(|| "missing".to_owned(), |began| format!("on version {began}"))
    )]
    AliasMoved {
        /// `function:alias`.
        alias: String,
        /// Its version when the action began; `None` if it was missing.
        began: Option<String>,
        /// Its version now.
        found: String,
        /// The version that it was to be moved onto.
        version: String,
    },
    /// The alias shares its traffic between versions, and this action did not make it so.
    #[error(
        "alias `{alias}` shares its traffic: it is on version {found}, with {weights}, so it was not moved \
         onto version {version}"
    )]
    AliasShared {
        /// `function:alias`.
        alias: String,
        /// Its version.
        found: String,
        /// The other versions and their shares: `10 % on version 8`.
        weights: String,
        /// The version that it was to be moved onto.
        version: String,
    },
    /// Lambda allocates the alias's provisioned concurrency and does not come to an end.
    #[error(
        "Lambda has been moving the provisioned concurrency of alias `{alias}` onto version {found} for \
         {minutes} minutes"
    )]
    ProvisioningNeverEnds {
        /// `function:alias`.
        alias: String,
        /// The alias's version.
        found: String,
        /// How long it was waited for.
        minutes: u64,
    },
    /// Lambda published and did not say what.
    #[error("Lambda published a version of function `{function}` and did not name it")]
    NoVersion {
        /// The function.
        function: String,
    },
}

delivery_action::wraps_job_error!(DeployAppError);

impl ActionError for DeployAppError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::Job(error) => error.failure_type(),
            Self::NotAZip { .. } | Self::CodeRefused { .. } | Self::NotReady { .. } => {
                FailureType::JobFailed
            }
            Self::ArtifactDenied { .. } => FailureType::PermissionError,
            Self::FunctionMissing { .. } => FailureType::ConfigurationError,
            Self::NeverSettles { .. }
            | Self::CodeChanged { .. }
            | Self::AliasMoved { .. }
            | Self::AliasShared { .. } => FailureType::RevisionOutOfSync,
            Self::NoVersion { .. } | Self::ProvisioningNeverEnds { .. } => {
                FailureType::SystemUnavailable
            }
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Job(error) => error.hint(),
            Self::NotAZip { artifact } => Some(format!(
                "have the action that makes `{}` package the function's code as a zip file; \
                 a directory as its output is zipped for you",
                artifact.name
            )),
            Self::ArtifactDenied { artifact, .. } => Some(format!(
                "allow `s3:GetObject` on `s3://{}/{}` (and `kms:Decrypt` on the bucket's key) for \
                 this function's role: Lambda reads the code with its caller's rights",
                artifact.bucket, artifact.key
            )),
            Self::CodeRefused { .. } => Some(
                "make the package a plain zip of at most 250 MB unzipped, in a bucket of the \
                 function's region"
                    .to_owned(),
            ),
            Self::FunctionMissing { .. } => Some(
                "correct `function` in `UserParameters`, or make the function first: this action \
                 deploys code and does not make functions"
                    .to_owned(),
            ),
            Self::NotReady { .. } => Some(
                "correct what the reason names (the function's role, key, network or code); the \
                 alias was not moved"
                    .to_owned(),
            ),
            Self::NeverSettles { .. } | Self::CodeChanged { .. } => {
                Some("end the other deployments of this function, then retry the stage".to_owned())
            }
            Self::AliasMoved { .. } => Some(
                "check which release the alias should be on; retry the stage to move it onto this \
                 one"
                .to_owned(),
            ),
            Self::AliasShared { alias, .. } => {
                let (function, name) = alias.rsplit_once(':').unwrap_or((alias, "ALIAS"));
                Some(format!(
                    "finish or end that rollout (`aws lambda update-alias --function-name {function} --name \
                     {name} --routing-config AdditionalVersionWeights={{}}` ends it), then retry the stage"
                ))
            }
            Self::ProvisioningNeverEnds { .. } => Some(
                "see `aws lambda get-provisioned-concurrency-config` for the alias; retry the stage when it \
                 says `READY`"
                    .to_owned(),
            ),
            Self::NoVersion { .. } => Some("retry the stage".to_owned()),
        }
    }
}
