//! Reporting: `PutJobSuccessResult` and `PutJobFailureResult`.
//!
//! Problem: a result that CodePipeline does not accept, or that arrives too late, leaves the pipeline waiting for
//! 20 minutes. So texts are redacted first and truncated second (a truncated secret is not recognised), a rejected
//! message is followed by a shorter one, and all attempts together fit into the time kept back for them.

use std::time::Duration;

use crate::aws::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_codepipeline::Client;
use aws_sdk_codepipeline::config::Builder;
use aws_sdk_codepipeline::types::{
    ExecutionDetails, FailureDetails, FailureType as SdkFailureType,
};

use super::{Completion, Continuation, Outcome};
use crate::aws::{CallError, CallErrorKind};
use crate::clock::Deadline;
use crate::env::LogLocation;
use crate::failure::{Failure, FailureType, cut_end, length};
use crate::job::{Invocation, JobId};
use crate::text::one_line;

/// Longest `executionDetails.summary`, in characters (`API_ExecutionDetails`: 1 to 2048); see
/// [`crate::failure::MAX_MESSAGE_CHARS`] for what a character is.
const MAX_SUMMARY_CHARS: usize = 2_048;

/// Longest description of the log in a summary, in characters: names of log groups have 512 at most.
const MAX_LOG_CHARS: usize = 1_000;

/// Longest message after a rejected one, in characters: far below any limit it may have exceeded.
const MAX_SHORT_CHARS: usize = 400;

/// The message after the shorter one was rejected too.
const PLAIN_MESSAGE: &str =
    "the action failed; CodePipeline rejected its message, which is in the function's log";

/// How long one attempt to report may take. The service answers in about 100 ms; a connection that hangs must
/// leave time for the next attempt.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long all attempts of one report may take: 3 times [`ATTEMPT_TIMEOUT`], and no more than what is left of
/// [`super::DEADLINE_MARGIN`] (20 s) after an action that used all of its grace (5 s).
const REPORT_TIMEOUT: Duration = Duration::from_secs(15);

/// A report takes at most this fraction of the remaining time, so that the function ends before Lambda kills it.
const REPORT_PART: (u32, u32) = (9, 10);

/// If time is short, it is divided between this many attempts, rather than spent on one that may hang. Each still
/// gets [`LEAST_ATTEMPT_TIME`].
const LEAST_ATTEMPTS: u32 = 2;

/// A first TLS connection takes this long in a function with little memory, which also has little CPU.
const LEAST_ATTEMPT_TIME: Duration = Duration::from_secs(1);

/// The result could not be sent to CodePipeline.
#[derive(Debug, thiserror::Error)]
#[error("the result of job `{job}` could not be reported")]
pub struct ReportError {
    /// The job.
    pub job: JobId,
    /// Why.
    #[source]
    pub source: CallError,
}

/// Sends a function's results to CodePipeline.
#[derive(Clone, Debug)]
pub(super) struct Reporter {
    client: Client,
}

impl Reporter {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self {
            client: Client::new(config),
        }
    }

    /// Reports a job's result. A success whose content CodePipeline rejects becomes a failure, and a rejected
    /// failure is sent again with a shorter message. A job that CodePipeline no longer waits for is left alone.
    pub(super) async fn report(
        &self,
        job: &JobId,
        result: Result<Outcome, Failure>,
        invocation: &InvocationInfo,
    ) -> Result<(), ReportError> {
        let failure = match result {
            Ok(outcome) => match self.succeed(job, outcome, invocation).await? {
                None => return Ok(()),
                Some(refusal) => Failure::new(&refusal),
            },
            Err(failure) => failure,
        };
        let message = failure.message(&invocation.log());
        tracing::error!(failure_type = ?failure.failure_type, %message, outcome = "failed", "job ended");
        let short = cut_end(&one_line(&failure.cause), MAX_SHORT_CHARS);
        let short = short.replace(|character: char| !character.is_ascii(), "?");
        let mut refusal = None;
        for message in [message, short, PLAIN_MESSAGE.to_owned()] {
            let details = FailureDetails::builder()
                .r#type(sdk_failure_type(failure.failure_type))
                .message(message)
                // The id may be what was rejected, so only the first attempt has it.
                .set_external_execution_id(invocation.external_id().filter(|_| refusal.is_none()))
                .build()
                .expect("type and message are set");
            refusal = self.fail(job, details, invocation).await?;
            let Some(error) = &refusal else { return Ok(()) };
            tracing::warn!(%error, "CodePipeline rejected the failure message");
        }
        let source = refusal.expect("three attempts were refused");
        Err(ReportError {
            job: job.clone(),
            source,
        })
    }

    /// The timeouts of one report, which has to end before Lambda's timeout.
    fn in_time(invocation: &InvocationInfo) -> Builder {
        let (part, of) = REPORT_PART;
        let whole = REPORT_TIMEOUT.min(invocation.end.remaining() * part / of);
        let attempt = (whole / LEAST_ATTEMPTS).clamp(LEAST_ATTEMPT_TIME, ATTEMPT_TIMEOUT);
        let timeouts = TimeoutConfig::builder()
            .operation_timeout(whole)
            .operation_attempt_timeout(attempt.min(whole))
            .build();
        Builder::new().timeout_config(timeouts)
    }

    /// Reports a success; returns the error if CodePipeline rejects its content.
    async fn succeed(
        &self,
        job: &JobId,
        outcome: Outcome,
        invocation: &InvocationInfo,
    ) -> Result<Option<CallError>, ReportError> {
        let mut request = self.client.put_job_success_result().job_id(job.as_str());
        let mut details =
            ExecutionDetails::builder().set_external_execution_id(invocation.external_id());
        match outcome {
            Outcome::Complete(Completion { summary, variables }) => {
                tracing::info!(outcome = "complete", %summary, "job ended");
                details = details.summary(invocation.summary(&summary));
                for (name, value) in variables {
                    request = request.output_variables(name, value);
                }
            }
            Outcome::Continue(Continuation {
                token,
                summary,
                percent_complete,
            }) => {
                tracing::info!(outcome = "continue", %summary, "job ended");
                details = details
                    .summary(invocation.summary(&summary))
                    .set_percent_complete(
                        percent_complete.map(|percent| i32::from(percent.min(100))),
                    );
                request = request.continuation_token(token.as_str());
            }
        }
        let request = request.execution_details(details.build());
        let sent = request
            .customize()
            .config_override(Self::in_time(invocation))
            .send()
            .await;
        let Err(error) = sent else { return Ok(None) };
        not_accepted(
            job,
            CallError::new("codepipeline:PutJobSuccessResult", job.as_str(), &error),
        )
    }

    /// Reports a failure; returns the error if CodePipeline rejects its details.
    async fn fail(
        &self,
        job: &JobId,
        details: FailureDetails,
        invocation: &InvocationInfo,
    ) -> Result<Option<CallError>, ReportError> {
        let request = self
            .client
            .put_job_failure_result()
            .job_id(job.as_str())
            .failure_details(details);
        let sent = request
            .customize()
            .config_override(Self::in_time(invocation))
            .send()
            .await;
        let Err(error) = sent else { return Ok(None) };
        not_accepted(
            job,
            CallError::new("codepipeline:PutJobFailureResult", job.as_str(), &error),
        )
    }
}

