//! Why a project could not be tested and packaged.

use delivery_action::failure::{ActionError, FailureType, JobError};
use delivery_node::project::ProjectError;
use delivery_node::task::TaskError;

/// Why a project could not be tested and packaged.
#[derive(Debug, thiserror::Error)]
pub enum TestAndPackageError {
    /// The pipeline declares an output artifact without a path.
    #[error("output artifact `{artifact}` has no path: `UserParameters` has no key `{artifact}`")]
    OutputWithoutKey {
        /// The artifact.
        artifact: String,
    },
    /// An output artifact has the name of one of the action's own keys.
    #[error("output artifact `{artifact}` has the same name as a parameter of this action")]
    OutputNamedAsKey {
        /// The artifact.
        artifact: String,
    },
    /// An output artifact cannot be made.
    #[error("cannot create output artifact `{artifact}`")]
    Output {
        /// The artifact.
        artifact: String,
        /// What is wrong with its path.
        source: ProjectError,
    },
    /// The project's folder could not be made an output.
    #[error("the project's folder cannot be prepared as an output artifact")]
    Tree(#[source] std::io::Error),
    /// The task could not be run, or failed.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// A directory or variable cannot be used.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// An error that any action can meet.
    #[error(transparent)]
    Job(#[from] JobError),
}

delivery_action::wraps_job_error!(TestAndPackageError);

impl ActionError for TestAndPackageError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::OutputWithoutKey { .. } | Self::OutputNamedAsKey { .. } => {
                FailureType::ConfigurationError
            }
            Self::Output { source, .. } | Self::Project(source) => source.failure_type(),
            Self::Tree(_) => FailureType::JobFailed,
            Self::Task(error) => error.failure_type(),
            Self::Job(error) => error.failure_type(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::OutputWithoutKey { artifact } => Some(format!(
                "add `{artifact}=PATH` to the action's `UserParameters`: the file or folder to store as the \
                 artifact, relative to `directory`"
            )),
            Self::OutputNamedAsKey { artifact } => {
                Some(format!("rename the output artifact `{artifact}`"))
            }
            Self::Output {
                artifact,
                source: ProjectError::Missing { path },
            } => Some(format!(
                "let the task write `{path}`, or correct `{artifact}` in `UserParameters` (a path relative to `directory`)"
            )),
            Self::Output { source, .. } | Self::Project(source) => source.hint(),
            Self::Tree(_) => Some(
                "let the task make no files or folders in the project that it cannot remove again"
                    .to_owned(),
            ),
            Self::Task(error) => error.hint(),
            Self::Job(error) => error.hint(),
        }
    }

    fn output(&self) -> Option<&str> {
        match self {
            Self::Task(error) => error.output(),
            Self::Job(error) => error.output(),
            _ => None,
        }
    }
}
