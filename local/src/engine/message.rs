//! The state machine's input and output: events, effects, replies and refusals.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::change::StateChange;
use super::commands::CommandsRequest;
use super::declaration::{EncryptionKey, PipelineDeclaration, RetryMode, Tag};
use super::execution::{CurrentRevision, Details, ErrorDetails, StoredArtifact, Trigger};
use super::identity::{ActionExecutionId, ExecutionId, JobId};

/// Something that happened, or a request.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    CreatePipeline {
        declaration: Box<PipelineDeclaration>,
        tags: Vec<Tag>,
    },
    UpdatePipeline {
        declaration: Box<PipelineDeclaration>,
    },
    DeletePipeline {
        name: String,
    },
    Start(Start),
    Stop {
        pipeline: String,
        execution: ExecutionId,
        abandon: bool,
        reason: Option<String>,
    },
    Retry {
        pipeline: String,
        stage: String,
        execution: ExecutionId,
        mode: RetryMode,
    },
    RollBack {
        pipeline: String,
        stage: String,
        target: ExecutionId,
        trigger_detail: String,
    },
    DisableTransition {
        pipeline: String,
        stage: String,
        side: TransitionSide,
        reason: String,
    },
    EnableTransition {
        pipeline: String,
        stage: String,
        side: TransitionSide,
    },
    AnswerApproval(ApprovalAnswer),
    JobSucceeded {
        job: JobId,
        report: Box<SuccessReport>,
    },
    JobFailed {
        job: JobId,
        error: ErrorDetails,
        external_execution_id: Option<String>,
    },
    Tag {
        arn: String,
        tags: Vec<Tag>,
    },
    Untag {
        arn: String,
        keys: Vec<String>,
    },
    SourceFinished {
        action: ActionExecutionId,
        result: Result<SourceOutput, ErrorDetails>,
    },
    /// A `Commands` action's shell has ended: its output variables, or why it failed.
    CommandsFinished {
        action: ActionExecutionId,
        result: Result<BTreeMap<String, String>, ErrorDetails>,
    },
    /// The message that an approval is needed could not be sent.
    NotificationRefused {
        action: ActionExecutionId,
        error: ErrorDetails,
    },
    /// The function could not be invoked at all.
    InvocationRefused {
        job: JobId,
        error: ErrorDetails,
    },
    Timer(Timer),
}

/// A request for an execution.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) pipeline: String,
    pub(crate) trigger: Trigger,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) request_token: Option<String>,
    pub(crate) overrides: Vec<RevisionOverride>,
}

/// A revision asked for (`SourceRevisionOverride`).
#[derive(Clone, Debug)]
pub(crate) struct RevisionOverride {
    pub(crate) action: String,
    pub(crate) kind: String,
    pub(crate) value: String,
}

/// A person's answer to a manual approval.
#[derive(Clone, Debug)]
pub(crate) struct ApprovalAnswer {
    pub(crate) pipeline: String,
    pub(crate) stage: String,
    pub(crate) action: String,
    pub(crate) token: String,
    pub(crate) approved: bool,
    pub(crate) summary: String,
}

/// Which transition of a stage (`StageTransitionType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransitionSide {
    Inbound,
    Outbound,
}

/// A function's report of success or of work that goes on.
#[derive(Clone, Debug, Default)]
pub(crate) struct SuccessReport {
    pub(crate) continuation_token: Option<String>,
    pub(crate) details: Details,
    pub(crate) revision: Option<CurrentRevision>,
    pub(crate) output_variables: BTreeMap<String, String>,
}

/// What a source action brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceOutput {
    pub(crate) revision: String,
    pub(crate) summary: Option<String>,
    pub(crate) variables: BTreeMap<String, String>,
}

/// A point in time at which the machine asked to be woken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// The action has reported nothing since `last_report`.
    Silence {
        action: ActionExecutionId,
        last_report: Timestamp,
    },
    /// The action's whole time is over.
    ActionTime { action: ActionExecutionId },
    /// The next job of an action that goes on.
    Continue {
        action: ActionExecutionId,
        token: String,
    },
}

/// Work for the driver, outside the state machine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Fetch a revision and put it into the store; answered by [`Event::SourceFinished`].
    FetchSource(SourceRequest),
    /// Invoke a function with a job.
    Invoke(JobRequest),
    /// Run a `Commands` action; answered by [`Event::CommandsFinished`].
    RunCommands(Box<CommandsRequest>),
    /// End the commands of an action, whose result nobody waits for any more.
    EndCommands { action: ActionExecutionId },
    /// Send the timer back as an event at that time.
    Wake { at: Timestamp, timer: Timer },
    /// Publish a state change.
    Announce(Box<StateChange>),
    /// Publish that an approval is needed.
    Notify(Box<ApprovalNotice>),
}

/// The message for the people who may approve.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ApprovalNotice {
    pub(crate) action: ActionExecutionId,
    pub(crate) topic: String,
    pub(crate) subject: String,
    pub(crate) message: Value,
}

/// A source action's work.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SourceRequest {
    pub(crate) action: ActionExecutionId,
    pub(crate) configuration: BTreeMap<String, String>,
    pub(crate) revision: Option<String>,
    pub(crate) outputs: Vec<StoredArtifact>,
    pub(crate) encryption_key: Option<EncryptionKey>,
}

