//! What fills `delivery.yaml` in.

use serde::Serialize;

use super::names::Names;
use crate::pipeline::Pipeline;
use crate::plan::{Plan, PlannedService};

#[derive(Debug, Serialize)]
pub(super) struct Context<'a> {
    #[serde(flatten)]
    names: &'a Names,
    pipeline: Used<'a>,
    groups: Groups,
    /// The application's name, if stacks begin with it.
    application: Option<&'a str>,
    /// Whether the templates of services give the action functions access to what they make.
    grants: bool,
    templates: Vec<Template>,
    hosts: &'static str,
}

/// What the pipeline's template has parameters for.
#[derive(Debug, Serialize)]
struct Used<'a> {
    apps: &'a [super::names::App],
    sites: &'a [super::names::Place],
    site_urls: &'a [super::names::Place],
    api_urls: &'a [super::names::Place],
}

#[derive(Debug, Serialize)]
struct Groups {
    source: Vec<&'static str>,
    release: Vec<&'static str>,
    build: Vec<String>,
    own_actions: Vec<String>,
}

/// A template of a service.
#[derive(Debug, Serialize)]
struct Template {
    id: String,
    resource: String,
    file: String,
    is_app: bool,
    environments: Vec<Id>,
}

#[derive(Debug, Serialize)]
struct Id {
    id: String,
}

pub(super) fn context<'a>(plan: &'a Plan<'_>, _: &Pipeline, names: &'a Names) -> Context<'a> {
    Context {
        names,
        pipeline: Used {
            apps: &names.apps,
            sites: &names.sites,
            site_urls: &names.site_urls,
            api_urls: &names.api_urls,
        },
        groups: Groups {
            source: names.source_group(),
            release: names.release_group(),
            build: names.build_group(),
            own_actions: names.own_actions_group(),
        },
        application: plan.deploys_stacks().then(|| plan.application()),
        grants: grants(plan),
        templates: plan
            .with_sites()
            .map(|service| template(plan, service))
            .collect(),
        hosts: hosts(names.sites.len()),
    }
}

fn template(plan: &Plan<'_>, service: &PlannedService<'_>) -> Template {
    Template {
        id: service.id.clone(),
        resource: service.resource(),
        file: service.file(),
        is_app: service.kind == delivery_definition::Kind::App,
        environments: plan
            .environments
            .iter()
            .map(|one| Id { id: one.id.clone() })
            .collect(),
    }
}

/// `actions.yaml` itself gives access to what one app has in two environments.
pub(super) fn grants(plan: &Plan<'_>) -> bool {
    !(plan.is_one_app() && plan.has_default_environments)
}

pub(super) fn hosts(sites: usize) -> &'static str {
    match sites {
        1 => "the host",
        2 => "both hosts",
        _ => "all hosts",
    }
}
