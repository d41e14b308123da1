//! Services and environments with the names that templates have for them.

use delivery_definition::names::Family;
use delivery_definition::{
    Definition, Detected, Environment, Kind, Mistake, Service, Target, names,
};

use crate::{RenderedEnvironment, Request};

/// What of the kinds of services is not deployed yet.
const NOT_YET: &str =
    "remove the service for now: services of the kinds `stack`, `site` and `app` are deployed";

/// What is rendered.
#[derive(Clone, Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) request: Request<'a>,
    pub(crate) services: Vec<PlannedService<'a>>,
    /// The services of other pipelines.
    pub(crate) others: Vec<PlannedService<'a>>,
    pub(crate) environments: Vec<PlannedEnvironment<'a>>,
    /// The environment of each execution, before all others.
    pub(crate) of_execution: Option<PlannedEnvironment<'a>>,
    /// The environments of developers, where they are removed by themselves.
    pub(crate) of_developers: Option<PlannedEnvironment<'a>>,
    /// Whether an approval, the application's folder and so on are parameters of the stack: there is no `[services]`.
    pub(crate) is_one_service: bool,
    /// Whether the environments are those of a file that names none.
    pub(crate) has_default_environments: bool,
}

/// A service.
#[derive(Clone, Debug)]
pub(crate) struct PlannedService<'a> {
    pub(crate) service: &'a Service,
    pub(crate) kind: Kind,
    /// The template of a stack, from the service's folder.
    pub(crate) template: Option<&'a str>,
    /// What names in templates begin with: `Website`; nothing where there is one service.
    pub(crate) id: String,
}

/// An environment that has a stage.
#[derive(Clone, Debug)]
pub(crate) struct PlannedEnvironment<'a> {
    pub(crate) target: Target<'a>,
    /// Its name in names of templates: `Int`.
    pub(crate) id: String,
    /// Its stage.
    pub(crate) stage: String,
    /// What people call it.
    pub(crate) word: String,
    /// Whether it is the last one, or protected: `delivery down` keeps its sites.
    pub(crate) holds_data: bool,
    /// Whether a release goes on from here.
    pub(crate) is_tested: bool,
    /// Which member of a family, if it is one.
    pub(crate) member: Option<Member>,
}

/// Which member of a family of environments a pipeline deploys to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Member {
    /// That of the execution.
    OfExecution,
    /// The one that a variable of the pipeline names.
    Named,
}

impl<'a> Plan<'a> {
    pub(crate) fn of(request: &Request<'a>, mistakes: &mut Vec<Mistake>) -> Self {
        let definition = request.definition;
        let is_one_service = definition.file().services.is_none();
        let services = definition.services().iter();
        let services: Vec<_> = services
            .map(|service| PlannedService::of(service, request, is_one_service, mistakes))
            .collect();
        let has_default_environments = definition.file().environments.is_none();
        let stages = definition.stages();
        // A stage needs an action: where all services are another environment's there is none.
        let deploys_any = |environment: &Environment| {
            let mut services = services.iter();
            services.any(|one| environment.share.get(&one.service.name).is_none())
        };
        let stages: Vec<_> = stages
            .into_iter()
            .filter(|one| !is_family(&one.name) && deploys_any(one))
            .collect();
        let count = stages.len();
        let environments = stages
            .into_iter()
            .enumerate()
            .filter_map(|(place, environment)| {
                let target = definition.environment(&environment.name).ok()?;
                let is_last = place + 1 == count;
                Some(PlannedEnvironment {
                    id: camel_case(&environment.name),
                    stage: stage(environment, has_default_environments),
                    word: word(environment, has_default_environments),
                    holds_data: is_last || environment.is_protected(),
                    is_tested: !is_last,
                    target,
                    member: None,
                })
            });
        let environments: Vec<_> = environments.collect();
        let family = |family, member| {
            let family = PlannedEnvironment::of_family(definition, family, member)?;
            let mut services = services.iter();
            services
                .any(|one| family.target.deploys(one.service))
                .then_some(family)
        };
        Self {
            request: *request,
            environments,
            of_execution: family(Family::Execution, Member::OfExecution),
            of_developers: family(Family::Developer, Member::Named)
                .filter(|family| family.target.settings.ttl.is_some()),
            services,
            others: Vec::new(),
            is_one_service,
            has_default_environments,
        }
    }

