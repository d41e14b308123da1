//! What fills `delivery.yaml` in.

use serde::Serialize;

use super::names::{Names, OwnAction};
use crate::part::Part;
use crate::plan::{Plan, PlannedEnvironment, PlannedService};

#[derive(Debug, Serialize)]
pub(super) struct Context<'a> {
    /// With the actions of the user's own in all pipelines, as this template calls them.
    #[serde(flatten)]
    names: Names,
    pipelines: Vec<Launched<'a>>,
    /// The resources of those that deliver, where there are several.
    delivering: Vec<String>,
    /// What the names of the pipelines are, or begin with.
    pipeline_names: &'static str,
    groups: Groups,
    /// The application's name, if stacks begin with it.
    application: Option<&'a str>,
    /// The application whose releases are kept.
    releases_of: Option<&'a str>,
    /// Whether the templates of services give the action functions access to what they make.
    grants: bool,
    templates: Vec<Template>,
    hosts: &'static str,
}

/// A pipeline.
#[derive(Debug, Serialize)]
struct Launched<'a> {
    name: Option<&'a str>,
    /// The environment that it applies releases to.
    applies: Option<&'a str>,
    id: &'a str,
    resource: String,
    file: String,
    output: String,
    /// The resources of the pipelines that deliver before it.
    after: &'a [String],
    /// What its template has parameters for.
    #[serde(flatten)]
    names: Names,
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

pub(super) fn context<'a>(plan: &'a Plan<'_>, parts: &'a [Part<'_>]) -> Context<'a> {
    let mut names = Names::in_template(plan, parts);
    names.environments = parts.iter().flat_map(own_actions).collect();
    let is_one = parts.first().is_some_and(|part| part.name.is_none());
    let delivering = parts
        .iter()
        .filter(|part| part.applies.is_none() && !is_one);
    Context {
        pipelines: parts.iter().map(launched).collect(),
        delivering: delivering.map(Part::resource).collect(),
        pipeline_names: match (is_one, plan.has_releases()) {
            (true, false) => "!Ref AWS::StackName",
            // Its own, and those that apply releases.
            (true, true) => r#"!Sub "${AWS::StackName}*""#,
            (false, _) => r#"!Sub "${AWS::StackName}-*""#,
        },
        groups: Groups {
            source: names.source_group(),
            release: names.release_group(),
            build: names.build_group(),
            own_actions: names.own_actions_group(),
        },
        application: plan.deploys_stacks().then(|| plan.application()),
        releases_of: plan.has_releases().then(|| plan.application()),
        grants: grants(plan),
        templates: plan
            .with_sites()
            .map(|service| template(plan, service))
            .collect(),
        hosts: hosts(names.sites.len()),
        names,
    }
}

fn launched<'a>(part: &'a Part<'_>) -> Launched<'a> {
    Launched {
        name: part.name.as_deref(),
        applies: part.applies.as_ref().map(PlannedEnvironment::name),
        id: &part.id,
        resource: part.resource(),
        file: part.file(),
        output: part.output(),
        after: &part.after,
        names: Names::of(part),
    }
}

/// The actions of the user's own in a pipeline, as the template with all pipelines calls them.
fn own_actions(part: &Part<'_>) -> Vec<OwnAction> {
    let of_pipeline = part
        .name
        .as_ref()
        .map(|name| format!(" in the pipeline {name}"));
    let of_pipeline = of_pipeline.unwrap_or_default();
    let own_actions = Names::of(part).environments.into_iter();
    own_actions
        .map(|one| OwnAction {
            name: format!("{}{of_pipeline}", one.name),
            action: format!("{}{}", part.id, one.action),
            ..one
        })
        .collect()
}

fn template(plan: &Plan<'_>, service: &PlannedService<'_>) -> Template {
    Template {
        id: service.id.clone(),
        resource: service.resource(),
        file: service.file(),
        is_app: service.kind == delivery_definition::Kind::App,
        environments: plan
            .environments_of(service)
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
