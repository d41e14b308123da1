//! `GetPipelineExecution`, `ListPipelineExecutions`, `ListActionExecutions`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::engine::commands::log_group;
use crate::engine::declaration::Provider;
use crate::engine::execution::{
    ActionExecution, ActionStatus, Execution, StageStatus, StoredArtifact,
};
use crate::engine::identity::{ActionExecutionId, ExecutionId};
use crate::engine::message::Refusal;
use crate::engine::state::State;

use super::{Cut, Listed, epoch_seconds, present};

/// What tokens of the two lists begin with.
const EXECUTION: &str = "execution";
const ACTION: &str = "action";

/// Which action executions are listed (`ActionExecutionFilter`).
#[derive(Clone, Debug)]
pub(crate) enum ActionFilter {
    /// Those of all executions of the pipeline.
    Pipeline,
    /// Those of one execution, of all its attempts.
    Execution(ExecutionId),
    /// The newest of each action of one execution.
    Latest(ExecutionId),
}

impl State {
    /// `PipelineExecution`.
    pub(crate) fn read_execution(&self, name: &str, id: &ExecutionId) -> Result<Value, Refusal> {
        let execution = self.execution(name, id)?;
        let revision = |revision: &crate::engine::execution::SourceRevision| {
            Some(present(json!({
                "name": revision.artifact.as_ref()?,
                "revisionId": revision.revision,
                "revisionSummary": revision.summary,
                "revisionUrl": revision.url,
                "created": epoch_seconds(revision.created),
            })))
        };
        let revisions: Vec<_> = execution.revisions.iter().filter_map(revision).collect();
        let variables = execution.variables.iter();
        let variables: Vec<_> = variables
            .map(|(name, value)| json!({"name": name, "resolvedValue": value}))
            .collect();
        Ok(present(json!({
            "pipelineName": name,
            "pipelineVersion": execution.declaration.version,
            "pipelineExecutionId": id,
            "status": execution.status,
            "artifactRevisions": revisions,
            "variables": Some(variables).filter(|all| !all.is_empty()),
            "trigger": execution.trigger,
            "executionMode": execution.mode,
            "executionType": execution.kind(),
            "rollbackMetadata": rollback(execution),
        })))
    }

    /// A page of `PipelineExecutionSummary`, newest first.
    pub(crate) fn read_executions(
        &self,
        name: &str,
        succeeded_in_stage: Option<&str>,
        cut: Cut<'_>,
    ) -> Result<Listed, Refusal> {
        let pipeline = self.pipeline(name)?;
        let end = match cut.after(EXECUTION)? {
            None => pipeline.executions.len(),
            Some(id) => {
                let last = self.execution(name, &ExecutionId::from(id.to_owned()));
                last.map_err(|_| Refusal::InvalidNextToken)?.place
            }
        };
        let succeeded = |execution: &&Execution| {
            succeeded_in_stage.is_none_or(|stage| {
                let run = execution.stage_runs.get(stage);
                run.is_some_and(|run| run.status == StageStatus::Succeeded)
            })
        };
        let executions = pipeline.executions[..end].iter().rev();
        let executions = executions
            .filter_map(|id| self.executions.get(id))
            .filter(succeeded);
        Ok(cut.page(EXECUTION, executions, |it| it.id.as_str(), summary))
    }

    /// A page of `ActionExecutionDetail`, newest first.
    pub(crate) fn read_actions(
        &self,
        name: &str,
        filter: &ActionFilter,
        cut: Cut<'_>,
    ) -> Result<Listed, Refusal> {
        let mut newest = None;
        let all = match filter {
            ActionFilter::Pipeline => &self.pipeline(name)?.actions,
            ActionFilter::Execution(id) => &self.execution(name, id)?.actions,
            ActionFilter::Latest(id) => {
                let execution = self.execution(name, id)?;
                let runs = execution.stage_runs.values();
                newest = Some(
                    runs.flat_map(|run| run.latest.values())
                        .collect::<BTreeSet<_>>(),
                );
                &execution.actions
            }
        };
        let end = match cut.after(ACTION)? {
            None => all.len(),
            Some(id) => self.place_after(name, all, &ActionExecutionId::from(id.to_owned()))?,
        };
        let ids = all[..end].iter().rev();
        let ids = ids.filter(|id| newest.as_ref().is_none_or(|newest| newest.contains(id)));
        let actions = ids.filter_map(|id| self.actions.get(id));
        let render = |action| self.detail(action);
        Ok(cut.page(ACTION, actions, |it| it.id.as_str(), render))
    }

