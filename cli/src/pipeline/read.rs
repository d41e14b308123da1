//! Reads the pipeline's state from CodePipeline.

use std::collections::BTreeMap;

use aws_sdk_codepipeline::operation::get_pipeline_execution::GetPipelineExecutionError;
use aws_sdk_codepipeline::primitives::DateTime;
use aws_sdk_codepipeline::types::{
    self, ActionExecutionStatus, PipelineExecution, PipelineExecutionSummary,
};
use delivery_stack::description::timestamp;

use crate::error::CliError;
use crate::follow::{Pipeline, round};
use crate::output::foreign;

use super::state::{
    ActionFailure, ActionState, Closed, Inbound, PipelineState, Revision, StageState,
};

/// Action executions on one page (the most that `ListActionExecutions` gives); those of the state are among the newest.
const ACTION_EXECUTIONS: i32 = 100;

/// The execution and the beginning of an action's run.
struct Run {
    execution: String,
    started: Option<DateTime>,
}

/// The state as it is now.
pub(super) async fn state(pipeline: &Pipeline) -> Result<PipelineState, CliError> {
    let answer = pipeline
        .client()
        .get_pipeline_state()
        .name(pipeline.name())
        .send()
        .await
        .map_err(pipeline.refused("codepipeline:GetPipelineState"))?;
    let runs = runs(pipeline).await?;
    let revisions = revisions(pipeline, answer.stage_states()).await?;
    Ok(PipelineState {
        name: pipeline.name().to_owned(),
        stages: answer
            .stage_states()
            .iter()
            .map(|found| stage(found, &revisions, &runs))
            .collect(),
    })
}

async fn runs(pipeline: &Pipeline) -> Result<BTreeMap<String, Run>, CliError> {
    let listed = pipeline
        .client()
        .list_action_executions()
        .pipeline_name(pipeline.name())
        .max_results(ACTION_EXECUTIONS)
        .send()
        .await
        .map_err(pipeline.refused("codepipeline:ListActionExecutions"))?;
    let run = |detail: &types::ActionExecutionDetail| {
        let run = Run {
            execution: detail.pipeline_execution_id()?.to_owned(),
            started: detail.start_time().copied(),
        };
        Some((detail.action_execution_id()?.to_owned(), run))
    };
    Ok(listed
        .action_execution_details()
        .iter()
        .filter_map(run)
        .collect())
}

/// What each execution delivers that is in a stage or waits for one.
async fn revisions(
    pipeline: &Pipeline,
    stages: &[types::StageState],
) -> Result<BTreeMap<String, Revision>, CliError> {
    let mut revisions = BTreeMap::new();
    let executions = stages.iter().flat_map(|stage| {
        let inbound = stage.inbound_executions().iter();
        let inbound = inbound.chain(stage.inbound_execution());
        stage.latest_execution().into_iter().chain(inbound)
    });
    for execution in executions {
        let id = execution.pipeline_execution_id();
        if revisions.contains_key(id) {
            continue;
        }
        if let Some(revision) = find(pipeline, id).await?.as_ref().and_then(revision) {
            revisions.insert(id.to_owned(), revision);
        }
    }
    Ok(revisions)
}

