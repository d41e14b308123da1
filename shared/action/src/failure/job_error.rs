//! The errors that any action can meet while it works with this crate, as one type.

use super::{ActionError, FailureType};
use crate::artifact::ArtifactError;
use crate::aws::CallError;
use crate::continuation::ContinuationError;
use crate::execution::ExecutionError;
use crate::job::ArtifactCountError;
use crate::process::ProcessError;
use crate::workspace::WorkspaceError;

/// An error of this crate's own. An action's error has it as one variant, `Job`, next to the errors that
/// only that action knows; [`wraps_job_error!`](crate::wraps_job_error) makes `?` work.
///
/// ```
/// use delivery_action::failure::{ActionError, FailureType, JobError};
///
/// #[derive(Debug, thiserror::Error)]
/// enum GreetError {
///     #[error("nobody to greet")]
///     Nobody,
///     #[error(transparent)]
///     Job(JobError),
/// }
///
/// delivery_action::wraps_job_error!(GreetError);
///
/// impl ActionError for GreetError {
///     fn failure_type(&self) -> FailureType {
///         match self {
///             Self::Nobody => FailureType::ConfigurationError,
///             Self::Job(error) => error.failure_type(),
///         }
///     }
///
///     fn hint(&self) -> Option<String> {
///         match self {
///             Self::Nobody => Some("set `name` in `UserParameters`".to_owned()),
///             Self::Job(error) => error.hint(),
///         }
///     }
/// }
/// ```
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The action is configured with the wrong number of artifacts.
    #[error(transparent)]
    ArtifactCount(#[from] ArtifactCountError),
    /// An artifact cannot be read or stored.
    #[error(transparent)]
    Artifact(Box<ArtifactError>),
    /// The job's directory cannot be made.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// A continuation token cannot be read or written.
    #[error(transparent)]
    Continuation(#[from] ContinuationError),
    /// The job's pipeline execution has ended, or its state is unknown.
    #[error(transparent)]
    Execution(#[from] ExecutionError),
    /// A program cannot be run, or failed.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A call to AWS failed.
    #[error(transparent)]
    Call(Box<CallError>),
}

// Boxed, because they are several times as large as the others, and every `Result` of an action has
// room for the largest.
impl From<ArtifactError> for JobError {
    fn from(error: ArtifactError) -> Self {
        Self::Artifact(Box::new(error))
    }
}

impl From<CallError> for JobError {
    fn from(error: CallError) -> Self {
        Self::Call(Box::new(error))
    }
}

impl JobError {
    fn inner(&self) -> &dyn ActionError {
        match self {
            Self::ArtifactCount(error) => error,
            Self::Artifact(error) => &**error,
            Self::Workspace(error) => error,
            Self::Continuation(error) => error,
            Self::Execution(error) => error,
            Self::Process(error) => error,
            Self::Call(error) => &**error,
        }
    }
}

impl ActionError for JobError {
    fn failure_type(&self) -> FailureType {
        self.inner().failure_type()
    }

    fn hint(&self) -> Option<String> {
        self.inner().hint()
    }

    fn output(&self) -> Option<&str> {
        self.inner().output()
    }
}

/// Lets `?` turn every error that [`JobError`](crate::failure::JobError) covers into an action's own
/// error, by the variant `Job` of that. For some of them only, name them: `wraps_job_error!(MyError: ProcessError)`.
///
/// `#[from]` alone would not do: `?` converts once, and there are two steps from `ArtifactError` to
/// `JobError` to the action's error.
#[macro_export]
macro_rules! wraps_job_error {
    ($error:ty) => {
        $crate::wraps_job_error! {
            $error:
            $crate::job::ArtifactCountError,
            $crate::artifact::ArtifactError,
            $crate::workspace::WorkspaceError,
            $crate::continuation::ContinuationError,
            $crate::execution::ExecutionError,
            $crate::process::ProcessError,
            $crate::aws::CallError
        }
    };
    ($error:ty: $($source:ty),+) => {
        $(
            impl From<$source> for $error {
                fn from(error: $source) -> Self {
                    Self::Job(error.into())
                }
            }
        )+
    };
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::failure::Failure;

    #[test]
    fn an_error_stays_as_it_is_in_the_wrapper() {
        let error = || ProcessError::Deadline {
            command: "npm test".to_owned(),
            elapsed: Duration::from_secs(2),
            output: "1 failing".to_owned(),
        };
        assert_eq!(
            Failure::new(&JobError::from(error())),
            Failure::new(&error())
        );
    }
}
