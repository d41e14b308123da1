//! An execution inside a stage: which actions start next, and what follows when the stage ends for it.

use crate::engine::change::ChangeState;
use crate::engine::declaration::{ExecutionMode, RetryMode, StageDeclaration};
use crate::engine::execution::{
    ActionStatus, ExecutionStatus, Halt, Position, RetryTrigger, StageStatus,
};
use crate::engine::identity::ExecutionId;

use super::Step;

/// Actions of one `PARALLEL` execution that may run at a time (User Guide, quotas: 5).
const MAX_PARALLEL_MODE_ACTIONS: usize = 5;

/// What an execution does next in its stage.
enum Move {
    /// Nothing now: its actions run, or it has ended.
    Wait,
    /// Start these actions.
    Start(Vec<String>),
    /// The stage is done.
    LeaveStage,
    /// The stage failed.
    FailStage,
    /// The last action has ended after a stop or an update.
    EndHalted(Halt),
}

impl Step<'_> {
    /// Moves an execution on in its stage until it has to wait.
    pub(super) fn advance(&mut self, id: &ExecutionId) {
        loop {
            match self.next_move(id) {
                Move::Wait => return,
                Move::Start(actions) => {
                    for action in actions {
                        self.start_action(id, &action);
                    }
                }
                Move::LeaveStage => return self.leave_stage(id),
                Move::FailStage => {
                    if !self.retry_automatically(id) {
                        return self.fail_stage(id);
                    }
                }
                Move::EndHalted(halt) => return self.end_halted(id, halt),
            }
        }
    }

    fn next_move(&self, id: &ExecutionId) -> Move {
        let execution = self.execution(id);
        let (Position::Inside(_), Some(stage), true) =
            (execution.position, execution.stage(), execution.is_active())
        else {
            return Move::Wait;
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
                Move::EndHalted(halt)
            } else {
                Move::Wait
            };
        }
        if count(ActionStatus::Failed) > 0 {
            return if running == 0 {
                Move::FailStage
            } else {
                Move::Wait
            };
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
            return Move::LeaveStage;
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
            Move::Wait
        } else {
            Move::Start(to_start)
        }
    }

    fn leave_stage(&mut self, id: &ExecutionId) {
        let Position::Inside(index) = self.execution(id).position else {
            return;
        };
        let stage = self.end_stage(id, StageStatus::Succeeded);
        let execution = self.execution_mut(id);
        let pipeline = execution.pipeline.clone();
        let is_last = index + 1 == execution.declaration.stages.len();
        if !is_last && execution.rollback_target.is_none() {
            self.arrive_at_stage(id, index + 1);
        } else {
            execution.position = Position::Done;
            self.finish(id, ExecutionStatus::Succeeded);
        }
        self.admit_waiting(&pipeline, &stage);
    }

    fn fail_stage(&mut self, id: &ExecutionId) {
        let stage = self.end_stage(id, StageStatus::Failed);
        self.finish(id, ExecutionStatus::Failed);
        let pipeline = self.execution(id).pipeline.clone();
        self.admit_waiting(&pipeline, &stage);
    }

    /// Ends an execution that was stopped or cancelled once its last action has ended.
    fn end_halted(&mut self, id: &ExecutionId, halt: Halt) {
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
        self.admit_waiting(&pipeline, &stage.name);
    }

    fn all_succeeded(&self, id: &ExecutionId, stage: &StageDeclaration) -> bool {
        let latest = self.stage_actions(id, &stage.name);
        latest.len() == stage.actions.len()
            && latest
                .iter()
                .all(|action| action.status == ActionStatus::Succeeded)
    }

    /// Records how a stage ended for an execution, and releases the stage's lock.
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
        self.release_lock(id, &pipeline, &stage);
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

    /// Retries a failed stage once if it is configured so (`onFailure: RETRY`); returns whether it did.
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

    /// Prepares a stage for a retry: forgets the actions that will run again.
    pub(super) fn reset_stage(
        &mut self,
        id: &ExecutionId,
        stage: &str,
        mode: RetryMode,
        trigger: RetryTrigger,
    ) {
        let unaffected: Vec<_> = match mode {
            RetryMode::AllActions => Vec::new(),
            RetryMode::FailedActions => {
                let latest = self.stage_actions(id, stage).into_iter();
                let unaffected = latest.filter(|action| {
                    matches!(
                        action.status,
                        ActionStatus::Succeeded | ActionStatus::InProgress
                    )
                });
                unaffected
                    .map(|action| action.action.name.clone())
                    .collect()
            }
        };
        let now = self.now;
        let execution = self.execution_mut(id);
        execution.attempt += 1;
        execution.halt = None;
        execution.status = ExecutionStatus::InProgress;
        if let Some(run) = execution.stage_runs.get_mut(stage) {
            run.latest.retain(|action, _| unaffected.contains(action));
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
