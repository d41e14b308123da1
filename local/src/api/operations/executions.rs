//! Executions: start, stop, retry, and what became of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::failure::ApiError;
use crate::engine::driver::Driver;
use crate::engine::message::{Event, Reply, RevisionOverride, Start};
use crate::engine::read::ActionFilter;
use crate::engine::{ExecutionId, RetryMode, Trigger, TriggerType};

use super::pipelines::{Page, listed};
use super::{Answer, read};

/// Executions on a page where the request does not say (`API_ListPipelineExecutions`,
/// `API_ListActionExecutions`: 100).
const EXECUTIONS_PAGE: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StartInput {
    name: String,
    #[serde(default)]
    variables: Vec<Variable>,
    client_request_token: Option<String>,
    #[serde(default)]
    source_revisions: Vec<SourceRevision>,
}

#[derive(Deserialize)]
struct Variable {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SourceRevision {
    action_name: String,
    revision_type: String,
    revision_value: String,
}

pub(super) fn start(driver: &Arc<Driver>, input: Value) -> Answer {
    let input: StartInput = read(input)?;
    let mut variables = BTreeMap::new();
    for variable in input.variables {
        if variables
            .insert(variable.name.clone(), variable.value)
            .is_some()
        {
            let message = format!("variable `{}` is given twice", variable.name);
            return Err(ApiError::Validation(message));
        }
    }
    let overrides = input
        .source_revisions
        .into_iter()
        .map(|revision| RevisionOverride {
            action: revision.action_name,
            kind: revision.revision_type,
            value: revision.revision_value,
        });
    let start = Start {
        pipeline: input.name,
        trigger: Trigger {
            trigger_type: TriggerType::StartPipelineExecution,
            trigger_detail: driver.state().caller_arn(),
        },
        variables,
        request_token: input.client_request_token,
        overrides: overrides.collect(),
    };
    Ok(Some(execution_id(driver.apply(Event::Start(start))?)))
}

fn execution_id(reply: Reply) -> Value {
    match reply {
        Reply::Execution(id) => json!({"pipelineExecutionId": id}),
        Reply::Nothing | Reply::ApprovedAt(_) => json!({}),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StopInput {
    pipeline_name: String,
    pipeline_execution_id: ExecutionId,
    #[serde(default)]
    abandon: bool,
    reason: Option<String>,
}

pub(super) fn stop(driver: &Arc<Driver>, input: Value) -> Answer {
    let input: StopInput = read(input)?;
    let event = Event::Stop {
        pipeline: input.pipeline_name,
        execution: input.pipeline_execution_id,
        abandon: input.abandon,
        reason: input.reason,
    };
    Ok(Some(execution_id(driver.apply(event)?)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RetryInput {
    pipeline_name: String,
    stage_name: String,
    pipeline_execution_id: ExecutionId,
    retry_mode: RetryMode,
}

pub(super) fn retry(driver: &Arc<Driver>, input: Value) -> Answer {
    let input: RetryInput = read(input)?;
    let event = Event::Retry {
        pipeline: input.pipeline_name,
        stage: input.stage_name,
        execution: input.pipeline_execution_id,
        mode: input.retry_mode,
    };
    Ok(Some(execution_id(driver.apply(event)?)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RollbackInput {
    pipeline_name: String,
    stage_name: String,
    target_pipeline_execution_id: ExecutionId,
}

pub(super) fn roll_back(driver: &Arc<Driver>, input: Value) -> Answer {
    let input: RollbackInput = read(input)?;
    let event = Event::RollBack {
        pipeline: input.pipeline_name,
        stage: input.stage_name,
        target: input.target_pipeline_execution_id,
        trigger_detail: driver.state().caller_arn(),
    };
    Ok(Some(execution_id(driver.apply(event)?)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GetInput {
    pipeline_name: String,
    pipeline_execution_id: ExecutionId,
}

pub(super) fn get(driver: &Arc<Driver>, input: Value) -> Answer {
    let input: GetInput = read(input)?;
    let execution = driver
        .state()
        .read_execution(&input.pipeline_name, &input.pipeline_execution_id)?;
    Ok(Some(json!({"pipelineExecution": execution})))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListInput {
    pipeline_name: String,
    filter: Option<Filter>,
    #[serde(flatten)]
    page: Page,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    succeeded_in_stage: Option<SucceededInStage>,
    pipeline_execution_id: Option<ExecutionId>,
    latest_in_pipeline_execution: Option<LatestIn>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SucceededInStage {
    stage_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LatestIn {
    pipeline_execution_id: ExecutionId,
    start_time_range: StartTimeRange,
}

#[derive(Deserialize)]
enum StartTimeRange {
    Latest,
    All,
}

pub(super) fn list(driver: &Arc<Driver>, input: Value) -> Answer {
    let input: ListInput = read(input)?;
    let filter = input.filter.unwrap_or_default();
    let stage = filter
        .succeeded_in_stage
        .and_then(|filter| filter.stage_name);
    let page = input.page.cut(EXECUTIONS_PAGE);
    let executions =
        driver
            .state()
            .read_executions(&input.pipeline_name, stage.as_deref(), page)?;
    Ok(Some(listed("pipelineExecutionSummaries", executions)))
}

pub(super) fn list_actions(driver: &Arc<Driver>, input: Value) -> Answer {
    let input: ListInput = read(input)?;
    let filter = input.filter.unwrap_or_default();
    let filter = match (
        filter.pipeline_execution_id,
        filter.latest_in_pipeline_execution,
    ) {
        (None, None) => ActionFilter::Pipeline,
        (Some(id), None) => ActionFilter::Execution(id),
        (None, Some(latest)) => match latest.start_time_range {
            StartTimeRange::Latest => ActionFilter::Latest(latest.pipeline_execution_id),
            StartTimeRange::All => ActionFilter::Execution(latest.pipeline_execution_id),
        },
        (Some(_), Some(_)) => {
            return Err(ApiError::Validation(
                "give either `pipelineExecutionId` or `latestInPipelineExecution`".to_owned(),
            ));
        }
    };
    let page = input.page.cut(EXECUTIONS_PAGE);
    let actions = driver
        .state()
        .read_actions(&input.pipeline_name, &filter, page)?;
    Ok(Some(listed("actionExecutionDetails", actions)))
}
