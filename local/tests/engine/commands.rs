//! `Commands` actions through the engine's API, with a shell that the tests play.

use std::collections::BTreeMap;
use std::time::Duration;

use local::engine::{CommandsRequest, PortError};
use serde_json::{Value, json};

use crate::fakes::Running;
use crate::test_engine::{TestEngine, commands_action, lambda_action, pipeline};

fn build() -> Value {
    let mut build = commands_action("Build", &["make TIER=#{variables.tier}", "echo done"]);
    build["namespace"] = json!("BuildVariables");
    build["environmentVariables"] =
        json!([{"name": "COMMIT", "value": "#{SourceVariables.CommitId}"}]);
    build["outputVariables"] = json!(["VERSION"]);
    build["outputArtifacts"] = json!([{"name": "Built", "files": ["dist/**/*"]}]);
    build
}

fn declared() -> Value {
    let mut deploy = lambda_action("deploy", 1);
    deploy["inputArtifacts"] = json!([{"name": "Built"}]);
    deploy["configuration"]["UserParameters"] = json!("version=#{BuildVariables.VERSION}");
    let mut declaration = pipeline("p", &[("Commit", vec![build()]), ("Deploy", vec![deploy])]);
    declaration["variables"] = json!([{"name": "tier", "defaultValue": "gold"}]);
    declaration
}

async fn started() -> (TestEngine, Running, String) {
    let mut engine = TestEngine::start().await;
    engine.create(&declared()).await;
    let running = engine.shell().await;
    let executions = engine.executions("p").await;
    let id = executions[0]["pipelineExecutionId"]
        .as_str()
        .unwrap()
        .to_owned();
    (engine, running, id)
}

/// The newest run of the action, once it has ended.
async fn ended(engine: &TestEngine, id: &str) -> Value {
    let running = async || engine.actions("p", id).await[0]["status"] == "InProgress";
    while running().await {
        tokio::task::yield_now().await;
    }
    engine.actions("p", id).await[0].clone()
}

#[tokio::test]
async fn commands_get_their_variables_and_hand_on_theirs() {
    let (mut engine, running, id) = started().await;
    let CommandsRequest {
        commands,
        environment,
        inputs,
        output,
        ..
    } = &running.request;
    assert_eq!(commands, &["make TIER=gold", "echo done"]);
    let commit = inputs[0].revision.clone().unwrap();
    assert_eq!(
        environment,
        &BTreeMap::from([("COMMIT".to_owned(), commit)])
    );
    assert_eq!(inputs[0].location.name, "SourceOutput");
    let output = output.clone().unwrap();
    assert_eq!(output.files.unwrap(), ["dist/**/*"]);

    let variables = BTreeMap::from([("VERSION".to_owned(), "1.2.3".to_owned())]);
    running.result.send(Ok(variables)).unwrap();
    let job = engine.job_of("deploy").await;
    let data = job.data();
    let parameters = &data["actionConfiguration"]["configuration"]["UserParameters"];
    assert_eq!(parameters, "version=1.2.3");
    let artifact = &data["inputArtifacts"][0]["location"]["s3Location"];
    assert_eq!(artifact["objectKey"], output.location.key);
    let build = &engine.actions("p", &id).await[1];
    assert_eq!(
        build["output"]["outputVariables"],
        json!({"VERSION": "1.2.3"})
    );
    let stream = format!(
        "arn:aws:logs:us-east-1:000000000000:log-group:/aws/codepipeline/p:log-stream:{}",
        build["actionExecutionId"].as_str().unwrap()
    );
    assert_eq!(build["output"]["executionResult"]["logStreamARN"], stream);
}

#[tokio::test]
async fn commands_that_fail_fail_their_action_and_can_be_retried() {
    let (mut engine, running, id) = started().await;
    let error = PortError {
        code: "JobFailed".to_owned(),
        message: "exit status 2".to_owned(),
    };
    running.result.send(Err(error)).unwrap();
    let action = ended(&engine, &id).await;
    assert_eq!(action["status"], "Failed");
    assert_eq!(
        action["output"]["executionResult"]["errorDetails"],
        json!({"code": "JobFailed", "message": "exit status 2"})
    );
    assert_eq!(engine.status("p", &id).await, "Failed");
    let retry = json!({"pipelineName": "p", "stageName": "Commit", "pipelineExecutionId": id,
        "retryMode": "FAILED_ACTIONS"});
    assert_eq!(engine.call("RetryStageExecution", &retry).await.0, 200);
    let again = engine.shell().await;
    assert_ne!(again.request.action, running.request.action);
    assert_ne!(
        again.request.output, running.request.output,
        "a key is used once"
    );
}

#[tokio::test]
async fn too_many_output_variables_fail_the_action() {
    let (engine, running, id) = started().await;
    let variables = BTreeMap::from([("VERSION".to_owned(), "x".repeat(122_880))]);
    running.result.send(Ok(variables)).unwrap();
    let action = ended(&engine, &id).await;
    let error = &action["output"]["executionResult"]["errorDetails"];
    assert_eq!(error["code"], "ConfigurationError");
    assert_eq!(
        error["message"],
        "the output variables are 122887 bytes; the limit is 122880"
    );
}

#[tokio::test]
async fn commands_are_ended_after_55_minutes() {
    let (mut engine, running, id) = started().await;
    engine.clock.advance(Duration::from_mins(54));
    assert_eq!(engine.status("p", &id).await, "InProgress");
    assert!(!running.end.is_cancelled());
    engine.advance_to_wake(Duration::from_mins(1)).await;
    let action = ended(&engine, &id).await;
    assert_eq!(
        action["output"]["executionResult"]["errorDetails"],
        json!({"code": "JobTimedOut",
            "message": "the action exceeded the time limit of a Commands action"})
    );
    assert!(running.end.is_cancelled());
}

#[tokio::test]
async fn a_stop_waits_for_the_commands_and_ends_them_only_where_it_abandons_them() {
    let (engine, running, id) = started().await;
    let stop =
        |abandon: bool| json!({"pipelineName": "p", "pipelineExecutionId": id, "abandon": abandon});
    assert_eq!(
        engine.call("StopPipelineExecution", &stop(false)).await.0,
        200
    );
    assert_eq!(engine.status("p", &id).await, "Stopping");
    assert!(!running.end.is_cancelled());
    assert_eq!(
        engine.call("StopPipelineExecution", &stop(true)).await.0,
        200
    );
    assert_eq!(engine.status("p", &id).await, "Stopped");
    assert!(running.end.is_cancelled());
}

#[tokio::test]
async fn the_commands_of_a_deleted_pipeline_are_ended() {
    let (engine, running, _) = started().await;
    assert_eq!(
        engine.call("DeletePipeline", &json!({"name": "p"})).await.0,
        200
    );
    assert!(running.end.is_cancelled());
}

#[tokio::test]
async fn the_end_of_the_engine_waits_for_the_end_of_the_commands() {
    let (engine, running, _) = started().await;
    engine.handle.shutdown().await;
    assert!(running.end.is_cancelled());
    assert!(running.result.is_closed(), "the shell has returned");
}
