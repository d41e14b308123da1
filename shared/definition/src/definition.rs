//! What a file defines, and what follows from it.

use std::collections::BTreeSet;

use crate::file::File;
use crate::file::environment::EnvironmentSettings;
use crate::file::service::ServiceSettings;
use crate::form::Located;
use crate::map::{Map, Named};
use crate::names::{self, BadName, EnvironmentName, Family, NameTooLong, ONLY_SERVICE};
use crate::nearest::advice;
use crate::order::Order;
use crate::support::NotYet;
use crate::value::path::RepositoryPath;
use crate::value::text::Reference;

/// A service, under its name.
pub type Service = Named<ServiceSettings>;

/// An environment or a family of environments, under its name.
pub type Environment = Named<EnvironmentSettings>;

/// One of several pipelines.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline<'a> {
    /// Its name.
    pub name: &'a str,
    /// The line of its name, from 1.
    pub line: usize,
    /// Its services in the order of the file; there is at least one.
    pub services: Vec<&'a Service>,
    /// The names of the pipelines whose services its own need.
    pub needs: BTreeSet<&'a str>,
}

/// What `delivery.toml` defines.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    file: File,
    services: Map<ServiceSettings>,
    environments: Map<EnvironmentSettings>,
    /// The settings of developers' own environments, where the file has none for their family.
    developers: Environment,
    not_yet: Vec<NotYet>,
}

/// An environment that services are deployed to, with the settings that apply to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Target<'a> {
    /// Its name.
    pub name: EnvironmentName,
    /// Its settings, or its family's.
    pub settings: &'a Environment,
}

/// There is no such environment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownEnvironment {
    /// It does not have the form of a name.
    #[error(transparent)]
    Name(#[from] BadName),
    /// The file does not have it.
    #[error("there is no environment `{name}`: {next}")]
    NotDefined {
        /// The name.
        name: String,
        /// Which there are, or the one that is meant.
        next: String,
    },
    /// One of its stacks would be another environment's.
    #[error("`{name}` cannot be an environment: {why}; choose another name")]
    Clash {
        /// The name.
        name: String,
        /// Which stack.
        why: String,
    },
}

impl Default for Definition {
    /// What a repository without `delivery.toml` is.
    fn default() -> Self {
        Self::new(File::default(), Vec::new())
    }
}

impl Definition {
    /// `file` was checked.
    pub(crate) fn new(file: File, not_yet: Vec<NotYet>) -> Self {
        let services = file
            .services
            .as_ref()
            .map(|services| services.value.clone());
        let mut environments = file
            .environments
            .as_ref()
            .map_or_else(default_environments, |environments| {
                environments.value.clone()
            });
        let pull_requests = Family::PullRequest.word();
        if let Some(previews) = &file.previews
            && environments.get(pull_requests).is_none()
        {
            environments.push(pull_requests, previews.line, EnvironmentSettings::default());
        }
        Self {
            services: services.unwrap_or_else(only_service),
            environments,
            developers: Environment {
                name: Family::Developer.word().to_owned(),
                line: 1,
                value: EnvironmentSettings::default(),
            },
            file,
            not_yet,
        }
    }

    /// The keys of the file as they stand there, such as those of the pipeline's stack.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The application's name. The file has it where it has services or environments.
    #[must_use]
    pub fn application(&self) -> Option<&str> {
        self.file
            .application
            .as_ref()
            .map(|name| name.value.as_str())
    }

    /// The services in the order of the file; there is at least one.
    #[must_use]
    pub fn services(&self) -> &Map<ServiceSettings> {
        &self.services
    }

    /// The services in the order in which they are deployed. Those of a wave do not need each other.
    #[must_use]
    pub fn waves(&self) -> Vec<Vec<&Service>> {
        let all: Vec<_> = self.services.iter().collect();
        let needs: Vec<BTreeSet<_>> = all
            .iter()
            .map(|service| {
                let needs = self.needs(service);
                let position = |name: &&str| all.iter().position(|other| other.name == *name);
                needs.iter().filter_map(position).collect()
            })
            .collect();
        let waves = Order::of(&needs).waves;
        waves
            .into_iter()
            .map(|wave| wave.into_iter().map(|place| all[place]).collect())
            .collect()
    }

