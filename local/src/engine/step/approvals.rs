//! Manual approvals and transitions: where a person lets an execution pass.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use crate::engine::change::Subject;
use crate::engine::execution::{ActionExecution, ActionStatus, ErrorDetails};
use crate::engine::identity::ActionExecutionId;
use crate::engine::message::{
    ApprovalAnswer, ApprovalNotice, Effect, Refusal, Reply, Timer, TransitionSide,
};
use crate::engine::read::present;

use super::Step;

/// Longest subject of a message (`API_Publish` of SNS: 100 characters).
const MAX_SUBJECT_CHARS: usize = 100;

impl Step<'_> {
    /// Has an approval wait for its answer.
    pub(super) fn ask_for_approval(&mut self, id: &ActionExecutionId) {
        let token = self.ids.uuid();
        self.state.approvals.insert(token.clone(), id.clone());
        let waiting = self.action_mut(id);
        waiting.token = Some(token.clone());
        waiting.details.external_execution_id = Some(token.clone());
        let (stage, action) = (waiting.stage.clone(), waiting.action.name.clone());
        let (execution, minutes) = (waiting.execution.clone(), waiting.action.timeout_in_minutes);
        let wait = minutes.map_or(self.state.durations.approval, |minutes| {
            Duration::from_mins(u64::from(minutes))
        });
        self.wake(wait, Timer::ActionTime { action: id.clone() });
        if let Some(notice) = self.notice(id, &token, wait) {
            self.effects.push(Effect::Notify(Box::new(notice)));
        }
        self.announce(
            &execution,
            Subject::ApprovalNeeded {
                stage,
                action,
                token,
            },
        );
    }

    /// The message to a topic about an approval (User Guide, "JSON data format for manual approval
    /// notifications"); `None` where the action names no topic.
    fn notice(
        &self,
        id: &ActionExecutionId,
        token: &str,
        wait: Duration,
    ) -> Option<ApprovalNotice> {
        let approval = self.action(id);
        let topic = approval.resolved.get("NotificationArn")?.clone();
        let (stage, action) = (&approval.stage, &approval.action.name);
        let (region, pipeline) = (
            &self.state.region,
            &self.execution(&approval.execution).pipeline,
        );
        let console = format!(
            "https://console.aws.amazon.com/codepipeline/home?region={region}#/view/{pipeline}"
        );
        let expires = self.now.checked_add(wait).unwrap_or(Timestamp::MAX);
        let subject = format!("APPROVAL NEEDED: AWS CodePipeline {pipeline} for action {action}");
        Some(ApprovalNotice {
            action: id.clone(),
            topic,
            subject: subject.chars().take(MAX_SUBJECT_CHARS).collect(),
            message: json!({
                "region": region,
                "consoleLink": console,
                "approval": present(json!({
                    "pipelineName": pipeline,
                    "stageName": stage,
                    "actionName": action,
                    "token": token,
                    "expires": expires.strftime("%Y-%m-%dT%H:%MZ").to_string(),
                    "externalEntityLink": approval.resolved.get("ExternalEntityLink"),
                    "approvalReviewLink": format!("{console}/{stage}/{action}/approve/{token}"),
                    "customData": approval.resolved.get("CustomData"),
                })),
            }),
        })
    }

    /// Fails an approval whose message could not be sent: it would only wait for its timeout.
    pub(super) fn notification_refused(
        &mut self,
        id: &ActionExecutionId,
        error: ErrorDetails,
    ) -> Reply {
        let waits = |action: &ActionExecution| action.status == ActionStatus::InProgress;
        if self.state.actions.get(id).is_some_and(waits) {
            self.complete(id, ActionStatus::Failed, Some(error));
        }
        Reply::Nothing
    }

    /// The approval that an answer is for. The token names it, whatever an update has made of the
    /// pipeline since: an execution goes on by the declaration that it started with.
    fn asked(&self, answer: &ApprovalAnswer) -> Result<ActionExecutionId, Refusal> {
        let pipeline = self.state.pipeline(&answer.pipeline)?;
        let is_asked = |id: &&ActionExecutionId| {
            let action = self.action(id);
            action.stage == answer.stage
                && action.action.name == answer.action
                && self.execution(&action.execution).pipeline == answer.pipeline
        };
        if let Some(id) = self.state.approvals.get(&answer.token).filter(is_asked) {
            return Ok(id.clone());
        }
        let (_, stage) = pipeline
            .current()
            .stage(&answer.stage)
            .ok_or_else(|| Refusal::StageNotFound(answer.stage.clone()))?;
        let mut actions = stage.actions.iter();
        if actions.any(|action| action.name == answer.action) {
            return Err(Refusal::InvalidApprovalToken);
        }
        Err(Refusal::ActionNotFound(answer.action.clone()))
    }

    pub(super) fn answer_approval(&mut self, answer: &ApprovalAnswer) -> Result<Reply, Refusal> {
        let asked = self.asked(answer)?;
        if self.action(&asked).status != ActionStatus::InProgress {
            return Err(Refusal::ApprovalCompleted);
        }
        let caller = self.state.caller_arn();
        let action = self.action_mut(&asked);
        action.details.summary = Some(answer.summary.clone()).filter(|text| !text.is_empty());
        action.last_updated_by = Some(caller);
        if answer.approved {
            self.complete(&asked, ActionStatus::Succeeded, None);
        } else {
            let error = ErrorDetails {
                code: "JobFailed".to_owned(),
                message: format!("the approval was rejected: {}", answer.summary),
            };
            self.complete(&asked, ActionStatus::Failed, Some(error));
        }
        Ok(Reply::ApprovedAt(self.now))
    }

    /// Disables a transition for a reason, or enables it and lets in who waited.
    pub(super) fn set_transition(
        &mut self,
        pipeline: &str,
        stage: &str,
        side: TransitionSide,
        disabled_reason: Option<String>,
    ) -> Result<Reply, Refusal> {
        let declaration = self.state.pipeline(pipeline)?.current().clone();
        let (index, _) = declaration
            .stage(stage)
            .ok_or_else(|| Refusal::StageNotFound(stage.to_owned()))?;
        let now = self.now;
        let transitions = self.stage_state(pipeline, stage);
        let transition = match side {
            TransitionSide::Inbound => &mut transitions.inbound,
            TransitionSide::Outbound => &mut transitions.outbound,
        };
        transition.disabled_reason = disabled_reason;
        transition.last_changed = Some(now);
        let opened = match side {
            TransitionSide::Inbound => Some(index),
            TransitionSide::Outbound => Some(index + 1),
        };
        if let Some(stage) = opened.and_then(|index| declaration.stages.get(index)) {
            self.admit_waiting(pipeline, &stage.name);
        }
        Ok(Reply::Nothing)
    }
}
