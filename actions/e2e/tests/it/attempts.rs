//! One attempt, several, and none that is worth it.

use std::time::Duration;

use delivery_action::action::{Completion, Outcome};
use delivery_action::failure::{Failure, FailureType};
use delivery_testing::events::invocation_of;
use delivery_testing::source::{SourceStore, untimed};
use e2e::EndToEnd;
use test_case::test_case;

const REPORT: &str = r#"<testsuites><testsuite name="greeter">
    <testcase name="greeter answers"><failure message="503"/></testcase>
    <testcase name="greeter greets"/></testsuite></testsuites>"#;

/// A project whose `test` is this shell script.
async fn store(script: &str) -> SourceStore {
    let manifest = serde_json::json!({"name": "app", "scripts": {"test": script}}).to_string();
    SourceStore::of(&[("package.json", &manifest), ("report.xml", REPORT)]).await
}

/// Runs jobs until the action is complete or failed; the summaries on the way.
async fn run(store: &SourceStore, parameters: &str) -> (Vec<String>, Result<Completion, Failure>) {
    let action = EndToEnd::new(&store.s3().config());
    let mut event = store.event(parameters);
    let mut summaries = Vec::new();
    loop {
        match store.run(&action, event).await {
            Ok(Outcome::Continue(continuation)) => {
                summaries.push(continuation.summary);
                event = store
                    .event(parameters)
                    .continuation_token(continuation.token.as_str());
            }
            Ok(Outcome::Complete(completion)) => return (summaries, Ok(completion)),
            Err(failure) => return (summaries, Err(failure)),
        }
    }
}

#[tokio::test]
async fn a_stage_that_is_well_is_tested_once() {
    let store = store("[ \"$TARGET_URL\" = https://test.example.com ]").await;
    let parameters = "task=test&Env.TARGET_URL=https://test.example.com&retries=3";
    let (tries, ended) = run(&store, parameters).await;
    assert_eq!(tries, Vec::<String>::new());
    assert_eq!(
        untimed(&ended.unwrap().summary),
        "test (npm) of https://test.example.com in …; not retried"
    );
}

#[tokio::test]
async fn a_stage_that_settles_late_is_tested_again_in_a_later_job() {
    let target = tempfile::tempdir().unwrap();
    let script = "mkdir r; echo x >> $STATE/tries; \
        [ $(wc -l < $STATE/tries) -ge 3 ] || { cp report.xml r/; exit 1; }";
    let store = store(script).await;
    let parameters = format!(
        "task=test&retries=5&report=r/*.xml&Env.STATE={}&Env.TARGET_URL=https://t.example.com",
        target.path().display()
    );
    let (tries, ended) = run(&store, &parameters).await;
    assert_eq!(
        tries,
        [
            "attempt 1 of 6 failed, retrying: 1 of 2 tests: greeter answers",
            "attempt 2 of 6 failed, retrying: 1 of 2 tests: greeter answers",
        ]
    );
    assert_eq!(
        untimed(&ended.unwrap().summary),
        "test (npm) of https://t.example.com in …; retried 2 times, last after: 1 of 2 tests: \
         greeter answers; tests not counted: no JUnit file matches `r/*.xml`"
    );
}

#[tokio::test]
async fn a_stage_that_stays_broken_fails_with_the_failed_tests_of_each_attempt() {
    let store = store("mkdir r; cp report.xml r/; echo '1 failing'; exit 1").await;
    let parameters = "task=test&retries=1&report=r/*.xml&Env.TARGET_URL=https://t.example.com";
    let (tries, ended) = run(&store, parameters).await;
    assert_eq!(tries.len(), 1);
    let failure = ended.unwrap_err();
    assert_eq!(failure.failure_type, FailureType::JobFailed);
    assert_eq!(
        failure.cause,
        "`test` of `https://t.example.com` failed in all 2 attempts (before: 1: 1 of 2 tests: greeter \
         answers): the npm task `test` failed: 1 of 2 tests failed: `greeter answers`: `npm run test` \
         ended with exit code 1\nthe test says:\n  503"
    );
    assert_eq!(failure.output, None);
}

#[tokio::test]
async fn without_retries_the_first_failure_is_the_last() {
    let store = store("exit 1").await;
    let (tries, ended) = run(&store, "task=test").await;
    assert_eq!(tries, Vec::<String>::new());
    assert_eq!(
        ended.unwrap_err().cause,
        "`test` failed: the npm task `test` failed: `npm run test` ended with exit code 1"
    );
}

