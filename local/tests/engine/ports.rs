//! What the engine tells the world, and how approvals are answered.

use std::time::Duration;

use local::engine::{ChangeState, MAX_BUS_EVENTS, PortError, Subject};
use serde_json::{Value, json};

use crate::test_engine::{TestEngine, approval_action, eventually, lambda_action, pipeline};

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:approvals";

fn with_approval(stage: &str) -> Value {
    let mut ask = approval_action("Ask");
    ask["configuration"] =
        json!({"NotificationArn": TOPIC, "CustomData": "#{SourceVariables.BranchName}"});
    ask["timeoutInMinutes"] = json!(90);
    pipeline("p", &[(stage, vec![ask])])
}

async fn token(engine: &mut TestEngine) -> String {
    let asked = engine
        .until(|change| matches!(change.subject, Subject::ApprovalNeeded { .. }))
        .await;
    let Subject::ApprovalNeeded { token, .. } = asked.subject else {
        unreachable!()
    };
    token
}

fn answer(stage: &str, token: &str) -> Value {
    json!({"pipelineName": "p", "stageName": stage, "actionName": "Ask", "token": token,
        "result": {"summary": "ok", "status": "Approved"}})
}

#[tokio::test]
async fn the_topic_of_an_approval_gets_its_message() {
    let mut engine = TestEngine::start().await;
    engine.create(&with_approval("Sign")).await;
    let token = token(&mut engine).await;
    eventually(|| !engine.topics.messages.lock().unwrap().is_empty()).await;
    let messages = engine.topics.messages.lock().unwrap();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].topic, TOPIC);
    assert_eq!(
        messages[0].subject,
        "APPROVAL NEEDED: AWS CodePipeline p for action Ask"
    );
    let console = "https://console.aws.amazon.com/codepipeline/home?region=us-east-1#/view/p";
    let text: Value = serde_json::from_str(&messages[0].text).unwrap();
    assert_eq!(
        text,
        json!({"region": "us-east-1", "consoleLink": console, "approval": {
            "pipelineName": "p", "stageName": "Sign", "actionName": "Ask", "token": token,
            "expires": "2026-11-21T01:30Z", "customData": "main",
            "approvalReviewLink": format!("{console}/Sign/Ask/approve/{token}"),
        }})
    );
}

#[tokio::test]
async fn an_approval_that_nobody_was_told_of_fails() {
    let mut engine = TestEngine::start().await;
    *engine.topics.refusal.lock().unwrap() = Some(PortError {
        code: "ConfigurationError".to_owned(),
        message: "there is no such topic".to_owned(),
    });
    engine.create(&with_approval("Sign")).await;
    let id = engine.executions("p").await[0]["pipelineExecutionId"]
        .as_str()
        .unwrap()
        .to_owned();
    engine.until_pipeline(&id, ChangeState::Failed).await;
    let error = &engine.actions("p", &id).await[0]["output"]["executionResult"]["errorDetails"];
    assert_eq!(
        error,
        &json!({"code": "ConfigurationError", "message": "there is no such topic"})
    );
}

