//! Reporting: `PutJobSuccessResult` and `PutJobFailureResult`.

use aws_config::SdkConfig;
use aws_sdk_codepipeline::Client;
use aws_sdk_codepipeline::operation::put_job_failure_result::PutJobFailureResultError;
use aws_sdk_codepipeline::operation::put_job_success_result::PutJobSuccessResultError;
use aws_sdk_codepipeline::types::{
    ExecutionDetails, FailureDetails, FailureType as SdkFailureType,
};

use super::{Completion, Continuation, Outcome};
use crate::aws::{CallError, CallErrorKind};
use crate::env::LogLocation;
use crate::failure::{Failure, FailureType, cut_end};
use crate::job::JobId;
use crate::logging::redact;

/// Longest `executionDetails.summary`, in characters (`API_ExecutionDetails`: 1 to 2048).
const MAX_SUMMARY_CHARS: usize = 2_048;

/// The result could not be handed to CodePipeline, now or perhaps at all.
#[derive(Debug, thiserror::Error)]
#[error("the result of job `{job}` could not be reported")]
pub struct ReportError {
    /// The job.
    pub job: JobId,
    /// Why.
    #[source]
    pub source: CallError,
}

/// Hands results of one function to CodePipeline.
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

    /// Reports what a job came to. A success that CodePipeline refuses for what it holds becomes a
    /// failure; a job that CodePipeline no longer waits for is left alone.
    pub(super) async fn report(
        &self,
        job: &JobId,
        result: Result<Outcome, Failure>,
        place: &Place,
    ) -> Result<(), ReportError> {
        let failure = match result {
            Ok(outcome) => match self.succeed(job, outcome, place).await? {
                None => return Ok(()),
                Some(refused) => refused,
            },
            Err(failure) => failure,
        };
        self.fail(job, &failure, place).await
    }

    /// Reports a success; gives back the failure to report instead where CodePipeline does not
    /// accept what the success holds.
    async fn succeed(
        &self,
        job: &JobId,
        outcome: Outcome,
        place: &Place,
    ) -> Result<Option<Failure>, ReportError> {
        let mut request = self.client.put_job_success_result().job_id(job.as_str());
        let mut details = ExecutionDetails::builder().external_execution_id(&place.request_id);
        match outcome {
            Outcome::Complete(Completion { summary, variables }) => {
                tracing::info!(outcome = "complete", %summary, "job ended");
                details = details.summary(place.summary(&summary));
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
                    .summary(place.summary(&summary))
                    .set_percent_complete(
                        percent_complete.map(|percent| i32::from(percent.min(100))),
                    );
                request = request.continuation_token(token.as_str());
            }
        }
        let sent = request.execution_details(details.build()).send().await;
        let Err(error) = sent else { return Ok(None) };
        let gone = matches!(
            error.as_service_error(),
            Some(
                PutJobSuccessResultError::InvalidJobStateException(_)
                    | PutJobSuccessResultError::JobNotFoundException(_)
            )
        );
        let error = CallError::new("codepipeline:PutJobSuccessResult", job.as_str(), &error);
        if gone {
            no_longer_waited_for(job, &error);
            return Ok(None);
        }
        if error.kind == CallErrorKind::Invalid && !error.outcome_unknown {
            return Ok(Some(Failure::new(&error)));
        }
        Err(ReportError {
            job: job.clone(),
            source: error,
        })
    }

    async fn fail(&self, job: &JobId, failure: &Failure, place: &Place) -> Result<(), ReportError> {
        let message = redact(&failure.message(&place.log())).into_owned();
        tracing::error!(failure_type = ?failure.failure_type, %message, outcome = "failed", "job ended");
        let details = FailureDetails::builder()
            .r#type(sdk_failure_type(failure.failure_type))
            .message(message)
            .external_execution_id(&place.request_id)
            .build()
            .expect("type and message are set");
        let sent = self
            .client
            .put_job_failure_result()
            .job_id(job.as_str())
            .failure_details(details)
            .send()
            .await;
        let Err(error) = sent else { return Ok(()) };
        let gone = matches!(
            error.as_service_error(),
            Some(
                PutJobFailureResultError::InvalidJobStateException(_)
                    | PutJobFailureResultError::JobNotFoundException(_)
            )
        );
        let error = CallError::new("codepipeline:PutJobFailureResult", job.as_str(), &error);
        if gone {
            no_longer_waited_for(job, &error);
            return Ok(());
        }
        Err(ReportError {
            job: job.clone(),
            source: error,
        })
    }
}

/// The same job delivered twice reports twice; and a job can time out or be abandoned. AWS does not
/// document the answer to a second result; these are the only errors that fit.
fn no_longer_waited_for(job: &JobId, error: &CallError) {
    tracing::warn!(
        job.id = %job, %error,
        "CodePipeline no longer waits for this job: its result was reported before, or it was given up"
    );
}

/// Where an invocation can be looked up.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) request_id: String,
    pub(super) log: LogLocation,
}

impl Place {
    /// Log group, stream and request id. The API cannot set a link, so they stand in the text.
    fn log(&self) -> String {
        let group = self.log.group.as_deref().unwrap_or("(no log group)");
        let stream = self.log.stream.as_deref().unwrap_or("(no log stream)");
        format!("{group} {stream} (request id {})", self.request_id)
    }

    fn summary(&self, text: &str) -> String {
        let text = redact(text);
        let log = format!(" (log: {})", self.log());
        let room = MAX_SUMMARY_CHARS.saturating_sub(log.chars().count());
        cut_end(&text, room) + &log
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
        let place = Place {
            request_id: "r-1".to_owned(),
            log: LogLocation {
                group: Some("/aws/lambda/e2e".to_owned()),
                stream: Some("s".to_owned()),
            },
        };
        assert_eq!(
            place.summary("3 passed"),
            "3 passed (log: /aws/lambda/e2e s (request id r-1))"
        );
        let long = place.summary(&"x".repeat(5_000));
        assert_eq!(long.chars().count(), MAX_SUMMARY_CHARS);
        assert!(long.ends_with("x… (log: /aws/lambda/e2e s (request id r-1))"));
    }
}
