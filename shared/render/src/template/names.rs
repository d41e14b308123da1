//! Functions, APIs and sites, as `delivery.yaml` and `pipeline.yaml` call them.

use std::collections::BTreeSet;

use delivery_definition::Kind;
use serde::Serialize;

use crate::part::Part;
use crate::pipeline::{FUNCTIONS, Pipeline};
use crate::plan::{Plan, PlannedEnvironment, PlannedService};
use crate::release::VERIFIES;
use crate::rollout::METRICS_DELAY;

/// What both templates have parameters, resources or outputs for.
#[derive(Debug, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a condition of the templates by itself"
)]
pub(super) struct Names {
    pub(super) apps: Vec<App>,
    /// Sites by service and environment.
    pub(super) sites: Vec<Place>,
    /// APIs by service and environment.
    pub(super) apis: Vec<Place>,
    /// The sites whose addresses the pipeline uses.
    pub(super) site_urls: Vec<Place>,
    /// The APIs whose addresses the pipeline uses.
    pub(super) api_urls: Vec<Place>,
    pub(super) functions: Vec<Function>,
    pub(super) user_parameters: Vec<UserParameters>,
    pub(super) environments: Vec<OwnAction>,
    /// Whether deploy-stack uploads what it deploys.
    pub(super) has_packages: bool,
    /// Whether what is deployed comes from a repository of releases.
    pub(super) has_releases: bool,
    /// Whether something is told of the role with which CloudFormation works, and of the boundary.
    pub(super) has_role: bool,
    pub(super) has_boundary: bool,
    /// Whether there are aliases for a guard to watch.
    pub(super) has_guard: bool,
    pub(super) directory_is_parameter: bool,
    pub(super) approval_is_parameter: bool,
    pub(super) watches_rollouts: bool,
    /// Whether actions of the user's own may be left out.
    pub(super) may_lack_own_actions: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct App {
    pub(super) id: String,
    resource: String,
    whose: String,
    whose_lower: String,
}

/// A site or an API of an environment.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Place {
    pub(super) id: String,
    resource: String,
    env: String,
    what: String,
    example: String,
    holds_data: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Function {
    pub(super) id: &'static str,
    name: &'static str,
}

/// The stack's parameter for more parameters of an action.
#[derive(Debug, Serialize)]
pub(super) struct UserParameters {
    pub(super) id: &'static str,
    name: &'static str,
    scope: &'static str,
    example: &'static str,
}

/// The action of the user's own in a stage.
#[derive(Clone, Debug, Serialize)]
pub(super) struct OwnAction {
    pub(super) name: String,
    pub(super) action: String,
    /// The artifacts that it can have as its input.
    pub(super) artifacts: Vec<String>,
    /// As the template with all pipelines calls it.
    pub(super) launched: String,
    /// Whether another pipeline's action runs here, too.
    #[serde(skip)]
    pub(super) is_of_another: bool,
    /// The condition of that template on which it runs; none where all inputs that it can have are made here.
    pub(super) on_condition: Option<String>,
}

impl Names {
    /// Those of one pipeline.
    pub(super) fn of(part: &Part<'_>) -> Self {
        Self::in_template(&part.plan, std::slice::from_ref(part))
    }

    /// Those of a template about `plan` and these pipelines.
    pub(super) fn in_template(plan: &Plan<'_>, parts: &[Part<'_>]) -> Self {
        let pipelines = || parts.iter().map(|part| &part.pipeline);
        let used: BTreeSet<_> = pipelines().flat_map(Pipeline::parameters).collect();
        let with_sites = plan.all_services().filter(|one| one.has_sites());
        let sites_of_all = places(plan, with_sites, site);
        let apps = plan.all_services().filter(|one| one.kind == Kind::App);
        let apis_of_all = places(plan, apps, api);
        let is_used =
            |place: &Place, what: &str| used.contains(format!("{}{what}", place.id).as_str());
        let functions = FUNCTIONS
            .into_iter()
            .filter(|(id, _)| pipelines().any(|pipeline| pipeline.uses(id)));
        let functions: Vec<_> = functions.map(|(id, name)| Function { id, name }).collect();
        Self {
            site_urls: filtered(sites_of_all, |one| is_used(one, "SiteUrl")),
            api_urls: filtered(apis_of_all, |one| is_used(one, "ApiUrl")),
            apps: plan.apps().map(app).collect(),
            sites: places(plan, plan.with_sites(), site),
            apis: places(plan, plan.apps(), api),
            user_parameters: user_parameters(plan, &functions),
            functions,
            environments: parts.iter().flat_map(own_actions).collect(),
            has_packages: used.contains("Packages"),
            has_releases: used.contains("Releases"),
            has_role: used.contains("CloudFormationRole"),
            has_boundary: used.contains("Boundary"),
            has_guard: pipelines().any(|pipeline| pipeline.watched().next().is_some()),
            directory_is_parameter: plan.is_one_app(),
            approval_is_parameter: plan.has_default_environments,
            watches_rollouts: used.contains(METRICS_DELAY),
            may_lack_own_actions: used.contains(VERIFIES),
        }
    }