#[tokio::test]
async fn an_approval_of_a_stage_that_an_update_renamed_can_still_be_answered() {
    let mut engine = TestEngine::start().await;
    let mut declaration = with_approval("Sign");
    declaration["executionMode"] = json!("PARALLEL");
    engine.create(&declaration).await;
    let token = token(&mut engine).await;
    declaration["stages"][1]["name"] = json!("Approve");
    let update = json!({"pipeline": declaration});
    assert_eq!(engine.call("UpdatePipeline", &update).await.0, 200);
    assert_eq!(
        engine
            .refused("PutApprovalResult", &answer("Nowhere", &token))
            .await,
        "StageNotFoundException"
    );
    let (status, body) = engine
        .call("PutApprovalResult", &answer("Sign", &token))
        .await;
    assert_eq!(status, 200, "{body}");
    let id = engine.executions("p").await[0]["pipelineExecutionId"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(engine.status("p", &id).await, "Succeeded");
    let action = &engine.actions("p", &id).await[0];
    assert_eq!(action["updatedBy"], "arn:aws:iam::000000000000:root");
}

#[tokio::test]
async fn whoever_changed_a_transition_is_an_arn() {
    let engine = TestEngine::start().await;
    engine.create(&with_approval("Sign")).await;
    let disable = json!({"pipelineName": "p", "stageName": "Sign", "transitionType": "Inbound",
        "reason": "freeze"});
    assert_eq!(engine.call("DisableStageTransition", &disable).await.0, 200);
    let (_, state) = engine.call("GetPipelineState", &json!({"name": "p"})).await;
    let transition = &state["stageStates"][1]["inboundTransitionState"];
    assert_eq!(
        transition["lastChangedBy"],
        "arn:aws:iam::000000000000:root"
    );
}

#[tokio::test]
async fn job_details_leave_out_revisions_that_there_are_not() {
    let mut engine = TestEngine::start().await;
    let mut build = lambda_action("a", 1);
    build["outputArtifacts"] = json!([{"name": "Built"}]);
    engine
        .create(&pipeline("p", &[("Commit", vec![build])]))
        .await;
    let job = engine.job_of("a").await;
    assert!(job.data()["outputArtifacts"][0]["revision"].is_null());
    let (_, body) = engine
        .call("GetJobDetails", &json!({"jobId": job.id()}))
        .await;
    let data = &body["jobDetails"]["data"];
    assert_eq!(data["outputArtifacts"][0].get("revision"), None);
    assert!(data["inputArtifacts"][0]["revision"].is_string());
}

#[tokio::test]
async fn changes_are_put_on_the_bus_several_at_a_time_with_their_own_time() {
    let mut engine = TestEngine::start().await;
    let actions: Vec<_> = (0..20)
        .map(|n| lambda_action(&format!("a{n}"), 1))
        .collect();
    engine.create(&pipeline("p", &[("Commit", actions)])).await;
    let begin = engine.clock.now();
    let mut jobs = Vec::new();
    for _ in 0..20 {
        jobs.push(engine.job().await);
    }
    engine.clock.advance(Duration::from_secs(7));
    for job in &jobs {
        engine.succeed(job).await;
    }
    let ended = |calls: &[Vec<local::engine::BusEvent>]| {
        let last = calls.iter().flatten().next_back();
        last.is_some_and(|last| {
            matches!(&last.change.subject,
                Subject::Pipeline { state, .. } if *state == ChangeState::Succeeded)
        })
    };
    eventually(|| ended(&engine.bus.0.lock().unwrap())).await;
    let calls = engine.bus.0.lock().unwrap();
    assert!(
        calls
            .iter()
            .all(|call| (1..=MAX_BUS_EVENTS).contains(&call.len()))
    );
    let all: Vec<_> = calls.iter().flatten().collect();
    assert!(calls.len() < all.len(), "no call had two");
    assert!(all.iter().all(|it| it.change.detail_type().is_some()));
    let times: Vec<_> = all.iter().map(|it| it.change.time).collect();
    assert!(
        times.is_sorted(),
        "they are put in the order in which they happened"
    );
    assert_eq!(times[0], begin);
    assert_eq!(*times.last().unwrap(), engine.clock.now());
}

#[tokio::test]
async fn pages_show_everything_once_while_executions_start() {
    let engine = TestEngine::start().await;
    let mut declaration = pipeline("p", &[("Commit", vec![lambda_action("a", 1)])]);
    declaration["executionMode"] = json!("QUEUED");
    engine.create(&declaration).await;
    for _ in 0..4 {
        engine.start_execution("p").await;
    }
    let before = engine.executions("p").await;
    let mut seen = Vec::new();
    let mut input = json!({"pipelineName": "p", "maxResults": 2});
    loop {
        let (_, page) = engine.call("ListPipelineExecutions", &input).await;
        seen.extend(
            page["pipelineExecutionSummaries"]
                .as_array()
                .unwrap()
                .clone(),
        );
        engine.start_execution("p").await;
        let Some(next) = page.get("nextToken") else {
            break;
        };
        input["nextToken"] = next.clone();
    }
    let ids = |all: &[Value]| -> Vec<Value> {
        all.iter()
            .map(|it| it["pipelineExecutionId"].clone())
            .collect()
    };
    assert_eq!(ids(&seen), ids(&before));
}