    /// The same with these services alone, and the environments that deploy any of them; the others are in other pipelines.
    pub(crate) fn with_services(&self, names: &[&str]) -> Self {
        let is_own = |one: &PlannedService<'_>| names.contains(&one.service.name.as_str());
        let (services, others): (Vec<_>, _) = self.services.iter().cloned().partition(is_own);
        let deploys_any = |environment: &PlannedEnvironment<'_>| {
            let mut services = services.iter();
            services.any(|one| environment.target.deploys(one.service))
        };
        let mut environments = self.environments.clone();
        environments.retain(deploys_any);
        Self {
            of_execution: self.of_execution.clone().filter(deploys_any),
            of_developers: self.of_developers.clone().filter(deploys_any),
            environments,
            services,
            others,
            ..self.clone()
        }
    }

    /// The same with one environment alone, and the services that are deployed there.
    pub(crate) fn with_environment(&self, environment: &PlannedEnvironment<'a>) -> Self {
        let deploys = |one: &PlannedService<'_>| environment.target.deploys(one.service);
        let (services, others) = self.services.iter().cloned().partition(deploys);
        let is_family = environment.member.is_some();
        Self {
            services,
            others,
            environments: if is_family {
                Vec::new()
            } else {
                vec![environment.clone()]
            },
            of_execution: None,
            of_developers: is_family.then(|| environment.clone()),
            ..self.clone()
        }
    }

    pub(crate) fn service(&self, name: &str) -> Option<&PlannedService<'a>> {
        self.services.iter().find(|one| one.service.name == name)
    }

    /// The services of all pipelines.
    pub(crate) fn all_services(&self) -> impl Iterator<Item = &PlannedService<'a>> {
        self.services.iter().chain(&self.others)
    }

    /// The environments that a service is deployed to; there is at least one.
    pub(crate) fn environments_of(
        &self,
        service: &PlannedService<'_>,
    ) -> impl Iterator<Item = &PlannedEnvironment<'a>> {
        let all = self.environments.iter();
        all.filter(|environment| environment.target.deploys(service.service))
    }

    /// The services that have a bucket for each environment.
    pub(crate) fn with_sites(&self) -> impl Iterator<Item = &PlannedService<'a>> {
        self.services.iter().filter(|one| one.has_sites())
    }

    /// The services with a function and an API.
    pub(crate) fn apps(&self) -> impl Iterator<Item = &PlannedService<'a>> {
        self.services.iter().filter(|one| one.kind == Kind::App)
    }

    /// Whether the application is what this project delivered before there were services: one app, by parameters of the
    /// stack.
    pub(crate) fn is_one_app(&self) -> bool {
        self.is_one_service && self.apps().next().is_some()
    }

    pub(crate) fn has_templates(&self) -> bool {
        self.services.iter().any(|one| one.kind == Kind::Stack)
    }

    /// Whether deploy-stack has something to do; in a family of environments each site has a stack of its own.
    pub(crate) fn deploys_stacks(&self) -> bool {
        let has_site = |family: &PlannedEnvironment<'_>| {
            let mut services = self.services.iter();
            services.any(|one| one.kind == Kind::Site && family.target.deploys(one.service))
        };
        self.has_templates() || self.families().any(has_site)
    }

    /// The families of environments that pipelines deploy to.
    pub(crate) fn families(&self) -> impl Iterator<Item = &PlannedEnvironment<'a>> {
        self.of_execution.iter().chain(&self.of_developers)
    }

    /// Whether what is deployed comes from a repository of releases, and not from the artifacts of the execution.
    pub(crate) fn has_releases(&self) -> bool {
        !self.is_one_service
    }

    /// The application's name.
    pub(crate) fn application(&self) -> &'a str {
        self.request
            .definition
            .application()
            .unwrap_or(self.request.application)
    }
}

impl<'a> PlannedService<'a> {
    fn of(
        service: &'a Service,
        request: &Request<'a>,
        is_one_service: bool,
        mistakes: &mut Vec<Mistake>,
    ) -> Self {
        let Detected { kind, template } = &request.kinds[&service.name];
        if kind.is_not_yet_supported() {
            let what = format!(
                "the service `{}` is deployed as `{kind}`, which is not supported yet",
                service.name
            );
            mistakes.push(Mistake::new(service.line, &what, NOT_YET));
        }
        Self {
            service,
            kind: *kind,
            template: template.as_deref(),
            id: if is_one_service {
                String::new()
            } else {
                camel_case(&service.name)
            },
        }
    }
}

