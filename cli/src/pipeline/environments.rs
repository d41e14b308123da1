//! The environments of an application, by the tags of the stacks of its services: those of the pipeline, and developers'
//! own.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws_sdk_cloudformation::Client;
use delivery_action::aws::{CallError, CallErrorKind};
use delivery_definition::Definition;
use delivery_release::repository::Repository;
use delivery_render::site_output;
use delivery_stack::description::{Description, list};
use delivery_stack::service::{APPLICATION_TAG, ENVIRONMENT_TAG, SERVICE_TAG};
use delivery_stack::state::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::status::StackState;
use crate::error::CliError;
use crate::output::answer::CommandAnswer;
use crate::output::style::{BAD, DIM, GOOD, WAITING};
use crate::release::EnvironmentRelease;
use crate::settings::Settings;

/// What is said of a service that was renamed or removed in the file.
pub(crate) const LEFT: &str = "not in delivery.toml any more; it stays until its stack is deleted";

/// An environment with stacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EnvironmentState {
    /// Its name.
    pub(crate) name: String,
    /// What is in it, by name: the services that have a stack.
    pub(crate) services: Vec<ServiceState>,
    /// The services that have a site whose bucket is in the pipeline's stack, by name.
    pub(crate) sites: Vec<SiteState>,
    /// What it has of the releases; `null` where none was deployed to it.
    pub(crate) release: Option<EnvironmentRelease>,
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

/// A site in an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SiteState {
    /// The service.
    pub(crate) name: String,
    /// Where it answers.
    pub(crate) url: String,
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

/// The stack of a service in an environment.
#[derive(Clone, Debug)]
pub(crate) struct EnvironmentStack {
    pub(crate) environment: String,
    pub(crate) service: String,
    pub(crate) stack: Description,
}

/// A stack that a pipeline deploys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PipelineStack {
    pub(crate) environment: String,
    pub(crate) service: String,
    /// Its name.
    pub(crate) stack: String,
}

/// The stacks that pipelines deploy, in the order of deployment.
pub(crate) fn of_pipelines(definition: &Definition, application: &str) -> Vec<PipelineStack> {
    let services: Vec<_> = definition.waves().into_iter().flatten().collect();
    let mut found = Vec::new();
    for stage in definition.stages() {
        let Ok(target) = definition.environment(&stage.name) else {
            continue; // a family, whose members are not known
        };
        for service in &services {
            if let Ok(stack) = target.stack(application, service) {
                found.push(PipelineStack {
                    environment: stage.name.clone(),
                    service: service.name.clone(),
                    stack,
                });
            }
        }
    }
    found
}

/// The stacks of all services of an application, in all of its environments.
pub(crate) async fn stacks(
    client: &Client,
    settings: &Settings,
    application: &str,
) -> Result<Vec<EnvironmentStack>, CallError> {
    let definition = settings.definition();
    // A pipeline gives the only service of a repository that names none no tags.
    let untagged = match definition.file().services {
        None => of_pipelines(definition, application),
        Some(_) => Vec::new(),
    };
    let mut all = list(client).await?;
    all.retain(|stack| stack.state() != State::Review);
    let stacks = all
        .into_iter()
        .filter_map(|stack| of_tags(&stack, application).or_else(|| of_name(stack, &untagged)));
    Ok(stacks.collect())
}

fn of_tags(stack: &Description, application: &str) -> Option<EnvironmentStack> {
    let tag = |key: &str| stack.tags.get(key).cloned();
    tag(APPLICATION_TAG).filter(|name| name == application)?;
    Some(EnvironmentStack {
        environment: tag(ENVIRONMENT_TAG)?,
        service: tag(SERVICE_TAG)?,
        stack: stack.clone(),
    })
}

fn of_name(stack: Description, known: &[PipelineStack]) -> Option<EnvironmentStack> {
    let mut known = known.iter();
    let found = known.find(|one| one.stack == stack.name)?;
    let is_tagged = stack.tags.contains_key(APPLICATION_TAG);
    (!is_tagged).then(|| EnvironmentStack {
        environment: found.environment.clone(),
        service: found.service.clone(),
        stack,
    })
}

