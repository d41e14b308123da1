//! What CodePipeline and CloudFormation would refuse, said with the line of the file before anything is launched.

use std::collections::BTreeMap;

use delivery_definition::{Kind, Mistake};

use crate::part::{APPLIES, Part};
use crate::pipeline::{Action, FUNCTIONS, Pipeline, Stage};
use crate::plan::{Plan, PlannedService};
use crate::query::{LONGEST, Query};
use crate::release::RELEASE;

/// The most stages of a pipeline, and the most actions of a stage, with the Source stage and the action of the user's own
/// (<https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html>).
const MOST_STAGES: usize = 50;
const MOST_ACTIONS: usize = 50;

/// The most characters of the name of an action or an artifact
/// (<https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ActionDeclaration.html>).
const LONGEST_NAME: usize = 100;

/// The most parameters of a template
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>).
const MOST_PARAMETERS: usize = 200;

/// Parameters of `delivery.yaml` that there are for every application, rounded up.
const OTHER_PARAMETERS: usize = 40;

/// The most bytes of a function's environment variables, with their names
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>: 4 KB).
const LONGEST_VARIABLES: usize = 4_000;

/// The longest name of a function (<https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html>).
const LONGEST_FUNCTION: usize = 64;

pub(crate) fn check(plan: &Plan<'_>, parts: &[Part<'_>], mistakes: &mut Vec<Mistake>) {
    report_ids(plan, mistakes);
    report_ids_of_pipelines(parts, mistakes);
    report_stacks(plan, mistakes);
    report_families(plan, mistakes);
    let delivering = parts.iter().filter(|part| part.applies.is_none());
    report_parameters(plan, delivering.count(), mistakes);
    let line = plan
        .environments
        .last()
        .map_or(1, |environment| environment.target.settings.line);
    for part in parts {
        report_needs(part, mistakes);
        // A pipeline that applies releases has the actions of those that deliver: what is wrong was said there.
        if part.applies.is_none() || mistakes.is_empty() {
            report_pipeline(&part.pipeline, line, mistakes);
        }
    }
}

/// An app has one function with an alias for each environment, so it cannot be there a second time.
fn report_families(plan: &Plan<'_>, mistakes: &mut Vec<Mistake>) {
    for family in plan.families() {
        for app in plan.apps().filter(|one| family.target.deploys(one.service)) {
            let (name, app) = (family.name(), &app.service.name);
            let what = format!(
                "the app `{app}` cannot be deployed to the environments `{name}-...`: an app has one function with an alias for each environment"
            );
            let next = format!(
                "let them use that of another environment, for example: share = {{ {app} = \"int\" }}"
            );
            mistakes.push(Mistake::new(family.target.settings.line, &what, &next));
        }
    }
}

fn report_pipeline(pipeline: &Pipeline, line: usize, mistakes: &mut Vec<Mistake>) {
    if pipeline.stages.len() + 1 > MOST_STAGES {
        let what = format!(
            "the pipeline would have {} stages; the limit is {MOST_STAGES}",
            pipeline.stages.len() + 1
        );
        mistakes.push(Mistake::new(
            line,
            &what,
            "remove environments, or approvals",
        ));
    }
    report_watched(pipeline, mistakes);
    for stage in &pipeline.stages {
        report_actions(stage, line, mistakes);
        for action in &stage.actions {
            report_names(stage, action, mistakes);
            report_user_parameters(stage, action, mistakes);
        }
    }
}

/// What an execution makes has the services of its pipeline alone.
fn report_needs(part: &Part<'_>, mistakes: &mut Vec<Mistake>) {
    let Some(family) = &part.plan.of_execution else {
        return;
    };
    let deploys = |one: &&PlannedService<'_>| family.target.deploys(one.service);
    for service in part.plan.services.iter().filter(deploys) {
        let needs = part.plan.request.definition.needs(service.service);
        let others = part.plan.others.iter().filter(deploys);
        for other in others.filter(|one| needs.contains(one.service.name.as_str())) {
            let (name, other) = (&service.service.name, &other.service.name);
            let what = format!(
                "in `{}`, `{name}` needs `{other}`, which another one of the `pipelines` delivers: such an environment has the services of one pipeline",
                family.name()
            );
            let next = format!(
                "use that of another environment, for example: share = {{ {other} = \"int\" }}"
            );
            mistakes.push(Mistake::new(family.target.settings.line, &what, &next));
        }
    }
}

/// The guard has its aliases in a variable.
fn report_watched(pipeline: &Pipeline, mistakes: &mut Vec<Mistake>) {
    let mut bytes = "WATCHED_ALIASES".len();
    for (action, watched) in pipeline.watched() {
        let function = action
            .moves
            .as_ref()
            .map_or(0, |moved| moved.function.len());
        let reference = function + "${}".len();
        bytes += watched.len() - reference + LONGEST_FUNCTION + ",".len();
        if bytes > LONGEST_VARIABLES {
            let what = "the aliases of all apps in all environments are more than the guard of the pipeline can watch";
            let next = "put some of the apps into another one of the `pipelines`";
            mistakes.push(Mistake::new(action.line, what, next));
            return;
        }
    }
}

