//! Why a stack could not be deployed.

use std::path::PathBuf;

use delivery_action::failure::{ActionError, FailureType, JobError};
use delivery_definition::names::NameTooLong;
use delivery_definition::{Definition, Mistakes, UnknownEnvironment, UnknownKind};

use super::FailedDeployment;
use crate::package::PackageError;
use crate::service::APPLICATION_TAG;
use crate::template::nearest;

/// Why a stack could not be deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// An error that any action can meet.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The template, or a file that it names, cannot be packaged.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The disk failed.
    #[error("cannot read `{}`", .path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No artifact has the definition.
    #[error("no input artifact has `{file}`")]
    NoDefinition {
        /// Its path.
        file: String,
    },
    /// The definition has mistakes.
    #[error("the definition has mistakes:\n{0}")]
    Definition(#[from] Mistakes),
    /// The definition names no application.
    #[error("`{file}` names no application")]
    NoApplication {
        /// Its path.
        file: String,
    },
    /// The definition has no such environment.
    #[error(transparent)]
    Environment(#[from] UnknownEnvironment),
    /// The definition has no such service.
    #[error("`{file}` has no service `{service}`: {}", next(.meant.as_deref(), .known))]
    NoService {
        /// The service.
        service: String,
        /// The definition's path.
        file: String,
        /// The one that is meant, if any is near.
        meant: Option<String>,
        /// The services there are.
        known: Vec<String>,
    },
    /// The environment uses another one's service.
    #[error("`{service}` is not deployed to `{environment}`, which uses that of `{other}`")]
    Shared {
        /// The service.
        service: String,
        /// The environment.
        environment: String,
        /// The environment whose service is used.
        other: String,
    },
    /// The environment is in another account or region.
    #[error(
        "`{environment}` is in {place}, and only the account and region of the credentials can be deployed to"
    )]
    Elsewhere {
        /// The environment.
        environment: String,
        /// Its account or region.
        place: String,
    },
    /// The stack's name would be too long.
    #[error(transparent)]
    Name(#[from] NameTooLong),
    /// What the service is deployed as is not clear.
    #[error(transparent)]
    Kind(#[from] UnknownKind),
    /// The service is not a stack.
    #[error(
        "the service `{service}` is of kind `{kind}`; only a `stack` is deployed by this action"
    )]
    NotAStack {
        /// The service.
        service: String,
        /// What it is.
        kind: String,
    },
    /// The template does not declare a parameter that is given.
    #[error("the template does not declare the parameter `{parameter}`: {}", next(.meant.as_deref(), .known))]
    Undeclared {
        /// The parameter.
        parameter: String,
        /// The one that is meant, if any is near.
        meant: Option<String>,
        /// The parameters there are.
        known: Vec<String>,
    },
    /// The template does not take a parameter's value.
    #[error("the value of the parameter `{parameter}` does not fit the template: {why}")]
    Value {
        /// The parameter.
        parameter: String,
        /// What it must be.
        why: String,
    },
    /// A service that a parameter refers to is not deployed.
    #[error("the service `{service}`, which a parameter refers to, has no stack `{stack}`")]
    NoOtherStack {
        /// The service.
        service: String,
        /// The environment that it would be in.
        environment: String,
        /// Its stack.
        stack: String,
    },
    /// A service does not have the output that a parameter refers to.
    #[error(
        "the parameter `{parameter}` refers to the output `{output}` of the service `{service}`, which has {}",
        listed(.known)
    )]
    NoOutput {
        /// The parameter.
        parameter: String,
        /// The service.
        service: String,
        /// The output.
        output: String,
        /// The outputs that it has.
        known: Vec<String>,
    },
    /// The stack belongs to someone else.
    #[error("nothing was changed in {subject}: the stack belongs to {}", whose(.owner.as_deref()))]
    Foreign {
        /// What is deployed.
        subject: String,
        /// The stack.
        stack: String,
        /// The application that is deployed.
        application: String,
        /// The application that it belongs to, if any.
        owner: Option<String>,
    },
    /// The template needs a capability that was not given.
    #[error("CloudFormation did not take the template of {subject}: {reason}")]
    Capability {
        /// What is deployed.
        subject: String,
        /// CloudFormation's words.
        reason: String,
    },
    /// CloudFormation refuses the change.
    #[error("CloudFormation refused the change of {subject}; nothing was changed: {reason}")]
    Refused {
        /// What is deployed.
        subject: String,
        /// CloudFormation's words.
        reason: String,
    },
    /// The change would replace or remove what holds data.
    #[error("nothing was changed in {subject}: the change would replace or remove what holds data: {}", .resources.join(", "))]
    DataAtStake {
        /// What is deployed.
        subject: String,
        /// The resources, with their types and what would happen.
        resources: Vec<String>,
    },
    /// The deployment failed, and CloudFormation took it back or could not.
    #[error("{}{}{}{}", .0.outcome(), .0.not_deployed(), .0.first_failure(), .0.not_tried())]
    Failed(Box<FailedDeployment>),
    /// The stack's rollback failed.
    #[error(
        "{subject} is {status}: a rollback failed, and the stack takes no change until it is finished; what failed: {}",
        .resources.join(", ")
    )]
    Stuck {
        /// What is deployed.
        subject: String,
        /// CloudFormation's word.
        status: String,
        /// The resources with their reasons.
        resources: Vec<String>,
    },
    /// The stack can only be deleted.
    #[error("{subject} is {status}: the stack can only be deleted, and something may be left in it{}", .reason.as_ref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Broken {
        /// What is deployed.
        subject: String,
        /// The stack.
        stack: String,
        /// CloudFormation's word.
        status: String,
        /// What CloudFormation says of it.
        reason: Option<String>,
    },
    /// Someone else is changing the stack.
    #[error("someone else is changing {subject}, which is {}; nothing was changed", still(.status, *.minutes))]
    OtherChange {
        /// What is deployed.
        subject: String,
        /// CloudFormation's word.
        status: String,
        /// How long the action waited for that; 0 where it did not.
        minutes: u64,
    },
    /// Someone else changed the stack after this action.
    #[error(
        "someone else changed {subject} after this deployment began, and it is {status}, so what is there now is not this deployment"
    )]
    Overtaken {
        /// What is deployed.
        subject: String,
        /// CloudFormation's word.
        status: String,
    },
    /// Others keep changing the stack.
    #[error("{subject} changed again and again while it was being deployed; nothing was changed")]
    Contended {
        /// What is deployed.
        subject: String,
    },
    /// The deployment takes longer than it may.
    #[error("{subject} is still {status} after {minutes} minutes; CloudFormation goes on")]
    TooSlow {
        /// What is deployed.
        subject: String,
        /// CloudFormation's word.
        status: String,
        /// How long the action waited.
        minutes: u64,
    },
}