    /// The parameters that say where the source is.
    pub(super) fn source_group(&self) -> Vec<&'static str> {
        let mut group = vec!["ConnectionArn", "FullRepositoryId", "BranchName"];
        group.extend(
            self.directory_is_parameter
                .then_some("ApplicationDirectory"),
        );
        group
    }

    pub(super) fn release_group(&self) -> Vec<&'static str> {
        let approval = self.approval_is_parameter.then_some("ManualApproval");
        let delay = self.watches_rollouts.then_some(METRICS_DELAY);
        let group = approval.into_iter().chain(["NotificationEmail"]);
        group.chain(delay).collect()
    }

    pub(super) fn build_group(&self) -> Vec<String> {
        self.user_parameters
            .iter()
            .map(|one| format!("{}Parameters", one.id))
            .collect()
    }

    pub(super) fn own_actions_group(&self) -> Vec<String> {
        let parameters =
            |one: &OwnAction| ["", "Parameters", "Input"].map(|end| format!("{}{end}", one.action));
        self.environments.iter().flat_map(parameters).collect()
    }
}

fn places<'a, 'b>(
    plan: &'b Plan<'a>,
    services: impl Iterator<Item = &'b PlannedService<'a>>,
    place: impl Fn(&PlannedService<'_>, &PlannedEnvironment<'_>) -> Place,
) -> Vec<Place>
where
    'a: 'b,
{
    services
        .flat_map(|service| {
            plan.environments_of(service)
                .map(|environment| place(service, environment))
                .collect::<Vec<_>>()
        })
        .collect()
}

fn site(service: &PlannedService<'_>, environment: &PlannedEnvironment<'_>) -> Place {
    let what = if service.id.is_empty() {
        environment.word.clone()
    } else {
        format!("{} {}", environment.word, service.service.name)
    };
    let host = match (service.id.is_empty(), environment.is_tested) {
        (true, false) => "www.example.com".to_owned(),
        (true, true) => format!("{}.example.com", environment.name()),
        (false, _) => format!(
            "{}-{}.example.com",
            service.service.name,
            environment.name()
        ),
    };
    Place {
        what,
        example: host,
        ..place(service, environment)
    }
}

fn api(service: &PlannedService<'_>, environment: &PlannedEnvironment<'_>) -> Place {
    let api = if service.id.is_empty() {
        "API's".to_owned()
    } else {
        format!("API of {}'s", service.service.name)
    };
    Place {
        what: format!("{api} {}", environment.name()),
        ..place(service, environment)
    }
}

fn place(service: &PlannedService<'_>, environment: &PlannedEnvironment<'_>) -> Place {
    Place {
        id: service.in_environment(environment),
        resource: service.resource(),
        env: environment.id.clone(),
        what: String::new(),
        example: String::new(),
        holds_data: environment.holds_data,
    }
}

fn app(service: &PlannedService<'_>) -> App {
    let (whose, whose_lower) = if service.id.is_empty() {
        (
            "The application's".to_owned(),
            "the application's".to_owned(),
        )
    } else {
        let whose = format!("{}'s", service.service.name);
        (whose.clone(), whose)
    };
    App {
        id: service.id.clone(),
        resource: service.resource(),
        whose,
        whose_lower,
    }
}

/// As the pipeline's own template calls them.
fn own_actions(part: &Part<'_>) -> Vec<OwnAction> {
    let artifacts: Vec<_> = part
        .pipeline
        .artifacts()
        .into_iter()
        .map(ToOwned::to_owned)
        .collect();
    let own_actions = part.pipeline.own_actions();
    own_actions
        .map(|(stage, one)| {
            let launched = part.launched(&one.parameter);
            let inputs = one.artifacts_of_another.as_deref();
            let may_lack_input =
                inputs.is_some_and(|inputs| inputs.iter().any(|input| !artifacts.contains(input)));
            OwnAction {
                is_of_another: inputs.is_some(),
                name: stage.name.clone(),
                action: one.parameter.clone(),
                artifacts: artifacts.clone(),
                on_condition: may_lack_input.then(|| format!("{launched}IsApplied")),
                launched,
            }
        })
        .collect()
}

fn filtered(mut places: Vec<Place>, is_kept: impl Fn(&Place) -> bool) -> Vec<Place> {
    places.retain(is_kept);
    places
}

fn user_parameters(plan: &Plan<'_>, functions: &[Function]) -> Vec<UserParameters> {
    let scope = if plan.environments.len() == 2 {
        ", in both stages"
    } else {
        ", in each stage"
    };
    let all = [
        (
            "NpmInstall",
            "npm-install",
            "",
            "omit=dev&ignore-scripts=false",
        ),
        (
            "TestAndPackage",
            "test-and-package",
            "",
            "runner=npm&Env.NAME=VALUE",
        ),
        ("E2e", "e2e", scope, "retries=2&timeout=5m"),
    ];
    let used = all
        .into_iter()
        .filter(|(id, ..)| functions.iter().any(|function| function.id == *id));
    used.map(|(id, name, scope, example)| UserParameters {
        id,
        name,
        scope,
        example,
    })
    .collect()
}