    /// The pipelines in the order in which they deliver; none where one pipeline has all services.
    #[must_use]
    pub fn pipelines(&self) -> Vec<Pipeline<'_>> {
        let all: Vec<_> = self
            .file
            .pipelines
            .iter()
            .flat_map(|key| &key.value)
            .collect();
        let place_of = |service: &str| {
            all.iter()
                .position(|one| one.value.value.iter().any(|name| name.value == service))
        };
        let services = |place: usize| {
            self.services
                .iter()
                .filter(move |service| place_of(&service.name) == Some(place))
        };
        let needs: Vec<BTreeSet<usize>> = (0..all.len())
            .map(|own| {
                let needed = services(own).flat_map(|service| self.needs(service));
                needed
                    .filter_map(place_of)
                    .filter(|other| *other != own)
                    .collect()
            })
            .collect();
        let order = Order::of(&needs).waves.into_iter().flatten();
        order
            .map(|place| Pipeline {
                name: &all[place].name,
                line: all[place].line,
                services: services(place).collect(),
                needs: needs[place]
                    .iter()
                    .map(|other| all[*other].name.as_str())
                    .collect(),
            })
            .collect()
    }

    /// The services that are deployed before a service: those it has references to, in the file's `[services]` or in
    /// any environment, and those in its `needs`.
    #[must_use]
    pub fn needs<'a>(&'a self, service: &'a Service) -> BTreeSet<&'a str> {
        let references = self.deployment_references(service);
        let named = service.needs.iter().map(|name| name.value.as_str());
        references
            .map(|reference| reference.service.as_str())
            .chain(named)
            .collect()
    }

    /// The outputs of a service that other services, or tests, use.
    #[must_use]
    pub fn used_outputs(&self, service: &str) -> BTreeSet<&str> {
        self.services
            .iter()
            .flat_map(|user| {
                self.deployment_references(user)
                    .chain(test_references(user))
            })
            .filter(|reference| reference.service == service)
            .map(|reference| reference.output.as_str())
            .collect()
    }

    fn deployment_references<'a>(
        &'a self,
        service: &'a Service,
    ) -> impl Iterator<Item = &'a Reference> {
        let overrides = self
            .environments
            .iter()
            .filter_map(|all| all.services.get(&service.name));
        let overrides = overrides.flat_map(|parameters| parameters.iter());
        let own = service.parameters.iter().chain(&service.config);
        own.chain(overrides)
            .flat_map(|text| text.value.value.references())
    }

    /// The environments and families in the order of the file.
    #[must_use]
    pub fn environments(&self) -> &Map<EnvironmentSettings> {
        &self.environments
    }

    /// The environments that a release goes through, in order; the family `qa` is first, as one stage. The families
    /// `dev` and `pr` are not among them.
    #[must_use]
    pub fn stages(&self) -> Vec<&Environment> {
        let outside = [Family::Developer.word(), Family::PullRequest.word()];
        let mut all: Vec<_> = self.environments.iter().collect();
        all.retain(|environment| !outside.contains(&environment.name.as_str()));
        all.sort_by_key(|environment| environment.name != Family::Execution.word());
        let needs: Vec<BTreeSet<_>> = all
            .iter()
            .map(|environment| {
                let after = environment.after.iter();
                after
                    .filter_map(|after| all.iter().position(|other| other.name == after.value))
                    .collect()
            })
            .collect();
        let waves = Order::of(&needs).waves;
        waves
            .into_iter()
            .flatten()
            .map(|place| all[place])
            .collect()
    }

    /// The longest name that an environment can have to which a service is deployed, for those who check the names that
    /// templates make of it; `None` where each uses the service of another.
    #[must_use]
    pub fn longest_environment(&self, service: &Service) -> Option<String> {
        let all = self.environments.iter();
        let deploying = all.filter(|one| one.share.get(&service.name).is_none());
        let mut names = deploying.map(|one| one.name.as_str()).peekable();
        names.peek()?;
        Some(names::longest_environment(names))
    }

    /// The family of environments that a service is deployed to and that are removed by themselves, if there is one.
    #[must_use]
    pub fn removed_family(&self, service: &Service) -> Option<&'static str> {
        self.file.services.as_ref()?;
        let families = [Family::Execution, Family::Developer];
        families.map(Family::word).into_iter().find(|family| {
            self.environments.get(family).is_some_and(|settings| {
                let is_removed = *family == Family::Execution.word() || settings.ttl.is_some();
                is_removed && settings.share.get(&service.name).is_none()
            })
        })
    }

    /// The environment of a name, in whatever case: one of the file, or a member of one of its families. Those of
    /// developers (`dev-anna`) need not be in the file: nothing happens in them unless someone asks for it.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot be.
    pub fn environment(&self, name: &str) -> Result<Target<'_>, UnknownEnvironment> {
        let name = EnvironmentName::parse(name)?;
        let settings = self
            .environments
            .get(name.family().unwrap_or(name.as_str()));
        let settings = settings.or_else(|| {
            (name.family() == Some(Family::Developer.word())).then_some(&self.developers)
        });
        let Some(settings) = settings else {
            let known = self.environments.names();
            return Err(UnknownEnvironment::NotDefined {
                next: advice(name.as_str(), known, "environments"),
                name: name.as_str().to_owned(),
            });
        };
        let services: Vec<_> = self.services.names().collect();
        if name.family().is_some()
            && let Some(why) = names::clash(name.as_str(), &services)
        {
            return Err(UnknownEnvironment::Clash {
                name: name.as_str().to_owned(),
                why,
            });
        }
        Ok(Target { name, settings })
    }

    /// The keys that are set and have no effect yet, in the order of the file.
    #[must_use]
    pub fn not_yet_supported(&self) -> &[NotYet] {
        &self.not_yet
    }
}

impl Target<'_> {
    /// The stack of a service here. `application` is that of the file, or what stands for it.
    ///
    /// # Errors
    ///
    /// The name is too long.
    pub fn stack(&self, application: &str, service: &Service) -> Result<String, NameTooLong> {
        names::stack(application, &self.name, &service.name)
    }

    /// Whether a service is deployed here; it is not where another environment's is shared.
    #[must_use]
    pub fn deploys(&self, service: &Service) -> bool {
        self.settings.share.get(&service.name).is_none()
    }
}

fn test_references(service: &Service) -> impl Iterator<Item = &Reference> {
    let environment = service.test.iter().flat_map(|test| &test.value.environment);
    environment.flat_map(|text| text.value.value.references())
}

fn only_service() -> Map<ServiceSettings> {
    let mut services = Map::default();
    let directory = Some(Located {
        value: RepositoryPath::root(),
        line: 1,
    });
    services.push(
        ONLY_SERVICE,
        1,
        ServiceSettings {
            directory,
            ..ServiceSettings::default()
        },
    );
    services
}

fn default_environments() -> Map<EnvironmentSettings> {
    let mut environments = Map::default();
    environments.push("test", 1, EnvironmentSettings::default());
    let after = Some(Located {
        value: "test".to_owned(),
        line: 1,
    });
    environments.push(
        "prod",
        1,
        EnvironmentSettings {
            after,
            ..EnvironmentSettings::default()
        },
    );
    environments
}
