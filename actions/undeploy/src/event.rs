//! What an event says: that a stage of a pipeline ended, that somebody wants an environment to be removed, or just that it is
//! time to look.

use delivery_definition::names::{BadName, EnvironmentName};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// The events of stages (CodePipeline User Guide, "Monitoring CodePipeline events").
const OF_STAGES: &str = "CodePipeline Stage Execution State Change";

/// Who wants an environment to be removed, where an event does not say it.
const SOMEBODY: &str = "somebody who called the function";

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A stage ended.
    Stage(EndedStage),
    /// An environment is to be removed.
    Remove(Wish),
    /// It is time to look.
    Time,
}

/// A stage of a pipeline that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EndedStage {
    pub(crate) pipeline: String,
    pub(crate) execution: String,
    pub(crate) stage: String,
    pub(crate) state: StageEnd,
    pub(crate) at: Timestamp,
}

/// How a stage ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StageEnd {
    Succeeded,
    Failed,
    Stopped,
    Canceled,
}

/// That an environment is to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) environment: EnvironmentName,
    pub(crate) by: String,
    pub(crate) reason: Option<String>,
    /// How many deployments there were when somebody wanted it. An event that comes twice, or late, must not remove an
    /// environment that was made again.
    pub(crate) deployments: Option<u64>,
    /// Who removes it, where the removal is the own one of a pipeline's job.
    pub(crate) owner: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct StageEvent {
    detail_type: String,
    time: String,
    detail: Detail,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Detail {
    pipeline: String,
    execution_id: String,
    stage: String,
    state: String,
}

#[derive(Deserialize)]
struct RemoveEvent {
    environment: String,
    by: Option<String>,
    reason: Option<String>,
    deployments: Option<u64>,
}

impl Event {
    /// Reads an event.
    ///
    /// # Errors
    ///
    /// It names an environment that cannot be.
    pub(crate) fn of(event: &Value) -> Result<Self, BadName> {
        if let Ok(wanted) = RemoveEvent::deserialize(event) {
            return Ok(Self::Remove(Wish {
                environment: EnvironmentName::parse(&wanted.environment)?,
                by: wanted.by.unwrap_or_else(|| SOMEBODY.to_owned()),
                reason: wanted.reason,
                deployments: wanted.deployments,
                owner: None,
            }));
        }
        Ok(EndedStage::of(event).map_or(Self::Time, Self::Stage))
    }
}

impl EndedStage {
    fn of(event: &Value) -> Option<Self> {
        let event = StageEvent::deserialize(event).ok()?;
        if event.detail_type != OF_STAGES {
            return None;
        }
        let state = match event.detail.state.as_str() {
            "SUCCEEDED" => StageEnd::Succeeded,
            "FAILED" => StageEnd::Failed,
            "STOPPED" => StageEnd::Stopped,
            "CANCELED" => StageEnd::Canceled,
            _ => return None,
        };
        Some(Self {
            pipeline: event.detail.pipeline,
            execution: event.detail.execution_id,
            stage: event.detail.stage,
            state,
            at: event.time.parse().ok()?,
        })
    }

    /// Who deploys in this execution, as the leases of environments name it.
    pub(crate) fn owner(&self) -> String {
        format!("{}/{}", self.pipeline, self.execution)
    }

    /// What ended, as a sentence without its end: ``the stage `int` failed``.
    pub(crate) fn said(&self) -> String {
        let how = match self.state {
            StageEnd::Succeeded => "succeeded",
            StageEnd::Failed => "failed",
            StageEnd::Stopped => "was stopped",
            StageEnd::Canceled => "was canceled",
        };
        format!("the stage `{}` {how}", self.stage)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use test_case::test_case;

    use super::*;

    fn stage_event(state: &str) -> Value {
        json!({"detail-type": OF_STAGES, "time": "2026-11-28T10:00:00Z", "source": "aws.codepipeline",
            "detail": {"pipeline": "shop", "execution-id": "0a1b2c3d-1111", "stage": "int", "state": state, "version": 1.0}})
    }

    #[test_case("SUCCEEDED", "the stage `int` succeeded")]
    #[test_case("FAILED", "the stage `int` failed")]
    #[test_case("STOPPED", "the stage `int` was stopped")]
    #[test_case("CANCELED", "the stage `int` was canceled")]
    fn a_stage_that_ended_is_meant(state: &str, said: &str) {
        let Ok(Event::Stage(ended)) = Event::of(&stage_event(state)) else {
            panic!("no stage");
        };
        assert_eq!(ended.said(), said);
        assert_eq!(ended.owner(), "shop/0a1b2c3d-1111");
    }

    #[test]
    fn any_other_event_says_that_it_is_time_to_look() {
        let mut of_an_action = stage_event("FAILED");
        of_an_action["detail-type"] = json!("CodePipeline Action Execution State Change");
        for event in [
            stage_event("STARTED"),
            of_an_action,
            json!({"detail-type": "Scheduled Event", "source": "aws.events", "time": "2026-11-28T10:00:00Z", "detail": {}}),
            json!(null),
        ] {
            assert_eq!(Event::of(&event), Ok(Event::Time));
        }
    }

    #[test]
    fn an_environment_is_named() {
        let event = json!({"environment": "DEV-anna", "by": "anna", "deployments": 3});
        let expected = Wish {
            environment: EnvironmentName::parse("dev-anna").unwrap(),
            by: "anna".to_owned(),
            reason: None,
            deployments: Some(3),
            owner: None,
        };
        assert_eq!(Event::of(&event), Ok(Event::Remove(expected)));
        assert!(Event::of(&json!({"environment": "dev"})).is_err());
    }
}
