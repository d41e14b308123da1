//! `RollbackStage`: a stage runs again with the revisions, variables and artifacts of an earlier execution.

use std::collections::BTreeMap;

use crate::engine::change::ChangeState;
use crate::engine::execution::{
    Execution, ExecutionStatus, Position, StageStatus, Trigger, TriggerType,
};
use crate::engine::identity::ExecutionId;
use crate::engine::message::{Refusal, Reply};
use crate::engine::structure;

use super::Step;

impl Step<'_> {
    pub(super) fn roll_back(
        &mut self,
        pipeline: &str,
        stage: &str,
        target: &ExecutionId,
        trigger_detail: String,
    ) -> Result<Reply, Refusal> {
        let index = self.check_rollback(pipeline, stage, target)?;
        self.check_room(pipeline)?;
        let id = ExecutionId::from(self.ids.uuid());
        let execution = Execution {
            id: id.clone(),
            place: self.state.pipeline(pipeline)?.executions.len(),
            status: ExecutionStatus::InProgress,
            position: Position::Waiting(index),
            trigger: Trigger {
                trigger_type: TriggerType::ManualRollback,
                trigger_detail,
            },
            rollback_target: Some(target.clone()),
            start_time: self.now,
            last_update: self.now,
            attempt: 1,
            stage_runs: BTreeMap::new(),
            actions: Vec::new(),
            halt: None,
            stop_reason: None,
            ..self.execution(target).clone()
        };
        self.state.executions.insert(id.clone(), execution);
        let known = self.pipeline_mut(pipeline);
        known.executions.push(id.clone());
        known.active.insert(id.clone());
        self.announce_pipeline(&id, ChangeState::Started);
        // Not through the entrance: the execution comes from no other stage, so no transition holds it.
        self.enter_stage(&id);
        Ok(Reply::Execution(id))
    }

    /// The stage's index.
    fn check_rollback(
        &self,
        pipeline: &str,
        stage: &str,
        target: &ExecutionId,
    ) -> Result<usize, Refusal> {
        let unable = |why| Err(Refusal::UnableToRollBack(why));
        let known = self.state.pipeline(pipeline)?;
        let declaration = known.current();
        let mut names = declaration.stages.iter().map(|stage| &stage.name);
        let Some(index) = names.position(|name| name == stage) else {
            return Err(Refusal::StageNotFound(stage.to_owned()));
        };
        let execution = self.state.execution(pipeline, target)?;
        if execution.declaration.version != declaration.version {
            return Err(Refusal::ExecutionOutdated(target.clone()));
        }
        if !structure::is_v2(declaration) || execution.is_parallel() {
            return unable(
                "only stages of V2 pipelines that are not in PARALLEL mode can be rolled back",
            );
        }
        if index == 0 {
            return unable("the source stage cannot be rolled back");
        }
        if execution.rollback_target.is_some() {
            return unable("the target execution is a rollback itself");
        }
        let run = execution.stage_runs.get(stage);
        if run.is_none_or(|run| run.status != StageStatus::Succeeded) {
            return unable("the target execution did not succeed in the stage");
        }
        let entered = known.stages.get(stage);
        if entered.is_some_and(|entered| entered.lock_holder.is_some()) {
            return unable("the stage is currently running");
        }
        Ok(index)
    }
}
