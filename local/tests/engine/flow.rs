//! From a commit to the last stage, and the ways that end earlier.

use local::engine::ChangeState;
use serde_json::json;

use crate::test_engine::{TestEngine, approval_action, commit, git, lambda_action, pipeline};

#[tokio::test]
async fn a_commit_goes_through_every_stage() {
    let mut engine = TestEngine::start().await;
    let mut build = lambda_action("build", 1);
    build["configuration"]["UserParameters"] =
        json!("commit=#{SourceVariables.CommitId}&run=#{codepipeline.PipelineExecutionId}");
    build["outputArtifacts"] = json!([{"name": "BuildOutput"}]);
    build["namespace"] = json!("Build");
    let mut deploy = lambda_action("deploy", 1);
    deploy["configuration"]["UserParameters"] = json!("version=#{Build.Version}");
    deploy["inputArtifacts"] = json!([{"name": "BuildOutput"}]);
    engine
        .create(&pipeline(
            "greeter",
            &[("Commit", vec![build]), ("Production", vec![deploy])],
        ))
        .await;

    let head = git(engine.repository.path(), &["rev-parse", "HEAD"]);
    let job = engine.job_of("build").await;
    let executions = engine.executions("greeter").await;
    let id = executions[0]["pipelineExecutionId"]
        .as_str()
        .unwrap()
        .to_owned();
    let source_key = job.data()["inputArtifacts"][0]["location"]["s3Location"]["objectKey"].clone();
    let output = job.data()["outputArtifacts"][0]["location"]["s3Location"]["objectKey"].clone();
    assert!(
        output.as_str().unwrap().starts_with("greeter/BuildOutpu/"),
        "{output}"
    );
    assert_eq!(
        job.event,
        json!({"CodePipeline.job": {"id": job.id(), "accountId": "000000000000", "data": {
            "actionConfiguration": {"configuration": {
                "FunctionName": "build", "UserParameters": format!("commit={head}&run={id}")}},
            "inputArtifacts": [{"name": "SourceOutput", "revision": head, "location": {"type": "S3",
                "s3Location": {"bucketName": "artifact-store", "objectKey": source_key}}}],
            "outputArtifacts": [{"name": "BuildOutput", "revision": null, "location": {"type": "S3",
                "s3Location": {"bucketName": "artifact-store", "objectKey": output}}}],
            "artifactCredentials": {"accessKeyId": "AKIAPLANTED",
                "secretAccessKey": "planted-secret", "sessionToken": "planted-token",
                "expirationTime": 1_795_219_200_000_i64 + 3_600_000},
        }}})
    );
    let stored = engine
        .store
        .0
        .lock()
        .unwrap()
        .keys()
        .cloned()
        .collect::<Vec<_>>();
    let source_key = source_key.as_str().unwrap().to_owned();
    assert_eq!(stored, [("artifact-store".to_owned(), source_key)]);

    let report = engine.client.put_job_success_result().job_id(job.id());
    report
        .output_variables("Version", "7")
        .send()
        .await
        .unwrap();
    let job = engine.job_of("deploy").await;
    let configuration = &job.data()["actionConfiguration"]["configuration"];
    assert_eq!(configuration["UserParameters"], "version=7");
    assert_eq!(
        job.data()["inputArtifacts"][0]["location"]["s3Location"]["objectKey"],
        output
    );
    engine.succeed(&job).await;
    engine.until_pipeline(&id, ChangeState::Succeeded).await;
    assert_eq!(engine.status("greeter", &id).await, "Succeeded");
    let actions = engine.actions("greeter", &id).await;
    let names: Vec<_> = actions
        .iter()
        .map(|it| it["actionName"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["deploy", "build", "Checkout"]);
    engine.handle.shutdown().await;
}

#[tokio::test]
async fn a_failure_stops_the_pipeline_after_its_siblings_have_ended_and_can_be_retried() {
    let mut engine = TestEngine::start().await;
    let actions = vec![
        lambda_action("a", 1),
        lambda_action("b", 1),
        lambda_action("c", 2),
    ];
    engine.create(&pipeline("p", &[("Commit", actions)])).await;
    let (a, b) = (engine.job_of("a").await, engine.job_of("b").await);
    let id = engine.executions("p").await[0]["pipelineExecutionId"]
        .as_str()
        .unwrap()
        .to_owned();
    engine.fail(&a, "unit test `adds` failed").await;
    assert_eq!(engine.status("p", &id).await, "InProgress");
    engine.succeed(&b).await;
    assert_eq!(engine.status("p", &id).await, "Failed");
    assert!(engine.no_job());
    let failed = engine.actions("p", &id).await;
    let failed = failed
        .iter()
        .find(|action| action["actionName"] == "a")
        .unwrap();
    assert_eq!(
        failed["output"]["executionResult"]["errorDetails"],
        json!({"code": "JobFailed", "message": "unit test `adds` failed"})
    );

    let retry = json!({"pipelineName": "p", "stageName": "Commit", "pipelineExecutionId": id,
        "retryMode": "FAILED_ACTIONS"});
    let (_, answer) = engine.call("RetryStageExecution", &retry).await;
    assert_eq!(answer["pipelineExecutionId"], id);
    let again = engine.job_of("a").await;
    assert_ne!(again.id(), a.id());
    assert_eq!(
        engine.refused("RetryStageExecution", &retry).await,
        "StageNotRetryableException"
    );
    engine.succeed(&again).await;
    let c = engine.job_of("c").await;
    engine.succeed(&c).await;
    assert_eq!(engine.status("p", &id).await, "Succeeded");
    assert_eq!(
        engine.refused("RetryStageExecution", &retry).await,
        "StageNotRetryableException"
    );
}

#[tokio::test]
async fn all_actions_of_a_stage_are_retried_on_request_and_a_later_execution_forbids_it() {
    let mut engine = TestEngine::start().await;
    let actions = vec![lambda_action("a", 1), lambda_action("b", 2)];
    engine.create(&pipeline("p", &[("Commit", actions)])).await;
    let id = engine.executions("p").await[0]["pipelineExecutionId"]
        .as_str()
        .unwrap()
        .to_owned();
    let a = engine.job_of("a").await;
    engine.succeed(&a).await;
    let b = engine.job_of("b").await;
    let retry = json!({"pipelineName": "p", "stageName": "Commit", "pipelineExecutionId": id,
        "retryMode": "ALL_ACTIONS"});
    assert_eq!(
        engine.refused("RetryStageExecution", &retry).await,
        "StageNotRetryableException"
    );
    engine.fail(&b, "m").await;
    let (status, _) = engine.call("RetryStageExecution", &retry).await;
    assert_eq!(status, 200);
    let a = engine.job_of("a").await;
    engine.fail(&a, "m").await;
    let second = engine.start_execution("p").await;
    let a = engine.job_of("a").await;
    assert_eq!(
        engine.refused("RetryStageExecution", &retry).await,
        "NotLatestPipelineExecutionException"
    );
    engine.fail(&a, "m").await;
    assert_eq!(engine.status("p", &second).await, "Failed");
}

#[tokio::test]
async fn a_stop_that_waits_lets_running_actions_end_and_starts_no_other() {
    let mut engine = TestEngine::start().await;
    let actions = vec![lambda_action("a", 1), lambda_action("b", 2)];
    engine.create(&pipeline("p", &[("Commit", actions)])).await;
    let id = engine.executions("p").await[0]["pipelineExecutionId"]
        .as_str()
        .unwrap()
        .to_owned();
    let a = engine.job_of("a").await;
    let stop = json!({"pipelineName": "p", "pipelineExecutionId": id, "reason": "wrong commit"});
    let (_, answer) = engine.call("StopPipelineExecution", &stop).await;
    assert_eq!(answer["pipelineExecutionId"], id);
    assert_eq!(engine.status("p", &id).await, "Stopping");
    assert_eq!(
        engine.refused("StopPipelineExecution", &stop).await,
        "DuplicatedStopRequestException"
    );
    engine.succeed(&a).await;
    assert_eq!(engine.status("p", &id).await, "Stopped");
    assert_eq!(
        engine.executions("p").await[0]["stopTrigger"]["reason"],
        "wrong commit"
    );
    assert_eq!(
        engine.refused("StopPipelineExecution", &stop).await,
        "PipelineExecutionNotStoppableException"
    );
    assert!(engine.no_job());
    let retry = json!({"pipelineName": "p", "stageName": "Commit", "pipelineExecutionId": id,
        "retryMode": "FAILED_ACTIONS"});
    assert_eq!(engine.call("RetryStageExecution", &retry).await.0, 200);
    let b = engine.job_of("b").await;
    engine.succeed(&b).await;
    assert_eq!(engine.status("p", &id).await, "Succeeded");
}

#[tokio::test]
async fn an_abandoned_action_can_report_no_more() {
    let mut engine = TestEngine::start().await;
    engine
        .create(&pipeline("p", &[("Commit", vec![lambda_action("a", 1)])]))
        .await;
    let id = engine.executions("p").await[0]["pipelineExecutionId"]
        .as_str()
        .unwrap()
        .to_owned();
    let a = engine.job_of("a").await;
    let stop = json!({"pipelineName": "p", "pipelineExecutionId": id, "abandon": true});
    assert_eq!(engine.call("StopPipelineExecution", &stop).await.0, 200);
    assert_eq!(engine.status("p", &id).await, "Stopped");
    assert_eq!(engine.actions("p", &id).await[0]["status"], "Abandoned");
    let late = json!({"jobId": a.id()});
    assert_eq!(
        engine.refused("PutJobSuccessResult", &late).await,
        "InvalidJobStateException"
    );
}

#[tokio::test]
async fn an_approval_is_answered_once_and_only_with_its_token() {
    let mut engine = TestEngine::start().await;
    let stages = [
        ("Approval", vec![approval_action("Sign")]),
        ("Prod", vec![lambda_action("a", 1)]),
    ];
    engine.create(&pipeline("p", &stages)).await;
    engine
        .until(|change| {
            matches!(
                &change.subject,
                local::engine::Subject::ApprovalNeeded { .. }
            )
        })
        .await;
    let (_, state) = engine.call("GetPipelineState", &json!({"name": "p"})).await;
    let latest = &state["stageStates"][1]["actionStates"][0]["latestExecution"];
    let token = latest["token"].as_str().unwrap().to_owned();
    let answer = |token: &str, status: &str| {
        json!({"pipelineName": "p", "stageName": "Approval", "actionName": "Sign", "token": token,
            "result": {"summary": "looks good", "status": status}})
    };
    let other = "00000000-0000-0000-0000-000000000000";
    assert_eq!(
        engine
            .refused("PutApprovalResult", &answer(other, "Approved"))
            .await,
        "InvalidApprovalTokenException"
    );
    let (_, approved) = engine
        .call("PutApprovalResult", &answer(&token, "Approved"))
        .await;
    assert_eq!(approved["approvedAt"], json!(1_795_219_200.0));
    assert_eq!(
        engine
            .refused("PutApprovalResult", &answer(&token, "Rejected"))
            .await,
        "ApprovalAlreadyCompletedException"
    );
    engine.job_of("a").await;
}

#[tokio::test]
async fn a_rejected_approval_fails_and_its_retry_asks_with_a_new_token() {
    let mut engine = TestEngine::start().await;
    engine
        .create(&pipeline(
            "p",
            &[("Approval", vec![approval_action("Sign")])],
        ))
        .await;
    let id = engine.executions("p").await[0]["pipelineExecutionId"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let asked = engine
            .until(|change| {
                matches!(
                    change.subject,
                    local::engine::Subject::ApprovalNeeded { .. }
                )
            })
            .await;
        let local::engine::Subject::ApprovalNeeded { token, .. } = asked.subject else {
            unreachable!()
        };
        let rejected = json!({"pipelineName": "p", "stageName": "Approval", "actionName": "Sign",
            "token": token, "result": {"summary": "not yet", "status": "Rejected"}});
        tokens.push(token);
        assert_eq!(engine.call("PutApprovalResult", &rejected).await.0, 200);
        assert_eq!(engine.status("p", &id).await, "Failed");
        let retry = json!({"pipelineName": "p", "stageName": "Approval", "pipelineExecutionId": id,
            "retryMode": "FAILED_ACTIONS"});
        assert_eq!(engine.call("RetryStageExecution", &retry).await.0, 200);
    }
    assert_ne!(tokens[0], tokens[1]);
}

#[tokio::test]
async fn an_update_cancels_what_runs_and_a_deletion_forgets_it() {
    let mut engine = TestEngine::start().await;
    let declaration = pipeline(
        "p",
        &[("Commit", vec![lambda_action("a", 1), lambda_action("b", 2)])],
    );
    engine.create(&declaration).await;
    let id = engine.executions("p").await[0]["pipelineExecutionId"]
        .as_str()
        .unwrap()
        .to_owned();
    let a = engine.job_of("a").await;
    let (_, updated) = engine
        .call("UpdatePipeline", &json!({"pipeline": declaration}))
        .await;
    assert_eq!(updated["pipeline"]["version"], 2);
    assert_eq!(engine.status("p", &id).await, "InProgress");
    engine.succeed(&a).await;
    assert_eq!(engine.status("p", &id).await, "Cancelled");
    assert!(engine.no_job());
    let retry = json!({"pipelineName": "p", "stageName": "Commit", "pipelineExecutionId": id,
        "retryMode": "FAILED_ACTIONS"});
    assert_eq!(
        engine.refused("RetryStageExecution", &retry).await,
        "StageNotRetryableException"
    );

    engine.start_execution("p").await;
    let a = engine.job_of("a").await;
    assert_eq!(
        engine.call("DeletePipeline", &json!({"name": "p"})).await.0,
        200
    );
    let late = json!({"jobId": a.id()});
    assert_eq!(
        engine.refused("PutJobSuccessResult", &late).await,
        "JobNotFoundException"
    );
    let gone = json!({"name": "p"});
    assert_eq!(
        engine.refused("GetPipeline", &gone).await,
        "PipelineNotFoundException"
    );
}

#[tokio::test]
async fn a_variable_without_a_value_fails_the_action() {
    let mut engine = TestEngine::start().await;
    let mut action = lambda_action("a", 1);
    action["configuration"]["UserParameters"] = json!("v=#{SourceVariables.Version}");
    engine
        .create(&pipeline("p", &[("Commit", vec![action])]))
        .await;
    let id = engine.executions("p").await[0]["pipelineExecutionId"]
        .as_str()
        .unwrap()
        .to_owned();
    engine.until_pipeline(&id, ChangeState::Failed).await;
    let action = &engine.actions("p", &id).await[0];
    assert_eq!(
        action["output"]["executionResult"]["errorDetails"],
        json!({"code": "ConfigurationError", "message":
            "the variable reference `#{SourceVariables.Version}` in `UserParameters` has no value"})
    );
}

#[tokio::test]
async fn pipeline_variables_and_revisions_are_chosen_at_the_start() {
    let mut engine = TestEngine::start().await;
    let first = git(engine.repository.path(), &["rev-parse", "HEAD"]);
    commit(engine.repository.path(), "second");
    let mut action = lambda_action("a", 1);
    action["configuration"]["UserParameters"] =
        json!("tier=#{variables.tier}&commit=#{SourceVariables.CommitId}");
    let mut declaration = pipeline("p", &[("Commit", vec![action])]);
    declaration["variables"] = json!([{"name": "tier"}]);
    engine.create(&declaration).await;
    assert_eq!(
        engine.executions("p").await,
        Vec::<serde_json::Value>::new()
    );
    let without = json!({"name": "p"});
    assert_eq!(
        engine.refused("StartPipelineExecution", &without).await,
        "ValidationException"
    );
    let start = json!({"name": "p", "variables": [{"name": "tier", "value": "gold"}],
        "clientRequestToken": "once", "sourceRevisions": [{"actionName": "Checkout",
            "revisionType": "COMMIT_ID", "revisionValue": first}]});
    let (_, one) = engine.call("StartPipelineExecution", &start).await;
    let (_, two) = engine.call("StartPipelineExecution", &start).await;
    assert_eq!(one, two, "one request token is one execution");
    let job = engine.job_of("a").await;
    assert_eq!(
        job.data()["actionConfiguration"]["configuration"]["UserParameters"],
        format!("tier=gold&commit={first}")
    );
}
