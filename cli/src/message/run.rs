//! What a run of the pipeline reports: `delivery run`, and `delivery start --wait`.

#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exit::Exit;

/// A report of an action's tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TestReport {
    /// Its path below the project.
    pub(crate) path: String,
    /// The report, without secrets.
    pub(crate) xml: String,
}

/// A message of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    tag = "type",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub(crate) enum RunMessage {
    /// The run is recorded from here on: it leaves a page.
    Run {
        /// The run's id, which `delivery open` takes.
        run: String,
        /// The application's name.
        application: String,
        /// The run's page.
        page: PathBuf,
    },
    /// A part of the preparation began or is done.
    Step {
        /// Which part.
        step: Step,
        /// Whether it is done.
        done: bool,
        /// How long it took, once it is done.
        #[serde(skip_serializing_if = "Option::is_none")]
        seconds: Option<f64>,
        /// Details for people.
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
        /// CodePipeline's status.
        status: String,
        /// The revision that it delivers, once Source knows it.
        #[serde(skip_serializing_if = "Option::is_none")]
        revision: Option<String>,
        /// The summary of the revision.
        #[serde(skip_serializing_if = "Option::is_none")]
        summary: Option<String>,
    },
    /// The status of an action changed.
    Action(ActionReport),
    /// An action that is in progress says something new of itself.
    Progress(ActionReport),
    /// An action failed: why, and what its log says.
    Failure(Box<Failure>),
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
    /// Nothing changed for a while; the run is still in progress.
    Heartbeat {
        /// What is in progress.
        running: Vec<String>,
        /// How long the execution has taken so far.
        seconds: f64,
    },
    /// New lines in the log of an action (`--verbose`).
    Log {
        /// The execution's id.
        execution: String,
        /// The stage.
        stage: String,
        /// The action.
        action: String,
        /// The lines.
        lines: Vec<String>,
        /// The reports of tests among them, which become files.
        #[serde(skip)]
        reports: Vec<TestReport>,
    },
    /// The addresses of each stage, until the local AWS stops.
    Addresses {
        /// By stage.
        urls: BTreeMap<String, StageUrls>,
    },
    /// The variables with which `aws` and SDKs reach the local AWS that stays up.
    Environment {
        /// Names and values.
        variables: BTreeMap<String, String>,
    },
    /// Something that people should know.
    Notice {
        /// The sentence.
        message: String,
    },
    /// The last line.
    Result(RunResult),
}

/// Something about the application or this machine that was found before anything was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Severity {
    /// Nothing is started.
    Error,
    /// It may be meant, and should be known.
    Note,
}

/// A part of the preparation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct StageShape {
    /// The stage's name.
    pub(crate) name: String,
    /// Its actions, by run order.
    pub(crate) actions: Vec<String>,
}

/// An action's execution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ActionReport {
    /// The execution's id.
    pub(crate) execution: String,
    /// The stage.
    pub(crate) stage: String,
    /// The action.
    pub(crate) action: String,
    /// CodePipeline's status.
    pub(crate) status: String,
    /// How long it took, or has taken so far.
    pub(crate) seconds: f64,
    /// The summary that the action reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) summary: Option<String>,
    /// The variables that it left for later actions: versions and digests of what it deployed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) outputs: BTreeMap<String, String>,
    /// Why it failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<Cause>,
}

/// What an action reported of its failure, in its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cause {
    /// CodePipeline's failure type.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// What happened, and where.
    pub(crate) message: String,
    /// What the first failed test says: the difference that it found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) test_says: Vec<String>,
    /// Where it failed, if that is in a file of the project: `FILE:LINE` below its root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) location: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
    /// The last lines that the failed program wrote.
    pub(crate) output: Vec<String>,
    /// The failed tests that the message names.
    pub(crate) failed_tests: Vec<String>,
    /// Where the whole log is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log: Option<String>,
    /// What the application itself logged meanwhile; [`Failure`] has it beside its cause.
    #[serde(skip)]
    pub(crate) application_log: Vec<String>,
}

/// Why an action failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// What the application itself logged while a test of it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) application_log: Vec<String>,
    /// The stages that were not reached.
    #[serde(default)]
    pub(crate) untouched: Vec<String>,
    /// What is untouched, and what can be done.
    pub(crate) help: String,
    /// The one thing to do next.
    #[serde(default)]
    pub(crate) next: String,
}

/// Where a stage answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct StageUrls {
    /// The site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) site: Option<String>,
    /// The API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) api: Option<String>,
    /// The outputs of services' stacks that are addresses, by service and output.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) services: BTreeMap<String, BTreeMap<String, String>>,
}

impl StageUrls {
    /// Each address, and what answers there.
    pub(crate) fn named(&self) -> impl Iterator<Item = (String, &str)> {
        let own = [("site", &self.site), ("API", &self.api)].into_iter();
        let own = own.filter_map(|(what, url)| Some((what.to_owned(), url.as_deref()?)));
        let services = self.services.iter().flat_map(|(service, outputs)| {
            let outputs = outputs.iter();
            outputs.map(move |(output, url)| (format!("{service} {output}"), url.as_str()))
        });
        own.chain(services)
    }
}

/// How the run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunResult {
    /// `success`, `failure`, `superseded`, `timeout` or `interrupted`.
    pub(crate) status: String,
    /// The exit code that follows.
    pub(crate) exit_code: u8,
    /// The execution, if one was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) execution: Option<String>,
    /// The revision that it delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) revision: Option<String>,
    /// The addresses of each stage; empty if the local AWS stopped with the run.
    pub(crate) urls: BTreeMap<String, StageUrls>,
    /// What each action did and how long it took, in the order they began.
    pub(crate) actions: Vec<ActionReport>,
    /// How each pipeline ended, where there are several, in the order in which they began; `execution` and `revision`
    /// are the last one's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) pipelines: Vec<PipelineResult>,
    /// How long it took altogether.
    pub(crate) seconds: f64,
    /// The run's page, if it leaves one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) page: Option<PathBuf>,
    /// What went wrong, if something did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ResultError>,
}

/// How one of several pipelines ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PipelineResult {
    /// The pipeline's name.
    pub(crate) name: String,
    /// The execution.
    pub(crate) execution: String,
    /// CodePipeline's word for its status.
    pub(crate) status: String,
    /// The revision that it delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) revision: Option<String>,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ResultError {
    /// The kind of error, for programs.
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
            status: exit.status().to_owned(),
            exit_code: exit.code(),
            execution: None,
            revision: None,
            urls: BTreeMap::new(),
            actions: Vec::new(),
            pipelines: Vec::new(),
            seconds: 0.0,
            page: None,
            error: None,
        }
    }
}
