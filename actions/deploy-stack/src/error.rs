//! Why the action could not deploy a stack.

use delivery_action::failure::{ActionError, FailureType, JobError};
use delivery_release::part::PartError;
use delivery_stack::deployment::DeploymentError;
use delivery_stack::package::PackageError;

/// Why the action could not deploy a stack.
#[derive(Debug, thiserror::Error)]
pub enum DeployStackError {
    /// An error that any action can meet.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The release cannot be deployed, or somebody else is deploying.
    #[error(transparent)]
    Part(Box<PartError>),
    /// The stack could not be deployed.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// The function's environment has no region.
    #[error("the function's configuration has no region")]
    NoRegion,
    /// The action has no input artifact.
    #[error("the action has no input artifact; the first one is where the template is looked for")]
    NoInput,
    /// The template of a release is not text.
    #[error("the template `{path}` of the release is not UTF-8 text")]
    NotText {
        /// Its path.
        path: String,
    },
    /// The template's path leaves the artifact.
    #[error("the template `{path}` is outside of the input artifact")]
    Outside {
        /// The path.
        path: String,
    },
}

delivery_action::wraps_job_error!(DeployStackError);

impl From<PartError> for DeployStackError {
    fn from(error: PartError) -> Self {
        Self::Part(Box::new(error))
    }
}

impl From<PackageError> for DeployStackError {
    fn from(error: PackageError) -> Self {
        Self::Deployment(error.into())
    }
}

impl ActionError for DeployStackError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::Job(error) => error.failure_type(),
            Self::Part(error) => error.failure_type(),
            Self::Deployment(error) => error.failure_type(),
            Self::NoRegion | Self::NoInput | Self::NotText { .. } | Self::Outside { .. } => {
                FailureType::ConfigurationError
            }
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Job(error) => return error.hint(),
            Self::Part(error) => return error.hint(),
            Self::Deployment(error) => return error.hint(),
            Self::NoRegion => "run the function in Lambda, which sets `AWS_REGION`",
            Self::NoInput => "declare 1 to 5 input artifacts for the action in the pipeline",
            Self::NotText { .. } => "save the template as UTF-8 and deliver that commit",
            Self::Outside { .. } => "name a path in the artifact, without `..` at its beginning",
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use delivery_action::failure::Failure;

    use super::*;

    /// Those that no test of the whole action reaches.
    #[test]
    fn each_says_what_where_and_what_to_do() {
        let errors = [
            DeployStackError::NoRegion,
            DeployStackError::NoInput,
            DeployStackError::NotText {
                path: "api/template.yaml".to_owned(),
            },
            DeployStackError::Outside {
                path: "../template.yaml".to_owned(),
            },
        ];
        let message = |error: &DeployStackError| {
            format!(
                "{:?}: {}",
                error.failure_type(),
                Failure::new(error).message("here")
            )
        };
        let messages: Vec<String> = errors.iter().map(message).collect();
        insta::assert_snapshot!(messages.join("\n\n"));
    }
}
