//! Why an environment was not removed.

use delivery_action::aws::CallError;
use delivery_action::execution::ExecutionError;
use delivery_action::failure::{ActionError, FailureType, JobError};
use delivery_definition::names::BadName;
use delivery_release::ReleaseError;
use delivery_stack::deletion::bucket::BucketError;

/// Why an environment was not removed.
#[derive(Debug, thiserror::Error)]
pub enum UndeployError {
    /// An error that any action can meet.
    #[error(transparent)]
    Job(#[from] JobError),
    /// What the repository of releases says of the environment cannot be read or changed.
    #[error(transparent)]
    Release(#[from] Box<ReleaseError>),
    /// The execution of a job has ended, or nobody knows whether it has.
    #[error(transparent)]
    Execution(#[from] ExecutionError),
    /// A bucket cannot be emptied.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The function's configuration lacks a variable.
    #[error("the function's variable `{variable}` is not set")]
    NoVariable {
        /// The variable.
        variable: &'static str,
    },
    /// An event names an environment that cannot be.
    #[error(transparent)]
    Name(#[from] BadName),
    /// The environment is not one that can be removed.
    #[error(
        "`{environment}` was not removed: only environments of a family, such as `dev-anna`, can be removed"
    )]
    NotOfAFamily {
        /// The environment.
        environment: String,
    },
    /// Stacks must not be deleted, so nothing is from then on.
    #[error("`{environment}` was not removed, and nothing more of it is deleted: {}", .stacks.join("; "))]
    Kept {
        /// The environment.
        environment: String,
        /// The stacks, each with the reason.
        stacks: Vec<String>,
    },
    /// The removal did not come to an end.
    #[error("`{environment}` was not removed in {passes} passes; still there: {}", .left.join("; "))]
    NotRemoved {
        /// The environment.
        environment: String,
        /// How often it was gone on with.
        passes: u32,
        /// What is left of it, each with the reason.
        left: Vec<String>,
    },
    /// The removal of a job has ended without success in another pass.
    #[error("{message}")]
    Ended {
        /// Why, as its record says.
        message: String,
    },
    /// Not all environments could be checked.
    #[error("{} of {of} environments could not be checked: {}", .failed.len(), joined(.failed))]
    Several {
        /// How many environments there are.
        of: usize,
        /// What went wrong; there is at least one.
        failed: Vec<UndeployError>,
    },
}

delivery_action::wraps_job_error!(UndeployError: CallError);
delivery_action::wraps_job_error!(UndeployError: delivery_action::continuation::ContinuationError);
delivery_action::wraps_job_error!(UndeployError: delivery_action::job::ArtifactCountError);

impl From<ReleaseError> for UndeployError {
    fn from(error: ReleaseError) -> Self {
        Self::Release(Box::new(error))
    }
}

fn joined(errors: &[UndeployError]) -> String {
    let said: Vec<_> = errors.iter().map(ToString::to_string).collect();
    said.join("; ")
}

impl ActionError for UndeployError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::Job(error) => error.failure_type(),
            Self::Release(error) => error.failure_type(),
            Self::Execution(error) => error.failure_type(),
            Self::Bucket(error) => error.failure_type(),
            Self::NoVariable { .. }
            | Self::Name(_)
            | Self::NotOfAFamily { .. }
            | Self::Kept { .. } => FailureType::ConfigurationError,
            Self::NotRemoved { .. } | Self::Ended { .. } => FailureType::JobFailed,
            Self::Several { failed, .. } => failed
                .first()
                .map_or(FailureType::JobFailed, Self::failure_type),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Job(error) => return error.hint(),
            Self::Release(error) => return error.hint(),
            Self::Execution(error) => return error.hint(),
            Self::Bucket(error) => return error.hint(),
            Self::Several { failed, .. } => return failed.first().and_then(Self::hint),
            Self::NoVariable { .. } => {
                "update the stack of the functions: its template sets the variable"
            }
            Self::Name(_) => "name an environment of a family, such as `dev-anna`",
            Self::NotOfAFamily { .. } => {
                "delete its stacks by hand if it is really to go, those that were deployed last first"
            }
            Self::Kept { .. } => {
                "if they are to go, delete them by hand, those that were deployed last first; then run `delivery env down` again"
            }
            Self::NotRemoved { .. } | Self::Ended { .. } => {
                "fix what the reasons say, then run `delivery env down` again: it is not tried again by itself"
            }
        };
        Some(hint.to_owned())
    }
}
