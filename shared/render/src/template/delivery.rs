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
    conditions: Vec<Condition>,
    /// The application's name, if stacks begin with it.
    application: Option<&'a str>,
    /// The application whose releases are kept.
    releases_of: Option<&'a str>,
    /// Whether the templates of services give the action functions access to what they make.
    grants: bool,
    templates: Vec<Template>,
    hosts: &'static str,
}

/// The most conditions of `Fn::Or`
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-conditions.html>).
const MOST_OF_OR: usize = 10;

/// A condition.
#[derive(Debug, Serialize)]
struct Condition {
    name: String,
    value: String,
}

/// A pipeline.
#[derive(Debug, Serialize)]
struct Launched<'a> {
    name: Option<&'a str>,
    /// The environment that it applies releases to.
    applies: Option<&'a str>,
    /// Whether that is a family.
    applies_family: bool,
    id: &'a str,
    resource: String,
    file: String,
    output: String,
    /// The resources of the pipelines that deliver before it.
    after: &'a [String],
    /// Whether what it applies counts as verified.
    verifies: String,
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
    let conditions = parts.iter().flat_map(conditions).collect();
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
        conditions,
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
    let names = Names::of(part);
    Launched {
        name: part.name.as_deref(),
        applies: part.applies.as_ref().map(PlannedEnvironment::name),
        applies_family: part
            .applies
            .as_ref()
            .is_some_and(|one| one.member.is_some()),
        id: &part.id,
        resource: part.resource(),
        file: part.file(),
        output: part.output(),
        after: &part.after,
        verifies: verifies(&names),
        names,
    }
}

/// `on` unless an action of the user's own is left out.
fn verifies(names: &Names) -> String {
    let conditions = names.environments.iter().rev();
    let conditions = conditions.filter_map(|one| one.on_condition.as_deref());
    conditions.fold("\"on\"".to_owned(), |verifies, condition| {
        format!("!If [{condition}, {verifies}, \"off\"]")
    })
}

/// On which condition an action of the user's own runs when releases are applied: its input has to be made there.
fn conditions(part: &Part<'_>) -> Vec<Condition> {
    let own_actions = Names::of(part).environments.into_iter();
    let conditions = own_actions.filter_map(|one| {
        let input = format!("{}Input", one.launched);
        let mut any = vec![
            format!("!Equals [!Ref {}, \"\"]", one.launched),
            format!("!Equals [!Ref {input}, \"\"]"),
        ];
        let artifacts = one.artifacts.iter();
        any.extend(artifacts.map(|artifact| format!("!Equals [!Ref {input}, {artifact}]")));
        Some(Condition {
            name: one.on_condition?,
            value: any_of(&any),
        })
    });
    conditions.collect()
}

/// More conditions than `Fn::Or` takes are nested.
fn any_of(conditions: &[String]) -> String {
    if conditions.len() <= MOST_OF_OR {
        return format!("!Or [{}]", conditions.join(", "));
    }
    let (first, others) = conditions.split_at(MOST_OF_OR - 1);
    // `Fn::Or` needs two, and one alone is its own.
    let others = match others {
        [one] => one.clone(),
        others => any_of(others),
    };
    format!("!Or [{}, {others}]", first.join(", "))
}

/// The actions of the user's own in a pipeline, as the template with all pipelines calls them.
fn own_actions(part: &Part<'_>) -> Vec<OwnAction> {
    let name = part.name.as_ref().filter(|_| part.applies.is_none());
    let of_pipeline = name.map(|name| format!(" in the pipeline {name}"));
    let of_pipeline = of_pipeline.unwrap_or_default();
    let own_actions = Names::of(part).environments.into_iter();
    own_actions
        .filter(|one| !one.is_of_another)
        .map(|one| OwnAction {
            name: format!("{}{of_pipeline}", one.name),
            action: one.launched.clone(),
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
