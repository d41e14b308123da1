//! What a pipeline that applies releases is started with.

use serde::Serialize;

use super::quoted;
use crate::plan::{Member, PlannedEnvironment};

/// Stands for no value, which a variable cannot have.
const NOTHING: &str = "-";

/// A variable of a pipeline.
#[derive(Debug, Serialize)]
pub(super) struct PipelineVariable {
    name: &'static str,
    default: String,
    description: String,
}

/// Without a release, as its creation starts the pipeline, it deploys nothing.
pub(super) fn variables(environment: &PlannedEnvironment<'_>) -> Vec<PipelineVariable> {
    let mut variables = vec![
        ("release", "none", "The id of the release"),
        ("kind", "deploy", "deploy, promote or rollback"),
        ("from", NOTHING, "The environment that it is promoted from"),
        ("by", NOTHING, "Who deploys it"),
        ("reason", NOTHING, "Why"),
        (
            "unverified",
            "no",
            "yes for a release that the environment before did not verify",
        ),
    ];
    if environment.member == Some(Member::Named) {
        variables.push((
            "name",
            NOTHING,
            "The environment's name behind the family's",
        ));
    }
    let variables = variables.into_iter();
    variables
        .map(|(name, default, description)| PipelineVariable {
            name,
            default: quoted(default),
            description: quoted(description),
        })
        .collect()
}
