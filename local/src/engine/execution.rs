//! A pipeline execution and what it is made of: stage runs, action executions and jobs.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::declaration::{ActionDeclaration, ExecutionMode, PipelineDeclaration, StageDeclaration};
use super::identity::{ActionExecutionId, ExecutionId, JobId};

/// One run of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Execution {
    pub(crate) id: ExecutionId,
    pub(crate) pipeline: String,
    /// Its index in the pipeline's list, to which executions are only added.
    pub(crate) place: usize,
    /// The declaration it runs by, also after an update.
    pub(crate) declaration: Arc<PipelineDeclaration>,
    pub(crate) mode: ExecutionMode,
    pub(crate) status: ExecutionStatus,
    pub(crate) position: Position,
    pub(crate) trigger: Trigger,
    pub(crate) start_time: Timestamp,
    pub(crate) last_update: Timestamp,
    /// 1, and one more with each retry.
    pub(crate) attempt: u32,
    pub(crate) variables: BTreeMap<String, String>,
    /// Revisions asked for at the start, by source action.
    pub(crate) overrides: BTreeMap<String, String>,
    pub(crate) revisions: Vec<SourceRevision>,
    pub(crate) artifacts: BTreeMap<String, StoredArtifact>,
    /// Output variables by namespace.
    pub(crate) outputs: BTreeMap<String, BTreeMap<String, String>>,
    pub(crate) stage_runs: BTreeMap<String, StageRun>,
    /// All action executions, oldest first.
    pub(crate) actions: Vec<ActionExecutionId>,
    /// Why no further action is started.
    pub(crate) halt: Option<Halt>,
    /// The reason given with the last stop.
    pub(crate) stop_reason: Option<String>,
    /// The execution whose revisions and artifacts it has again; such an execution runs one stage only.
    pub(crate) rollback_target: Option<ExecutionId>,
}

impl Execution {
    /// The stage that the execution is in or waits for.
    pub(crate) fn stage(&self) -> Option<&StageDeclaration> {
        match self.position {
            Position::Waiting(index) | Position::Inside(index) => {
                self.declaration.stages.get(index)
            }
            Position::Done => None,
        }
    }

    pub(crate) fn is_active(&self) -> bool {
        matches!(
            self.status,
            ExecutionStatus::InProgress | ExecutionStatus::Stopping
        )
    }

    /// `ExecutionType`.
    pub(crate) fn kind(&self) -> &'static str {
        match self.rollback_target {
            None => "STANDARD",
            Some(_) => "ROLLBACK",
        }
    }

    pub(crate) fn is_parallel(&self) -> bool {
        self.mode == ExecutionMode::Parallel
    }
}

/// Where an execution is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// At the entrance of a stage.
    Waiting(usize),
    /// In a stage; stays there after a failure.
    Inside(usize),
    /// Through the last stage.
    Done,
}

/// Why an execution starts no further action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    /// Someone stopped it.
    Stop,
    /// The pipeline was updated.
    Cancel,
}

/// State of an execution (`PipelineExecutionStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ExecutionStatus {
    /// On its way.
    InProgress,
    /// Waits for running actions before it stops.
    Stopping,
    /// Stopped on request.
    Stopped,
    /// Through the last stage.
    Succeeded,
    /// Replaced by a newer one before it could enter a stage.
    Superseded,
    /// An action failed.
    Failed,
    /// The pipeline's declaration changed.
    Cancelled,
}

/// State of a stage for one execution (`StageExecutionStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StageStatus {
    /// Actions run.
    InProgress,
    /// Waits for running actions before it stops.
    Stopping,
    /// Stopped on request.
    Stopped,
    /// All actions succeeded.
    Succeeded,
    /// An action failed and none runs.
    Failed,
    /// The pipeline's declaration changed.
    Cancelled,
}

/// State of an action execution (`ActionExecutionStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ActionStatus {
    /// Started and not reported.
    InProgress,
    /// Left alone by a stop.
    Abandoned,
    /// Reported as done.
    Succeeded,
    /// Reported as failed, or timed out.
    Failed,
}