/// A job that is delivered twice is reported twice, and a job can time out or be abandoned. AWS does not document
/// the answer to a second result; these are the only documented errors that fit.
const NO_LONGER_WAITED_FOR: [&str; 2] = ["InvalidJobStateException", "JobNotFoundException"];

/// Separates a report that nobody waits for, and one that was rejected for its content, from one that did not arrive.
fn not_accepted(job: &JobId, error: CallError) -> Result<Option<CallError>, ReportError> {
    if NO_LONGER_WAITED_FOR.iter().any(|code| error.is_code(code)) {
        tracing::warn!(
            job.id = %job, %error,
            "CodePipeline is no longer waiting for this job: it was already reported, abandoned or timed out"
        );
        return Ok(None);
    }
    if error.kind == CallErrorKind::Invalid && !error.outcome_unknown {
        return Ok(Some(error));
    }
    Err(ReportError {
        job: job.clone(),
        source: error,
    })
}

/// Where to find an invocation in the logs, and when it ends.
#[derive(Clone, Debug)]
pub(super) struct InvocationInfo {
    request_id: String,
    log: LogLocation,
    end: Deadline,
}

impl InvocationInfo {
    pub(super) fn of(invocation: &Invocation) -> Self {
        let Invocation {
            request_id,
            log,
            deadline,
            ..
        } = invocation.clone();
        Self {
            request_id,
            log,
            end: deadline,
        }
    }

    /// `externalExecutionId` (`API_FailureDetails`: 1 to 1500 characters).
    fn external_id(&self) -> Option<String> {
        Some(self.request_id.clone()).filter(|id| !id.is_empty())
    }

    /// Log group, stream and request id. The API cannot set a link, so they stand in the text.
    fn log(&self) -> String {
        let group = self.log.group.as_deref().unwrap_or("(no log group)");
        let stream = self.log.stream.as_deref().unwrap_or("(no log stream)");
        format!("{group} {stream} (request id {})", self.request_id)
    }

    fn summary(&self, text: &str) -> String {
        let log = format!(" (log: {})", cut_end(&self.log(), MAX_LOG_CHARS));
        let room = MAX_SUMMARY_CHARS.saturating_sub(length(&log));
        cut_end(&one_line(text), room) + &log
    }
}

fn sdk_failure_type(failure_type: FailureType) -> SdkFailureType {
    match failure_type {
        FailureType::JobFailed => SdkFailureType::JobFailed,
        FailureType::ConfigurationError => SdkFailureType::ConfigurationError,
        FailureType::PermissionError => SdkFailureType::PermissionError,
        FailureType::RevisionOutOfSync => SdkFailureType::RevisionOutOfSync,
        FailureType::RevisionUnavailable => SdkFailureType::RevisionUnavailable,
        FailureType::SystemUnavailable => SdkFailureType::SystemUnavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_keeps_its_log_however_long_it_is() {
        let invocation = InvocationInfo {
            request_id: "r-1".to_owned(),
            log: LogLocation {
                group: Some("/aws/lambda/e2e".to_owned()),
                stream: Some("s".to_owned()),
            },
            end: Deadline::after(Duration::from_secs(1)),
        };
        assert_eq!(
            invocation.summary("3 passed"),
            "3 passed (log: /aws/lambda/e2e s (request id r-1))"
        );
        let long = invocation.summary(&"x".repeat(5_000));
        assert_eq!(long.chars().count(), MAX_SUMMARY_CHARS);
        assert!(long.ends_with("x… (log: /aws/lambda/e2e s (request id r-1))"));
        assert_eq!(
            length(&invocation.summary(&"😀".repeat(5_000))),
            MAX_SUMMARY_CHARS - 1
        );
        assert!(
            invocation
                .summary("a\n\u{1b}[2Jb")
                .starts_with("a b (log: ")
        );
    }
}
