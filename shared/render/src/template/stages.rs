//! What fills `pipeline.yaml` in.

use std::collections::BTreeSet;

use serde::Serialize;

use super::names::Names;
use super::variables::{PipelineVariable, variables};
use super::{quoted, scalar};
use crate::part::Part;
use crate::paths::PATTERNS_OF_A_FILTER;
use crate::pipeline::{self, Deployment, Work};

/// The parameters with which the pipeline's template makes the guard.
const OF_GUARD: [&str; 4] = [
    "CodeBucket",
    "ActionsPrefix",
    "Architecture",
    "LogRetentionDays",
];

#[derive(Debug, Serialize)]
pub(super) struct Context {
    #[serde(flatten)]
    names: Names,
    description: String,
    /// Its name for commands, where there are several pipelines.
    name: Option<String>,
    /// Whether it applies releases, and each commit starts another one.
    applies: bool,
    /// What it is started with.
    variables: Vec<PipelineVariable>,
    /// The stages whose end is told of, where a deployment failed.
    failing_stages: Vec<String>,
    /// Those whose environments nobody needs afterwards.
    passing_stages: Vec<String>,
    groups: Groups,
    /// Patterns of the paths that start it, in filters of which one has to match; none where every commit starts it.
    filters: Vec<Vec<String>>,
    stages: Vec<Stage>,
    runs_commands: bool,
    /// What the guard watches.
    watched: Vec<String>,
    /// The actions that move what the guard watches.
    watched_actions: BTreeSet<String>,
    /// The condition under which approvers are told.
    tells_approver: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Groups {
    source: Vec<&'static str>,
    release: Vec<&'static str>,
    functions: Vec<String>,
    own_actions: Vec<String>,
    targets: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Stage {
    name: String,
    actions: Vec<Action>,
    approval: Option<Approval>,
    own_actions: Vec<OwnAction>,
    own_run_order: usize,
}

#[derive(Debug, Serialize)]
struct OwnAction {
    action: String,
    name: String,
}

#[derive(Debug, Serialize)]
struct Approval {
    after: String,
    question: String,
    link: Option<String>,
}

#[derive(Debug, Serialize)]
struct Action {
    name: String,
    run_order: usize,
    namespace: Option<String>,
    function: Option<&'static str>,
    comment: Option<&'static str>,
    user_parameters: Option<String>,
    with_distribution: Option<String>,
    commands: Option<Commands>,
    inputs: Vec<String>,
    outputs: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Commands {
    lines: Vec<String>,
    environment: Vec<Variable>,
    variables: Vec<String>,
    files: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Variable {
    name: String,
    value: String,
}

pub(super) fn context(part: &Part<'_>) -> Context {
    let names = Names::of(part);
    let (plan, pipeline) = (&part.plan, &part.pipeline);
    let has_approval = pipeline.stages.iter().any(|stage| stage.approval.is_some());
    let functions = names
        .functions
        .iter()
        .map(|function| function.id.to_owned());
    let of_guard = OF_GUARD.into_iter().filter(|_| names.has_guard);
    let filters = part.paths.chunks(PATTERNS_OF_A_FILTER);
    let ending = |what: Deployment| {
        let stages = pipeline.stages.iter();
        let stages = stages.filter(|stage| stage.deployment == Some(what));
        stages.map(|stage| scalar(&stage.name)).collect()
    };
    Context {
        description: quoted(&description(part)),
        name: part.name.clone(),
        applies: part.applies.is_some(),
        variables: part.applies.as_ref().map(variables).unwrap_or_default(),
        failing_stages: ending(Deployment::OfEnvironment),
        passing_stages: ending(Deployment::OfExecution),
        filters: filters
            .map(|patterns| patterns.iter().map(|pattern| quoted(pattern)).collect())
            .collect(),
        groups: Groups {
            source: names.source_group(),
            release: names.release_group(),
            functions: names
                .build_group()
                .into_iter()
                .chain(functions)
                .chain(names.has_releases.then(|| "Undeploy".to_owned()))
                .chain(of_guard.map(ToOwned::to_owned))
                .collect(),
            own_actions: names.own_actions_group(),
            targets: targets(&names),
        },
        names,
        stages: pipeline.stages.iter().map(stage).collect(),
        runs_commands: pipeline.runs_commands(),
        watched: pipeline.watched().map(|(_, one)| quoted(&one)).collect(),
        watched_actions: pipeline
            .watched()
            .map(|(action, _)| action.name.clone())
            .collect(),
        tells_approver: match (has_approval, plan.has_default_environments) {
            (false, _) => None,
            (true, true) => Some("TellsApprover"),
            (true, false) => Some("HasEmail"),
        },
    }
}

fn description(part: &Part<'_>) -> String {
    let what = match (&part.applies, &part.name) {
        (Some(environment), _) if environment.member.is_some() => format!(
            "the pipeline that applies releases to the environments {}-NAME",
            environment.name()
        ),
        (Some(environment), _) => {
            format!(
                "the pipeline that applies releases to {}",
                environment.name()
            )
        }
        (None, Some(name)) => format!("the pipeline {name} from the source to production"),
        (None, None) => "the pipeline from the source to production".to_owned(),
    };
    format!("Serverless Delivery: {what}")
}

fn targets(names: &Names) -> Vec<String> {
    let mut targets = vec!["PipelineName".to_owned(), "ArtifactBucket".to_owned()];
    let of_stacks = [
        ("Packages", names.has_packages),
        ("Releases", names.has_releases),
        ("CloudFormationRole", names.has_role),
        ("Boundary", names.has_boundary),
    ];
    let of_stacks = of_stacks.into_iter().filter(|(_, is_used)| *is_used);
    targets.extend(of_stacks.map(|(name, _)| name.to_owned()));
    let ids = |places: &[super::names::Place], what: &str| -> Vec<String> {
        places
            .iter()
            .map(|place| format!("{}{what}", place.id))
            .collect()
    };
    targets.extend(
        names
            .apps
            .iter()
            .flat_map(|app| ["Function", "Api"].map(|what| format!("{}{what}", app.id))),
    );
    targets.extend(ids(&names.sites, "Site"));
    targets.extend(ids(&names.sites, "Distribution"));
    targets.extend(ids(&names.api_urls, "ApiUrl"));
    targets.extend(ids(&names.site_urls, "SiteUrl"));
    targets
}

fn stage(stage: &pipeline::Stage) -> Stage {
    Stage {
        name: stage.name.clone(),
        actions: stage.actions.iter().map(action).collect(),
        approval: stage.approval.as_ref().map(|approval| Approval {
            after: approval.after.clone(),
            question: quoted(&approval.question),
            link: approval.link.clone(),
        }),
        own_actions: stage.own_actions.iter().map(own_action).collect(),
        own_run_order: stage.own_run_order(),
    }
}

fn own_action(action: &pipeline::OwnAction) -> OwnAction {
    let parameter = action.parameter.clone();
    OwnAction {
        name: match &action.prefix {
            None => format!("!Ref {parameter}"),
            Some(prefix) => format!("!Sub {}", quoted(&format!("{prefix}-${{{parameter}}}"))),
        },
        action: parameter,
    }
}

fn action(action: &pipeline::Action) -> Action {
    let (user_parameters, with_distribution, commands) = match &action.work {
        Work::Function {
            parameters,
            with_distribution,
            ..
        } => {
            let with_distribution = with_distribution
                .as_ref()
                .map(|query| quoted(query.as_str()));
            (Some(quoted(parameters.as_str())), with_distribution, None)
        }
        Work::Commands(commands) => (None, None, Some(of_commands(commands))),
    };
    Action {
        name: action.name.clone(),
        run_order: action.run_order,
        namespace: action.namespace.clone(),
        function: action.function(),
        comment: (action.function() == Some("NpmInstall"))
            .then_some("A missing task is told before anything is installed."),
        user_parameters,
        with_distribution,
        commands,
        inputs: action.inputs.clone(),
        outputs: action.outputs.clone(),
    }
}

fn of_commands(commands: &pipeline::Commands) -> Commands {
    let environment = commands.environment.iter();
    Commands {
        lines: commands.lines.iter().map(|line| quoted(line)).collect(),
        environment: environment
            .map(|(name, value)| Variable {
                name: name.clone(),
                value: quoted(value),
            })
            .collect(),
        variables: commands.variables.clone(),
        files: commands.files.iter().map(|file| quoted(file)).collect(),
    }
}
