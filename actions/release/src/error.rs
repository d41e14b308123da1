//! Why the action could not publish a release, or end the deployment of one.

use delivery_action::failure::{ActionError, FailureType, JobError};
use delivery_archive::ArchiveError;
use delivery_release::ReleaseError;
use delivery_release::environment::DeploymentId;
use delivery_stack::deployment::DeploymentError;
use delivery_stack::package::PackageError;

/// Why the action could not publish a release, or end the deployment of one.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseActionError {
    /// An error that any action can meet.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The repository of releases.
    #[error(transparent)]
    Release(Box<ReleaseError>),
    /// The definition, or a template.
    #[error(transparent)]
    Deployment(Box<DeploymentError>),
    /// The function's environment has no region.
    #[error("the function's configuration has no region")]
    NoRegion,
    /// The action has no input artifact.
    #[error("the action has no input artifact; the last one is where the definition is looked for")]
    NoInput,
    /// A parameter names an artifact that is not an input.
    #[error("`Artifact.{key}` names `{artifact}`, which is not an input artifact of this action; it has {}", .known.join(", "))]
    UnknownArtifact {
        /// The service, and which of it.
        key: String,
        /// The artifact.
        artifact: String,
        /// The input artifacts.
        known: Vec<String>,
    },
    /// A parameter names something that services do not have.
    #[error("`Artifact.{key}` is not valid: a service has `function`, `api` and `site`")]
    UnknownPart {
        /// The service, and which of it.
        key: String,
    },
    /// A parameter is about a service that this action does not package.
    #[error("`Artifact.{key}` is for a service that this action does not package: it packages {}", quoted(.packages))]
    NotPackaged {
        /// The service, and which of it.
        key: String,
        /// The services that it packages.
        packages: Vec<String>,
    },
    /// No artifact has the definition.
    #[error("no input artifact has `{file}`")]
    NoDefinition {
        /// Its path.
        file: String,
    },
    /// An app has no artifacts.
    #[error(
        "the app `{service}` has no artifact: it was not built, or no parameter names what was"
    )]
    NoArtifacts {
        /// The service.
        service: String,
    },
    /// The folder of a site is not there, or empty.
    #[error("the site `{service}` has no files: there is nothing in `{folder}` of its artifact")]
    NoSite {
        /// The service.
        service: String,
        /// The folder.
        folder: String,
    },
    /// A site cannot be archived.
    #[error("`{folder}` of the site `{service}` cannot be zipped")]
    Archive {
        /// The service.
        service: String,
        /// The folder.
        folder: String,
        /// Which rule, and which file.
        source: ArchiveError,
    },
    /// Services that no action packaged, and no other pipeline delivers.
    #[error("no action of this pipeline packages {}", quoted(.services))]
    Forgotten {
        /// The services.
        services: Vec<String>,
    },
    /// The execution has deployed nothing.
    #[error("`{owner}` has not deployed to `{environment}`, or others have deployed since")]
    NoDeployment {
        /// The environment.
        environment: String,
        /// The pipeline and its execution.
        owner: String,
    },
    /// The execution's deployment has failed, and others have deployed since.
    #[error(
        "deployment {deployment} of `{environment}` has failed, and others have deployed since: {message}"
    )]
    Failed {
        /// The environment.
        environment: String,
        /// The deployment.
        deployment: DeploymentId,
        /// Why it failed.
        message: String,
    },
}

fn quoted(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

delivery_action::wraps_job_error!(ReleaseActionError);

impl From<ReleaseError> for ReleaseActionError {
    fn from(error: ReleaseError) -> Self {
        Self::Release(Box::new(error))
    }
}

impl From<DeploymentError> for ReleaseActionError {
    fn from(error: DeploymentError) -> Self {
        Self::Deployment(Box::new(error))
    }
}

impl From<PackageError> for ReleaseActionError {
    fn from(error: PackageError) -> Self {
        DeploymentError::from(error).into()
    }
}

impl ActionError for ReleaseActionError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::Job(error) => error.failure_type(),
            Self::Release(error) => error.failure_type(),
            Self::Deployment(error) => error.failure_type(),
            Self::NoRegion
            | Self::NoInput
            | Self::UnknownArtifact { .. }
            | Self::UnknownPart { .. }
            | Self::NotPackaged { .. }
            | Self::NoDefinition { .. }
            | Self::NoArtifacts { .. }
            | Self::Forgotten { .. } => FailureType::ConfigurationError,
            Self::NoSite { .. } | Self::Archive { .. } => FailureType::JobFailed,
            Self::NoDeployment { .. } | Self::Failed { .. } => FailureType::RevisionOutOfSync,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Job(error) => return error.hint(),
            Self::Release(error) => return error.hint(),
            Self::Deployment(error) => return error.hint(),
            Self::Archive { source, .. } => return ActionError::hint(source),
            Self::NoRegion => "run the function in Lambda, which sets `AWS_REGION`",
            Self::NoInput => "declare 1 to 5 input artifacts for the action in the pipeline",
            Self::UnknownArtifact { .. } => {
                "declare the artifact as an input of the action, or correct the parameter"
            }
            Self::UnknownPart { .. } => {
                "name the artifact of a stack or of a site's repository by the service alone"
            }
            Self::NotPackaged { .. } => {
                "add the service to `services` of this action, or give the artifact to the action that packages it"
            }
            Self::NoDefinition { .. } => {
                "commit the file, or correct `config` in `UserParameters`; the source must be the last of the action's input artifacts"
            }
            Self::NoArtifacts { .. } => {
                "name its artifacts by `Artifact.SERVICE.function`, `.api` or `.site`; if it is a stack, set `kind = \"stack\"` for the service"
            }
            Self::NoSite { .. } => {
                "let the build write the site there, or correct `site` of the service"
            }
            Self::Forgotten { .. } => {
                "launch the delivery stack again, so that its pipeline has the services of this `delivery.toml`; or give them to a pipeline in `[pipelines]`"
            }
            Self::NoDeployment { .. } | Self::Failed { .. } => {
                "look at what the environment has now; if this release is still wanted, deploy it again"
            }
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
        let errors = [ReleaseActionError::NoRegion, ReleaseActionError::NoInput];
        let message = |error: &ReleaseActionError| {
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