/// A job's work; the event without its credentials.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JobRequest {
    pub(crate) job: JobId,
    pub(crate) action: ActionExecutionId,
    pub(crate) configuration: BTreeMap<String, String>,
    pub(crate) inputs: Vec<StoredArtifact>,
    pub(crate) outputs: Vec<StoredArtifact>,
    pub(crate) continuation_token: Option<String>,
    pub(crate) encryption_key: Option<EncryptionKey>,
}

/// What an event changed.
#[derive(Debug)]
pub(crate) struct Applied {
    pub(crate) reply: Reply,
    pub(crate) effects: Vec<Effect>,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Nothing,
    Execution(ExecutionId),
    ApprovedAt(Timestamp),
}

/// Why an event is refused; each is an error of the API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0}")]
    Validation(String),
    #[error("A pipeline with the name '{pipeline}' already exists in account '{account}'")]
    PipelineNameInUse { account: String, pipeline: String },
    #[error("{0}")]
    InvalidStructure(String),
    #[error("{0}")]
    InvalidStage(String),
    #[error("{0}")]
    InvalidAction(String),
    #[error("the account already has {0} pipelines in this region, which is the limit")]
    LimitExceeded(usize),
    #[error("Account '{account}' does not have a pipeline with name '{pipeline}'")]
    PipelineNotFound { account: String, pipeline: String },
    #[error("{0}")]
    PipelineNotIncluded(String),
    #[error("pipeline `{pipeline}` has no version {version}")]
    PipelineVersionNotFound { pipeline: String, version: u32 },
    #[error("the pipeline has no execution `{0}`")]
    ExecutionNotFound(ExecutionId),
    #[error("the pipeline has no stage `{0}`")]
    StageNotFound(String),
    #[error("the stage has no action `{0}`")]
    ActionNotFound(String),
    #[error(
        "the pipeline already has {0} executions in progress, which is the limit; wait for one to end, or stop one"
    )]
    TooManyExecutions(usize),
    #[error("execution `{0}` is not in progress")]
    NotStoppable(ExecutionId),
    #[error("execution `{0}` is already stopping; you can still abandon it")]
    DuplicatedStop(ExecutionId),
    #[error("{0}")]
    StageNotRetryable(&'static str),
    #[error("the stage cannot be rolled back: {0}")]
    UnableToRollBack(&'static str),
    #[error(
        "execution `{0}` cannot be rolled back to: the pipeline has been updated since it started"
    )]
    ExecutionOutdated(ExecutionId),
    #[error("a later execution than `{0}` has entered the stage")]
    NotLatestExecution(ExecutionId),
    #[error("the approval token does not belong to the waiting action")]
    InvalidApprovalToken,
    #[error("the approval has already been answered")]
    ApprovalCompleted,
    #[error("there is no job `{0}`")]
    JobNotFound(JobId),
    #[error("job `{0}` has already ended: its state can no longer change")]
    InvalidJobState(JobId),
    #[error("the output variables are {0} bytes; the limit is 122880")]
    OutputVariablesTooLarge(usize),
    #[error("the pagination token does not belong to this list")]
    InvalidNextToken,
    #[error("{0}")]
    ResourceNotFound(String),
    #[error("a pipeline can have at most {0} tags")]
    TooManyTags(usize),
    #[error("{0}")]
    InvalidTags(String),
}

impl Refusal {
    /// The error's name in the API.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Validation(_) => "ValidationException",
            Self::PipelineNameInUse { .. } => "PipelineNameInUseException",
            Self::InvalidStructure(_) => "InvalidStructureException",
            Self::InvalidStage(_) => "InvalidStageDeclarationException",
            Self::InvalidAction(_) => "InvalidActionDeclarationException",
            Self::LimitExceeded(_) => "LimitExceededException",
            Self::PipelineNotFound { .. } | Self::PipelineNotIncluded(_) => {
                "PipelineNotFoundException"
            }
            Self::PipelineVersionNotFound { .. } => "PipelineVersionNotFoundException",
            Self::ExecutionNotFound(_) => "PipelineExecutionNotFoundException",
            Self::StageNotFound(_) => "StageNotFoundException",
            Self::ActionNotFound(_) => "ActionNotFoundException",
            Self::TooManyExecutions(_) => "ConcurrentPipelineExecutionsLimitExceededException",
            Self::NotStoppable(_) => "PipelineExecutionNotStoppableException",
            Self::DuplicatedStop(_) => "DuplicatedStopRequestException",
            Self::StageNotRetryable(_) => "StageNotRetryableException",
            Self::UnableToRollBack(_) => "UnableToRollbackStageException",
            Self::ExecutionOutdated(_) => "PipelineExecutionOutdatedException",
            Self::NotLatestExecution(_) => "NotLatestPipelineExecutionException",
            Self::InvalidApprovalToken => "InvalidApprovalTokenException",
            Self::ApprovalCompleted => "ApprovalAlreadyCompletedException",
            Self::JobNotFound(_) => "JobNotFoundException",
            Self::InvalidJobState(_) => "InvalidJobStateException",
            Self::OutputVariablesTooLarge(_) => "OutputVariablesSizeExceededException",
            Self::InvalidNextToken => "InvalidNextTokenException",
            Self::ResourceNotFound(_) => "ResourceNotFoundException",
            Self::TooManyTags(_) => "TooManyTagsException",
            Self::InvalidTags(_) => "InvalidTagsException",
        }
    }
}
