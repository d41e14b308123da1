//! Executions: their start, their stop and their end.

use std::collections::BTreeMap;

use crate::engine::change::ChangeState;
use crate::engine::declaration::{ActionDeclaration, ExecutionMode, PipelineDeclaration, Provider};
use crate::engine::execution::{
    ActionStatus, Execution, ExecutionStatus, Halt, Position, StageStatus,
};
use crate::engine::identity::ExecutionId;
use crate::engine::message::{Refusal, Reply, RevisionOverride, Start};
use crate::engine::structure;

use super::Step;

/// Executions of one pipeline in progress at a time, in `QUEUED` and `PARALLEL` mode (User Guide,
/// quotas: 50).
pub(crate) const MAX_EXECUTIONS: usize = 50;

impl Step<'_> {
    pub(super) fn start(&mut self, start: Start) -> Result<Reply, Refusal> {
        let unknown = |_| Refusal::PipelineNotIncluded(self.state.not_included(&start.pipeline));
        let pipeline = self.state.pipeline(&start.pipeline).map_err(unknown)?;
        if let Some(token) = &start.request_token
            && let Some(id) = pipeline.request_tokens.get(token)
        {
            return Ok(Reply::Execution(id.clone()));
        }
        let declaration = pipeline.current().clone();
        let variables = start_variables(&declaration, &start.variables)?;
        let overrides = start_overrides(&declaration, &start.overrides)?;
        self.check_room(&start.pipeline)?;
        let id = ExecutionId::from(self.ids.uuid());
        let execution = Execution {
            id: id.clone(),
            pipeline: start.pipeline.clone(),
            place: pipeline.executions.len(),
            mode: declaration.execution_mode,
            declaration,
            status: ExecutionStatus::InProgress,
            position: Position::Waiting(0),
            trigger: start.trigger,
            start_time: self.now,
            last_update: self.now,
            attempt: 1,
            variables,
            overrides,
            revisions: Vec::new(),
            artifacts: BTreeMap::new(),
            outputs: BTreeMap::new(),
            stage_runs: BTreeMap::new(),
            actions: Vec::new(),
            halt: None,
            stop_reason: None,
            rollback_target: None,
        };
        self.state.executions.insert(id.clone(), execution);
        let pipeline = self.pipeline_mut(&start.pipeline);
        pipeline.executions.push(id.clone());
        pipeline.active.insert(id.clone());
        if let Some(token) = start.request_token {
            pipeline.request_tokens.insert(token, id.clone());
        }
        self.announce_pipeline(&id, ChangeState::Started);
        self.arrive_at_stage(&id, 0);
        Ok(Reply::Execution(id))
    }

    /// Checks that one more execution may be in progress.
    pub(super) fn check_room(&self, pipeline: &str) -> Result<(), Refusal> {
        let pipeline = self.state.pipeline(pipeline)?;
        match pipeline.current().execution_mode {
            ExecutionMode::Queued | ExecutionMode::Parallel
                if pipeline.active.len() >= MAX_EXECUTIONS =>
            {
                Err(Refusal::TooManyExecutions(MAX_EXECUTIONS))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn stop(
        &mut self,
        pipeline: &str,
        id: &ExecutionId,
        abandon: bool,
        reason: Option<String>,
    ) -> Result<Reply, Refusal> {
        let execution = match self.state.execution(pipeline, id) {
            // The API has no error for an unknown execution here.
            Err(Refusal::ExecutionNotFound(id)) => return Err(Refusal::NotStoppable(id)),
            found => found?,
        };
        match execution.status {
            ExecutionStatus::Stopping if !abandon => {
                return Err(Refusal::DuplicatedStop(id.clone()));
            }
            ExecutionStatus::InProgress | ExecutionStatus::Stopping => {}
            _ => return Err(Refusal::NotStoppable(id.clone())),
        }
        let first = execution.status == ExecutionStatus::InProgress;
        let execution = self.execution_mut(id);
        execution.halt = Some(Halt::Stop);
        execution.stop_reason = reason.or(execution.stop_reason.take());
        let stage = execution
            .stage()
            .map(|stage| stage.name.clone())
            .unwrap_or_default();
        if let Position::Waiting(_) = execution.position {
            self.leave_entrance(id);
            self.finish(id, ExecutionStatus::Stopped);
            return Ok(Reply::Execution(id.clone()));
        }
        if first {
            execution.status = ExecutionStatus::Stopping;
            if let Some(run) = execution.stage_runs.get_mut(&stage) {
                run.status = StageStatus::Stopping;
            }
            self.announce_pipeline(id, ChangeState::Stopping);
            self.announce_stage(id, &stage, ChangeState::Stopping);
        }
        if abandon {
            for action in self.running_actions(id, &stage) {
                self.end_action(&action, ActionStatus::Abandoned, None);
            }
        }
        self.advance(id);
        Ok(Reply::Execution(id.clone()))
    }

    /// Cancels an execution because its pipeline was updated: at once where it waits, otherwise when
    /// its running actions have ended.
    pub(super) fn cancel(&mut self, id: &ExecutionId) {
        let execution = self.execution_mut(id);
        if execution.halt.is_none() {
            execution.halt = Some(Halt::Cancel);
        }
        if let Position::Waiting(_) = execution.position {
            self.leave_entrance(id);
            self.finish(id, ExecutionStatus::Cancelled);
        } else {
            self.advance(id);
        }
    }

    /// Notes how an execution ended.
    pub(super) fn finish(&mut self, id: &ExecutionId, status: ExecutionStatus) {
        let execution = self.execution_mut(id);
        execution.status = status;
        if !execution.is_active() {
            let pipeline = execution.pipeline.clone();
            self.pipeline_mut(&pipeline).active.remove(id);
        }
        let change = match status {
            ExecutionStatus::InProgress => ChangeState::Started,
            ExecutionStatus::Stopping => ChangeState::Stopping,
            ExecutionStatus::Stopped => ChangeState::Stopped,
            ExecutionStatus::Succeeded => ChangeState::Succeeded,
            ExecutionStatus::Superseded => ChangeState::Superseded,
            ExecutionStatus::Failed => ChangeState::Failed,
            ExecutionStatus::Cancelled => ChangeState::Canceled,
        };
        self.announce_pipeline(id, change);
    }
}

/// The pipeline's variables for one execution: those given, defaults for the rest.
fn start_variables(
    declaration: &PipelineDeclaration,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Refusal> {
    let declared = |name: &String| {
        declaration
            .variables
            .iter()
            .any(|known| known.name == *name)
    };
    if let Some(unknown) = given.keys().find(|name| !declared(name)) {
        return Err(Refusal::Validation(format!(
            "the pipeline declares no variable `{unknown}`"
        )));
    }
    let value = |name: &String, default: &Option<String>| {
        given
            .get(name)
            .or(default.as_ref())
            .cloned()
            .ok_or_else(|| {
                Refusal::Validation(format!(
                    "variable `{name}` has no default value and must be given"
                ))
            })
    };
    declaration
        .variables
        .iter()
        .map(|known| {
            Ok((
                known.name.clone(),
                value(&known.name, &known.default_value)?,
            ))
        })
        .collect()
}

fn start_overrides(
    declaration: &PipelineDeclaration,
    given: &[RevisionOverride],
) -> Result<BTreeMap<String, String>, Refusal> {
    if !given.is_empty() && !structure::is_v2(declaration) {
        return Err(Refusal::Validation(
            "sourceRevisions needs a V2 pipeline".to_owned(),
        ));
    }
    let mut overrides = BTreeMap::new();
    for asked in given {
        let sources = declaration
            .stages
            .first()
            .map(|stage| &*stage.actions)
            .unwrap_or_default();
        let source = sources.iter().find(|action| action.name == asked.action);
        match source.and_then(ActionDeclaration::provider) {
            Some(Provider::Connection) if asked.kind == "COMMIT_ID" => {
                overrides.insert(asked.action.clone(), asked.value.clone());
            }
            Some(_) => {
                return Err(Refusal::Validation(format!(
                    "source action `{}` takes a revision of type `COMMIT_ID`, not `{}`",
                    asked.action, asked.kind
                )));
            }
            None => {
                return Err(Refusal::Validation(format!(
                    "the pipeline has no source action `{}`",
                    asked.action
                )));
            }
        }
    }
    Ok(overrides)
}
