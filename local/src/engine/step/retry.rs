//! `RetryStageExecution`.

use crate::engine::change::ChangeState;
use crate::engine::declaration::RetryMode;
use crate::engine::execution::{
    ActionStatus, ExecutionStatus, Position, RetryTrigger, StageStatus,
};
use crate::engine::identity::ExecutionId;
use crate::engine::message::{Refusal, Reply};

use super::Step;

impl Step<'_> {
    pub(super) fn retry(
        &mut self,
        pipeline: &str,
        stage: &str,
        id: &ExecutionId,
        mode: RetryMode,
    ) -> Result<Reply, Refusal> {
        self.check_retry(pipeline, stage, id, mode)?;
        let was_active = self.execution(id).is_active();
        if !was_active {
            self.check_room(pipeline)?;
        }
        if !self.execution(id).is_parallel() {
            self.take_lock(id, pipeline, stage);
        }
        self.reset_stage(id, stage, mode, RetryTrigger::ManualStageRetry);
        if !was_active {
            self.announce_pipeline(id, ChangeState::Resumed);
        }
        self.advance(id);
        Ok(Reply::Execution(id.clone()))
    }

    fn check_retry(
        &self,
        pipeline: &str,
        stage: &str,
        id: &ExecutionId,
        mode: RetryMode,
    ) -> Result<(), Refusal> {
        let known = self.state.pipeline(pipeline)?;
        let not_retryable = |why| Err(Refusal::StageNotRetryable(why));
        if known.current().stage(stage).is_none() {
            return Err(Refusal::StageNotFound(stage.to_owned()));
        }
        let not_latest = || Refusal::NotLatestExecution(id.clone());
        let execution = self
            .state
            .execution(pipeline, id)
            .map_err(|_| not_latest())?;
        let latest = known
            .stages
            .get(stage)
            .and_then(|state| state.latest.as_ref());
        if !execution.is_parallel() && latest != Some(id) {
            return Err(not_latest());
        }
        if execution.declaration.version != known.current().version {
            return not_retryable("the pipeline has been updated since the execution failed");
        }
        let here = matches!(execution.position, Position::Inside(_))
            && execution
                .stage()
                .is_some_and(|declared| declared.name == stage);
        let Some(run) = execution.stage_runs.get(stage).filter(|_| here) else {
            return not_retryable("the execution did not fail in this stage");
        };
        match (execution.status, run.status) {
            (ExecutionStatus::Stopping | ExecutionStatus::Cancelled, _) => {
                return not_retryable("the execution is being stopped, or was cancelled");
            }
            (_, StageStatus::Succeeded) => return not_retryable("the stage has no failed action"),
            _ => {}
        }
        if execution.halt.is_some() && execution.is_active() {
            return not_retryable("the execution is being stopped, or was cancelled");
        }
        let actions = self.stage_actions(id, stage);
        let failed = actions.iter().any(|action| {
            matches!(
                action.status,
                ActionStatus::Failed | ActionStatus::Abandoned
            )
        });
        let running = actions
            .iter()
            .any(|action| action.status == ActionStatus::InProgress);
        match mode {
            RetryMode::AllActions if running => {
                not_retryable("some of the stage's actions are in progress")
            }
            _ if failed || run.status == StageStatus::Stopped => Ok(()),
            _ => not_retryable("the stage has no failed action"),
        }
    }
}
