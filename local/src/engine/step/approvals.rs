//! Manual approvals and transitions: where a person decides.

use crate::engine::execution::{ActionStatus, ErrorDetails};
use crate::engine::message::{ApprovalAnswer, Refusal, Reply, TransitionSide};

use super::Step;

impl Step<'_> {
    pub(super) fn answer_approval(&mut self, answer: &ApprovalAnswer) -> Result<Reply, Refusal> {
        let pipeline = self.state.pipeline(&answer.pipeline)?;
        let (_, stage) = pipeline
            .current()
            .stage(&answer.stage)
            .ok_or_else(|| Refusal::StageNotFound(answer.stage.clone()))?;
        if !stage
            .actions
            .iter()
            .any(|action| action.name == answer.action)
        {
            return Err(Refusal::ActionNotFound(answer.action.clone()));
        }
        let mut actions = pipeline
            .executions
            .iter()
            .flat_map(|id| &self.execution(id).actions);
        let asked = actions
            .find(|id| {
                let action = self.action(id);
                action.token.as_deref() == Some(&*answer.token)
                    && action.stage == answer.stage
                    && action.action.name == answer.action
            })
            .ok_or(Refusal::InvalidApprovalToken)?
            .clone();
        if self.action(&asked).status != ActionStatus::InProgress {
            return Err(Refusal::ApprovalCompleted);
        }
        let action = self.action_mut(&asked);
        action.details.summary = Some(answer.summary.clone()).filter(|text| !text.is_empty());
        action.last_updated_by = Some("local".to_owned());
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
        let slot = self.slot(pipeline, stage);
        let transition = match side {
            TransitionSide::Inbound => &mut slot.inbound,
            TransitionSide::Outbound => &mut slot.outbound,
        };
        transition.disabled_reason = disabled_reason;
        transition.last_changed = Some(now);
        let opened = match side {
            TransitionSide::Inbound => Some(index),
            TransitionSide::Outbound => Some(index + 1),
        };
        if let Some(stage) = opened.and_then(|index| declaration.stages.get(index)) {
            self.open(pipeline, &stage.name);
        }
        Ok(Reply::Nothing)
    }
}