/// What started an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trigger {
    /// The kind.
    pub trigger_type: TriggerType,
    /// Who or what.
    pub trigger_detail: String,
}

/// The kinds of triggers that the engine knows (`TriggerType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TriggerType {
    /// The pipeline was created.
    CreatePipeline,
    /// Someone asked.
    StartPipelineExecution,
    /// A source changed.
    WebhookV2,
    /// Someone rolled a stage back.
    ManualRollback,
}

/// What one source action brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceRevision {
    pub(crate) action: String,
    pub(crate) artifact: Option<String>,
    pub(crate) revision: String,
    pub(crate) summary: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) created: Timestamp,
}

/// An artifact in its store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredArtifact {
    pub(crate) name: String,
    pub(crate) revision: Option<String>,
    pub(crate) bucket: String,
    pub(crate) key: String,
}

/// A stage as one execution runs it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StageRun {
    pub(crate) status: StageStatus,
    /// The newest execution of each action that this run has started.
    pub(crate) latest: BTreeMap<String, ActionExecutionId>,
    pub(crate) automatic_retries: u32,
    pub(crate) manual_retries: u32,
    pub(crate) last_retry: Option<(RetryTrigger, Timestamp)>,
}

impl StageRun {
    pub(crate) fn new() -> Self {
        Self {
            status: StageStatus::InProgress,
            latest: BTreeMap::new(),
            automatic_retries: 0,
            manual_retries: 0,
            last_retry: None,
        }
    }
}

/// What started a retry (`RetryTrigger`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum RetryTrigger {
    AutomatedStageRetry,
    ManualStageRetry,
}

/// One run of an action.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ActionExecution {
    pub(crate) id: ActionExecutionId,
    pub(crate) execution: ExecutionId,
    /// Its index in the pipeline's list, to which action executions are only added.
    pub(crate) place: usize,
    pub(crate) stage: String,
    pub(crate) action: ActionDeclaration,
    pub(crate) status: ActionStatus,
    pub(crate) start_time: Timestamp,
    pub(crate) last_update: Timestamp,
    pub(crate) resolved: BTreeMap<String, String>,
    pub(crate) inputs: Vec<StoredArtifact>,
    pub(crate) outputs: Vec<StoredArtifact>,
    pub(crate) output_variables: BTreeMap<String, String>,
    pub(crate) details: Details,
    pub(crate) error: Option<ErrorDetails>,
    pub(crate) revision: Option<CurrentRevision>,
    /// The token that a manual approval is answered with.
    pub(crate) token: Option<String>,
    pub(crate) last_updated_by: Option<String>,
    /// The job that may report; `None` between a continuation token and the next job.
    pub(crate) job: Option<JobId>,
    /// When the function last reported.
    pub(crate) last_report: Timestamp,
}

/// What a function says about its work besides the result (`ExecutionDetails`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Details {
    /// For people.
    pub summary: Option<String>,
    /// The id in an outside system.
    pub external_execution_id: Option<String>,
    /// 0 to 100.
    pub percent_complete: Option<u32>,
}

/// Why an action failed (`ErrorDetails`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetails {
    /// The failure type, or the engine's own code.
    pub code: String,
    /// For people.
    pub message: String,
}

/// The revision that a job reported (`CurrentRevision`).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CurrentRevision {
    pub(crate) revision: String,
    pub(crate) change_identifier: String,
    /// Epoch seconds, as JSON 1.1 has them.
    pub(crate) created: Option<f64>,
    pub(crate) revision_summary: Option<String>,
}

/// One hand-over of an action's work to a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) action_execution: ActionExecutionId,
    pub(crate) status: JobStatus,
    pub(crate) continuation_token: Option<String>,
}

/// State of a job (`JobStatus`, the part that the engine needs).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobStatus {
    InProgress,
    Succeeded,
    Failed,
    TimedOut,
    /// Its action was abandoned; the service has no name for it.
    Abandoned,
}
