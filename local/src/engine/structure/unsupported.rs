//! Features of CodePipeline that this engine does not support. The refusal names all that a pipeline uses.

use crate::engine::declaration::{
    ActionDeclaration, PipelineDeclaration, Provider, StageDeclaration,
};
use crate::engine::message::Refusal;

/// Checks that the engine supports everything that a declaration uses.
pub(super) fn check(declaration: &PipelineDeclaration, region: &str) -> Result<(), Refusal> {
    let mut features = Vec::new();
    let mut actions = Vec::new();
    for stage in &declaration.stages {
        let named = |what: String| format!("stage `{}`: {what}", stage.name);
        features.extend(unsupported_features(stage).into_iter().map(named));
        for action in &stage.actions {
            let named = |what: String| {
                format!("action `{}` of stage `{}`: {what}", action.name, stage.name)
            };
            actions.extend(unsupported_settings(action, region).into_iter().map(named));
        }
    }
    if features.is_empty() && actions.is_empty() {
        return Ok(());
    }
    let refusal = if actions.is_empty() {
        Refusal::InvalidStage
    } else {
        Refusal::InvalidAction
    };
    actions.extend(features);
    Err(refusal(format!(
        "not supported by the local engine: {}. It supports the providers \
         Source/AWS/CodeStarSourceConnection/1 (as CODE_ZIP), Invoke/AWS/Lambda/1, \
         Compute/AWS/Commands/1 (with variables of the type PLAINTEXT) and Approval/AWS/Manual/1 in \
         its own region `{region}`, and of a stage's conditions only `onFailure` with the result \
         `RETRY`; remove what it does not support",
        actions.join("; ")
    )))
}

fn unsupported_features(stage: &StageDeclaration) -> Vec<String> {
    let mut features = Vec::new();
    if !stage.blockers.is_empty() {
        features.push("`blockers`".to_owned());
    }
    if stage.before_entry.is_some() {
        features.push("`beforeEntry`".to_owned());
    }
    if stage.on_success.is_some() {
        features.push("`onSuccess`".to_owned());
    }
    if let Some(on_failure) = &stage.on_failure {
        if on_failure.conditions.is_some() {
            features.push("`onFailure.conditions`".to_owned());
        }
        match on_failure.result.as_deref() {
            Some("RETRY") => {}
            Some(result) => features.push(format!("the `onFailure.result` `{result}`")),
            None => features.push("an `onFailure` without a `result`".to_owned()),
        }
    }
    features
}

fn unsupported_settings(action: &ActionDeclaration, region: &str) -> Vec<String> {
    let mut settings = Vec::new();
    let id = &action.action_type_id;
    if action.provider().is_none() {
        settings.push(format!(
            "the provider {}/{}/{}/{}",
            id.category, id.owner, id.provider, id.version
        ));
    }
    if let Some(other) = action.region.as_deref().filter(|other| *other != region) {
        settings.push(format!("the region `{other}`"));
    }
    settings.extend(super::commands::unsupported(action));
    let format = action.configuration.get("OutputArtifactFormat");
    if let Some(format) = format.filter(|format| *format != "CODE_ZIP")
        && action.provider() == Some(Provider::Connection)
    {
        settings.push(format!("the `OutputArtifactFormat` `{format}`"));
    }
    settings
}
