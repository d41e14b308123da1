//! The repository of releases of an application, and the names of its environments.

use std::collections::BTreeSet;

use delivery_definition::names::{EnvironmentName, Family};
use delivery_release::environment::Environment;
use delivery_release::repository::Repository;
use delivery_stack::description::Description;
use delivery_stack::template::nearest;

use super::choose::Release;
use super::refusal::Refusal;
use crate::args::Global;
use crate::cloud::Cloud;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::pipeline::listed;
use crate::pipeline::target::Target;
use crate::settings::Settings;
use crate::stack::pipelines;

/// The output of the delivery stack with the bucket of the releases.
const RELEASES_OUTPUT: &str = "Releases";

/// The repository of an application's releases, and the stack that it belongs to.
#[derive(Debug)]
pub(crate) struct Releases {
    pub(crate) settings: Settings,
    pub(crate) target: Target,
    pub(crate) repository: Repository,
}

/// The repository of a stack, if it has one.
pub(crate) fn find_repository(cloud: &Cloud, stack: &Description) -> Option<Repository> {
    let bucket = stack.outputs.get(RELEASES_OUTPUT)?;
    Some(Repository::new(cloud.s3(), bucket))
}

/// The application whose releases these are; `None` where there is none yet.
pub(crate) async fn application_of(repository: &Repository) -> Result<Option<String>, CliError> {
    let newest = repository.releases().await?.into_iter().next();
    let Some(newest) = newest else {
        return Ok(None);
    };
    let release = Release::read(repository, &newest.release).await?;
    Ok(Some(release.manifest.application))
}

impl Releases {
    /// The repository of the stack that the settings name.
    pub(crate) async fn find(global: &Global) -> Result<Self, CliError> {
        let settings = Settings::load(global)?;
        let target = Target::of(&settings).await?;
        let repository = find_repository(&target.cloud, &target.stack);
        let repository = repository.ok_or_else(|| PlaceError::NoRepository {
            stack: target.stack.name.clone(),
        })?;
        Ok(Self {
            settings,
            target,
            repository,
        })
    }

    /// The application. The folder here may be another one's: who is called at night names the stack.
    pub(crate) async fn application(&self) -> Result<String, CliError> {
        let known = self.known_application().await?;
        Ok(known.ok_or(Refusal::NoReleases)?)
    }

    /// The same; `None` where no release and no `delivery.toml` names it.
    pub(crate) async fn known_application(&self) -> Result<Option<String>, CliError> {
        let of_releases = application_of(&self.repository).await?;
        let named = self.settings.definition().application();
        Ok(of_releases.or_else(|| named.map(str::to_owned)))
    }

    /// The environment of a name, in whatever case: who is called at night need not have `delivery.toml`.
    pub(crate) async fn environment(&self, text: &str) -> Result<Environment, CliError> {
        let name = EnvironmentName::parse(text).map_err(PlaceError::Name)?;
        if name.family().is_none() {
            let known = self.known().await?;
            if !known.contains(name.as_str()) {
                let name = name.to_string();
                return Err(PlaceError::Unknown { name, known }.into());
            }
        }
        Ok(Environment::new(&self.repository, name))
    }

    /// The same of a member of a family: others are never removed.
    pub(crate) async fn member(&self, text: &str) -> Result<Environment, CliError> {
        let environment = self.environment(text).await?;
        if environment.name().family().is_none() {
            let environment = environment.name().to_string();
            return Err(Refusal::Stays { environment }.into());
        }
        Ok(environment)
    }

    /// The environments that are not members of a family: those of `delivery.toml`, those with a pipeline that applies
    /// releases, and those that something was deployed to.
    pub(crate) async fn known(&self) -> Result<BTreeSet<String>, CliError> {
        let mut known = BTreeSet::new();
        if self.settings.file_path().is_some() {
            let defined = self.settings.definition().environments();
            known.extend(defined.names().map(str::to_owned));
        }
        let applying = pipelines::applying(&self.target.stack);
        known.extend(applying.map(|(name, _)| name));
        let families = [Family::Developer, Family::Execution, Family::PullRequest];
        known.retain(|name| families.iter().all(|family| name != family.word()));
        for environment in self.repository.environments().await? {
            if environment.name().family().is_none() {
                known.insert(environment.name().to_string());
            }
        }
        Ok(known)
    }
}

/// Why it is not known what a command is about.
#[derive(Debug, thiserror::Error)]
enum PlaceError {
    /// The stack has no repository.
    #[error("the stack `{stack}` has no repository of releases (no output `{RELEASES_OUTPUT}`)")]
    NoRepository { stack: String },
    /// A text is not the name of an environment.
    #[error(transparent)]
    Name(delivery_definition::names::BadName),
    /// There is no such environment.
    #[error("there is no environment `{name}`; there are {}", or_none(.known))]
    Unknown {
        name: String,
        known: BTreeSet<String>,
    },
}

fn or_none(known: &BTreeSet<String>) -> String {
    if known.is_empty() {
        return "none".to_owned();
    }
    listed(&known.iter().cloned().collect::<Vec<_>>())
}

impl Explained for PlaceError {
    fn exit(&self) -> Exit {
        match self {
            Self::NoRepository { .. } | Self::Unknown { .. } => Exit::NotFound,
            Self::Name(_) => Exit::Usage,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::NoRepository { .. } => "no-releases",
            Self::Unknown { .. } => "not-found",
            Self::Name(_) => "usage",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoRepository { .. } => Some(
                "applications have releases whose `delivery.toml` has `application` and `[services]`; launch the stack \
                 again with `delivery up`"
                    .to_owned(),
            ),
            Self::Name(_) => None,
            Self::Unknown { name, known } => nearest(name, known.iter().map(String::as_str))
                .map(|meant| format!("did you mean `{meant}`?")),
        }
    }
}
