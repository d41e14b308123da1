//! Git triggers: which are valid, and the one that the service adds.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::engine::declaration::{ActionDeclaration, PipelineDeclaration, Provider};
use crate::engine::message::Refusal;

/// The service's words (aws-cdk issue 28694).
const NOT_A_CONNECTION: &str = "Triggers for connection must reference a CodeStarSourceConnection \
    action. Note that when you specify a trigger, you cant specify more than one trigger per source \
    action.";

/// The service's words (terraform-provider-aws issue 43105).
const INVALID_FILTERS: &str = "The trigger configuration for the source action is not valid. Make sure \
    to choose valid filter combinations.";

/// Checks that each trigger is for a connection's source action of its own, and its filters.
pub(super) fn check(declaration: &PipelineDeclaration) -> Result<(), Refusal> {
    let sources: BTreeSet<_> = sources(declaration).map(|action| &*action.name).collect();
    let mut triggered = BTreeSet::new();
    for trigger in &declaration.triggers {
        let action = source_action(trigger).unwrap_or_default();
        if !sources.contains(action) || !triggered.insert(action) {
            return Err(Refusal::InvalidStructure(NOT_A_CONNECTION.to_owned()));
        }
        let filters = trigger["gitConfiguration"]["push"].as_array();
        if filters.into_iter().flatten().any(mixes_tags_and_branches) {
            return Err(Refusal::InvalidStructure(INVALID_FILTERS.to_owned()));
        }
    }
    Ok(())
}

/// A push filter is for tags, or for branches and files (User Guide, "Filter types for triggers").
fn mixes_tags_and_branches(filter: &Value) -> bool {
    filter["tags"].is_object()
        && (filter["branches"].is_object() || filter["filePaths"].is_object())
}

fn source_action(trigger: &Value) -> Option<&str> {
    trigger["gitConfiguration"]["sourceActionName"].as_str()
}

fn sources(declaration: &PipelineDeclaration) -> impl Iterator<Item = &ActionDeclaration> {
    let actions = declaration.stages.iter().flat_map(|stage| &stage.actions);
    actions.filter(|action| action.provider() == Some(Provider::Connection))
}

/// The triggers that the service adds to a V2 pipeline: pushes to the branch of each source action that
/// detects changes and has no trigger (terraform-provider-aws issue 38409).
pub(super) fn defaults(declaration: &PipelineDeclaration) -> Vec<Value> {
    let triggered: BTreeSet<_> = declaration
        .triggers
        .iter()
        .filter_map(source_action)
        .collect();
    let detects = |action: &&ActionDeclaration| {
        let setting = action.configuration.get("DetectChanges");
        let off = setting.is_some_and(|setting| setting.eq_ignore_ascii_case("false"));
        !off && !triggered.contains(&*action.name)
    };
    let trigger = |action: &ActionDeclaration| {
        json!({
            "providerType": "CodeStarSourceConnection",
            "gitConfiguration": {
                "sourceActionName": action.name,
                "push": [{"branches": {"includes": [action.configuration.get("BranchName")]}}],
            },
        })
    };
    sources(declaration).filter(detects).map(trigger).collect()
}
