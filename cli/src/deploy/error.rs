//! Why a folder could not be deployed.

use std::fmt::Write as _;

use delivery_action::failure::{ActionError, FailureType};
use delivery_definition::UnknownEnvironment;
use delivery_stack::deployment::DeploymentError;
use deploy_site::DeploySiteError;

use crate::error::{CliError, Explained};
use crate::exit::Exit;

/// Why a folder could not be deployed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeployError {
    /// A stack could not be deployed.
    #[error(transparent)]
    Deployment(#[from] DeploymentError),
    /// A site could not be uploaded.
    #[error("the site of `{service}` could not be uploaded")]
    Site {
        service: String,
        source: Box<DeploySiteError>,
    },
    /// The time ran out before the site was uploaded.
    #[error("the time ran out before the site of `{service}` was complete: {summary}")]
    Timeout { service: String, summary: String },
    /// Several services failed at the same time.
    #[error("{} services failed:{}", .0.len(), messages(.0))]
    Several(Vec<CliError>),
    /// There is no such environment.
    #[error(transparent)]
    Environment(#[from] UnknownEnvironment),
    /// None is named, and the pipeline has none either.
    #[error("the pipeline has no environment whose deployment could be planned")]
    NoStage,
    /// The environment has a stage in the pipeline.
    #[error(
        "`{environment}` is deployed by the pipeline; from a folder only environments of developers are deployed"
    )]
    NotOwn { environment: String },
    /// The environment uses this service of another one.
    #[error("`{service}` is not deployed to `{environment}`, which uses that of `{other}`")]
    Shared {
        service: String,
        environment: String,
        other: String,
    },
    /// The application's name is that of the folder, which holds nothing that can be a name.
    #[error("the folder's name cannot be the name of the application: `{folder}`")]
    NoName { folder: String },
    /// The folder has nothing that is deployed.
    #[error("nothing in `{folder}` can be deployed: it has no `template.yaml` with `Resources`")]
    Nothing { folder: String },
    /// A service of this kind is not deployed from a folder.
    #[error("the service `{service}` is of the kind `{kind}`, which only the pipeline deploys")]
    Kind { service: String, kind: String },
    /// The folder of the built site is not there.
    #[error("the site of `{service}` is not in `{folder}`")]
    NoSite { service: String, folder: String },
    /// What builds it is not there.
    #[error("the build of `{service}` cannot be run: {why}")]
    NotBuildable { service: String, why: String },
    /// The build took longer than it may.
    #[error("the build of `{service}` took longer than {seconds} s and was ended")]
    BuildTimeout { service: String, seconds: u64 },
    /// The build failed.
    #[error("the build of `{service}` in `{directory}` failed: {why}")]
    Build {
        service: String,
        directory: String,
        why: String,
    },
    /// The site cannot be packed.
    #[error("the site of `{service}` cannot be packed")]
    Pack {
        service: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Signals cannot be listened for.
    #[error("cannot listen for signals")]
    Signals(#[source] std::io::Error),
}

fn messages(errors: &[CliError]) -> String {
    errors.iter().fold(String::new(), |mut text, error| {
        let _infallible = write!(text, "\n  - {}", error.message().replace('\n', "\n    "));
        text
    })
}

/// The exit code of a deployment's own errors.
fn exit_of(error: &impl ActionError) -> Exit {
    match error.failure_type() {
        FailureType::ConfigurationError => Exit::Usage,
        FailureType::PermissionError => Exit::Denied,
        FailureType::JobFailed => Exit::PipelineFailed,
        FailureType::RevisionOutOfSync
        | FailureType::RevisionUnavailable
        | FailureType::SystemUnavailable => Exit::Failed,
    }
}

impl Explained for DeployError {
    fn exit(&self) -> Exit {
        match self {
            Self::Several(errors) => errors[0].exit(),
            Self::Deployment(DeploymentError::TooSlow { .. })
            | Self::Timeout { .. }
            | Self::BuildTimeout { .. } => Exit::TimedOut,
            Self::Deployment(DeploymentError::NoService { .. })
            | Self::Environment(_)
            | Self::NoSite { .. } => Exit::NotFound,
            Self::Deployment(error) => exit_of(error),
            Self::Site { source, .. } => exit_of(&**source),
            Self::NoStage
            | Self::NotOwn { .. }
            | Self::Nothing { .. }
            | Self::NoName { .. }
            | Self::Kind { .. }
            | Self::Shared { .. }
            | Self::NotBuildable { .. } => Exit::Usage,
            Self::Build { .. } | Self::Pack { .. } | Self::Signals(_) => Exit::Failed,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Deployment(_) | Self::Several(_) => "stack",
            Self::Site { .. } | Self::Timeout { .. } | Self::NoSite { .. } | Self::Pack { .. } => {
                "site"
            }
            Self::Environment(_) => "not-found",
            Self::NoStage
            | Self::NotOwn { .. }
            | Self::Nothing { .. }
            | Self::NoName { .. }
            | Self::Shared { .. }
            | Self::Kind { .. } => "settings",
            Self::NotBuildable { .. } | Self::Build { .. } | Self::BuildTimeout { .. } => "build",
            Self::Signals(_) => "host",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Deployment(error) => return error.hint(),
            Self::Site { source, .. } => return source.hint(),
            Self::Timeout { .. } => {
                "deploy again: what is uploaded is not uploaded twice; or give it more time: `--timeout`".to_owned()
            }
            Self::Several(_) | Self::Signals(_) => return None,
            Self::Environment(_) => {
                "use a name of your own, such as `dev-anna`, or one of `[environments]`".to_owned()
            }
            Self::NoStage => "name one: `delivery plan dev-anna`".to_owned(),
            Self::NotOwn { .. } => {
                "use a name of your own, such as `dev-anna`; `delivery plan ENVIRONMENT` shows what the pipeline would \
                 change"
                    .to_owned()
            }
            Self::NoName { .. } => {
                "name it in `delivery.toml`, for example: application = \"shop\"".to_owned()
            }
            Self::Nothing { .. } => {
                "change to the folder of the application, or name the folders of its services in `delivery.toml` (`delivery \
                 init`)"
                    .to_owned()
            }
            Self::Shared { other, .. } => format!(
                "leave it out: the one of `{other}` is used; or remove it from `share` of the environment"
            ),
            Self::Kind { .. } => {
                "deploy the other services with `--service NAME`, or commit and run the pipeline: `delivery run`".to_owned()
            }
            Self::NoSite { .. } => {
                "build it (`build` in `delivery.toml` does that here too), or correct `site`".to_owned()
            }
            Self::BuildTimeout { .. } => {
                "give it more time: `--timeout`; `--no-build` takes what was built before".to_owned()
            }
            Self::NotBuildable { .. } => "correct the service's `build`".to_owned(),
            Self::Build { .. } => {
                "see its output above; `--no-build` takes what was built before".to_owned()
            }
            Self::Pack { .. } => "correct the file that the message names".to_owned(),
        })
    }
}
