//! Jobs: continuation, timers, and what is delivered more than once.

use std::time::Duration;

use local::engine::{ChangeState, PortError};
use serde_json::json;

use crate::test_engine::{TestEngine, lambda_action, pipeline};

const MINUTE: Duration = Duration::from_mins(1);

async fn started(engine: &TestEngine) -> String {
    engine
        .create(&pipeline("p", &[("Commit", vec![lambda_action("a", 1)])]))
        .await;
    engine.executions("p").await[0]["pipelineExecutionId"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn an_action_of_forty_minutes_goes_through_continuation_tokens() {
    let mut engine = TestEngine::start().await;
    let id = started(&engine).await;
    let begin = engine.clock.now();
    let mut job = engine.job_of("a").await;
    assert_eq!(job.data().get("continuationToken"), None);
    let mut ids = vec![job.id().to_owned()];
    let mut number = 0;
    while engine.clock.now().duration_since(begin) < jiff::SignedDuration::from_mins(40) {
        number += 1;
        let token = format!("step-{number}");
        engine.continue_with(&job, &token).await;
        engine.advance_to_wake(Duration::from_secs(30)).await;
        job = engine.job_of("a").await;
        assert_eq!(job.data()["continuationToken"], token);
        assert!(
            !ids.contains(&job.id().to_owned()),
            "each continuation is a new job"
        );
        ids.push(job.id().to_owned());
    }
    engine.succeed(&job).await;
    assert_eq!(engine.status("p", &id).await, "Succeeded");
    assert_eq!(ids.len(), 81);
    assert_eq!(
        engine.actions("p", &id).await.len(),
        2,
        "one action execution, however many jobs"
    );
}

#[tokio::test]
async fn an_action_that_never_reports_fails_after_twenty_minutes() {
    let mut engine = TestEngine::start().await;
    let id = started(&engine).await;
    let job = engine.job_of("a").await;
    engine.clock.advance(19 * MINUTE);
    assert_eq!(engine.status("p", &id).await, "InProgress");
    engine.advance_to_wake(MINUTE).await;
    engine.until_pipeline(&id, ChangeState::Failed).await;
    let error =
        engine.actions("p", &id).await[0]["output"]["executionResult"]["errorDetails"].clone();
    assert_eq!(error["code"], "JobTimedOut");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("a failed to return a result"),
        "{error}"
    );
    let late = json!({"jobId": job.id()});
    assert_eq!(
        engine.refused("PutJobSuccessResult", &late).await,
        "InvalidJobStateException"
    );
    assert_eq!(engine.status("p", &id).await, "Failed");
}

#[tokio::test]
async fn an_action_that_always_goes_on_fails_after_a_day() {
    let mut engine = TestEngine::start().await;
    let id = started(&engine).await;
    // 73 times 19.5 minutes are 23 hours and 43.5 minutes.
    for _ in 0..73 {
        let job = engine.job_of("a").await;
        engine.clock.advance(19 * MINUTE);
        engine.continue_with(&job, "t").await;
        engine.advance_to_wake(Duration::from_secs(30)).await;
    }
    engine.job_of("a").await;
    engine.advance_to_wake(19 * MINUTE).await;
    engine.until_pipeline(&id, ChangeState::Failed).await;
    let error = &engine.actions("p", &id).await[0]["output"]["executionResult"]["errorDetails"];
    assert_eq!(
        error,
        &json!({"code": "JobTimedOut",
            "message": "the action exceeded the total time limit of a Lambda action"})
    );
}

#[tokio::test]
async fn a_job_that_is_delivered_twice_has_one_result() {
    let mut engine = TestEngine::start().await;
    let id = started(&engine).await;
    let job = engine.job_of("a").await;
    engine.succeed(&job).await;
    let again = json!({"jobId": job.id()});
    assert_eq!(
        engine.refused("PutJobSuccessResult", &again).await,
        "InvalidJobStateException"
    );
    let failure = json!({"jobId": job.id(),
        "failureDetails": {"type": "JobFailed", "message": "m"}});
    assert_eq!(
        engine.refused("PutJobFailureResult", &failure).await,
        "InvalidJobStateException"
    );
    assert_eq!(engine.status("p", &id).await, "Succeeded");
}

#[tokio::test]
async fn a_function_that_cannot_be_invoked_fails_the_action() {
    let mut engine = TestEngine::start().await;
    let error = PortError {
        code: "ConfigurationError".to_owned(),
        message: "no `a`".to_owned(),
    };
    *engine.functions.refusal.lock().unwrap() = Some(error);
    let id = started(&engine).await;
    engine.until_pipeline(&id, ChangeState::Failed).await;
    assert_eq!(
        engine.actions("p", &id).await[0]["output"]["executionResult"]["errorDetails"],
        json!({"code": "ConfigurationError", "message": "no `a`"})
    );
}

#[tokio::test]
async fn job_details_are_the_event_and_where_it_belongs() {
    let mut engine = TestEngine::start().await;
    let id = started(&engine).await;
    let job = engine.job_of("a").await;
    let (_, body) = engine
        .call("GetJobDetails", &json!({"jobId": job.id()}))
        .await;
    let details = &body["jobDetails"];
    assert_eq!(
        details["data"]["inputArtifacts"],
        job.data()["inputArtifacts"]
    );
    assert_eq!(
        details["data"]["artifactCredentials"]["sessionToken"],
        "planted-token"
    );
    let context = &details["data"]["pipelineContext"];
    assert_eq!(context["pipelineExecutionId"], id);
    assert_eq!(context["stage"]["name"], "Commit");
    assert_eq!(
        context["pipelineArn"],
        "arn:aws:codepipeline:us-east-1:000000000000:p"
    );
    let unknown = json!({"jobId": "00000000-0000-0000-0000-000000000000"});
    assert_eq!(
        engine.refused("GetJobDetails", &unknown).await,
        "JobNotFoundException"
    );
}

#[tokio::test]
async fn reports_are_held_to_the_limits_of_the_service() {
    let mut engine = TestEngine::start().await;
    started(&engine).await;
    let job = engine.job_of("a").await;
    let both = json!({"jobId": job.id(), "continuationToken": "t", "outputVariables": {"a": "b"}});
    assert_eq!(
        engine.refused("PutJobSuccessResult", &both).await,
        "ValidationException"
    );
    let large = json!({"jobId": job.id(), "outputVariables": {"a": "b".repeat(122_880)}});
    assert_eq!(
        engine.refused("PutJobSuccessResult", &large).await,
        "OutputVariablesSizeExceededException"
    );
    let long = json!({"jobId": job.id(), "continuationToken": "t".repeat(2_049)});
    assert_eq!(
        engine.refused("PutJobSuccessResult", &long).await,
        "ValidationException"
    );
    let kind = json!({"jobId": job.id(), "failureDetails": {"type": "Broken", "message": "m"}});
    assert_eq!(
        engine.refused("PutJobFailureResult", &kind).await,
        "ValidationException"
    );
    let empty = json!({"jobId": job.id(), "failureDetails": {"type": "JobFailed", "message": ""}});
    assert_eq!(
        engine.refused("PutJobFailureResult", &empty).await,
        "ValidationException"
    );
}
