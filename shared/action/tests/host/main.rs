//! From an event to a reported result, over real HTTP: exactly one, whatever the action does.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "the fuzzed events are counted")]

use delivery_action::action::{Action, Completion, Continuation, Host, HostError, Outcome};
use delivery_action::aws::SdkConfig;
use delivery_action::continuation::{ContinuationToken, Progress};
use delivery_action::failure::{ActionError, FailureType};
use delivery_action::job::Job;
use delivery_action::parameters::{ParametersError, Params, UserParameters};
use delivery_testing::events::{JOB_ID, JobEvent, invocation};
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::{Report, Reported};
use serde::Deserialize;
use serde_json::{Value, json};

mod fuzz;
mod refused;
mod secrets;
mod time;

/// An action that does what its parameters say.
struct Sample;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct SampleParams {
    end: End,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum End {
    Complete,
    Continue,
    Fail,
    Panic,
    TooMuch,
}

impl Params for SampleParams {
    fn from_user_parameters(
        parameters: UserParameters,
        _job: &Job,
    ) -> Result<Self, ParametersError> {
        parameters.deserialize()
    }
}

#[derive(Debug, thiserror::Error)]
enum SampleError {
    #[error("the sample has no `{0}`")]
    Missing(&'static str),
}

impl ActionError for SampleError {
    fn failure_type(&self) -> FailureType {
        FailureType::ConfigurationError
    }

    fn hint(&self) -> Option<String> {
        Some("set it".to_owned())
    }

    fn output(&self) -> Option<&str> {
        Some("key AKIAIOSFODNN7EXAMPLE\n")
    }
}

#[derive(serde::Serialize, Deserialize)]
struct Step(u32);

impl Progress for Step {
    const ACTION: &'static str = "sample";
    const VERSION: u32 = 1;
}

impl Action for Sample {
    const NAME: &'static str = "sample";
    type Params = SampleParams;
    type Error = SampleError;

