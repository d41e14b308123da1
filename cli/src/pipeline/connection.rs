//! The connection through which Source reads the repository.

use delivery_stack::description::Description;
use schemars::JsonSchema;
use serde::Serialize;

use crate::error::CliError;
use crate::follow::Pipeline;
use crate::stack::{connection as stack, console};

/// The key of a Source action's configuration, and of the template's parameter.
const KEY: &str = stack::PARAMETER;

/// A connection to a repository's host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Connection {
    /// Its ARN.
    pub(crate) arn: String,
    /// `AVAILABLE`, `PENDING` or `ERROR`; `null` where it could not be asked for.
    pub(crate) status: Option<String>,
    /// Where a person completes it in the console.
    pub(crate) console: String,
}

impl Connection {
    /// Whether a person has to complete it before Source can read anything.
    pub(crate) fn is_pending(&self) -> bool {
        self.status.as_deref() == Some("PENDING")
    }

    /// A connection whose status is known, or is not.
    pub(crate) fn new(arn: &str, status: Option<String>, region: &str) -> Self {
        Self {
            arn: arn.to_owned(),
            status,
            console: console::connections_url(region),
        }
    }
}

/// The ARN of the connection that a stack's pipeline reads through.
pub(crate) async fn arn(
    launched: &Description,
    pipeline: Option<&Pipeline>,
) -> Result<Option<String>, CliError> {
    if let Some(arn) = launched.parameters.get(KEY) {
        return Ok(Some(arn.clone()).filter(|arn| !arn.is_empty()));
    }
    let Some(pipeline) = pipeline else {
        return Ok(None);
    };
    let stages = pipeline.stages().await?;
    let mut actions = stages
        .iter()
        .flat_map(aws_sdk_codepipeline::types::StageDeclaration::actions);
    Ok(actions.find_map(|action| action.configuration()?.get(KEY).cloned()))
}
