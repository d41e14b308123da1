//! The closed stage that an execution waits for while none of its actions runs.

use aws_sdk_codepipeline::types::StageState;

use super::{Pipeline, Snapshot};
use crate::error::CliError;
use crate::output::{Reporter, foreign};
use crate::pipeline::{open_command, readable_reason};

/// A stage whose entrance is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ClosedStage {
    name: String,
    reason: Option<String>,
}

/// Says once for which closed stage an execution waits.
#[derive(Debug, Default)]
pub(crate) struct ClosedWait {
    stage: Option<ClosedStage>,
}

impl ClosedWait {
    /// Looks, unless an action runs or the execution has ended, and reports a stage that was not known before. A call that fails
    /// is not reported, and changes nothing: this only explains a wait, and the next look calls again.
    pub(crate) async fn look(&mut self, pipeline: &Pipeline, now: &Snapshot, reporter: &Reporter) {
        let looked = if now.is_over() || !now.running().is_empty() {
            Ok(None)
        } else {
            before(pipeline, &now.execution).await
        };
        let Ok(stage) = looked else {
            return;
        };
        if let Some(stage) = &stage
            && self.stage.as_ref() != Some(stage)
        {
            reporter.notice(stage.text(pipeline.name()));
        }
        self.stage = stage;
    }

    /// What goes on, for people.
    pub(crate) fn running(&self, now: &Snapshot) -> Vec<String> {
        match &self.stage {
            Some(stage) => vec![format!("waiting for {}, which is closed", stage.name)],
            None => now.running(),
        }
    }
}

impl ClosedStage {
    fn text(&self, pipeline: &str) -> String {
        let reason = self.reason.as_deref().unwrap_or("no reason given");
        format!(
            "the execution waits for {}, which is closed: {}\n  help: `{}` opens it",
            self.name,
            readable_reason(&foreign::line(reason)),
            open_command(pipeline, &self.name, reason)
        )
    }
}

/// The closed stage before which the execution is.
async fn before(pipeline: &Pipeline, execution: &str) -> Result<Option<ClosedStage>, CliError> {
    let call = pipeline.client().get_pipeline_state();
    let answer = call.name(pipeline.name()).send().await;
    let answer = answer.map_err(pipeline.refused("codepipeline:GetPipelineState"))?;
    let stage = answer.stage_states().iter().find(|stage| {
        let mut waiting = stage
            .inbound_executions()
            .iter()
            .chain(stage.inbound_execution());
        waiting.any(|waiting| waiting.pipeline_execution_id() == execution)
    });
    Ok(stage.and_then(closed))
}

fn closed(stage: &StageState) -> Option<ClosedStage> {
    let transition = stage.inbound_transition_state()?;
    (!transition.enabled()).then(|| ClosedStage {
        name: stage.stage_name().unwrap_or_default().to_owned(),
        reason: transition.disabled_reason().map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_and_the_command_that_opens_it_are_told() {
        let closed = |reason: &str| ClosedStage {
            name: "prod".to_owned(),
            reason: Some(reason.to_owned()),
        };
        let rolled_back =
            closed("rolled back by ann (delivery resume prod opens it) todos is null");
        assert_eq!(
            rolled_back.text("shop"),
            "the execution waits for prod, which is closed: rolled back by ann: todos is null\n  help: `delivery resume \
             prod` opens it"
        );
        assert_eq!(
            closed("release freeze").text("shop"),
            "the execution waits for prod, which is closed: release freeze\n  help: `aws codepipeline \
             enable-stage-transition --pipeline-name shop --stage-name prod --transition-type Inbound` opens it"
        );
    }
}
