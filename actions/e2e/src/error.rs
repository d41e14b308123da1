//! Why a stage could not be tested, or failed its tests.

use delivery_action::failure::{ActionError, FailureType, JobError};
use delivery_node::project::ProjectError;
use delivery_node::task::TaskError;

use crate::Attempts;

/// Why a stage could not be tested, or failed its tests.
#[derive(Debug, thiserror::Error)]
pub enum EndToEndError {
    /// The task ran and failed in every attempt.
    #[error("`{task}`{} failed{}", of(.target.as_deref()), after(.earlier))]
    Failed {
        /// The task.
        task: String,
        /// What it tested.
        target: Option<String>,
        /// The earlier attempts that failed.
        earlier: Attempts,
        /// How the last one failed.
        source: TaskError,
    },
    /// The task could not be run.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// A directory or variable cannot be used.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// An error that any action can meet.
    #[error(transparent)]
    Job(#[from] JobError),
}

delivery_action::wraps_job_error!(EndToEndError);

impl ActionError for EndToEndError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::Failed { source, .. } | Self::Task(source) => source.failure_type(),
            Self::Project(error) => error.failure_type(),
            Self::Job(error) => error.failure_type(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Failed { source, .. } | Self::Task(source) => source.hint(),
            Self::Project(error) => error.hint(),
            Self::Job(error) => error.hint(),
        }
    }

    fn output(&self) -> Option<&str> {
        match self {
            Self::Failed { source, .. } | Self::Task(source) => source.output(),
            Self::Project(_) => None,
            Self::Job(error) => error.output(),
        }
    }
}

fn of(target: Option<&str>) -> String {
    target.map_or_else(String::new, |target| format!(" of `{target}`"))
}

fn after(earlier: &Attempts) -> String {
    match earlier.failed() {
        0 => String::new(),
        failed => format!(" in all {} attempts (before: {earlier})", failed + 1),
    }
}