/// The environments that have stacks of an application. Who may see a pipeline need not be allowed to list stacks.
pub(crate) async fn find(
    client: &Client,
    settings: &Settings,
    application: &str,
) -> Result<Vec<EnvironmentState>, CallError> {
    let services = settings.definition().services();
    let is_left = |service: &str| settings.file_path().is_some() && services.get(service).is_none();
    let stacks = match stacks(client, settings, application).await {
        Ok(stacks) => stacks,
        Err(error) if error.kind == CallErrorKind::Denied => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found: BTreeMap<String, Vec<ServiceState>> = BTreeMap::new();
    for one in stacks {
        found
            .entry(one.environment)
            .or_default()
            .push(ServiceState {
                is_left: is_left(&one.service),
                name: one.service,
                stack: StackState::from(&one.stack),
            });
    }
    let environments = found.into_iter().map(|(name, mut services)| {
        services.sort_by(|a, b| a.name.cmp(&b.name));
        EnvironmentState {
            name,
            services,
            sites: Vec::new(),
            release: None,
        }
    });
    Ok(environments.collect())
}

/// Whether an output of a stack says where something answers.
pub(crate) fn is_address(value: &str) -> bool {
    value.starts_with("http://") || value.starts_with("https://")
}

/// The services of an environment that `delivery.toml` does not have any more.
pub(crate) async fn left(
    client: &Client,
    settings: &Settings,
    environment: &str,
) -> Result<Vec<ServiceState>, CallError> {
    let mut all = find(client, settings, &settings.application()).await?;
    all.retain(|one| one.name == environment);
    let services = all.into_iter().flat_map(|one| one.services);
    Ok(services.filter(|one| one.is_left).collect())
}

/// Adds what environments have of the releases.
pub(super) async fn add_releases(
    repository: &Repository,
    environments: &mut Vec<EnvironmentState>,
) -> Result<(), CliError> {
    for environment in repository.environments().await? {
        let look = EnvironmentRelease::look(repository, &environment).await?;
        let mut known = environments.iter_mut();
        match known.find(|one| one.name == look.environment) {
            Some(one) => one.release = Some(look),
            None if look.is_there() => environments.push(EnvironmentState {
                name: look.environment.clone(),
                services: Vec::new(),
                sites: Vec::new(),
                release: Some(look),
            }),
            None => {}
        }
    }
    environments.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(())
}

/// Adds the sites that pipelines deliver: they have no stack of their own, and their addresses are outputs of the pipeline's.
pub(super) fn add_sites(
    outputs: &BTreeMap<String, String>,
    definition: &Definition,
    environments: &mut Vec<EnvironmentState>,
) {
    for stage in definition.stages() {
        if !environments.iter().any(|one| one.name == stage.name) {
            environments.push(EnvironmentState {
                name: stage.name.clone(),
                services: Vec::new(),
                sites: Vec::new(),
                release: None,
            });
        }
    }
    for environment in environments.iter_mut() {
        environment.sites = sites(outputs, definition, &environment.name);
    }
    environments
        .retain(|one| !one.sites.is_empty() || !one.services.is_empty() || one.release.is_some());
    environments.sort_by(|a, b| a.name.cmp(&b.name));
}

/// The sites of an environment. The only service of a repository has no name, and the stack's outputs say it all.
fn sites(
    outputs: &BTreeMap<String, String>,
    definition: &Definition,
    environment: &str,
) -> Vec<SiteState> {
    let end = site_output("", environment);
    let site = |(output, url): (&String, &String)| {
        let id = output.strip_suffix(&end).filter(|id| !id.is_empty())?;
        let services = definition.services();
        let mut names = services.names();
        let name = names.find(|name| site_output(name, environment) == *output);
        Some(SiteState {
            name: name.map_or_else(|| with_dashes(id), str::to_owned),
            url: url.clone(),
        })
    };
    let addresses = outputs.iter().filter(|(_, url)| is_address(url));
    let mut sites: Vec<_> = addresses.filter_map(site).collect();
    sites.sort_by(|a, b| a.name.cmp(&b.name));
    sites
}

/// The name of a service by its name in templates, where its `delivery.toml` is not at hand: `HelpPages` is `help-pages`.
fn with_dashes(id: &str) -> String {
    let mut name = String::new();
    for letter in id.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// The rest of an environment's first line, and the lines about its releases.
fn release_text(release: Option<&EnvironmentRelease>) -> String {
    let Some(release) = release else {
        return "\n".to_owned();
    };
    let mut text = format!("  {}\n", release.summary());
    for note in release.notes() {
        let style = if note.starts_with('✗') {
            BAD
        } else {
            WAITING
        };
        let _infallible = writeln!(text, "  {style}{note}{style:#}");
    }
    text
}

/// A line for each service and site.
pub(super) fn text(environments: &[EnvironmentState]) -> String {
    let mut text = String::new();
    for environment in environments {
        let _infallible = write!(text, "environment {}", environment.name);
        text.push_str(&release_text(environment.release.as_ref()));
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
            let addresses = stack.outputs.iter();
            for (output, url) in addresses.filter(|(_, value)| is_address(value)) {
                let _infallible = writeln!(text, "    {output}: {url}");
            }
        }
        for SiteState { name, url } in &environment.sites {
            let _infallible = writeln!(text, "  site {name}: {url}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::{Stack, Tag};

    use super::*;

    #[test]
    fn a_stack_is_known_by_its_tags_or_as_the_only_service_by_its_name() {
        let stack = |name: &str, application: Option<&str>| {
            let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
            let mut stack = Stack::builder().stack_name(name);
            if let Some(application) = application {
                stack = stack
                    .tags(tag(APPLICATION_TAG, application))
                    .tags(tag(ENVIRONMENT_TAG, "dev-anna"))
                    .tags(tag(SERVICE_TAG, "main"));
            }
            Description::from(stack.build())
        };
        let definition = Definition::default();
        let known = of_pipelines(&definition, "hello");
        let names: Vec<_> = known.iter().map(|one| one.stack.as_str()).collect();
        assert_eq!(names, ["hello-test-main", "hello-prod-main"]);
        let found = |stack: Description| {
            let found = of_tags(&stack, "hello").or_else(|| of_name(stack, &known));
            found.map(|one| one.environment)
        };
        let own = stack("hello-dev-anna-main", Some("hello"));
        assert_eq!(found(own).as_deref(), Some("dev-anna"));
        let deployed = stack("hello-prod-main", None);
        assert_eq!(found(deployed).as_deref(), Some("prod"));
        assert!(found(stack("hello-prod-main", Some("other"))).is_none());
        assert!(found(stack("hello-prod-mail", None)).is_none());
    }

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
                outputs: if name == "api" {
                    let outputs = [("Table", "workshop-table"), ("Url", "https://api/dev")];
                    let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
                    outputs.map(owned).into()
                } else {
                    BTreeMap::new()
                },
            },
        };
        let environments = [EnvironmentState {
            name: "dev-anna".to_owned(),
            services: vec![
                service("api", "UPDATE_COMPLETE"),
                service("database", "UPDATE_ROLLBACK_COMPLETE"),
                service("tasks", "CREATE_IN_PROGRESS"),
            ],
            sites: vec![SiteState {
                name: "website".to_owned(),
                url: "https://site".to_owned(),
            }],
            release: None,
        }];
        let text = anstream::adapter::strip_str(&text(&environments)).to_string();
        insta::assert_snapshot!(text, @r"
        environment dev-anna
          ✓ api       UPDATE_COMPLETE           2026-11-21T09:00:00Z  workshop-dev-anna-api
            Url: https://api/dev
          ✗ database  UPDATE_ROLLBACK_COMPLETE  2026-11-21T09:00:00Z  workshop-dev-anna-database
          • tasks     CREATE_IN_PROGRESS        2026-11-21T09:00:00Z  workshop-dev-anna-tasks  not in delivery.toml any more; it stays until its stack is deleted
          site website: https://site
        ");
    }

    #[test]
    fn sites_are_found_among_the_outputs_of_the_pipeline_s_stack() {
        let outputs = [
            ("HelpPagesIntSiteUrl", "https://help"),
            ("WebIntSiteUrl", "https://web"),
            ("WebPrintSiteUrl", "https://print"),
            ("WebPrdSiteUrl", "not yet"),
            ("PrdSiteUrl", "https://only"),
            ("ShopIntApiUrl", "https://api"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let found = |file: &str| {
            let definition = delivery_definition::parse(file, "delivery.toml").unwrap();
            let mut environments = vec![EnvironmentState {
                name: "int".to_owned(),
                services: Vec::new(),
                sites: Vec::new(),
                release: None,
            }];
            add_sites(&outputs, &definition, &mut environments);
            let lines = text(&environments);
            anstream::adapter::strip_str(&lines).to_string()
        };
        let expected =
            "environment int\n  site help-pages: https://help\n  site web: https://web\n";
        assert_eq!(found(""), expected);
        let file = "application = \"a\"\n[services]\nweb = { directory = \"web\", site = \".\" }\n\
            [environments]\nint = {}\nprint = {}\nprd = {}\n";
        let more = "environment print\n  site web: https://print\n";
        assert_eq!(found(file), format!("{expected}{more}"));
    }
}
