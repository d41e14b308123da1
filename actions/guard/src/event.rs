//! What an event says: that an action of a pipeline's execution ended without success, or just that it is time to look.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::watched::Watched;

/// The events of actions (CodePipeline User Guide, "Monitoring CodePipeline events").
const OF_ACTIONS: &str = "CodePipeline Action Execution State Change";

/// How an action ends without success.
const ENDED_WITHOUT_SUCCESS: [&str; 3] = ["FAILED", "CANCELED", "ABANDONED"];

/// An action that ended without success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EndedAction {
    pub(crate) execution: String,
    pub(crate) at: Timestamp,
    stage: String,
    action: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Event {
    detail_type: String,
    time: String,
    detail: Detail,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Detail {
    execution_id: String,
    stage: String,
    action: String,
    state: String,
}

impl EndedAction {
    /// The action of an event. Any other event, such as that of the schedule, says only that it is time to look.
    pub(crate) fn of(event: &Value) -> Option<Self> {
        let event = Event::deserialize(event).ok()?;
        let is_meant = event.detail_type == OF_ACTIONS
            && ENDED_WITHOUT_SUCCESS.contains(&event.detail.state.as_str());
        if !is_meant {
            return None;
        }
        Some(Self {
            execution: event.detail.execution_id,
            at: event.time.parse().ok()?,
            stage: event.detail.stage,
            action: event.detail.action,
        })
    }

    /// Whether it is the action that moves this alias. Another action of the same stage may fail while this one goes on.
    pub(crate) fn moves(&self, watched: &Watched) -> bool {
        self.stage == watched.stage && self.action == watched.action
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use test_case::test_case;

    use super::*;

    #[test_case("FAILED", true)]
    #[test_case("CANCELED", true)]
    #[test_case("ABANDONED", true)]
    #[test_case("STARTED", false)]
    #[test_case("SUCCEEDED", false)]
    fn an_action_that_did_not_succeed_is_meant(state: &str, expected: bool) {
        let event = json!({"detail-type": OF_ACTIONS, "time": "2026-11-27T10:00:00Z", "source": "aws.codepipeline",
            "detail": {"pipeline": "greeter", "execution-id": "0a1b2c3d", "stage": "Production", "action": "deploy-app",
                "state": state, "version": 1.0}});
        assert_eq!(EndedAction::of(&event).is_some(), expected);
    }

    #[test]
    fn any_other_event_says_nothing_about_an_action() {
        for event in [
            json!({"detail-type": "Scheduled Event", "source": "aws.events", "time": "2026-11-27T10:00:00Z", "detail": {}}),
            json!({}),
            json!(null),
        ] {
            assert_eq!(EndedAction::of(&event), None);
        }
    }
}