/// Two pipelines that would have the same names in templates.
fn report_ids_of_pipelines(parts: &[Part<'_>], mistakes: &mut Vec<Mistake>) {
    let mut known = BTreeMap::new();
    for part in parts {
        let Some(name) = part.name.as_deref() else {
            continue;
        };
        if name.starts_with(APPLIES) && part.applies.is_none() {
            let what = format!("the pipeline `{name}` has the name of one that applies releases");
            let next = format!("choose a name that does not begin with `{APPLIES}`");
            mistakes.push(Mistake::new(part.line, &what, &next));
        } else if let Some(other) = known.insert(&part.id, name) {
            let what = format!(
                "the pipelines `{other}` and `{name}` would both be `{}` in templates",
                part.id
            );
            mistakes.push(Mistake::new(part.line, &what, "rename one of them"));
        }
    }
}

/// Two services that would have the same names in templates, which have no `-`.
fn report_ids(plan: &Plan<'_>, mistakes: &mut Vec<Mistake>) {
    let mut known = BTreeMap::new();
    for service in &plan.services {
        if let Some(other) = known.insert(service.id.clone(), service) {
            let (name, other) = (&service.service.name, &other.service.name);
            let what = format!(
                "the services `{other}` and `{name}` would both be `{}` in templates",
                service.id
            );
            mistakes.push(Mistake::new(
                service.service.line,
                &what,
                "rename one of them",
            ));
        }
        let names = ["Function", "Api"].map(|what| format!("{}{what}", service.id));
        let taken = FUNCTIONS
            .iter()
            .find(|(id, _)| names.iter().any(|name| name == id));
        if let Some((id, function)) = taken.filter(|_| service.kind == Kind::App) {
            let what = format!(
                "the app `{}` would have the parameter `{id}` in templates, which names the function {function}",
                service.service.name
            );
            mistakes.push(Mistake::new(service.service.line, &what, "rename the app"));
        }
    }
}

/// Without a file nothing has checked the names of stacks.
fn report_stacks(plan: &Plan<'_>, mistakes: &mut Vec<Mistake>) {
    for service in plan
        .services
        .iter()
        .filter(|service| service.kind == Kind::Stack)
    {
        for environment in plan.environments_of(service) {
            if let Err(error) = environment
                .target
                .stack(plan.application(), service.service)
            {
                let next = "shorten the name of the application, the environment or the service";
                mistakes.push(Mistake::new(service.service.line, &error.to_string(), next));
            }
        }
    }
}

fn report_parameters(plan: &Plan<'_>, pipelines: usize, mistakes: &mut Vec<Mistake>) {
    // A bucket, a distribution and two addresses for each site; three for each action of the user's own.
    let sites = 4 * plan.with_sites().count() * plan.environments.len();
    let own_actions = 3 * plan.environments.len() * pipelines;
    let parameters = OTHER_PARAMETERS + sites + 2 * plan.apps().count() + own_actions;
    if parameters > MOST_PARAMETERS {
        let line = plan
            .services
            .last()
            .map_or(1, |service| service.service.line);
        let what = format!(
            "the pipeline's template would have more than {MOST_PARAMETERS} parameters, which is CloudFormation's limit"
        );
        mistakes.push(Mistake::new(
            line,
            &what,
            "deliver some of the apps and sites from a repository of their own",
        ));
    }
}

fn report_actions(stage: &Stage, line: usize, mistakes: &mut Vec<Mistake>) {
    let own = stage.own_actions.len();
    let actions = stage.actions.len() + own;
    if actions > MOST_ACTIONS {
        let what = format!(
            "the stage `{}` would have {actions} actions; the limit is {MOST_ACTIONS}",
            stage.name
        );
        let line = stage.actions.last().map_or(line, |action| action.line);
        mistakes.push(Mistake::new(
            line,
            &what,
            "deliver some of the services from a repository of their own",
        ));
    }
}

fn report_names(stage: &Stage, action: &Action, mistakes: &mut Vec<Mistake>) {
    let artifacts = action.outputs.iter().map(|name| ("artifact", name));
    for (what, name) in artifacts.chain([("action", &action.name)]) {
        if name.len() > LONGEST_NAME {
            let what = format!(
                "the {what} `{name}` of the stage `{}` would have a name of {} characters; the limit is {LONGEST_NAME}",
                stage.name,
                name.len()
            );
            mistakes.push(Mistake::new(
                action.line,
                &what,
                "shorten the service's name",
            ));
        }
    }
}

fn report_user_parameters(stage: &Stage, action: &Action, mistakes: &mut Vec<Mistake>) {
    let longest = action
        .queries()
        .map(Query::longest)
        .max()
        .unwrap_or_default();
    if longest > LONGEST {
        let what = format!(
            "the action `{}` of the stage `{}` could have {longest} characters of `UserParameters`; CodePipeline takes {LONGEST}",
            action.name, stage.name
        );
        let next = match action.function() {
            Some("DeployApp") => {
                "name fewer `alarms`, such as a composite alarm instead of several, or fewer steps in `rollout`"
            }
            Some(RELEASE) => "shorten the service's name",
            _ => {
                "shorten `config`, `test.environment` or the parameters with outputs of sites and apps"
            }
        };
        mistakes.push(Mistake::new(action.line, &what, next));
    }
}
