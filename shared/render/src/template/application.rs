//! What fills the template of an app or a site in.

use std::collections::BTreeSet;

use delivery_definition::Kind;
use serde::Serialize;

use super::delivery::{grants, hosts};
use super::quoted;
use crate::plan::{Plan, PlannedEnvironment, PlannedService};
use crate::rollout;

#[derive(Debug, Serialize)]
pub(super) struct Context<'a> {
    description: String,
    service: &'a str,
    is_app: bool,
    grants: bool,
    /// The functions that deploy-app may ask.
    hooks: BTreeSet<&'a str>,
    hosts: &'static str,
    environments: Vec<Environment>,
}

#[derive(Debug, Serialize)]
struct Environment {
    id: String,
    name: String,
    word: String,
    holds_data: bool,
    is_tested: bool,
}

pub(super) fn context<'a>(plan: &'a Plan<'_>, service: &'a PlannedService<'_>) -> Context<'a> {
    let name = &service.service.name;
    let is_app = service.kind == Kind::App;
    let description = match (is_app, plan.is_one_app() && plan.has_default_environments) {
        (true, true) => {
            "the application's function, API and sites, with a test and a prod stage each"
                .to_owned()
        }
        (true, false) => {
            format!("the function, API and sites of {name}, with a stage for each environment")
        }
        (false, _) => format!("the sites of {name}, one for each environment"),
    };
    let environments: Vec<_> = plan.environments_of(service).map(environment).collect();
    Context {
        description: quoted(&format!("Serverless Delivery: {description}")),
        service: name,
        is_app,
        grants: grants(plan),
        hooks: rollout::hooks(plan, service),
        hosts: hosts(environments.len()),
        environments,
    }
}

/// A site of one environment without a pipeline.
pub(super) fn site<'a>(service: &'a str, environment: &str) -> Context<'a> {
    let description = format!("the site of {service} in {environment}");
    Context {
        description: quoted(&format!("Serverless Delivery: {description}")),
        service,
        is_app: false,
        grants: false,
        hooks: BTreeSet::new(),
        hosts: hosts(1),
        environments: vec![Environment {
            id: String::new(),
            name: environment.to_owned(),
            word: environment.to_owned(),
            holds_data: false,
            is_tested: false,
        }],
    }
}

fn environment(environment: &PlannedEnvironment<'_>) -> Environment {
    Environment {
        id: environment.id.clone(),
        name: environment.name().to_owned(),
        word: environment.word.clone(),
        holds_data: environment.holds_data,
        is_tested: environment.is_tested,
    }
}
