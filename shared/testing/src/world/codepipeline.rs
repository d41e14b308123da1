//! CodePipeline's jobs: each takes exactly one result, and none after its execution has ended.
//!
//! What a second result gets is not documented; `InvalidJobStateException` is the one error of the
//! operation that fits. It is recorded, so that a test sees who tried.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Answer, ApiRequest};

/// Longest summary, in characters (`API_ExecutionDetails`).
const MAX_SUMMARY_CHARS: usize = 2_048;

/// Longest failure message, in characters (`API_FailureDetails`).
const MAX_MESSAGE_CHARS: usize = 5_000;

/// Longest continuation token, in characters (`API_PutJobSuccessResult`).
const MAX_TOKEN_CHARS: usize = 2_048;

/// Most bytes of all output variables (CodePipeline User Guide, "Quotas").
const MAX_VARIABLES_BYTES: usize = 122_880;

/// The failure types there are (`API_FailureDetails`).
const FAILURE_TYPES: [&str; 6] = [
    "JobFailed",
    "ConfigurationError",
    "PermissionError",
    "RevisionOutOfSync",
    "RevisionUnavailable",
    "SystemUnavailable",
];

/// The jobs that were handed out.
#[derive(Debug, Default)]
pub struct CodePipeline {
    jobs: BTreeMap<String, Job>,
    executions: BTreeMap<String, Execution>,
    reports: Vec<Report>,
}

#[derive(Debug)]
struct Job {
    event: Value,
    execution: Option<String>,
    ended: bool,
}

#[derive(Debug)]
struct Execution {
    pipeline: String,
    status: String,
}

/// One result that someone reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The job.
    pub job: String,
    /// What was reported.
    pub result: Reported,
    /// Lambda's request id.
    pub external_execution_id: Option<String>,
    /// Whether it was the job's first and well-formed.
    pub accepted: bool,
}

/// The content of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reported {
    /// The action is complete.
    Success {
        /// What the console shows.
        summary: String,
        /// Output variables.
        variables: BTreeMap<String, String>,
    },
    /// The action goes on in a later job.
    Continuation {
        /// What the console shows.
        summary: String,
        /// What the later job gets.
        token: String,
    },
    /// The action failed.
    Failure {
        /// The failure type.
        failure_type: String,
        /// The message.
        message: String,
    },
}

impl Reported {
    /// The output variables of a success.
    ///
    /// # Panics
    ///
    /// If it is something else.
    #[expect(
        clippy::must_use_candidate,
        reason = "often it only matters that it is a success"
    )]
    pub fn variables(self) -> BTreeMap<String, String> {
        match self {
            Self::Success { variables, .. } => variables,
            other => panic!("no success: {other:?}"),
        }
    }

    /// Failure type and message of a failure, as `TYPE: MESSAGE`, without the location of the log.
    ///
    /// # Panics
    ///
    /// If it is something else.
    #[must_use]
    pub fn failure(self) -> String {
        match self {
            Self::Failure {
                failure_type,
                message,
            } => {
                let message = message.split("\nlog: ").next().unwrap_or_default();
                format!("{failure_type}: {message}")
            }
            other => panic!("no failure: {other:?}"),
        }
    }
}

impl CodePipeline {
    /// Hands out the job of an event. The execution that its `UserParameters` name is in progress.
    pub fn add_job(&mut self, event: &Value) {
        let event = event[delivery_action::job::EVENT_KEY].clone();
        let id = event["id"]
            .as_str()
            .expect("an event names its job")
            .to_owned();
        let parameters = event["data"]["actionConfiguration"]["configuration"]["UserParameters"]
            .as_str()
            .unwrap_or_default();
        let parameters: BTreeMap<_, _> = form_urlencoded::parse(parameters.as_bytes())
            .into_owned()
            .collect();
        let execution = parameters.get("execution").cloned();
        if let (Some(pipeline), Some(execution)) = (parameters.get("pipeline"), &execution) {
            let running = Execution {
                pipeline: pipeline.clone(),
                status: "InProgress".to_owned(),
            };
            self.executions.entry(execution.clone()).or_insert(running);
        }
        self.jobs.insert(
            id,
            Job {
                event,
                execution,
                ended: false,
            },
        );
    }

    /// Gives an execution another status (`Stopped`). The jobs of one that has ended take no result.
    ///
    /// # Panics
    ///
    /// If no job names it.
    pub fn set_execution(&mut self, id: &str, status: &str) {
        let execution = self.executions.get_mut(id);
        let execution = execution.expect("a job of the execution was added");
        status.clone_into(&mut execution.status);
    }

    /// Every report so far, also those that were refused.
    #[must_use]
    pub fn reports(&self) -> &[Report] {
        &self.reports
    }

    /// The results that jobs have.
    #[must_use]
    pub fn accepted(&self) -> Vec<&Reported> {
        self.reports
            .iter()
            .filter(|report| report.accepted)
            .map(|report| &report.result)
            .collect()
    }