impl DeploymentError {
    /// A definition, which is in this file, has no service of this name.
    #[must_use]
    pub fn no_service(definition: &Definition, file: &str, service: &str) -> Self {
        let known = || definition.services().names();
        Self::NoService {
            service: service.to_owned(),
            file: file.to_owned(),
            meant: nearest(service, known()).map(str::to_owned),
            known: known().map(str::to_owned).collect(),
        }
    }
}

fn whose(owner: Option<&str>) -> String {
    match owner {
        Some(owner) => format!("the application `{owner}`"),
        None => "no application: `delivery` did not make it".to_owned(),
    }
}

/// A status, and for how long someone waited for its end.
fn still(status: &str, minutes: u64) -> String {
    match minutes {
        0 => status.to_owned(),
        1 => format!("still {status} after 1 minute"),
        minutes => format!("still {status} after {minutes} minutes"),
    }
}

/// What is meant, or which there are.
fn next(meant: Option<&str>, known: &[String]) -> String {
    match meant {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("it has {}", listed(known)),
    }
}

pub(super) fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

delivery_action::wraps_job_error!(DeploymentError);

impl ActionError for DeploymentError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::Job(error) => error.failure_type(),
            Self::Package(error) => error.failure_type(),
            Self::NoDefinition { .. }
            | Self::Definition(_)
            | Self::NoApplication { .. }
            | Self::Environment(_)
            | Self::NoService { .. }
            | Self::Shared { .. }
            | Self::Elsewhere { .. }
            | Self::Name(_)
            | Self::Kind(_)
            | Self::NotAStack { .. }
            | Self::Undeclared { .. }
            | Self::Value { .. }
            | Self::NoOtherStack { .. }
            | Self::NoOutput { .. }
            | Self::Foreign { .. }
            | Self::Capability { .. } => FailureType::ConfigurationError,
            Self::Disk { .. }
            | Self::Refused { .. }
            | Self::DataAtStake { .. }
            | Self::Failed(_)
            | Self::Stuck { .. }
            | Self::Broken { .. } => FailureType::JobFailed,
            Self::OtherChange { .. } | Self::Overtaken { .. } | Self::Contended { .. } => {
                FailureType::RevisionOutOfSync
            }
            Self::TooSlow { .. } => FailureType::SystemUnavailable,
        }
    }

    #[expect(clippy::too_many_lines, reason = "a list of every error")]
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Job(error) => return error.hint(),
            Self::Package(error) => return error.hint(),
            Self::Disk { .. } => {
                "free space on the disk (for a function: raise its `EphemeralStorage`, 10,240 MiB at most)"
            }
            Self::NoDefinition { .. } => {
                "commit the file, or correct `definition` in `UserParameters`; the artifact of the source must be one of the action's inputs"
            }
            Self::Definition(_) => {
                "correct the lines that are named; `delivery validate` checks the file"
            }
            Self::NoApplication { .. } => "add a line such as `application = \"workshop\"` to it",
            Self::Environment(_) => "correct the environment's name, or add it to `[environments]`",
            Self::NoService { .. } => "correct the service's name",
            Self::Shared { .. } => {
                "remove this action, or the service from `share` of the environment"
            }
            Self::Elsewhere { .. } => "deploy from that account and region",
            Self::Name(_) => {
                "choose a shorter name for the application, the environment or the service"
            }
            Self::Kind(_) => "correct the service in the definition",
            Self::NotAStack { .. } => {
                "use the action of that kind, or set `kind = \"stack\"` for the service"
            }
            Self::Undeclared { .. } => {
                "declare it under `Parameters` of the template, or remove it"
            }
            Self::Value { .. } => "correct the value where it is given",
            Self::NoOtherStack {
                service,
                environment,
                ..
            } => return Some(format!("deploy `{service}` to `{environment}` first")),
            Self::Foreign {
                stack, application, ..
            } => {
                return Some(format!(
                    "choose another `application` in `delivery.toml`; or, if `{stack}` is meant, give it the tag \
                     `{APPLICATION_TAG}` with the value `{application}`"
                ));
            }
            Self::NoOutput { .. } => {
                "add the output to that service's template, or correct the reference"
            }
            Self::Capability { .. } => {
                "add the capability in the reason to `capabilities` of the service, or of the action"
            }
            Self::Refused { .. } => "fix what the reason says",
            Self::DataAtStake { .. } => {
                "keep the resource as it is, or name it in `allow` of the service, or of the environment as `SERVICE.NAME`, to let it go with its data"
            }
            Self::Failed(_) => "fix the first failure, then deploy again",
            Self::Stuck { .. } => {
                "fix what failed, then deploy again, in a pipeline with `continue-rollback=on`; no resource is ever skipped"
            }
            Self::Broken { stack, .. } => {
                return Some(format!(
                    "look at what is left, delete the stack (`aws cloudformation delete-stack --stack-name {stack}`), then \
                     deploy again"
                ));
            }
            Self::OtherChange { .. } => "wait for the other change to end, then deploy again",
            Self::Overtaken { .. } => {
                "check which release should be there; to have this one, deploy it again"
            }
            Self::Contended { .. } => "stop the other deployments of this stack, then deploy again",
            Self::TooSlow { .. } => "deploy again to follow it further, or give it more time",
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use delivery_action::failure::Failure;

    use super::*;

    fn text() -> String {
        "x".to_owned()
    }

    /// Those that no test of the whole action reaches.
    #[test]
    fn each_says_what_where_and_what_to_do() {
        let subject = || "`restapi` in `int` (stack `workshop-int-restapi`)".to_owned();
        let errors = [
            DeploymentError::Disk {
                path: "/tmp/x".into(),
                source: std::io::Error::other("device error"),
            },
            DeploymentError::NoApplication {
                file: "delivery.toml".to_owned(),
            },
            DeploymentError::Shared {
                service: "database".to_owned(),
                environment: "dev-anna".to_owned(),
                other: "int".to_owned(),
            },
            DeploymentError::Elsewhere {
                environment: "prd".to_owned(),
                place: "222222222222".to_owned(),
            },
            DeploymentError::Failed(Box::new(FailedDeployment {
                subject: subject(),
                stack: text(),
                status: "CREATE_FAILED".to_owned(),
                release: None,
                first: None,
                not_tried: vec!["tasks".to_owned(), "website".to_owned()],
            })),
            DeploymentError::Overtaken {
                subject: subject(),
                status: "UPDATE_COMPLETE".to_owned(),
            },
            DeploymentError::Contended { subject: subject() },
            DeploymentError::TooSlow {
                subject: subject(),
                status: "UPDATE_IN_PROGRESS".to_owned(),
                minutes: 60,
            },
            DeploymentError::OtherChange {
                subject: subject(),
                status: "UPDATE_IN_PROGRESS".to_owned(),
                minutes: 60,
            },
        ];
        let message = |error: &DeploymentError| {
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
