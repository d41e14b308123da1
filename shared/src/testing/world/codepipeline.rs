//! CodePipeline's jobs: each takes exactly one result.
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
    reports: Vec<Report>,
}

#[derive(Debug)]
struct Job {
    event: Value,
    ended: bool,
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

impl CodePipeline {
    /// Hands out the job of an event.
    pub fn add_job(&mut self, event: &Value) {
        let event = event[crate::job::EVENT_KEY].clone();
        let id = event["id"]
            .as_str()
            .expect("an event names its job")
            .to_owned();
        self.jobs.insert(
            id,
            Job {
                event,
                ended: false,
            },
        );
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
            name => Answer::error(400, "UnknownOperationException", name),
        }
    }

    fn put(&mut self, id: &str, read: Result<(Reported, Option<String>), Refusal>) -> Answer {
        let (result, external_execution_id) = match read {
            Ok(read) => read,
            Err((code, message)) => return Answer::error(400, code, &message),
        };
        let Some(job) = self.jobs.get_mut(id) else {
            return not_found(id);
        };
        let accepted = !job.ended;
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
        let message = format!("job {id} has a result already");
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
    if summary.chars().count() > MAX_SUMMARY_CHARS {
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
    if message.is_empty() || message.chars().count() > MAX_MESSAGE_CHARS {
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
