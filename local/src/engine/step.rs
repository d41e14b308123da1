//! One step of the state machine. No clock, no randomness and no input or output in here: time and
//! the seed of new ids come in with the event, and work for the outside goes out as effects.
//!
//! A refused event changes nothing: every handler decides first and changes after.

mod actions;
mod approvals;
mod commands;
mod executions;
mod jobs;
mod lifecycle;
#[cfg(test)]
mod properties;
mod retry;
mod rollback;
mod stage_lock;
mod stage_progress;

use jiff::Timestamp;

use super::change::{ChangeState, StateChange, Subject};
use super::execution::{ActionExecution, ActionStatus, Execution, Trigger};
use super::identity::{ActionExecutionId, ExecutionId, Ids};
use super::message::{Effect, Event, Refusal, Reply, Timer};
use super::pipeline::{Pipeline, StageState};
use super::state::State;

/// A step in progress.
pub(crate) struct Step<'s> {
    state: &'s mut State,
    now: Timestamp,
    ids: Ids,
    effects: Vec<Effect>,
}

impl<'s> Step<'s> {
    pub(crate) fn new(state: &'s mut State, now: Timestamp, ids: Ids) -> Self {
        Self {
            state,
            now,
            ids,
            effects: Vec::new(),
        }
    }

    pub(crate) fn into_effects(self) -> Vec<Effect> {
        self.effects
    }

    /// Handles one event.
    pub(crate) fn handle(&mut self, event: Event) -> Result<Reply, Refusal> {
        match event {
            Event::CreatePipeline { declaration, tags } => self.create(*declaration, tags),
            Event::UpdatePipeline { declaration } => self.update(*declaration),
            Event::DeletePipeline { name } => Ok(self.delete(&name)),
            Event::Start(start) => self.start(start),
            Event::Stop {
                pipeline,
                execution,
                abandon,
                reason,
            } => self.stop(&pipeline, &execution, abandon, reason),
            Event::Retry {
                pipeline,
                stage,
                execution,
                mode,
            } => self.retry(&pipeline, &stage, &execution, mode),
            Event::RollBack {
                pipeline,
                stage,
                target,
                trigger_detail,
            } => self.roll_back(&pipeline, &stage, &target, trigger_detail),
            Event::DisableTransition {
                pipeline,
                stage,
                side,
                reason,
            } => self.set_transition(&pipeline, &stage, side, Some(reason)),
            Event::EnableTransition {
                pipeline,
                stage,
                side,
            } => self.set_transition(&pipeline, &stage, side, None),
            Event::AnswerApproval(answer) => self.answer_approval(&answer),
            Event::JobSucceeded { job, report } => self.job_succeeded(&job, *report),
            Event::JobFailed {
                job,
                error,
                external_execution_id,
            } => self.job_failed(&job, error, external_execution_id),
            Event::Tag { arn, tags } => self.tag(&arn, tags),
            Event::Untag { arn, keys } => self.untag(&arn, &keys),
            Event::SourceFinished { action, result } => Ok(self.source_finished(&action, result)),
            Event::CommandsFinished { action, result } => {
                Ok(self.commands_finished(&action, result))
            }
            Event::NotificationRefused { action, error } => {
                Ok(self.notification_refused(&action, error))
            }
            Event::InvocationRefused { job, error } => Ok(self.invocation_refused(&job, error)),
            Event::Timer(timer) => Ok(self.timer(timer)),
        }
    }

    fn timer(&mut self, timer: Timer) -> Reply {
        match timer {
            Timer::Silence {
                action,
                last_report,
            } => self.fail_if_silent(&action, last_report),
            Timer::ActionTime { action } => self.fail_for_time(&action),
            Timer::Continue { action, token } => self.continue_action(&action, token),
        }
        Reply::Nothing
    }

    /// An execution that is known to exist: its id came out of the state in this very step.
    fn execution(&self, id: &ExecutionId) -> &Execution {
        self.state
            .executions
            .get(id)
            .expect("executions go only with their pipeline")
    }

    fn execution_mut(&mut self, id: &ExecutionId) -> &mut Execution {
        let now = self.now;
        let execution = self
            .state
            .executions
            .get_mut(id)
            .expect("executions go only with their pipeline");
        execution.last_update = now;
        execution
    }

    fn action(&self, id: &ActionExecutionId) -> &ActionExecution {
        self.state
            .actions
            .get(id)
            .expect("action executions go only with their pipeline")
    }

    fn action_mut(&mut self, id: &ActionExecutionId) -> &mut ActionExecution {
        let now = self.now;
        let action = self
            .state
            .actions
            .get_mut(id)
            .expect("action executions go only with their pipeline");
        action.last_update = now;
        action
    }

    fn pipeline_mut(&mut self, name: &str) -> &mut Pipeline {
        self.state
            .pipelines
            .get_mut(name)
            .expect("executions go only with their pipeline")
    }

    fn stage_state(&mut self, pipeline: &str, stage: &str) -> &mut StageState {
        self.pipeline_mut(pipeline).stage_state(stage)
    }

    fn wake(&mut self, after: std::time::Duration, timer: Timer) {
        let at = self.now.checked_add(after).unwrap_or(Timestamp::MAX);
        self.effects.push(Effect::Wake { at, timer });
    }

    fn announce(&mut self, id: &ExecutionId, subject: Subject) {
        let execution = self.execution(id);
        let change = StateChange {
            time: self.now,
            pipeline: execution.pipeline.clone(),
            version: execution.declaration.version,
            execution_id: id.clone(),
            start_time: execution.start_time,
            trigger: Trigger::clone(&execution.trigger),
            attempt: execution.attempt,
            subject,
        };
        self.effects.push(Effect::Announce(Box::new(change)));
    }

    fn announce_pipeline(&mut self, id: &ExecutionId, state: ChangeState) {
        let stop_reason = match state {
            ChangeState::Stopping | ChangeState::Stopped => self.execution(id).stop_reason.clone(),
            _ => None,
        };
        self.announce(id, Subject::Pipeline { state, stop_reason });
    }

    fn announce_stage(&mut self, id: &ExecutionId, stage: &str, change: ChangeState) {
        let run = self.execution(id).stage_runs.get(stage);
        let last_retry = run.and_then(|run| run.last_retry).map(|(_, time)| time);
        self.announce(
            id,
            Subject::Stage {
                stage: stage.to_owned(),
                state: change,
                last_retry,
            },
        );
    }

    /// The newest action executions of a stage as this execution runs it.
    fn stage_actions(&self, id: &ExecutionId, stage: &str) -> Vec<&ActionExecution> {
        let run = self.execution(id).stage_runs.get(stage);
        let latest = run.into_iter().flat_map(|run| run.latest.values());
        latest.map(|newest| self.action(newest)).collect()
    }

    fn running_actions(&self, id: &ExecutionId, stage: &str) -> Vec<ActionExecutionId> {
        let all = self.stage_actions(id, stage).into_iter();
        all.filter(|action| action.status == ActionStatus::InProgress)
            .map(|action| action.id.clone())
            .collect()
    }
}