#[tokio::test]
async fn a_task_that_is_not_there_is_not_tried_again() {
    let store = store("true").await;
    let (tries, ended) = run(&store, "task=nothing&retries=5").await;
    assert_eq!(tries, Vec::<String>::new());
    let failure = ended.unwrap_err();
    assert_eq!(failure.failure_type, FailureType::ConfigurationError);
    assert_eq!(
        failure.cause,
        "`package.json` has no script `nothing` (it has: `test`)"
    );
}

#[tokio::test]
async fn an_attempt_ends_at_its_timeout_and_counts_as_failed() {
    let store = store("echo waiting; sleep 1000").await;
    // Long enough for npm to start on a busy machine.
    let (tries, ended) = run(&store, "task=test&timeout=10s&retries=1").await;
    assert_eq!(tries.len(), 1);
    let stopped = tries[0].split_once("`npm run test` was stopped after ");
    let after = stopped.and_then(|(_, rest)| rest.split_once("s: it ran out of time"));
    let seconds = after.and_then(|(seconds, _)| seconds.parse::<u64>().ok());
    // The time begins before npm does and ends before npm has ended, so npm may have had less, or a second more. Without the
    // parameter it would be the five minutes of the function.
    assert!(seconds.is_some_and(|seconds| seconds <= 11), "{tries:?}");
    let failure = ended.unwrap_err();
    assert!(failure.cause.contains("it ran out of time"), "{failure:?}");
    assert!(failure.output.unwrap().contains("waiting\n"));
}

#[tokio::test]
async fn near_the_end_of_lambdas_time_the_reason_is_told() {
    let store = store("sleep 1000").await;
    let action = EndToEnd::new(&store.s3().config());
    let invocation = invocation_of(Duration::from_secs(10));
    let deadline = invocation.deadline;
    let failure = store
        .run_in(&action, store.event("task=test"), invocation)
        .await
        .unwrap_err();
    assert!(failure.cause.contains("it ran out of time"), "{failure:?}");
    assert!(deadline.remaining() > Duration::ZERO);
}

#[test_case("task=test&retries=11", "`retries` in `UserParameters` is not valid: expected a whole number from 0 to 10"; "retries")]
#[test_case("task=test&timeout=5", "`timeout` in `UserParameters` is not valid: expected a duration of a second or more, such as `30s` or `5m`"; "timeout")]
#[test_case("task=test&timeout=0s", "`timeout` in `UserParameters` is not valid: expected a duration of a second or more, such as `30s` or `5m`"; "no time")]
#[test_case("retries=1", "`UserParameters` lacks `task`"; "task")]
#[test_case("task=test&url=x", "`UserParameters` has an unknown key `url`; known keys are `task`, `runner`, `directory`, `report`, `retries`, `timeout`, `function`, `stack`, `Env.NAME`"; "unknown")]
#[tokio::test]
async fn a_parameter_that_cannot_be_used_is_named(parameters: &str, message: &str) {
    let store = store("true").await;
    let (_tries, ended) = run(&store, parameters).await;
    let failure = ended.unwrap_err();
    assert_eq!(
        (failure.failure_type, failure.cause.as_str()),
        (FailureType::ConfigurationError, message)
    );
}

#[test_case("{\"action\":\"deploy-app\",\"version\":1,\"content\":{}}", "the continuation token belongs to action `deploy-app`, not `e2e`"; "another action")]
#[test_case("garbled", "the continuation token cannot be read"; "garbled")]
#[tokio::test]
async fn a_foreign_token_is_refused(token: &str, message: &str) {
    let store = store("true").await;
    let action = EndToEnd::new(&store.s3().config());
    let event = store.event("task=test").continuation_token(token);
    assert_eq!(store.run(&action, event).await.unwrap_err().cause, message);
}

#[tokio::test]
async fn an_output_artifact_has_no_place_here() {
    let store = store("true").await;
    let action = EndToEnd::new(&store.s3().config());
    let event = store.event_with_outputs("task=test", &["Report"]);
    assert_eq!(
        store.run(&action, event).await.unwrap_err().cause,
        "the action takes no output artifact but has 1 (`Report`)"
    );
}