impl PlannedService<'_> {
    /// Whether it has a bucket for each environment.
    pub(crate) fn has_sites(&self) -> bool {
        matches!(self.kind, Kind::App | Kind::Site)
    }

    /// The name of an action for this service: `e2e-restapi`.
    pub(crate) fn action(&self, function: &str) -> String {
        if self.id.is_empty() {
            return function.to_owned();
        }
        format!("{function}-{}", self.service.name)
    }

    /// The folder, from the root of the repository.
    pub(crate) fn directory(&self) -> &str {
        self.service.folder()
    }

    /// A path in the service's folder, from the root of the repository.
    pub(crate) fn path(&self, path: &str) -> String {
        match (self.directory(), path) {
            (".", path) => path.to_owned(),
            (directory, ".") => directory.to_owned(),
            (directory, path) => format!("{directory}/{path}"),
        }
    }

    /// The folder of the built site, from the service's.
    pub(crate) fn site(&self) -> &str {
        self.service.site_folder()
    }

    /// The resource of the template that makes what an app or a site needs.
    pub(crate) fn resource(&self) -> String {
        format!("{}Application", self.id)
    }

    /// The file of that template.
    pub(crate) fn file(&self) -> String {
        if self.id.is_empty() {
            return "application.yaml".to_owned();
        }
        format!("application-{}.yaml", self.service.name)
    }

    /// The names that this service has in templates begin with it, for an environment: `WebsiteInt`.
    pub(crate) fn in_environment(&self, environment: &PlannedEnvironment<'_>) -> String {
        format!("{}{}", self.id, environment.id)
    }
}

impl<'a> PlannedEnvironment<'a> {
    /// A family, with a member that stands for all.
    fn of_family(definition: &'a Definition, family: Family, member: Member) -> Option<Self> {
        let is_there = definition.file().services.is_some()
            && definition.environments().get(family.word()).is_some();
        let name = format!("{}-{}", family.word(), "0".repeat(names::EXECUTION_DIGITS));
        let target = is_there.then(|| definition.environment(&name).ok())??;
        Some(Self {
            target,
            id: camel_case(family.word()),
            stage: family.word().to_owned(),
            word: family.word().to_owned(),
            holds_data: false,
            is_tested: true,
            member: Some(member),
        })
    }
}

impl PlannedEnvironment<'_> {
    /// Its name, or its family's.
    pub(crate) fn name(&self) -> &str {
        let name = &self.target.name;
        name.family().unwrap_or(name.as_str())
    }

    /// Whether only a person brings releases there.
    pub(crate) fn is_manual(&self) -> bool {
        self.target.settings.is_manual()
    }

    /// The environment that has to come before.
    pub(crate) fn after(&self) -> Option<&str> {
        let after = self.target.settings.after.as_ref();
        after.map(|after| after.value.as_str())
    }

    /// The parameter that names a function of the user's own.
    pub(crate) fn own_action(&self) -> String {
        let of_default = matches!(self.stage.as_str(), "Acceptance" | "Production");
        let stage = if of_default { &self.stage } else { &self.id };
        format!("{stage}Action")
    }

    pub(crate) fn rendered(&self, plan: &Plan<'_>) -> RenderedEnvironment {
        let url = |service: &PlannedService<'_>, what: &str| {
            format!("{}{what}Url", service.in_environment(self))
        };
        let is_here = |one: &&PlannedService<'_>| self.target.deploys(one.service);
        RenderedEnvironment {
            name: self.name().to_owned(),
            stage: self.stage.clone(),
            rollout: self.target.settings.rollout_in_words(),
            site_urls: plan
                .with_sites()
                .filter(is_here)
                .map(|one| url(one, "Site"))
                .collect(),
            api_urls: plan
                .apps()
                .filter(is_here)
                .map(|one| url(one, "Api"))
                .collect(),
        }
    }
}

/// The environments of a file that names none have the stages that they had before there was a file.
fn stage(environment: &Environment, is_default: bool) -> String {
    match environment.name.as_str() {
        "test" if is_default => "Acceptance".to_owned(),
        "prod" if is_default => "Production".to_owned(),
        name => name.to_owned(),
    }
}

fn word(environment: &Environment, is_default: bool) -> String {
    match environment.name.as_str() {
        "prod" if is_default => "production".to_owned(),
        name => name.to_owned(),
    }
}

/// Members of families have no stage.
fn is_family(name: &str) -> bool {
    names::FAMILIES.contains(&name)
}

/// A name in the letters and digits that names in templates may have.
pub(crate) fn camel_case(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters)
    });
    words.flatten().collect()
}