/// An execution; `None` where there is none of this id.
pub(super) async fn find(
    pipeline: &Pipeline,
    execution: &str,
) -> Result<Option<PipelineExecution>, CliError> {
    let answer = pipeline
        .client()
        .get_pipeline_execution()
        .pipeline_name(pipeline.name())
        .pipeline_execution_id(execution)
        .send()
        .await;
    match answer {
        Ok(answer) => Ok(answer.pipeline_execution),
        Err(error)
            if error.as_service_error().is_some_and(
                GetPipelineExecutionError::is_pipeline_execution_not_found_exception,
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(pipeline.refused("codepipeline:GetPipelineExecution")(error)),
    }
}

/// The newest executions, newest first.
pub(super) async fn executions(
    pipeline: &Pipeline,
) -> Result<Vec<PipelineExecutionSummary>, CliError> {
    let listed = pipeline
        .client()
        .list_pipeline_executions()
        .pipeline_name(pipeline.name())
        .send()
        .await
        .map_err(pipeline.refused("codepipeline:ListPipelineExecutions"))?;
    Ok(listed.pipeline_execution_summaries.unwrap_or_default())
}

/// What an execution delivers, once Source knows it.
pub(super) fn revision(execution: &PipelineExecution) -> Option<Revision> {
    let revision = execution.artifact_revisions().first()?;
    Some(Revision::new(
        revision.revision_id()?,
        revision.revision_summary(),
        revision.revision_url(),
    ))
}

/// The same of an execution in a list.
pub(super) fn listed_revision(execution: &PipelineExecutionSummary) -> Option<Revision> {
    let revision = execution.source_revisions().first()?;
    Some(Revision::new(
        revision.revision_id()?,
        revision.revision_summary(),
        revision.revision_url(),
    ))
}

/// An SDK's time as text: RFC 3339, to the second.
pub(super) fn time(time: Option<&DateTime>) -> Option<String> {
    let time = timestamp(time?)?;
    let seconds = jiff::Timestamp::from_second(time.as_second()).ok()?;
    Some(seconds.to_string())
}

fn stage(
    found: &types::StageState,
    revisions: &BTreeMap<String, Revision>,
    runs: &BTreeMap<String, Run>,
) -> StageState {
    let latest = found.latest_execution();
    let execution = latest.map(|latest| latest.pipeline_execution_id().to_owned());
    let mut stage = StageState {
        name: found.stage_name().unwrap_or_default().to_owned(),
        status: latest.map(|latest| latest.status().as_str().to_owned()),
        revision: execution.as_ref().and_then(|id| revisions.get(id)).cloned(),
        execution,
        inbound: Vec::new(),
        closed: found
            .inbound_transition_state()
            .filter(|transition| !transition.enabled())
            .map(|transition| Closed {
                reason: transition.disabled_reason().map(str::to_owned),
                since: time(transition.last_changed_at()),
                by: transition.last_changed_by().map(str::to_owned),
            }),
        actions: found
            .action_states()
            .iter()
            .map(|found| action(found, runs))
            .collect(),
    };
    let holder = stage.execution.clone().filter(|_| stage.is_held());
    let waiting = match found.inbound_executions() {
        // Older answers name one only.
        [] => found.inbound_execution().into_iter().collect(),
        all => all.iter().collect::<Vec<_>>(),
    };
    stage.inbound = waiting
        .into_iter()
        .map(|waiting| Inbound {
            execution: waiting.pipeline_execution_id().to_owned(),
            revision: revisions.get(waiting.pipeline_execution_id()).cloned(),
            waits_for: holder.clone(),
        })
        .collect();
    stage
}

fn action(found: &types::ActionState, runs: &BTreeMap<String, Run>) -> ActionState {
    let name = found.action_name().unwrap_or_default().to_owned();
    let Some(latest) = found.latest_execution() else {
        return ActionState {
            name,
            ..ActionState::default()
        };
    };
    let run = latest.action_execution_id().and_then(|id| runs.get(id));
    let in_progress = latest.status() == Some(&ActionExecutionStatus::InProgress);
    let token = latest.token().filter(|_| in_progress).map(str::to_owned);
    let error = latest.error_details().map(|error| ActionFailure {
        code: error.code().unwrap_or("JobFailed").to_owned(),
        message: foreign::text(error.message().unwrap_or_default()),
    });
    ActionState {
        name,
        status: latest.status().map(|status| status.as_str().to_owned()),
        execution: run.map(|run| run.execution.clone()),
        changed: time(latest.last_status_change()),
        seconds: run.and_then(|run| seconds(run, latest, in_progress)),
        percent_complete: latest.percent_complete(),
        summary: latest.summary().map(foreign::text),
        error,
        waits_for_approval: token.is_some(),
        token,
    }
}

fn seconds(run: &Run, latest: &types::ActionExecution, in_progress: bool) -> Option<f64> {
    let started = run.started.as_ref()?.as_secs_f64();
    let until = if in_progress {
        delivery_action::clock::timestamp()
            .as_duration()
            .as_secs_f64()
    } else {
        latest.last_status_change()?.as_secs_f64()
    };
    Some(round((until - started).max(0.0)))
}
