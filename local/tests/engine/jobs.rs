//! Jobs: continuation, timers, and what is delivered more than once.

use std::time::Duration;

use local::engine::{ChangeState, PortError};
use serde_json::json;

use crate::rig::{Rig, lambda_action, pipeline};

const MINUTE: Duration = Duration::from_mins(1);

async fn started(rig: &Rig) -> String {
    rig.create(&pipeline("p", &[("Commit", vec![lambda_action("a", 1)])]))
        .await;
    rig.executions("p").await[0]["pipelineExecutionId"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn an_action_of_forty_minutes_goes_through_continuation_tokens() {
    let mut rig = Rig::start().await;
    let id = started(&rig).await;
    let begin = rig.clock.now();
    let mut job = rig.job_of("a").await;
    assert_eq!(job.data().get("continuationToken"), None);
    let mut ids = vec![job.id().to_owned()];
    let mut number = 0;
    while rig.clock.now().duration_since(begin) < jiff::SignedDuration::from_mins(40) {
        number += 1;
        let token = format!("step-{number}");
        rig.go_on(&job, &token).await;
        rig.advance_to_wake(Duration::from_secs(30)).await;
        job = rig.job_of("a").await;
        assert_eq!(job.data()["continuationToken"], token);
        assert!(
            !ids.contains(&job.id().to_owned()),
            "each continuation is a new job"
        );
        ids.push(job.id().to_owned());
    }
    rig.succeed(&job).await;
    assert_eq!(rig.status("p", &id).await, "Succeeded");
    assert_eq!(ids.len(), 81);
    assert_eq!(
        rig.actions("p", &id).await.len(),
        2,
        "one action execution, however many jobs"
    );
}

#[tokio::test]
async fn an_action_that_never_reports_fails_after_twenty_minutes() {
    let mut rig = Rig::start().await;
    let id = started(&rig).await;
    let job = rig.job_of("a").await;
    rig.clock.advance(19 * MINUTE);
    assert_eq!(rig.status("p", &id).await, "InProgress");
    rig.advance_to_wake(MINUTE).await;
    rig.until_pipeline(&id, ChangeState::Failed).await;
    let error = rig.actions("p", &id).await[0]["output"]["executionResult"]["errorDetails"].clone();
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
        rig.refused("PutJobSuccessResult", &late).await,
        "InvalidJobStateException"
    );
    assert_eq!(rig.status("p", &id).await, "Failed");
}

#[tokio::test]
async fn an_action_that_always_goes_on_fails_after_a_day() {
    let mut rig = Rig::start().await;
    let id = started(&rig).await;
    // 73 times 19.5 minutes are 23 hours and 43.5 minutes.
    for _ in 0..73 {
        let job = rig.job_of("a").await;
        rig.clock.advance(19 * MINUTE);
        rig.go_on(&job, "t").await;
        rig.advance_to_wake(Duration::from_secs(30)).await;
    }
    rig.job_of("a").await;
    rig.advance_to_wake(19 * MINUTE).await;
    rig.until_pipeline(&id, ChangeState::Failed).await;
    let error = &rig.actions("p", &id).await[0]["output"]["executionResult"]["errorDetails"];
    assert_eq!(
        error,
        &json!({"code": "JobTimedOut",
            "message": "the action took longer than a Lambda action may in all"})
    );
}

#[tokio::test]
async fn a_job_that_is_delivered_twice_has_one_result() {
    let mut rig = Rig::start().await;
    let id = started(&rig).await;
    let job = rig.job_of("a").await;
    rig.succeed(&job).await;
    let again = json!({"jobId": job.id()});
    assert_eq!(
        rig.refused("PutJobSuccessResult", &again).await,
        "InvalidJobStateException"
    );
    let failure = json!({"jobId": job.id(),
        "failureDetails": {"type": "JobFailed", "message": "m"}});
    assert_eq!(
        rig.refused("PutJobFailureResult", &failure).await,
        "InvalidJobStateException"
    );
    assert_eq!(rig.status("p", &id).await, "Succeeded");
}

#[tokio::test]
async fn a_function_that_cannot_be_invoked_fails_the_action() {
    let mut rig = Rig::start().await;
    let error = PortError {
        code: "ConfigurationError".to_owned(),
        message: "no `a`".to_owned(),
    };
    *rig.functions.refusal.lock().unwrap() = Some(error);
    let id = started(&rig).await;
    rig.until_pipeline(&id, ChangeState::Failed).await;
    assert_eq!(
        rig.actions("p", &id).await[0]["output"]["executionResult"]["errorDetails"],
        json!({"code": "ConfigurationError", "message": "no `a`"})
    );
}

#[tokio::test]
async fn job_details_are_the_event_and_where_it_belongs() {
    let mut rig = Rig::start().await;
    let id = started(&rig).await;
    let job = rig.job_of("a").await;
    let (_, body) = rig.call("GetJobDetails", &json!({"jobId": job.id()})).await;
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
        rig.refused("GetJobDetails", &unknown).await,
        "JobNotFoundException"
    );
}

#[tokio::test]
async fn reports_are_held_to_the_limits_of_the_service() {
    let mut rig = Rig::start().await;
    started(&rig).await;
    let job = rig.job_of("a").await;
    let both = json!({"jobId": job.id(), "continuationToken": "t", "outputVariables": {"a": "b"}});
    assert_eq!(
        rig.refused("PutJobSuccessResult", &both).await,
        "ValidationException"
    );
    let large = json!({"jobId": job.id(), "outputVariables": {"a": "b".repeat(122_880)}});
    assert_eq!(
        rig.refused("PutJobSuccessResult", &large).await,
        "OutputVariablesSizeExceededException"
    );
    let long = json!({"jobId": job.id(), "continuationToken": "t".repeat(2_049)});
    assert_eq!(
        rig.refused("PutJobSuccessResult", &long).await,
        "ValidationException"
    );
    let kind = json!({"jobId": job.id(), "failureDetails": {"type": "Broken", "message": "m"}});
    assert_eq!(
        rig.refused("PutJobFailureResult", &kind).await,
        "ValidationException"
    );
    let empty = json!({"jobId": job.id(), "failureDetails": {"type": "JobFailed", "message": ""}});
    assert_eq!(
        rig.refused("PutJobFailureResult", &empty).await,
        "ValidationException"
    );
}
