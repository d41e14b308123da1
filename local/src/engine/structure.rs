//! Validates a declaration beyond the shapes of the API: the structure rules of the User Guide ("Pipeline structure
//! reference"), and what this engine supports.

mod commands;
mod references;
mod triggers;
mod unsupported;

use std::collections::BTreeSet;

use super::declaration::{
    ActionDeclaration, ExecutionMode, PipelineDeclaration, PipelineType, Provider, StageDeclaration,
};
use super::message::Refusal;
use super::variables;

/// Stages of a pipeline (User Guide, quotas: 2 to 50).
const STAGES: std::ops::RangeInclusive<usize> = 2..=50;

/// Actions of a stage (User Guide, quotas: 100 in parallel, 100 in sequence).
const MAX_STAGE_ACTIONS: usize = 100;

/// Actions of a pipeline (User Guide, quotas: 1,000).
const MAX_ACTIONS: usize = 1_000;

/// Input artifacts, and output artifacts, of a Lambda action (User Guide, action reference: 0 to 5).
const MAX_LAMBDA_ARTIFACTS: usize = 5;

/// Whether a pipeline is of type V2, by declaration or by what it uses.
pub(crate) fn is_v2(declaration: &PipelineDeclaration) -> bool {
    match declaration.pipeline_type {
        Some(kind) => kind == PipelineType::V2,
        None => needs_v2(declaration).is_some(),
    }
}

/// Fills in what the service fills in.
pub(crate) fn complete(declaration: &mut PipelineDeclaration) {
    let kind = if is_v2(declaration) {
        PipelineType::V2
    } else {
        PipelineType::V1
    };
    declaration.pipeline_type = Some(kind);
    if kind == PipelineType::V2 {
        let added = triggers::defaults(declaration);
        declaration.triggers.extend(added);
    }
}

/// The first member that only a V2 pipeline may have.
fn needs_v2(declaration: &PipelineDeclaration) -> Option<&'static str> {
    let retries = |stage: &StageDeclaration| stage.on_failure.is_some();
    let mut actions = declaration.stages.iter().flat_map(|stage| &stage.actions);
    if declaration.execution_mode != ExecutionMode::Superseded {
        Some("executionMode")
    } else if !declaration.variables.is_empty() {
        Some("variables")
    } else if !declaration.triggers.is_empty() {
        Some("triggers")
    } else if declaration.stages.iter().any(retries) {
        Some("onFailure")
    } else if actions.any(|action| action.provider() == Some(Provider::Commands)) {
        Some("commands")
    } else {
        None
    }
}

/// Checks a declaration.
pub(crate) fn check(declaration: &PipelineDeclaration, region: &str) -> Result<(), Refusal> {
    check_pipeline(declaration, region)?;
    check_names(declaration)?;
    unsupported::check(declaration, region)?;
    for (index, stage) in declaration.stages.iter().enumerate() {
        check_stage(stage)?;
        for action in &stage.actions {
            check_place(index, stage, action)?;
            check_action(stage, action)?;
        }
    }
    if declaration.stages[1..]
        .iter()
        .all(|stage| stage.actions.is_empty())
    {
        return invalid("a pipeline needs at least one action that is not a source");
    }
    check_artifacts(declaration)?;
    references::check(declaration)?;
    triggers::check(declaration)
}

fn invalid<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::InvalidStructure(message.into()))
}

fn check_pipeline(declaration: &PipelineDeclaration, region: &str) -> Result<(), Refusal> {
    let stages = declaration.stages.len();
    if stages < *STAGES.start() {
        return invalid(format!(
            "Pipeline has only {stages} stage(s). There should be a minimum of {} stages in a pipeline.",
            STAGES.start()
        ));
    }
    if stages > *STAGES.end() {
        return invalid(format!(
            "a pipeline has at most {} stages, this one has {stages}",
            STAGES.end()
        ));
    }
    let actions: usize = declaration
        .stages
        .iter()
        .map(|stage| stage.actions.len())
        .sum();
    if actions > MAX_ACTIONS {
        return invalid(format!(
            "a pipeline has at most {MAX_ACTIONS} actions, this one has {actions}"
        ));
    }
    if declaration.artifact_store.is_some() == declaration.artifact_stores.is_some() {
        return invalid("give either `artifactStore` or `artifactStores`");
    }
    if declaration.store(region).is_none() {
        return invalid(format!(
            "`artifactStores` has no store for the pipeline's region `{region}`"
        ));
    }
    if declaration.pipeline_type == Some(PipelineType::V1)
        && let Some(member) = needs_v2(declaration)
    {
        return invalid(format!("`{member}` needs `pipelineType` `V2`"));
    }
    Ok(())
}

