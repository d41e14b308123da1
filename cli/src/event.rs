//! What happens during a run, as it is told: one line of `--json` each, or a line for people.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::exit::Exit;

/// The version of the JSON lines; a change that breaks a reader raises it.
pub(crate) const FORMAT_VERSION: u8 = 1;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(
    tag = "type",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub(crate) enum Event {
    /// A part of the preparation began or is done.
    Step {
        /// Which part.
        step: Step,
        /// Whether it is done.
        done: bool,
        /// How long it took, once it is done.
        #[serde(skip_serializing_if = "Option::is_none")]
        seconds: Option<f64>,
        /// What a person is told of it.
        detail: String,
    },
    /// What the check before the start found.
    Finding(Finding),
    /// The stages and actions that an execution goes through.
    Pipeline {
        /// The pipeline's name.
        name: String,
        /// Its stages, in their order.
        stages: Vec<StageShape>,
    },
    /// The status of an execution changed.
    Execution {
        /// The execution's id.
        execution: String,
        /// CodePipeline's word for the status.
        status: String,
        /// The revision that it delivers, as soon as Source knows it.
        #[serde(skip_serializing_if = "Option::is_none")]
        revision: Option<String>,
        /// What the revision says of itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        summary: Option<String>,
    },
    /// The status of an action changed.
    Action(ActionReport),
    /// An action failed: why, and what its log says.
    Failure(Failure),
    /// An action waits for a person.
    Approval {
        /// The execution's id.
        execution: String,
        /// The stage.
        stage: String,
        /// The action.
        action: String,
        /// The command that approves.
        command: String,
    },
    /// Nothing changed for a while; the run goes on.
    Heartbeat {
        /// What is in progress.
        running: Vec<String>,
        /// How long the execution has taken so far.
        seconds: f64,
    },
    /// Lines that an action has logged, as they come (`--verbose`).
    Log {
        /// The stage.
        stage: String,
        /// The action.
        action: String,
        /// The lines.
        lines: Vec<String>,
    },
    /// Where each stage answers from now on, until the local AWS ends.
    Addresses {
        /// By stage.
        urls: BTreeMap<String, StageUrls>,
    },
    /// The variables with which `aws` and any SDK reach what is kept.
    Environment {
        /// Names and values.
        variables: BTreeMap<String, String>,
    },
    /// Something that a person should know.
    Notice {
        /// The sentence.
        message: String,
    },
    /// The last line.
    Result(RunResult),
}

/// Something about the application or this machine that was found before anything was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Finding {
    /// How much it matters.
    pub(crate) severity: Severity,
    /// What was found.
    pub(crate) message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) help: Option<String>,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Severity {
    /// Nothing is started.
    Error,
    /// It may be meant, and should be known.
    Note,
}

/// A part of the preparation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Step {
    /// The action functions are built or found.
    Functions,
    /// The local AWS and the engine start.
    LocalAws,
    /// The stack is launched.
    Stack,
}

/// A stage of the pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct StageShape {
    /// The stage's name.
    pub(crate) name: String,
    /// Its actions, by run order.
    pub(crate) actions: Vec<String>,
}

/// An action's execution.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ActionReport {
    /// The execution's id.
    pub(crate) execution: String,
    /// The stage.
    pub(crate) stage: String,
    /// The action.
    pub(crate) action: String,
    /// CodePipeline's word for the status.
    pub(crate) status: String,
    /// How long it took, or has taken so far.
    pub(crate) seconds: f64,
    /// What the action says of its result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) summary: Option<String>,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<Cause>,
}

/// What an action reported of its failure, in its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cause {
    /// CodePipeline's failure type.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// What happened, and where.
    pub(crate) message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
    /// The last lines that the failed program wrote.
    pub(crate) output: Vec<String>,
    /// The tests that failed, as far as the message names them.
    pub(crate) failed_tests: Vec<String>,
    /// Where the whole log is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log: Option<String>,
}

/// Why an action failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Failure {
    /// The execution's id.
    pub(crate) execution: String,
    /// The stage.
    pub(crate) stage: String,
    /// The action.
    pub(crate) action: String,
    /// CodePipeline's failure type.
    pub(crate) code: String,
    /// What the action reported: the cause, where, and what to do.
    pub(crate) message: String,
    /// The same in its parts.
    pub(crate) cause: Cause,
    /// Where its log is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log_group: Option<String>,
    /// The log's last lines.
    pub(crate) log: Vec<String>,
    /// What to do next.
    pub(crate) help: String,
}

/// Where a stage answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct StageUrls {
    /// The site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) site: Option<String>,
    /// The API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) api: Option<String>,
}

/// How the run ended.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunResult {
    /// `success`, `failure`, `superseded`, `timeout` or `interrupted`.
    pub(crate) status: &'static str,
    /// The exit code that follows.
    pub(crate) exit_code: u8,
    /// The execution, if one was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) execution: Option<String>,
    /// The revision that it delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) revision: Option<String>,
    /// Where each stage answers; empty where the local AWS ended with the run.
    pub(crate) urls: BTreeMap<String, StageUrls>,
    /// What each action did and how long it took, in the order they began.
    pub(crate) actions: Vec<ActionReport>,
    /// How long it took altogether.
    pub(crate) seconds: f64,
    /// What went wrong, if something did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ResultError>,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ResultError {
    /// A word for programs.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// A sentence for people.
    pub(crate) message: String,
}

impl RunResult {
    /// How many actions failed.
    pub(crate) fn failed_actions(&self) -> usize {
        let failed = |action: &&ActionReport| action.status == "Failed";
        self.actions.iter().filter(failed).count()
    }

    /// A result that holds nothing but how the run ended.
    pub(crate) fn new(exit: Exit) -> Self {
        Self {
            status: exit.status(),
            exit_code: exit.code(),
            execution: None,
            revision: None,
            urls: BTreeMap::new(),
            actions: Vec::new(),
            seconds: 0.0,
            error: None,
        }
    }
}
