//! State changes: what a live view shows and EventBridge receives.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::declaration::ActionTypeId;
use super::execution::{Details, ErrorDetails, StoredArtifact, Trigger};
use super::identity::{ActionExecutionId, ExecutionId};

/// Something in an execution changed.
#[derive(Clone, Debug, PartialEq)]
pub struct StateChange {
    /// When.
    pub time: Timestamp,
    /// The pipeline.
    pub pipeline: String,
    /// The pipeline's version that the execution runs by.
    pub version: u32,
    /// The execution.
    pub execution_id: ExecutionId,
    /// When the execution started.
    pub start_time: Timestamp,
    /// What started it.
    pub trigger: Trigger,
    /// 1, and one more with each retry.
    pub attempt: u32,
    /// What changed.
    pub subject: Subject,
}

/// What changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// The execution itself.
    Pipeline {
        /// The new state.
        state: ChangeState,
        /// The reason that was given with a stop.
        stop_reason: Option<String>,
    },
    /// A stage.
    Stage {
        /// Its name.
        stage: String,
        /// The new state.
        state: ChangeState,
        /// When the stage was retried last.
        last_retry: Option<Timestamp>,
    },
    /// An action.
    Action(Box<ActionChange>),
    /// An action that continues reported its progress; not an event of EventBridge.
    Progress {
        /// The action's stage.
        stage: String,
        /// Its name.
        action: String,
        /// Its run.
        action_execution_id: ActionExecutionId,
        /// What it said.
        details: Details,
    },
    /// A manual approval waits for its answer; not an event of EventBridge.
    ApprovalNeeded {
        /// The action's stage.
        stage: String,
        /// Its name.
        action: String,
        /// The token for `PutApprovalResult`.
        token: String,
    },
}

/// A change of an action.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionChange {
    /// The action's stage.
    pub stage: String,
    /// Its name.
    pub action: String,
    /// Its run.
    pub action_execution_id: ActionExecutionId,
    /// The new state.
    pub state: ChangeState,
    /// What does its work.
    pub action_type: ActionTypeId,
    /// The function of a Lambda action.
    pub function: Option<String>,
    /// The region.
    pub region: String,
    /// Artifacts that went in.
    pub inputs: Vec<ArtifactLocation>,
    /// Artifacts that came out; empty when the action starts.
    pub outputs: Vec<ArtifactLocation>,
    /// What it said about its work.
    pub details: Details,
    /// Why it failed.
    pub error: Option<ErrorDetails>,
}

/// Where an artifact is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactLocation {
    /// Its name in the pipeline.
    pub name: String,
    /// The bucket.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

impl From<&StoredArtifact> for ArtifactLocation {
    fn from(artifact: &StoredArtifact) -> Self {
        Self {
            name: artifact.name.clone(),
            bucket: artifact.bucket.clone(),
            key: artifact.key.clone(),
        }
    }
}

/// The states of the service's events; spelled as there (`CANCELED`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ChangeState {
    /// Began.
    Started,
    /// Was retried.
    Resumed,
    /// Done.
    Succeeded,
    /// Not done.
    Failed,
    /// Waits for running actions before it stops.
    Stopping,
    /// Stopped on request.
    Stopped,
    /// Ended by an update of the pipeline.
    Canceled,
    /// Replaced by a newer execution.
    Superseded,
    /// Left alone by a stop.
    Abandoned,
}

impl StateChange {
    /// EventBridge's detail type; `None` for what only a live view shows.
    #[must_use]
    pub fn detail_type(&self) -> Option<&'static str> {
        match self.subject {
            Subject::Pipeline { .. } => Some("CodePipeline Pipeline Execution State Change"),
            Subject::Stage { .. } => Some("CodePipeline Stage Execution State Change"),
            Subject::Action(_) => Some("CodePipeline Action Execution State Change"),
            Subject::Progress { .. } | Subject::ApprovalNeeded { .. } => None,
        }
    }

    /// EventBridge's detail (User Guide, "Monitoring CodePipeline events").
    pub(crate) fn detail(&self) -> Value {
        let mut detail = json!({
            "pipeline": self.pipeline,
            "execution-id": self.execution_id,
            "start-time": self.start_time.to_string(),
            "execution-trigger": {
                "trigger-type": self.trigger.trigger_type,
                "trigger-detail": self.trigger.trigger_detail,
            },
            "version": f64::from(self.version),
            "pipeline-execution-attempt": f64::from(self.attempt),
        });
        match &self.subject {
            Subject::Pipeline { state, stop_reason } => {
                detail["state"] = json!(state);
                if let Some(reason) = stop_reason {
                    detail["stop-execution-comments"] = json!(reason);
                }
            }
            Subject::Stage {
                stage,
                state,
                last_retry,
            } => {
                detail["stage"] = json!(stage);
                detail["state"] = json!(state);
                if let Some(time) = last_retry {
                    detail["stage-last-retry-attempt-time"] = json!(time.to_string());
                }
            }
            Subject::Action(change) => change.fill(&mut detail),
            Subject::Progress { .. } | Subject::ApprovalNeeded { .. } => {}
        }
        detail
    }
}

