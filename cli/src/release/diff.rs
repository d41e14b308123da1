//! `delivery diff`: what another release would change in an environment.

mod services;
mod settings;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use delivery_definition::names::EnvironmentName;
use delivery_release::environment::Environment;
use delivery_release::manifest::Service;
use delivery_release::repository::Repository;
use delivery_stack::template::Template;
use schemars::JsonSchema;
use serde::Serialize;

use super::choose::{Release, choose};
use super::configuration::Configuration;
use super::place::Releases;
use super::refusal::Refusal;
use crate::args::Global;
use crate::args::release::Diff;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::answer::{self, CommandAnswer};
use services::{ServiceChange, ServiceDifference, Side, ValueDifference, Values};

/// What a release would change in an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Difference {
    /// The environment.
    environment: String,
    /// What it has; `null` if it has nothing.
    from: Option<NamedRelease>,
    /// What it would get.
    to: NamedRelease,
    /// The services of both, by name.
    services: Vec<ServiceDifference>,
    /// The keys of `delivery.toml` that differ, for services that both have and for this environment.
    settings: Vec<ValueDifference>,
}

/// A release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NamedRelease {
    /// Its id.
    pub(super) id: String,
    /// The commit that it was built from.
    pub(super) commit: String,
}

impl From<&Release> for NamedRelease {
    fn from(release: &Release) -> Self {
        Self {
            id: release.id.to_string(),
            commit: release.commit().to_owned(),
        }
    }
}

/// The command.
pub(crate) async fn diff(global: &Global, arguments: &Diff) -> Result<Exit, CliError> {
    let releases = Releases::find(global).await?;
    let environment = releases.environment(&arguments.environment).await?;
    let to = match &arguments.to {
        Some(given) => meant(&releases, given).await?,
        None => next(&releases, environment.name()).await?,
    };
    let from = current(&releases.repository, &environment).await?;
    let difference = between(&releases.repository, environment.name(), from.as_ref(), &to);
    answer::print(global.json, &difference.await?);
    Ok(Exit::Success)
}

/// What an environment has.
pub(super) async fn current(
    repository: &Repository,
    environment: &Environment,
) -> Result<Option<Release>, CliError> {
    match environment.state().await?.current {
        Some(current) => Ok(Some(Release::read(repository, &current.release).await?)),
        None => Ok(None),
    }
}

/// What an environment has, which has to be something.
pub(super) async fn has(
    repository: &Repository,
    environment: &Environment,
) -> Result<Release, CliError> {
    let current = current(repository, environment).await?;
    current.ok_or_else(|| {
        Refusal::Empty {
            environment: environment.name().to_string(),
        }
        .into()
    })
}

/// The release that is named, or that of the environment that is named.
async fn meant(releases: &Releases, given: &str) -> Result<Release, CliError> {
    let name = EnvironmentName::parse(given).ok();
    let is_known = match &name {
        Some(name) if name.family().is_some() => true,
        Some(name) => releases.known().await?.contains(name.as_str()),
        None => false,
    };
    match name.filter(|_| is_known) {
        Some(name) => {
            let environment = Environment::new(&releases.repository, name);
            has(&releases.repository, &environment).await
        }
        None => choose(&releases.repository, given).await,
    }
}

/// What an environment would get next: what the one before it has, else the newest release.
async fn next(releases: &Releases, environment: &EnvironmentName) -> Result<Release, CliError> {
    let repository = &releases.repository;
    let newest = repository.releases().await?.into_iter().next();
    let newest = newest.ok_or(Refusal::NoReleases)?;
    let newest = Release::read(repository, &newest.release).await?;
    let configuration = Configuration::read(repository, &newest).await?;
    let before = configuration.before(environment);
    match before.and_then(|before| EnvironmentName::parse(before).ok()) {
        Some(before) => has(repository, &Environment::new(repository, before)).await,
        None => Ok(newest),
    }
}

/// What a release would change.
pub(super) async fn between(
    repository: &Repository,
    environment: &EnvironmentName,
    from: Option<&Release>,
    to: &Release,
) -> Result<Difference, CliError> {
    let before = match from {
        Some(from) => Configuration::read(repository, from).await?,
        None => Configuration::default(),
    };
    let after = Configuration::read(repository, to).await?;
    let values_before = match from {
        Some(from) => values(repository, from, &before, environment).await?,
        None => Values::new(),
    };
    let values_after = values(repository, to, &after, environment).await?;
    let sides = [
        Side {
            manifest: from.map(|from| &from.manifest),
            values: &values_before,
        },
        Side {
            manifest: Some(&to.manifest),
            values: &values_after,
        },
    ];
    Ok(Difference {
        environment: environment.to_string(),
        from: from.map(NamedRelease::from),
        to: NamedRelease::from(to),
        services: services::compare(sides[0], sides[1]),
        settings: match from {
            Some(_) => settings::compare(&before, &after, environment),
            None => Vec::new(),
        },
    })
}

/// The values of a release's services. Templates are read only where the environment has parameters for those that declare
/// them.
async fn values(
    repository: &Repository,
    release: &Release,
    configuration: &Configuration,
    environment: &EnvironmentName,
) -> Result<Values, CliError> {
    let mut declared = BTreeMap::new();
    let target = configuration.definition.environment(environment.as_str());
    if target.is_ok_and(|target| !target.settings.parameters.is_empty()) {
        for (name, service) in &release.manifest.services {
            let Service::CloudFormation(stack) = service else {
                continue;
            };
            let text = repository.blob(&stack.template.sha256).await?;
            // A template that cannot be read here declares nothing here; CloudFormation says what is wrong with it.
            let template = Template::read(&String::from_utf8_lossy(&text)).ok();
            let parameters = template.map(|one| one.parameters()).unwrap_or_default();
            let names: BTreeSet<_> = parameters.into_iter().map(|one| one.name).collect();
            declared.insert(name.clone(), names);
        }
    }
    Ok(settings::values(configuration, environment, &declared))
}

impl Difference {
    /// Whether the release would change anything.
    pub(super) fn is_none(&self) -> bool {
        let mut services = self.services.iter();
        self.from.is_some()
            && self.settings.is_empty()
            && services.all(|one| one.change == ServiceChange::Unchanged)
    }
}

impl CommandAnswer for Difference {
    const TYPE: &'static str = "diff";

    fn text(&self) -> String {
        text::text(self)
    }
}