    async fn run(&self, _job: &Job, params: SampleParams) -> Result<Outcome, SampleError> {
        let complete = |variables| {
            let summary = "all done".to_owned();
            Ok(Outcome::Complete(Completion { summary, variables }))
        };
        match params.end {
            End::Complete => complete([("Version".to_owned(), "7".to_owned())].into()),
            End::TooMuch => complete([("Version".to_owned(), "7".repeat(200_000))].into()),
            End::Continue => Ok(Outcome::Continue(Continuation {
                token: ContinuationToken::new(&Step(1)).expect("a number fits"),
                summary: "half done".to_owned(),
                percent_complete: Some(50),
            })),
            End::Fail => Err(SampleError::Missing("thing")),
            End::Panic => panic!("an expected panic"),
        }
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "a constructor may fail, though not this one"
)]
fn construct(_config: &SdkConfig) -> Result<Sample, SampleError> {
    Ok(Sample)
}

/// Runs one event and gives back what was reported.
async fn reports(world: &World, event: Value) -> Vec<Report> {
    world.code_pipeline().add_job(&event);
    Host::new(construct, world.config())
        .invoke(event, invocation())
        .await
        .unwrap();
    world.code_pipeline().reports().to_vec()
}

fn event(parameters: &str) -> Value {
    JobEvent::new().user_parameters(parameters).build()
}

/// The type and message of the only report, which is a failure.
fn only_failure(reports: &[Report]) -> (String, String) {
    match reports {
        [
            Report {
                accepted: true,
                result:
                    Reported::Failure {
                        failure_type,
                        message,
                    },
                ..
            },
        ] => (failure_type.clone(), message.clone()),
        other => panic!("not one accepted failure: {other:?}"),
    }
}

#[tokio::test]
async fn a_completed_action_reports_summary_variables_and_its_request() {
    let world = World::start().await;
    let reports = reports(&world, event("end=complete")).await;
    let [
        Report {
            job,
            accepted: true,
            external_execution_id,
            result,
        },
    ] = &reports[..]
    else {
        panic!("{reports:?}")
    };
    assert_eq!(job, JOB_ID);
    assert_eq!(
        external_execution_id.as_deref(),
        Some(invocation().request_id.as_str())
    );
    let Reported::Success { summary, variables } = result else {
        panic!("{result:?}")
    };
    assert!(summary.starts_with("all done (log: "), "{summary}");
    assert_eq!(variables["Version"], "7");
}

#[tokio::test]
async fn unfinished_work_reports_a_token_and_no_variables() {
    let world = World::start().await;
    let reports = reports(&world, event("end=continue")).await;
    let [
        Report {
            accepted: true,
            result: Reported::Continuation { token, .. },
            ..
        },
    ] = &reports[..]
    else {
        panic!("{reports:?}")
    };
    assert_eq!(token, r#"{"action":"sample","version":1,"content":1}"#);
}

#[tokio::test]
async fn an_error_reports_its_type_hint_and_output_without_secrets() {
    let world = World::start().await;
    let (failure_type, message) = only_failure(&reports(&world, event("end=fail")).await);
    assert_eq!(failure_type, "ConfigurationError");
    assert!(
        message.starts_with(
            "the sample has no `thing`\nhint: set it\nlast lines of output:\nkey [redacted]\nlog: "
        ),
        "{message}"
    );
}

#[tokio::test]
async fn a_panic_is_the_jobs_failure_and_the_function_lives_on() {
    let world = World::start().await;
    let host = Host::new(construct, world.config());
    for (id, end) in [
        ("11111111-abcd-1111-abcd-111111abc001", "panic"),
        (JOB_ID, "complete"),
    ] {
        let event = JobEvent::new()
            .id(id)
            .user_parameters(&format!("end={end}"))
            .build();
        world.code_pipeline().add_job(&event);
        host.invoke(event, invocation()).await.unwrap();
    }
    let reports = world.code_pipeline().reports().to_vec();
    let (_, message) = only_failure(&reports[..1]);
    assert!(
        message.starts_with(
            "the action panicked in job `11111111-abcd-1111-abcd-111111abc001`: an expected panic\nhint: "
        ),
        "{message}"
    );
    assert!(matches!(reports[1].result, Reported::Success { .. }));
}

#[tokio::test]
async fn a_constructor_that_fails_is_reported() {
    let world = World::start().await;
    let event = event("end=complete");
    world.code_pipeline().add_job(&event);
    let construct =
        |_: &SdkConfig| -> Result<Sample, SampleError> { Err(SampleError::Missing("name")) };
    Host::new(construct, world.config())
        .invoke(event, invocation())
        .await
        .unwrap();
    let (failure_type, message) = only_failure(world.code_pipeline().reports());
    assert_eq!(failure_type, "ConfigurationError");
    assert!(
        message.starts_with("the sample has no `name`\n"),
        "{message}"
    );
}

#[test_case::test_case(Some("end=complete&end=fail"), "`UserParameters` has `end` twice"; "duplicate")]
#[test_case::test_case(Some("end=complete&stage=x"), "`UserParameters` has an unknown key `stage`; known keys are `end`"; "unknown")]
#[test_case::test_case(Some("{\"end\""), "`UserParameters` is not one JSON object of strings, numbers and booleans (line 1, column 6)"; "malformed")]
#[test_case::test_case(None, "`UserParameters` lacks `end`"; "none")]
#[tokio::test]
async fn bad_parameters_fail_the_job_by_name(parameters: Option<&str>, expected: &str) {
    let world = World::start().await;
    let event = parameters.map_or_else(|| JobEvent::new().build(), event);
    let (failure_type, message) = only_failure(&reports(&world, event).await);
    assert_eq!(failure_type, "ConfigurationError");
    assert!(
        message.starts_with(&format!("{expected}\nhint: ")),
        "{message}"
    );
}

#[tokio::test]
async fn over_long_parameters_fail_the_job() {
    let world = World::start().await;
    let event = event(&format!("end={}", "x".repeat(100_000)));
    let (_, message) = only_failure(&reports(&world, event).await);
    assert!(
        message.starts_with("`UserParameters` is 100004 characters long; the limit is 100000"),
        "{message}"
    );
}

#[tokio::test]
async fn an_unreadable_event_with_a_job_id_is_reported() {
    let world = World::start().await;
    let mut event = event("end=complete");
    event["CodePipeline.job"]["data"]["inputArtifacts"] = json!({"not": "a list"});
    let (failure_type, message) = only_failure(&reports(&world, event).await);
    assert_eq!(failure_type, "ConfigurationError");
    assert!(
        message.starts_with("the event's `CodePipeline.job` cannot be read: expected a sequence\n"),
        "{message}"
    );
}

#[tokio::test]
async fn an_event_without_a_job_fails_the_invocation_and_reports_nothing() {
    let world = World::start().await;
    let host = Host::new(construct, world.config());
    let error = host
        .invoke(json!({"hello": "world"}), invocation())
        .await
        .unwrap_err();
    assert!(matches!(error, HostError::NoJob), "{error}");
    assert_eq!(world.code_pipeline().reports(), []);
}

#[tokio::test]
async fn a_job_delivered_twice_has_one_result_and_two_successful_invocations() {
    let world = World::start().await;
    let event = event("end=complete");
    world.code_pipeline().add_job(&event);
    let host = Host::new(construct, world.config());
    let (first, second) = tokio::join!(
        host.invoke(event.clone(), invocation()),
        host.invoke(event, invocation())
    );
    first.unwrap();
    second.unwrap();
    assert_eq!(world.code_pipeline().accepted().len(), 1);
}

#[tokio::test]
async fn variables_that_codepipeline_refuses_become_a_failure() {
    let world = World::start().await;
    let event = event("end=too-much");
    world.code_pipeline().add_job(&event);
    Host::new(construct, world.config())
        .invoke(event, invocation())
        .await
        .unwrap();
    let accepted: Vec<_> = world
        .code_pipeline()
        .accepted()
        .into_iter()
        .cloned()
        .collect();
    let [Reported::Failure { message, .. }] = &accepted[..] else {
        panic!("{accepted:?}")
    };
    assert!(
        message.contains("OutputVariablesSizeExceededException"),
        "{message}"
    );
}

#[tokio::test]
async fn a_report_that_cannot_be_sent_fails_the_invocation_so_that_lambda_delivers_again() {
    let world = World::start().await;
    let event = event("end=complete");
    world.code_pipeline().add_job(&event);
    world.deny("codepipeline:PutJobSuccessResult");
    let host = Host::new(construct, world.config());
    let error = host.invoke(event, invocation()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the result of job `{JOB_ID}` could not be reported")
    );
    assert_eq!(world.code_pipeline().reports(), []);
}