fn check_names(declaration: &PipelineDeclaration) -> Result<(), Refusal> {
    let stages = declaration.stages.iter().map(|stage| &*stage.name);
    if let Some(twice) = first_duplicate(stages) {
        return invalid(format!("two stages have the name `{twice}`"));
    }
    let variables = declaration.variables.iter().map(|variable| &*variable.name);
    if let Some(twice) = first_duplicate(variables) {
        return invalid(format!("two pipeline variables have the name `{twice}`"));
    }
    check_namespaces(declaration)
}

fn check_namespaces(declaration: &PipelineDeclaration) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    let mut twice = Vec::new();
    for stage in &declaration.stages {
        for action in &stage.actions {
            let Some(namespace) = action.namespace.as_deref() else {
                continue;
            };
            if !seen.insert(namespace) {
                twice.push(format!(
                    "StageName=[{}], ActionName=[{}], Namespace=[{namespace}]",
                    stage.name, action.name
                ));
            }
        }
    }
    // The service's words (aws-cdk issue 6111).
    if !twice.is_empty() {
        return Err(Refusal::InvalidAction(format!(
            "Namespaces must be unique across the pipeline definition. The following occur more than \
             once in the pipeline. {}",
            twice.join("; ")
        )));
    }
    let reserved = [
        variables::EXECUTION_NAMESPACE,
        variables::PIPELINE_NAMESPACE,
    ];
    if let Some(name) = reserved.into_iter().find(|name| seen.contains(name)) {
        return invalid(format!("the namespace `{name}` is reserved"));
    }
    Ok(())
}

fn first_duplicate<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = BTreeSet::new();
    let mut names = names;
    names.find(|name| !seen.insert(*name))
}

fn check_stage(stage: &StageDeclaration) -> Result<(), Refusal> {
    let name = &stage.name;
    let refuse = |why: String| Err(Refusal::InvalidStage(format!("stage `{name}`: {why}")));
    if stage.actions.is_empty() {
        return refuse("it has no action".to_owned());
    }
    if stage.actions.len() > MAX_STAGE_ACTIONS {
        return refuse(format!("it has more than {MAX_STAGE_ACTIONS} actions"));
    }
    if let Some(twice) = first_duplicate(stage.actions.iter().map(|action| &*action.name)) {
        return refuse(format!("two actions have the name `{twice}`"));
    }
    Ok(())
}

fn check_place(
    index: usize,
    stage: &StageDeclaration,
    action: &ActionDeclaration,
) -> Result<(), Refusal> {
    let is_source = action.provider() == Some(Provider::Connection);
    match (index, is_source) {
        (0, false) => invalid(format!(
            "the first stage, `{}`, can have only source actions; `{}` is not a source action",
            stage.name, action.name
        )),
        (1.., true) => invalid(format!(
            "only the first stage can have source actions; `{}` of stage `{}` is a source action",
            action.name, stage.name
        )),
        _ => Ok(()),
    }
}

/// What an action of a provider looks like.
struct Rules {
    required: &'static [&'static str],
    optional: &'static [&'static str],
    inputs: std::ops::RangeInclusive<usize>,
    outputs: std::ops::RangeInclusive<usize>,
}