    /// How many of these actions of a pipeline, oldest first, started before this one.
    fn place_after(
        &self,
        pipeline: &str,
        all: &[ActionExecutionId],
        id: &ActionExecutionId,
    ) -> Result<usize, Refusal> {
        let last = self.actions.get(id).ok_or(Refusal::InvalidNextToken)?;
        self.execution(pipeline, &last.execution)
            .map_err(|_| Refusal::InvalidNextToken)?;
        let earlier = |id: &ActionExecutionId| {
            let action = self.actions.get(id);
            action.is_some_and(|action| action.place < last.place)
        };
        Ok(all.partition_point(earlier))
    }

    /// The ARN of the log of a `Commands` action.
    pub(super) fn log_stream(&self, action: &ActionExecution) -> Option<String> {
        let execution = self.executions.get(&action.execution)?;
        (action.action.provider() == Some(Provider::Commands)).then(|| {
            format!(
                "arn:aws:logs:{}:{}:log-group:{}:log-stream:{}",
                self.region,
                self.account_id,
                log_group(&execution.pipeline),
                action.id
            )
        })
    }

    fn detail(&self, action: &ActionExecution) -> Value {
        let execution = self.executions.get(&action.execution);
        let finished = action.status == ActionStatus::Succeeded;
        let outputs = if finished { &*action.outputs } else { &[] };
        let variables = Some(&action.output_variables).filter(|all| !all.is_empty());
        let result = present(json!({
            "externalExecutionId": action.details.external_execution_id,
            "externalExecutionSummary": action.details.summary,
            "errorDetails": action.error,
            "logStreamARN": self.log_stream(action),
        }));
        let declared = &action.action;
        present(json!({
            "pipelineExecutionId": action.execution,
            "actionExecutionId": action.id,
            "pipelineVersion": execution.map(|execution| execution.declaration.version),
            "stageName": action.stage,
            "actionName": declared.name,
            "startTime": epoch_seconds(action.start_time),
            "lastUpdateTime": epoch_seconds(action.last_update),
            "updatedBy": action.last_updated_by,
            "status": action.status,
            "input": present(json!({
                "actionTypeId": declared.action_type_id,
                "configuration": declared.configuration,
                "resolvedConfiguration": action.resolved,
                "roleArn": declared.role_arn,
                "region": self.region,
                "inputArtifacts": locations(&action.inputs),
                "namespace": declared.namespace,
            })),
            "output": present(json!({
                "outputArtifacts": locations(outputs),
                "executionResult": Some(result).filter(|result| result != &json!({})),
                "outputVariables": variables,
            })),
        }))
    }
}

fn summary(execution: &Execution) -> Value {
    let revisions = execution.revisions.iter().map(|revision| {
        present(json!({
            "actionName": revision.action,
            "revisionId": revision.revision,
            "revisionSummary": revision.summary,
            "revisionUrl": revision.url,
        }))
    });
    present(json!({
        "pipelineExecutionId": execution.id,
        "status": execution.status,
        "startTime": epoch_seconds(execution.start_time),
        "lastUpdateTime": epoch_seconds(execution.last_update),
        "sourceRevisions": revisions.collect::<Vec<_>>(),
        "trigger": execution.trigger,
        "stopTrigger": execution.stop_reason.as_ref().map(|reason| json!({"reason": reason})),
        "executionMode": execution.mode,
        "executionType": execution.kind(),
        "rollbackMetadata": rollback(execution),
    }))
}

/// `PipelineRollbackMetadata`.
fn rollback(execution: &Execution) -> Option<Value> {
    let target = execution.rollback_target.as_ref()?;
    Some(json!({"rollbackTargetPipelineExecutionId": target}))
}

fn locations(artifacts: &[StoredArtifact]) -> Value {
    let location = |artifact: &StoredArtifact| {
        json!({
            "name": artifact.name,
            "s3location": {"bucket": artifact.bucket, "key": artifact.key},
        })
    };
    artifacts.iter().map(location).collect()
}
