//! `GetPipeline`, `ListPipelines`, `GetPipelineState`, tags.

use std::ops::Bound;

use serde_json::{Value, json};

use crate::engine::declaration::{PipelineDeclaration, Tag};
use crate::engine::execution::{ActionExecution, Execution, StageRun, StageStatus};
use crate::engine::identity::ExecutionId;
use crate::engine::message::Refusal;
use crate::engine::pipeline::{Pipeline, StageState};
use crate::engine::state::State;

use super::{Cut, Listed, epoch_seconds, present};

/// What tokens of the two lists begin with.
const PIPELINE: &str = "pipeline";
const TAG: &str = "tag";

impl State {
    /// `PipelineDeclaration` and `PipelineMetadata`, of one version or the newest.
    pub(crate) fn read_pipeline(&self, name: &str, version: Option<u32>) -> Result<Value, Refusal> {
        let pipeline = self.pipeline(name)?;
        let declaration = match version {
            None => pipeline.current(),
            Some(version) => (version as usize)
                .checked_sub(1)
                .and_then(|index| pipeline.versions.get(index))
                .ok_or_else(|| Refusal::PipelineVersionNotFound {
                    pipeline: name.to_owned(),
                    version,
                })?,
        };
        Ok(json!({
            "pipeline": **declaration,
            "metadata": {
                "pipelineArn": self.pipeline_arn(name),
                "created": epoch_seconds(pipeline.created),
                "updated": epoch_seconds(pipeline.updated),
            },
        }))
    }

    /// A page of `PipelineSummary`, by name.
    pub(crate) fn read_pipelines(&self, cut: Cut<'_>) -> Result<Listed, Refusal> {
        let after = cut
            .after(PIPELINE)?
            .map_or(Bound::Unbounded, Bound::Excluded);
        let pipelines = self.pipelines.range::<str, _>((after, Bound::Unbounded));
        let pipelines = pipelines.map(|(_, pipeline)| pipeline);
        Ok(cut.page(PIPELINE, pipelines, |it| &*it.current().name, summary))
    }

    /// A page of the tags of a pipeline's ARN, by key.
    pub(crate) fn read_tags(&self, arn: &str, cut: Cut<'_>) -> Result<Listed, Refusal> {
        let name = self.pipeline_of_arn(arn)?;
        let after = cut.after(TAG)?;
        let mut tags: Vec<_> = self.pipeline(&name)?.tags.iter().collect();
        tags.retain(|tag| after.is_none_or(|after| &*tag.key > after));
        tags.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(cut.page(TAG, tags.into_iter(), |it| &*it.key, |tag: &Tag| json!(tag)))
    }

    /// `GetPipelineStateOutput`.
    pub(crate) fn read_state(&self, name: &str) -> Result<Value, Refusal> {
        let pipeline = self.pipeline(name)?;
        let declaration = pipeline.current();
        let empty = StageState::default();
        let stages: Vec<_> = declaration
            .stages
            .iter()
            .map(|stage| {
                let state = pipeline.stages.get(&stage.name).unwrap_or(&empty);
                self.read_stage(declaration, &stage.name, state)
            })
            .collect();
        Ok(json!({
            "pipelineName": name,
            "pipelineVersion": declaration.version,
            "created": epoch_seconds(pipeline.created),
            "updated": epoch_seconds(pipeline.updated),
            "stageStates": stages,
        }))
    }

    fn read_stage(
        &self,
        declaration: &PipelineDeclaration,
        stage: &str,
        current: &StageState,
    ) -> Value {
        let inbound = |id: &ExecutionId| {
            let kind = self.executions.get(id).map_or("STANDARD", Execution::kind);
            stage_execution(id, kind, StageStatus::InProgress)
        };
        let latest = current
            .latest
            .as_ref()
            .and_then(|id| Some((id, self.executions.get(id)?)));
        let run = latest.and_then(|(_, execution)| execution.stage_runs.get(stage));
        let actions = declaration
            .stage(stage)
            .map(|(_, stage)| &*stage.actions)
            .unwrap_or_default();
        let actions: Vec<_> = actions
            .iter()
            .map(|action| {
                let id = current.latest_actions.get(&action.name);
                let newest = id.and_then(|id| self.actions.get(id));
                self.read_action_state(&action.name, newest)
            })
            .collect();
        let inbound_executions: Vec<_> = current.waiting.iter().map(inbound).collect();
        let transition = &current.inbound;
        present(json!({
            "stageName": stage,
            "inboundExecution": current.waiting.front().map(inbound),
            "inboundExecutions": Some(inbound_executions).filter(|all| !all.is_empty()),
            "inboundTransitionState": present(json!({
                "enabled": transition.is_enabled(),
                "lastChangedAt": transition.last_changed.map(epoch_seconds),
                "lastChangedBy": transition.last_changed.map(|_| self.caller_arn()),
                "disabledReason": transition.disabled_reason,
            })),
            "actionStates": actions,
            "latestExecution": latest.zip(run).map(|((id, execution), run)| stage_execution(id, execution.kind(), run.status)),
            "retryStageMetadata": run.and_then(retry_metadata),
        }))
    }

    fn read_action_state(&self, name: &str, newest: Option<&ActionExecution>) -> Value {
        let revision = newest.and_then(|newest| {
            let execution = self.executions.get(&newest.execution)?;
            let mut revisions = execution.revisions.iter();
            let source = revisions
                .find(|revision| revision.action == name)
                .map(|revision| {
                    json!({
                        "revisionId": revision.revision,
                        "revisionChangeId": revision.revision,
                        "created": epoch_seconds(revision.created),
                    })
                });
            let reported = newest.revision.as_ref().map(|revision| {
                json!({
                    "revisionId": revision.revision,
                    "revisionChangeId": revision.change_identifier,
                    "created": revision.created.unwrap_or(epoch_seconds(newest.last_update)),
                })
            });
            source.or(reported)
        });
        present(json!({
            "actionName": name,
            "currentRevision": revision,
            "latestExecution": newest.map(|newest| self.action_execution(newest)),
        }))
    }

    fn action_execution(&self, action: &ActionExecution) -> Value {
        let waits = action.status == crate::engine::execution::ActionStatus::InProgress;
        present(json!({
            "actionExecutionId": action.id,
            "status": action.status,
            "summary": action.details.summary,
            "lastStatusChange": epoch_seconds(action.last_update),
            "token": action.token.as_ref().filter(|_| waits),
            "lastUpdatedBy": action.last_updated_by,
            "externalExecutionId": action.details.external_execution_id,
            "percentComplete": action.details.percent_complete,
            "errorDetails": action.error,
            "logStreamARN": self.log_stream(action),
        }))
    }
}

fn summary(pipeline: &Pipeline) -> Value {
    let declaration = pipeline.current();
    json!({
        "name": declaration.name,
        "version": declaration.version,
        "pipelineType": declaration.pipeline_type,
        "executionMode": declaration.execution_mode,
        "created": epoch_seconds(pipeline.created),
        "updated": epoch_seconds(pipeline.updated),
    })
}

fn stage_execution(id: &ExecutionId, kind: &str, status: StageStatus) -> Value {
    json!({"pipelineExecutionId": id, "status": status, "type": kind})
}

fn retry_metadata(run: &StageRun) -> Option<Value> {
    let (trigger, _) = run.last_retry?;
    Some(present(json!({
        "autoStageRetryAttempt": Some(run.automatic_retries).filter(|count| *count > 0),
        "manualStageRetryAttempt": Some(run.manual_retries).filter(|count| *count > 0),
        "latestRetryTrigger": trigger,
    })))
}