impl ActionChange {
    fn fill(&self, detail: &mut Value) {
        detail["stage"] = json!(self.stage);
        detail["action"] = json!(self.action);
        detail["action-execution-id"] = json!(self.action_execution_id);
        detail["state"] = json!(self.state);
        detail["region"] = json!(self.region);
        detail["type"] = json!({
            "owner": self.action_type.owner,
            "provider": self.action_type.provider,
            "category": self.action_type.category,
            "version": self.action_type.version,
        });
        detail["input-artifacts"] = locations(&self.inputs);
        if self.state == ChangeState::Started {
            return;
        }
        detail["output-artifacts"] = locations(&self.outputs);
        let mut result = json!({});
        if let Some(summary) = &self.details.summary {
            result["external-execution-summary"] = json!(summary);
        }
        if let Some(id) = &self.details.external_execution_id {
            result["external-execution-id"] = json!(id);
        }
        if let Some(error) = &self.error {
            result["external-execution-summary"] = json!(error.message);
            result["error-code"] = json!(error.code);
        }
        detail["execution-result"] = result;
    }
}

fn locations(artifacts: &[ArtifactLocation]) -> Value {
    let location = |artifact: &ArtifactLocation| {
        json!({
            "name": artifact.name,
            "s3location": {"bucket": artifact.bucket, "key": artifact.key},
        })
    };
    artifacts.iter().map(location).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::execution::TriggerType;

    #[test]
    fn the_detail_of_a_failed_action_is_that_of_the_service() {
        let change = StateChange {
            time: Timestamp::UNIX_EPOCH,
            pipeline: "p".to_owned(),
            version: 3,
            execution_id: "e".to_owned().into(),
            start_time: Timestamp::UNIX_EPOCH,
            trigger: Trigger {
                trigger_type: TriggerType::StartPipelineExecution,
                trigger_detail: "arn".to_owned(),
            },
            attempt: 1,
            subject: Subject::Action(Box::new(ActionChange {
                stage: "Commit".to_owned(),
                action: "Build".to_owned(),
                action_execution_id: "a".to_owned().into(),
                state: ChangeState::Failed,
                action_type: ActionTypeId {
                    category: "Invoke".to_owned(),
                    owner: "AWS".to_owned(),
                    provider: "Lambda".to_owned(),
                    version: "1".to_owned(),
                },
                function: None,
                region: "us-east-1".to_owned(),
                inputs: vec![ArtifactLocation {
                    name: "Source".to_owned(),
                    bucket: "b".to_owned(),
                    key: "k".to_owned(),
                }],
                outputs: Vec::new(),
                details: Details::default(),
                error: Some(ErrorDetails {
                    code: "JobFailed".to_owned(),
                    message: "m".to_owned(),
                }),
            })),
        };
        assert_eq!(
            change.detail(),
            json!({
                "pipeline": "p", "execution-id": "e", "start-time": "1970-01-01T00:00:00Z",
                "execution-trigger":
                    {"trigger-type": "StartPipelineExecution", "trigger-detail": "arn"},
                "version": 3.0, "pipeline-execution-attempt": 1.0,
                "stage": "Commit", "action": "Build", "action-execution-id": "a",
                "state": "FAILED", "region": "us-east-1",
                "type": {"owner": "AWS", "provider": "Lambda", "category": "Invoke", "version": "1"},
                "input-artifacts": [{"name": "Source", "s3location": {"bucket": "b", "key": "k"}}],
                "output-artifacts": [],
                "execution-result":
                    {"external-execution-summary": "m", "error-code": "JobFailed"},
            })
        );
    }

    #[test]
    fn a_cancelled_execution_is_spelled_as_in_the_events_of_the_service() {
        assert_eq!(json!(ChangeState::Canceled), "CANCELED");
    }
}
