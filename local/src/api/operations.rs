//! The operations: from a checked request to the engine, and back.

mod approvals;
mod executions;
mod jobs;
mod pipelines;

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::engine::driver::Driver;

use super::failure::ApiError;

/// What an operation answers; `None` for one that has no output.
type Answer = Result<Option<Value>, ApiError>;

/// Calls an operation whose input was checked.
pub(super) async fn call(driver: &Arc<Driver>, operation: &str, input: Value) -> Answer {
    match operation {
        "CreatePipeline" => pipelines::create(driver, input).await,
        "UpdatePipeline" => pipelines::update(driver, input).await,
        "GetPipeline" => pipelines::get(driver, input),
        "ListPipelines" => pipelines::list(driver, input),
        "DeletePipeline" => pipelines::delete(driver, input),
        "GetPipelineState" => pipelines::state(driver, input),
        "TagResource" => pipelines::tag(driver, input),
        "UntagResource" => pipelines::untag(driver, input),
        "ListTagsForResource" => pipelines::list_tags(driver, input),
        "StartPipelineExecution" => executions::start(driver, input),
        "StopPipelineExecution" => executions::stop(driver, input),
        "RetryStageExecution" => executions::retry(driver, input),
        "RollbackStage" => executions::roll_back(driver, input),
        "GetPipelineExecution" => executions::get(driver, input),
        "ListPipelineExecutions" => executions::list(driver, input),
        "ListActionExecutions" => executions::list_actions(driver, input),
        "GetJobDetails" => jobs::get(driver, input),
        "PutJobSuccessResult" => jobs::succeed(driver, input),
        "PutJobFailureResult" => jobs::fail(driver, input),
        "PutApprovalResult" => approvals::answer(driver, input),
        "DisableStageTransition" => approvals::disable_transition(driver, input),
        "EnableStageTransition" => approvals::enable_transition(driver, input),
        _ => Err(ApiError::UnknownOperation(operation.to_owned())),
    }
}

/// Reads a request; members that are `null` count as absent, as they do for the service.
fn read<T: DeserializeOwned>(input: Value) -> Result<T, ApiError> {
    serde_json::from_value(without_nulls(input))
        .map_err(|error| ApiError::Serialization(error.to_string()))
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(
                members
                    .map(|(name, value)| (name, without_nulls(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}
