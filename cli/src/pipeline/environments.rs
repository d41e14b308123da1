//! The environments of an application, by the tags of the stacks of its services: those of the pipeline, and developers'
//! own.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws_sdk_cloudformation::Client;
use delivery_action::aws::{CallError, CallErrorKind};
use delivery_stack::description::list;
use delivery_stack::service::{APPLICATION_TAG, ENVIRONMENT_TAG, SERVICE_TAG};
use delivery_stack::state::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::status::StackState;
use crate::output::answer::CommandAnswer;
use crate::output::style::{BAD, DIM, GOOD, WAITING};
use crate::settings::Settings;

/// What is said of a service that was renamed or removed in the file.
pub(crate) const LEFT: &str = "not in delivery.toml any more; it stays until its stack is deleted";

/// An environment with stacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EnvironmentState {
    /// Its name.
    pub(crate) name: String,
    /// What is in it, by name.
    pub(crate) services: Vec<ServiceState>,
}

/// A service in an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceState {
    /// The service.
    pub(crate) name: String,
    /// Its stack.
    pub(crate) stack: StackState,
    /// Whether `delivery.toml` has no such service any more. It stays deployed until its stack is deleted.
    pub(crate) is_left: bool,
}

/// The environments where no pipeline is launched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Environments {
    /// The application.
    pub(crate) application: String,
    /// Its environments, by name.
    pub(crate) environments: Vec<EnvironmentState>,
}

impl CommandAnswer for Environments {
    const TYPE: &'static str = "environments";

    fn text(&self) -> String {
        format!(
            "no pipeline of {} is launched (`delivery up`)\n{}",
            self.application,
            text(&self.environments)
        )
    }
}

/// The environments that have stacks of an application. Who may see a pipeline need not be allowed to list stacks.
pub(crate) async fn find(
    client: &Client,
    settings: &Settings,
) -> Result<Vec<EnvironmentState>, CallError> {
    let application = settings.application();
    let services = settings.definition().services();
    let is_left = |service: &str| settings.file_path().is_some() && services.get(service).is_none();
    let stacks = match list(client).await {
        Ok(stacks) => stacks,
        Err(error) if error.kind == CallErrorKind::Denied => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found: BTreeMap<String, Vec<ServiceState>> = BTreeMap::new();
    for stack in stacks {
        let tag = |key: &str| stack.tags.get(key).cloned();
        let is_of_application = stack.tags.get(APPLICATION_TAG) == Some(&application);
        let (Some(environment), Some(service)) = (tag(ENVIRONMENT_TAG), tag(SERVICE_TAG)) else {
            continue;
        };
        if is_of_application && stack.state() != State::Review {
            found.entry(environment).or_default().push(ServiceState {
                is_left: is_left(&service),
                name: service,
                stack: StackState::from(&stack),
            });
        }
    }
    let environments = found.into_iter().map(|(name, mut services)| {
        services.sort_by(|a, b| a.name.cmp(&b.name));
        EnvironmentState { name, services }
    });
    Ok(environments.collect())
}

/// The services of an environment that `delivery.toml` does not have any more.
pub(crate) async fn left(
    client: &Client,
    settings: &Settings,
    environment: &str,
) -> Result<Vec<ServiceState>, CallError> {
    let mut all = find(client, settings).await?;
    all.retain(|one| one.name == environment);
    let services = all.into_iter().flat_map(|one| one.services);
    Ok(services.filter(|one| one.is_left).collect())
}

/// A line for each service.
pub(super) fn text(environments: &[EnvironmentState]) -> String {
    let mut text = String::new();
    for environment in environments {
        let _infallible = writeln!(text, "environment {}", environment.name);
        let services = || environment.services.iter();
        let width = services().map(|one| one.name.len()).max();
        let statuses = services().map(|one| one.stack.status.len()).max();
        let (width, statuses) = (width.unwrap_or_default(), statuses.unwrap_or_default());
        for ServiceState {
            name,
            stack,
            is_left,
        } in &environment.services
        {
            let (sign, style) = match State::of(&stack.status) {
                State::Complete => ("✓", GOOD),
                state if state.is_failure() => ("✗", BAD),
                _ => ("•", WAITING),
            };
            let changed = stack.changed.as_deref().unwrap_or_default();
            let left = if *is_left {
                format!("  {LEFT}")
            } else {
                String::new()
            };
            let _infallible = writeln!(
                text,
                "  {style}{sign}{style:#} {name:<width$}  {:<statuses$}  {DIM}{changed}  {}{DIM:#}{left}",
                stack.status, stack.name
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_a_line_with_the_state_of_its_stack() {
        let service = |name: &str, status: &str| ServiceState {
            name: name.to_owned(),
            is_left: name == "tasks",
            stack: StackState {
                name: format!("workshop-dev-anna-{name}"),
                status: status.to_owned(),
                reason: None,
                changed: Some("2026-11-21T09:00:00Z".to_owned()),
                outputs: BTreeMap::new(),
            },
        };
        let environments = [EnvironmentState {
            name: "dev-anna".to_owned(),
            services: vec![
                service("api", "UPDATE_COMPLETE"),
                service("database", "UPDATE_ROLLBACK_COMPLETE"),
                service("tasks", "CREATE_IN_PROGRESS"),
            ],
        }];
        let text = anstream::adapter::strip_str(&text(&environments)).to_string();
        insta::assert_snapshot!(text, @r"
        environment dev-anna
          ✓ api       UPDATE_COMPLETE           2026-11-21T09:00:00Z  workshop-dev-anna-api
          ✗ database  UPDATE_ROLLBACK_COMPLETE  2026-11-21T09:00:00Z  workshop-dev-anna-database
          • tasks     CREATE_IN_PROGRESS        2026-11-21T09:00:00Z  workshop-dev-anna-tasks  not in delivery.toml any more; it stays until its stack is deleted
        ");
    }
}
