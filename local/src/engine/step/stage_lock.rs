//! The lock of a stage: who waits at its entrance, who enters next, and who holds it.
//!
//! An execution of a `SUPERSEDED` or `QUEUED` pipeline takes the lock when it enters the stage and releases it when the stage
//! ends for it; until then all others wait. Executions of a `PARALLEL` pipeline pass without it.

use crate::engine::change::ChangeState;
use crate::engine::declaration::ExecutionMode;
use crate::engine::execution::{Execution, ExecutionStatus, Position, StageRun};
use crate::engine::identity::ExecutionId;

use super::Step;

impl Step<'_> {
    /// Puts an execution at a stage's entrance, and lets it in where the stage is free.
    pub(super) fn arrive_at_stage(&mut self, id: &ExecutionId, index: usize) {
        let execution = self.execution_mut(id);
        execution.position = Position::Waiting(index);
        let pipeline = execution.pipeline.clone();
        let stage = execution.declaration.stages[index].name.clone();
        let mode = execution.mode;
        if mode == ExecutionMode::Superseded {
            let waiting = self.stage_state(&pipeline, &stage).waiting.clone();
            for older in waiting {
                if !self.execution(&older).is_parallel() {
                    self.leave_entrance(&older);
                    self.finish(&older, ExecutionStatus::Superseded);
                }
            }
        }
        self.stage_state(&pipeline, &stage)
            .waiting
            .push_back(id.clone());
        self.admit_waiting(&pipeline, &stage);
    }

    /// Takes an execution out of the entrance that it waits at.
    pub(super) fn leave_entrance(&mut self, id: &ExecutionId) {
        let execution = self.execution(id);
        let Some(stage) = execution.stage().map(|stage| stage.name.clone()) else {
            return;
        };
        let pipeline = execution.pipeline.clone();
        self.stage_state(&pipeline, &stage)
            .waiting
            .retain(|waiting| waiting != id);
    }

    /// Lets waiting executions into a stage while one of them may enter.
    pub(super) fn admit_waiting(&mut self, pipeline: &str, stage: &str) {
        while let Some(id) = self.next_to_enter(pipeline, stage) {
            self.enter_stage(&id);
        }
    }

    fn next_to_enter(&self, pipeline: &str, stage: &str) -> Option<ExecutionId> {
        let pipeline = self.state.pipelines.get(pipeline)?;
        let entered = pipeline.stages.get(stage)?;
        let may_enter = |execution: &&Execution| {
            let Position::Waiting(index) = execution.position else {
                return false;
            };
            let before = index.checked_sub(1).and_then(|before| {
                pipeline
                    .stages
                    .get(&execution.declaration.stages[before].name)
            });
            entered.inbound.is_enabled()
                && before.is_none_or(|before| before.outbound.is_enabled())
                && (execution.is_parallel() || entered.lock_holder.is_none())
        };
        let mut waiting = entered.waiting.iter().map(|id| self.execution(id));
        waiting
            .find(may_enter)
            .map(|execution| execution.id.clone())
    }

    pub(super) fn enter_stage(&mut self, id: &ExecutionId) {
        self.leave_entrance(id);
        let execution = self.execution_mut(id);
        let Position::Waiting(index) = execution.position else {
            return;
        };
        execution.position = Position::Inside(index);
        let stage = execution.declaration.stages[index].name.clone();
        execution.stage_runs.insert(stage.clone(), StageRun::new());
        let (pipeline, parallel) = (execution.pipeline.clone(), execution.is_parallel());
        if !parallel {
            self.take_lock(id, &pipeline, &stage);
            self.stage_state(&pipeline, &stage).latest = Some(id.clone());
        }
        self.announce_stage(id, &stage, ChangeState::Started);
        self.advance(id);
    }

    /// Gives an execution the lock of a stage, which must be free.
    pub(super) fn take_lock(&mut self, id: &ExecutionId, pipeline: &str, stage: &str) {
        self.stage_state(pipeline, stage).lock_holder = Some(id.clone());
    }

    /// Frees the lock of a stage if this execution holds it; a `PARALLEL` execution never does.
    pub(super) fn release_lock(&mut self, id: &ExecutionId, pipeline: &str, stage: &str) {
        let holder = &mut self.stage_state(pipeline, stage).lock_holder;
        if holder.as_ref() == Some(id) {
            *holder = None;
        }
    }
}
