//! What goes wrong with releases, and what to do next.

use std::path::PathBuf;

use delivery_action::aws::CallError;
use delivery_action::failure::{ActionError, FailureType};

use crate::digest::Digest;
use crate::environment::{DeploymentId, Lease, MAX_ATTEMPTS, Outcome};
use crate::manifest::{ManifestError, ReleaseId, SCHEMA};
use crate::repository::MAX_READ_BYTES;

/// Why something cannot be done with a release.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// A call to AWS failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A file cannot be read.
    #[error("cannot read `{}`", .path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no such release.
    #[error("there is no release `{release}`: `{address}` does not exist")]
    NoRelease {
        /// The release.
        release: ReleaseId,
        /// Where its manifest would be.
        address: String,
    },
    /// A manifest is not the one that was published.
    #[error(
        "the manifest of the release `{release}` was changed after it was published: the SHA-256 of `{address}` begins with `{found}`"
    )]
    ChangedManifest {
        /// The release.
        release: ReleaseId,
        /// What the id would be.
        found: ReleaseId,
        /// Where it is.
        address: String,
    },
    /// A document was written by a newer program.
    #[error("`{address}` has schema {schema}, and the newest one known here is {SCHEMA}")]
    Newer {
        /// Where it is.
        address: String,
        /// Its schema.
        schema: u32,
    },
    /// A document is not in its form.
    #[error("`{address}` cannot be read")]
    Malformed {
        /// Where it is.
        address: String,
        /// What is wrong with it.
        source: Box<ManifestError>,
    },
    /// A blob is not there.
    #[error("`{address}`, which a release consists of, does not exist")]
    MissingBlob {
        /// Where it would be.
        address: String,
    },
    /// A blob is not what its digest says.
    #[error("`{address}` was changed after it was published: its SHA-256 is {found}")]
    ChangedBlob {
        /// Where it is.
        address: String,
        /// The digest of what is there.
        found: Digest,
    },
    /// A blob has another length.
    #[error(
        "`{address}` was changed after it was published: it has {found} bytes instead of {size}"
    )]
    CutBlob {
        /// Where it is.
        address: String,
        /// Its length in bytes.
        found: u64,
        /// The length that it must have.
        size: u64,
    },
    /// A blob is too large to be read here.
    #[error("`{address}` has {bytes} bytes; documents and templates have at most {MAX_READ_BYTES}")]
    LargeBlob {
        /// Where it is.
        address: String,
        /// Its length in bytes.
        bytes: u64,
    },
    /// Somebody else is deploying.
    #[error(
        "`{environment}` is being changed by {} ({}): deployment {}, whose lease lasts until {}",
        .lease.deployment.by, .lease.deployment.owner, .lease.deployment.id, .lease.until
    )]
    Busy {
        /// The environment.
        environment: String,
        /// Who, and until when.
        lease: Box<Lease>,
    },
    /// The deployment is not under way any more.
    #[error("deployment {deployment} of `{environment}` is not under way any more{}", ended(.outcome.as_ref()))]
    Lost {
        /// The environment.
        environment: String,
        /// The deployment.
        deployment: DeploymentId,
        /// How it ended, if that is known without its record.
        outcome: Option<Outcome>,
    },
    /// Not all that belongs to a release was deployed.
    #[error(
        "deployment {deployment} of `{environment}` is not complete: nothing has deployed {}",
        .missing.iter().map(|part| format!("`{part}`")).collect::<Vec<_>>().join(", ")
    )]
    Incomplete {
        /// The environment.
        environment: String,
        /// The deployment.
        deployment: DeploymentId,
        /// Services, and of apps `SERVICE/function`, `SERVICE/api` and `SERVICE/site`.
        missing: Vec<String>,
    },
    /// Others changed the environment again and again.
    #[error(
        "`{environment}` could not be updated: others changed its document at the same time, {MAX_ATTEMPTS} times in a row"
    )]
    Contended {
        /// The environment.
        environment: String,
    },
    /// There is nothing that a rollback could go back to.
    #[error("{}", nothing_before(.environment, .release.as_ref()))]
    NothingBefore {
        /// The environment.
        environment: String,
        /// The release, if one was named.
        release: Option<ReleaseId>,
    },
    /// The record of a deployment is gone.
    #[error(
        "the record of deployment {deployment} of `{environment}` is missing: `{address}` does not exist"
    )]
    NoRecord {
        /// The environment.
        environment: String,
        /// The deployment.
        deployment: DeploymentId,
        /// Where it would be.
        address: String,
    },
}