fn rules(provider: Provider) -> Rules {
    match provider {
        Provider::Connection => Rules {
            required: &["ConnectionArn", "FullRepositoryId", "BranchName"],
            optional: &["OutputArtifactFormat", "DetectChanges"],
            inputs: 0..=0,
            outputs: 1..=1,
        },
        Provider::Lambda => Rules {
            required: &["FunctionName"],
            optional: &["UserParameters"],
            inputs: 0..=MAX_LAMBDA_ARTIFACTS,
            outputs: 0..=MAX_LAMBDA_ARTIFACTS,
        },
        Provider::Commands => Rules {
            required: &[],
            optional: &commands::CONFIGURATION,
            inputs: commands::INPUTS,
            outputs: commands::OUTPUTS,
        },
        Provider::Manual => Rules {
            required: &[],
            optional: &["NotificationArn", "ExternalEntityLink", "CustomData"],
            inputs: 0..=0,
            outputs: 0..=0,
        },
    }
}

fn check_action(stage: &StageDeclaration, action: &ActionDeclaration) -> Result<(), Refusal> {
    commands::check_members(stage, action)?;
    let Some(provider) = action.provider() else {
        return Ok(());
    };
    let rules = rules(provider);
    let refuse = |why: String| {
        let place = format!("action `{}` of stage `{}`", action.name, stage.name);
        Err(Refusal::InvalidAction(format!("{place}: {why}")))
    };
    if let Some(key) = rules
        .required
        .iter()
        .find(|key| !action.configuration.contains_key(**key))
    {
        return refuse(format!("the configuration has no `{key}`"));
    }
    let known =
        |key: &&String| rules.required.contains(&&***key) || rules.optional.contains(&&***key);
    if let Some(key) = action.configuration.keys().find(|key| !known(key)) {
        return refuse(format!(
            "the provider does not know the configuration key `{key}`"
        ));
    }
    let (inputs, outputs) = (action.input_artifacts.len(), action.output_artifacts.len());
    if !rules.inputs.contains(&inputs) || !rules.outputs.contains(&outputs) {
        return refuse(format!(
            "the provider takes {} to {} input and {} to {} output artifacts, not {inputs} and {outputs}",
            rules.inputs.start(),
            rules.inputs.end(),
            rules.outputs.start(),
            rules.outputs.end(),
        ));
    }
    if action.timeout_in_minutes.is_some() && provider != Provider::Manual {
        return refuse("only a manual approval takes `timeoutInMinutes`".to_owned());
    }
    if provider == Provider::Commands
        && let Err(why) = commands::check(action)
    {
        return refuse(why);
    }
    if provider == Provider::Connection {
        let uses = |text: &String| variables::references(text).next().is_some();
        if let Some((key, _)) = action.configuration.iter().find(|(_, value)| uses(value)) {
            return refuse(format!(
                "a source action cannot use variables, but `{key}` does"
            ));
        }
    }
    Ok(())
}

/// A stage's actions, those that run at the same time together.
fn in_run_order(stage: &StageDeclaration) -> Vec<Vec<&ActionDeclaration>> {
    let mut actions: Vec<_> = stage.actions.iter().collect();
    actions.sort_by_key(|action| action.run_order);
    let groups = actions.chunk_by(|a, b| a.run_order == b.run_order);
    groups.map(<[_]>::to_vec).collect()
}

/// Every output artifact is made once, and every input artifact before it is needed.
fn check_artifacts(declaration: &PipelineDeclaration) -> Result<(), Refusal> {
    let mut made = BTreeSet::new();
    for stage in &declaration.stages {
        for group in in_run_order(stage) {
            for action in &group {
                let mut inputs = action.input_artifacts.iter();
                if let Some(missing) = inputs.find(|input| !made.contains(&*input.name)) {
                    return invalid(format!(
                        "action `{}` of stage `{}` needs the artifact `{}`, which no earlier action produces",
                        action.name, stage.name, missing.name
                    ));
                }
                let inputs = action.input_artifacts.iter().map(|input| &*input.name);
                if let Some(twice) = first_duplicate(inputs) {
                    return invalid(format!("action `{}` takes `{twice}` twice", action.name));
                }
            }
            for output in group.iter().flat_map(|action| &action.output_artifacts) {
                if !made.insert(&*output.name) {
                    return invalid(format!(
                        "two actions produce the artifact `{}`",
                        output.name
                    ));
                }
            }
        }
    }
    Ok(())
}