    pub(super) fn route(&mut self, request: &ApiRequest) -> Answer {
        let id = request.text("jobId").to_owned();
        match request.operation.name.as_str() {
            "PutJobSuccessResult" => self.put(&id, success(&request.body)),
            "PutJobFailureResult" => self.put(&id, failure(&request.body)),
            "GetJobDetails" => match self.jobs.get(&id) {
                Some(job) => Answer::json(&json!({"jobDetails": job.event})),
                None => not_found(&id),
            },
            "GetPipelineExecution" => self.execution(request),
            name => Answer::error(400, "UnknownOperationException", name),
        }
    }

    fn execution(&self, request: &ApiRequest) -> Answer {
        let (pipeline, id) = (
            request.text("pipelineName"),
            request.text("pipelineExecutionId"),
        );
        if !self.executions.values().any(|one| one.pipeline == pipeline) {
            let message = format!("no pipeline {pipeline}");
            return Answer::error(400, "PipelineNotFoundException", &message);
        }
        match self.executions.get(id) {
            Some(execution) if execution.pipeline == pipeline => {
                Answer::json(&json!({"pipelineExecution": {
                    "pipelineName": pipeline, "pipelineExecutionId": id, "status": execution.status
                }}))
            }
            _ => {
                let message = format!("no execution {id}");
                Answer::error(400, "PipelineExecutionNotFoundException", &message)
            }
        }
    }

    fn has_ended(&self, execution: &str) -> bool {
        let execution = self.executions.get(execution);
        execution.is_some_and(|one| !matches!(&*one.status, "InProgress" | "Stopping"))
    }

    fn put(&mut self, id: &str, read: Result<(Reported, Option<String>), Refusal>) -> Answer {
        let (result, external_execution_id) = match read {
            Ok(read) => read,
            Err((code, message)) => return Answer::error(400, code, &message),
        };
        let execution = self.jobs.get(id).and_then(|job| job.execution.as_deref());
        let abandoned = execution.is_some_and(|execution| self.has_ended(execution));
        let Some(job) = self.jobs.get_mut(id) else {
            return not_found(id);
        };
        let accepted = !job.ended && !abandoned;
        job.ended = true;
        self.reports.push(Report {
            job: id.to_owned(),
            result,
            external_execution_id,
            accepted,
        });
        if accepted {
            return Answer::json(&json!({}));
        }
        let message = format!("job {id} has a result already, or its execution has ended");
        Answer::error(400, "InvalidJobStateException", &message)
    }
}

type Refusal = (&'static str, String);

fn not_found(id: &str) -> Answer {
    Answer::error(400, "JobNotFoundException", &format!("no job {id}"))
}

fn invalid(message: &str) -> Refusal {
    ("ValidationException", message.to_owned())
}

fn text(body: &Value, pointer: &str) -> Option<String> {
    body.pointer(pointer)
        .and_then(Value::as_str)
        .map(str::to_owned)
}

fn success(body: &Value) -> Result<(Reported, Option<String>), Refusal> {
    let summary = text(body, "/executionDetails/summary").unwrap_or_default();
    if summary.encode_utf16().count() > MAX_SUMMARY_CHARS {
        return Err(invalid("executionDetails.summary is too long"));
    }
    let variables: BTreeMap<String, String> = match body.get("outputVariables") {
        None => BTreeMap::new(),
        Some(map) => serde_json::from_value(map.clone())
            .map_err(|_| invalid("outputVariables is not a map of strings"))?,
    };
    let bytes: usize = variables
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if bytes > MAX_VARIABLES_BYTES {
        return Err((
            "OutputVariablesSizeExceededException",
            "too many bytes".to_owned(),
        ));
    }
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '@' | '-' | '_');
    if variables
        .keys()
        .any(|key| key.is_empty() || !key.chars().all(known))
    {
        return Err(invalid(
            "a key of outputVariables has characters that are not allowed",
        ));
    }
    let id = text(body, "/executionDetails/externalExecutionId");
    let Some(token) = text(body, "/continuationToken") else {
        return Ok((Reported::Success { summary, variables }, id));
    };
    if token.is_empty() || token.chars().count() > MAX_TOKEN_CHARS {
        return Err(invalid("continuationToken is empty or too long"));
    }
    if !variables.is_empty() {
        return Err(invalid(
            "outputVariables cannot be set with a continuationToken",
        ));
    }
    Ok((Reported::Continuation { summary, token }, id))
}

fn failure(body: &Value) -> Result<(Reported, Option<String>), Refusal> {
    let failure_type = text(body, "/failureDetails/type").unwrap_or_default();
    if !FAILURE_TYPES.contains(&failure_type.as_str()) {
        return Err(invalid(
            "failureDetails.type is not one of the failure types",
        ));
    }
    let message = text(body, "/failureDetails/message").unwrap_or_default();
    if message.is_empty() || message.encode_utf16().count() > MAX_MESSAGE_CHARS {
        return Err(invalid("failureDetails.message is empty or too long"));
    }
    let id = text(body, "/failureDetails/externalExecutionId");
    Ok((
        Reported::Failure {
            failure_type,
            message,
        },
        id,
    ))
}