/// How a deployment ended, as the end of a sentence.
fn ended(outcome: Option<&Outcome>) -> String {
    match outcome {
        None => ": somebody else has deployed since".to_owned(),
        Some(Outcome::Succeeded) => ": it has succeeded".to_owned(),
        Some(Outcome::Failed { message }) => format!(": it has failed: {message}"),
        Some(Outcome::Abandoned { message }) => format!(": {message}"),
    }
}

fn nothing_before(environment: &str, release: Option<&ReleaseId>) -> String {
    match release {
        None => format!("there is nothing that `{environment}` could go back to"),
        Some(release) => format!(
            "the release `{release}` is not one that `{environment}` could go back to: it was not there before what is there now"
        ),
    }
}

impl ActionError for ReleaseError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::Call(error) => error.failure_type(),
            Self::Disk { .. } => FailureType::JobFailed,
            Self::NoRelease { .. }
            | Self::ChangedManifest { .. }
            | Self::MissingBlob { .. }
            | Self::ChangedBlob { .. }
            | Self::CutBlob { .. }
            | Self::NoRecord { .. } => FailureType::RevisionUnavailable,
            Self::Newer { .. }
            | Self::Malformed { .. }
            | Self::LargeBlob { .. }
            | Self::NothingBefore { .. } => FailureType::ConfigurationError,
            Self::Busy { .. }
            | Self::Lost { .. }
            | Self::Incomplete { .. }
            | Self::Contended { .. } => FailureType::RevisionOutOfSync,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Call(error) => return error.hint(),
            Self::Disk { .. } => "check that the file is there and can be read".to_owned(),
            Self::NoRelease { .. } => {
                "check the id and the bucket; a release that was deleted comes back when its commit is delivered again".to_owned()
            }
            Self::ChangedManifest { .. } | Self::ChangedBlob { .. } | Self::CutBlob { .. } => {
                "find out who wrote it; the bucket keeps what was published as an earlier version: delete the newer ones. Nothing was applied".to_owned()
            }
            Self::Newer { .. } => {
                "a newer release of these functions wrote it: update this one. Nothing was applied".to_owned()
            }
            Self::Malformed { .. } => {
                "find out who wrote it: this project writes it in another form. Nothing was applied".to_owned()
            }
            Self::MissingBlob { .. } => {
                "the bucket keeps what was deleted: remove the delete marker, or deliver the commit again. Nothing was applied".to_owned()
            }
            Self::LargeBlob { .. } => {
                "deploy a smaller template or document".to_owned()
            }
            Self::Busy { lease, .. } => format!(
                "retry when it has ended; if nobody is deploying any more, whoever comes after {} takes over",
                lease.until
            ),
            Self::Lost { .. } => {
                "look at what the environment has now; if this release is still wanted, deploy it again".to_owned()
            }
            Self::Incomplete { .. } => {
                "retry all actions of the stage; where the pipeline has no action for them, update the stack: `delivery up`".to_owned()
            }
            Self::Contended { .. } => "retry".to_owned(),
            Self::NothingBefore { .. } => {
                "deploy the release that it should have".to_owned()
            }
            Self::NoRecord { .. } => {
                "the bucket keeps what was deleted: remove the delete marker; or name the release that the environment should have. Nothing was applied".to_owned()
            }
        })
    }
}
