//! Why a part of a release could not be deployed, before it comes to what the action deploys.

use delivery_action::failure::{ActionError, FailureType, JobError};
use delivery_definition::{Mistakes, UnknownEnvironment};

use crate::error::ReleaseError;
use crate::manifest::ReleaseId;

/// Why a part of a release could not be deployed.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// An error that any action can meet.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The release, or what the environment has.
    #[error(transparent)]
    Release(Box<ReleaseError>),
    /// The pipeline was started without a release.
    #[error(
        "no release is given: start this pipeline with `delivery promote` or `delivery rollback`"
    )]
    NoRelease,
    /// The release did not pass the tests of the environment before.
    #[error(
        "the release `{release}` has not passed the tests of `{environment}`; nothing was deployed"
    )]
    NotVerified {
        /// The release.
        release: ReleaseId,
        /// The environment whose tests it has to pass.
        environment: String,
    },
    /// It is to be deployed all the same, and nobody said why.
    #[error(
        "the release `{release}` has not passed the tests of `{environment}`, and no reason is given to deploy it all the same; nothing was deployed"
    )]
    NoReason {
        /// The release.
        release: ReleaseId,
        /// The environment whose tests it has to pass.
        environment: String,
    },
    /// The definition of the release has mistakes.
    #[error("the definition in the release `{release}` has mistakes:\n{mistakes}")]
    Definition {
        /// The release.
        release: ReleaseId,
        /// Which.
        mistakes: Box<Mistakes>,
    },
    /// The definition of the release has no such environment.
    #[error("the definition in the release `{release}` cannot say how to deploy there")]
    Environment {
        /// The release.
        release: ReleaseId,
        /// Why not.
        source: UnknownEnvironment,
    },
    /// The definition of the release lacks a service that the manifest has.
    #[error("the definition in the release `{release}` has no service `{service}`")]
    NoService {
        /// The release.
        release: ReleaseId,
        /// The service.
        service: String,
    },
    /// The service is of another kind in the release.
    #[error(
        "the service `{service}` is of kind `{kind}` in the release `{release}`, which this action does not deploy"
    )]
    OtherKind {
        /// The service.
        service: String,
        /// What it is.
        kind: &'static str,
        /// The release.
        release: ReleaseId,
    },
    /// A time zone is not known.
    #[error("the time zone `{zone}` of `{environment}` is not known here")]
    NoTimeZone {
        /// The time zone.
        zone: String,
        /// The environment.
        environment: String,
    },
}

delivery_action::wraps_job_error!(PartError);

impl From<ReleaseError> for PartError {
    fn from(error: ReleaseError) -> Self {
        Self::Release(Box::new(error))
    }
}

impl ActionError for PartError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::Job(error) => error.failure_type(),
            Self::Release(error) => error.failure_type(),
            Self::NotVerified { .. } => FailureType::RevisionUnavailable,
            Self::NoRelease
            | Self::NoReason { .. }
            | Self::Definition { .. }
            | Self::Environment { .. }
            | Self::NoService { .. }
            | Self::OtherKind { .. }
            | Self::NoTimeZone { .. } => FailureType::ConfigurationError,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Job(error) => return error.hint(),
            Self::Release(error) => return error.hint(),
            Self::NoRelease => {
                "`delivery promote` applies what another environment has, `delivery rollback` what this one had before"
            }
            Self::NotVerified { environment, .. } => {
                return Some(format!(
                    "deploy it to `{environment}` first; or promote it with `--unverified --message REASON`"
                ));
            }
            Self::NoReason { .. } => "say why with `--message REASON`",
            Self::Definition { .. } | Self::NoService { .. } => {
                "apply a release whose `delivery.toml` this version of the functions can read, or deliver the commit again"
            }
            Self::Environment { .. } => {
                "apply a newer release: the `delivery.toml` of this one does not have the environment yet"
            }
            Self::OtherKind { .. } => {
                "apply a release in which the service is of the kind that this pipeline deploys, or update the pipeline to that of the release"
            }
            Self::NoTimeZone { .. } => {
                "correct `timezone` of the environment in `delivery.toml`, or give its `ttl` as a time in UTC or a duration"
            }
        };
        Some(hint.to_owned())
    }
}
