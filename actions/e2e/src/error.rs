//! Why a stage could not be tested, or failed its tests.

use delivery_action::artifact::ArtifactError;
use delivery_action::continuation::ContinuationError;
use delivery_action::failure::{ActionError, FailureType};
use delivery_action::job::ArtifactCountError;
use delivery_action::workspace::WorkspaceError;
use delivery_node::project::ProjectError;
use delivery_node::task::TaskError;

use crate::Attempts;

/// Why a stage could not be tested, or failed its tests.
#[derive(Debug, thiserror::Error)]
pub enum EndToEndError {
    /// The task ran and failed, in every attempt that it had.
    #[error("`{task}`{} failed{}", of(.target.as_deref()), after(.earlier))]
    Failed {
        /// The task.
        task: String,
        /// What it tested.
        target: Option<String>,
        /// The attempts that failed before.
        earlier: Attempts,
        /// How the last one failed.
        source: TaskError,
    },
    /// The task could not be run.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// A directory or variable that cannot be used.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// The artifact cannot be had.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The wrong number of artifacts.
    #[error(transparent)]
    Artifacts(#[from] ArtifactCountError),
    /// The job's directory.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The attempts so far cannot be read or written.
    #[error(transparent)]
    Continuation(#[from] ContinuationError),
}

impl ActionError for EndToEndError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::Failed { source, .. } | Self::Task(source) => source.failure_type(),
            Self::Project(error) => error.failure_type(),
            Self::Artifact(error) => error.failure_type(),
            Self::Artifacts(error) => error.failure_type(),
            Self::Workspace(error) => error.failure_type(),
            Self::Continuation(error) => error.failure_type(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Failed { source, .. } | Self::Task(source) => source.hint(),
            Self::Project(error) => error.hint(),
            Self::Artifact(error) => error.hint(),
            Self::Artifacts(error) => error.hint(),
            Self::Workspace(error) => error.hint(),
            Self::Continuation(error) => error.hint(),
        }
    }

    fn output(&self) -> Option<&str> {
        match self {
            Self::Failed { source, .. } | Self::Task(source) => source.output(),
            _ => None,
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
