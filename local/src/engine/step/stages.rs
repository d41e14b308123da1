//! Stages: entrances, locks, run order, and what follows a stage's end.

use crate::engine::change::ChangeState;
use crate::engine::declaration::{ExecutionMode, RetryMode, StageDeclaration};
use crate::engine::execution::{
    ActionStatus, Execution, ExecutionStatus, Halt, Position, RetryTrigger, StageRun, StageStatus,
};
use crate::engine::identity::ExecutionId;

use super::Step;

/// Actions of one `PARALLEL` execution that may run at a time (User Guide, quotas: 5).
const MAX_PARALLEL_MODE_ACTIONS: usize = 5;

/// What an execution does next in its stage.
enum Move {
    /// Nothing: it waits, or has ended.
    Rest,
    /// Start these actions.
    Start(Vec<String>),
    /// The stage is done.
    Leave,
    /// The stage failed.
    Fail,
    /// The last action has ended after a stop or an update.
    Settle(Halt),
}

impl Step<'_> {
    /// Puts an execution at a stage's entrance, and lets it in where the stage is free.
    pub(super) fn arrive(&mut self, id: &ExecutionId, index: usize) {
        let execution = self.execution_mut(id);
        execution.position = Position::Waiting(index);
        let pipeline = execution.pipeline.clone();
        let stage = execution.declaration.stages[index].name.clone();
        let mode = execution.mode;
        if mode == ExecutionMode::Superseded {
            let waiting = self.slot(&pipeline, &stage).waiting.clone();
            for older in waiting {
                if !self.execution(&older).is_parallel() {
                    self.leave_entrance(&older);
                    self.finish(&older, ExecutionStatus::Superseded);
                }
            }
        }
        self.slot(&pipeline, &stage).waiting.push_back(id.clone());
        self.open(&pipeline, &stage);
    }

    /// Takes an execution out of the entrance that it waits at.
    pub(super) fn leave_entrance(&mut self, id: &ExecutionId) {
        let execution = self.execution(id);
        let Some(stage) = execution.stage().map(|stage| stage.name.clone()) else {
            return;
        };
        let pipeline = execution.pipeline.clone();
        self.slot(&pipeline, &stage)
            .waiting
            .retain(|waiting| waiting != id);
    }

    /// Lets in whoever waits at a stage's entrance and may enter.
    pub(super) fn open(&mut self, pipeline: &str, stage: &str) {
        while let Some(id) = self.next_to_enter(pipeline, stage) {
            self.enter(&id);
        }
    }

    fn next_to_enter(&self, pipeline: &str, stage: &str) -> Option<ExecutionId> {
        let pipeline = self.state.pipelines.get(pipeline)?;
        let slot = pipeline.slots.get(stage)?;
        let may_enter = |execution: &&Execution| {
            let Position::Waiting(index) = execution.position else {
                return false;
            };
            let before = index.checked_sub(1).and_then(|before| {
                pipeline
                    .slots
                    .get(&execution.declaration.stages[before].name)
            });
            slot.inbound.is_enabled()
                && before.is_none_or(|before| before.outbound.is_enabled())
                && (execution.is_parallel() || slot.holder.is_none())
        };
        let mut waiting = slot.waiting.iter().map(|id| self.execution(id));
        waiting
            .find(may_enter)
            .map(|execution| execution.id.clone())
    }

    fn enter(&mut self, id: &ExecutionId) {
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
            let slot = self.slot(&pipeline, &stage);
            slot.holder = Some(id.clone());
            slot.latest = Some(id.clone());
        }
        self.announce_stage(id, &stage, ChangeState::Started);
        self.advance(id);
    }

    /// Does whatever an execution is to do next in its stage, until it has to wait.
    pub(super) fn advance(&mut self, id: &ExecutionId) {
        loop {
            match self.next_move(id) {
                Move::Rest => return,
                Move::Start(actions) => {
                    for action in actions {
                        self.start_action(id, &action);
                    }
                }
                Move::Leave => return self.leave(id),
                Move::Fail => {
                    if !self.retry_automatically(id) {
                        return self.fail(id);
                    }
                }
                Move::Settle(halt) => return self.settle(id, halt),
            }
        }
    }

    fn next_move(&self, id: &ExecutionId) -> Move {
        let execution = self.execution(id);
        let (Position::Inside(_), Some(stage), true) =
            (execution.position, execution.stage(), execution.is_active())
        else {
            return Move::Rest;
        };
        let latest = self.stage_actions(id, &stage.name);
        let count = |status| {
            latest
                .iter()
                .filter(|action| action.status == status)
                .count()
        };
        let running = count(ActionStatus::InProgress);
        if let Some(halt) = execution.halt {
            return if running == 0 {
                Move::Settle(halt)
            } else {
                Move::Rest
            };
        }
        if count(ActionStatus::Failed) > 0 {
            return if running == 0 { Move::Fail } else { Move::Rest };
        }
        let status_of = |name: &str| {
            latest
                .iter()
                .find(|action| action.action.name == name)
                .map(|action| action.status)
        };
        let unfinished = stage
            .actions
            .iter()
            .filter(|action| status_of(&action.name) != Some(ActionStatus::Succeeded));
        let Some(run_order) = unfinished.clone().map(|action| action.run_order).min() else {
            return Move::Leave;
        };
        let room = match execution.mode {
            ExecutionMode::Parallel => MAX_PARALLEL_MODE_ACTIONS.saturating_sub(running),
            ExecutionMode::Superseded | ExecutionMode::Queued => usize::MAX,
        };
        let to_start: Vec<_> = unfinished
            .filter(|action| action.run_order == run_order && status_of(&action.name).is_none())
            .take(room)
            .map(|action| action.name.clone())
            .collect();
        if to_start.is_empty() {
            Move::Rest
        } else {
            Move::Start(to_start)
        }
    }

    fn leave(&mut self, id: &ExecutionId) {
        let Position::Inside(index) = self.execution(id).position else {
            return;
        };
        let stage = self.end_stage(id, StageStatus::Succeeded);
        let execution = self.execution_mut(id);
        let pipeline = execution.pipeline.clone();
        if index + 1 < execution.declaration.stages.len() {
            self.arrive(id, index + 1);
        } else {
            execution.position = Position::Done;
            self.finish(id, ExecutionStatus::Succeeded);
        }
        self.open(&pipeline, &stage);
    }

    fn fail(&mut self, id: &ExecutionId) {
        let stage = self.end_stage(id, StageStatus::Failed);
        self.finish(id, ExecutionStatus::Failed);
        let pipeline = self.execution(id).pipeline.clone();
        self.open(&pipeline, &stage);
    }

    /// Ends an execution that was stopped or cancelled once its last action has ended.
    fn settle(&mut self, id: &ExecutionId, halt: Halt) {
        let Some(stage) = self.execution(id).stage().cloned() else {
            return;
        };
        let (halted, status) = match halt {
            Halt::Stop => (StageStatus::Stopped, ExecutionStatus::Stopped),
            Halt::Cancel => (StageStatus::Cancelled, ExecutionStatus::Cancelled),
        };
        let stage_status = if self.all_succeeded(id, &stage) {
            StageStatus::Succeeded
        } else {
            halted
        };
        self.end_stage(id, stage_status);
        self.finish(id, status);
        let pipeline = self.execution(id).pipeline.clone();
        self.open(&pipeline, &stage.name);
    }

    fn all_succeeded(&self, id: &ExecutionId, stage: &StageDeclaration) -> bool {
        let latest = self.stage_actions(id, &stage.name);
        latest.len() == stage.actions.len()
            && latest
                .iter()
                .all(|action| action.status == ActionStatus::Succeeded)
    }

    /// Notes how a stage ended for an execution and gives its lock back.
    fn end_stage(&mut self, id: &ExecutionId, status: StageStatus) -> String {
        let execution = self.execution_mut(id);
        let pipeline = execution.pipeline.clone();
        let stage = execution
            .stage()
            .map(|stage| stage.name.clone())
            .unwrap_or_default();
        if let Some(run) = execution.stage_runs.get_mut(&stage) {
            run.status = status;
        }
        let slot = self.slot(&pipeline, &stage);
        if slot.holder.as_ref() == Some(id) {
            slot.holder = None;
        }
        let change = match status {
            StageStatus::InProgress => ChangeState::Started,
            StageStatus::Stopping => ChangeState::Stopping,
            StageStatus::Stopped => ChangeState::Stopped,
            StageStatus::Succeeded => ChangeState::Succeeded,
            StageStatus::Failed => ChangeState::Failed,
            StageStatus::Cancelled => ChangeState::Canceled,
        };
        self.announce_stage(id, &stage, change);
        stage
    }

    /// The one automatic retry of a stage that asks for it; false where there is none (left).
    fn retry_automatically(&mut self, id: &ExecutionId) -> bool {
        let execution = self.execution(id);
        let Some(stage) = execution.stage() else {
            return false;
        };
        let Some(mode) = stage.automatic_retry() else {
            return false;
        };
        let name = stage.name.clone();
        if execution
            .stage_runs
            .get(&name)
            .is_none_or(|run| run.automatic_retries > 0)
        {
            return false;
        }
        self.announce_stage(id, &name, ChangeState::Failed);
        self.reset_stage(id, &name, mode, RetryTrigger::AutomatedStageRetry);
        true
    }

    /// Forgets the actions that a retry is to run again.
    pub(super) fn reset_stage(
        &mut self,
        id: &ExecutionId,
        stage: &str,
        mode: RetryMode,
        trigger: RetryTrigger,
    ) {
        let kept: Vec<_> = match mode {
            RetryMode::AllActions => Vec::new(),
            RetryMode::FailedActions => {
                let latest = self.stage_actions(id, stage).into_iter();
                let kept = latest.filter(|action| {
                    matches!(
                        action.status,
                        ActionStatus::Succeeded | ActionStatus::InProgress
                    )
                });
                kept.map(|action| action.action.name.clone()).collect()
            }
        };
        let now = self.now;
        let execution = self.execution_mut(id);
        execution.attempt += 1;
        execution.halt = None;
        execution.status = ExecutionStatus::InProgress;
        if let Some(run) = execution.stage_runs.get_mut(stage) {
            run.latest.retain(|action, _| kept.contains(action));
            run.status = StageStatus::InProgress;
            run.last_retry = Some((trigger, now));
            match trigger {
                RetryTrigger::AutomatedStageRetry => run.automatic_retries += 1,
                RetryTrigger::ManualStageRetry => run.manual_retries += 1,
            }
        }
        let pipeline = execution.pipeline.clone();
        self.pipeline_mut(&pipeline).active.insert(id.clone());
        self.announce_stage(id, stage, ChangeState::Resumed);
    }
}
