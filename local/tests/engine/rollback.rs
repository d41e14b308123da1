//! `RollbackStage`.

use local::engine::ChangeState;
use serde_json::{Value, json};

use crate::test_engine::{TestEngine, commit, lambda_action, pipeline};

/// A pipeline that builds and deploys; its first execution is through.
async fn deployed(engine: &mut TestEngine) -> String {
    let mut build = lambda_action("build", 1);
    build["outputArtifacts"] = json!([{"name": "BuildOutput"}]);
    build["namespace"] = json!("Build");
    let mut deploy = lambda_action("deploy", 1);
    deploy["configuration"]["UserParameters"] =
        json!("version=#{Build.Version}&commit=#{SourceVariables.CommitId}");
    deploy["inputArtifacts"] = json!([{"name": "BuildOutput"}]);
    let test = lambda_action("test", 1);
    let stages = [
        ("Commit", vec![build]),
        ("Production", vec![deploy]),
        ("After", vec![test]),
    ];
    engine.create(&pipeline("p", &stages)).await;
    let id = engine.executions("p").await[0]["pipelineExecutionId"].clone();
    let id = id.as_str().unwrap().to_owned();
    go_through(engine, &id, "1").await;
    id
}

async fn go_through(engine: &mut TestEngine, id: &str, version: &str) {
    let build = engine.job_of("build").await;
    let report = engine.client.put_job_success_result().job_id(build.id());
    let report = report.output_variables("Version", version);
    report.send().await.unwrap();
    for name in ["deploy", "test"] {
        let job = engine.job_of(name).await;
        engine.succeed(&job).await;
    }
    engine.until_pipeline(id, ChangeState::Succeeded).await;
}

fn roll_back(stage: &str, target: &str) -> Value {
    json!({"pipelineName": "p", "stageName": stage, "targetPipelineExecutionId": target})
}

#[tokio::test]
async fn a_stage_runs_again_with_what_an_earlier_execution_had() {
    let mut engine = TestEngine::start().await;
    let first = deployed(&mut engine).await;
    let parameters = |job: &crate::fakes::Job| {
        job.data()["actionConfiguration"]["configuration"]["UserParameters"].clone()
    };
    let old = engine.actions("p", &first).await;
    let old = old
        .iter()
        .find(|one| one["actionName"] == "deploy")
        .unwrap();
    commit(engine.repository.path(), "second");
    let second = engine.start_execution("p").await;
    go_through(&mut engine, &second, "2").await;

    // Nothing comes in from the stage before; a rollback does not come from there.
    let closed = json!({"pipelineName": "p", "stageName": "Production", "transitionType": "Inbound",
        "reason": "version 2 is bad"});
    assert_eq!(engine.call("DisableStageTransition", &closed).await.0, 200);
    let (status, answer) = engine
        .call("RollbackStage", &roll_back("Production", &first))
        .await;
    assert_eq!(status, 200, "{answer}");
    let id = answer["pipelineExecutionId"].as_str().unwrap().to_owned();
    let job = engine.job_of("deploy").await;
    assert_eq!(
        parameters(&job),
        old["input"]["resolvedConfiguration"]["UserParameters"]
    );
    assert_eq!(
        job.data()["inputArtifacts"][0]["location"]["s3Location"]["objectKey"],
        old["input"]["inputArtifacts"][0]["s3location"]["key"]
    );
    assert_eq!(
        engine
            .refused("RollbackStage", &roll_back("Production", &first))
            .await,
        "UnableToRollbackStageException"
    );
    engine.succeed(&job).await;
    engine.until_pipeline(&id, ChangeState::Succeeded).await;
    assert!(engine.no_job(), "the stage after it is not entered");
    let newest = engine.executions("p").await[0].clone();
    assert_eq!(newest["executionType"], "ROLLBACK");
    assert_eq!(newest["trigger"]["triggerType"], "ManualRollback");
    assert_eq!(
        newest["rollbackMetadata"],
        json!({"rollbackTargetPipelineExecutionId": first})
    );
    let (_, state) = engine.call("GetPipelineState", &json!({"name": "p"})).await;
    assert_eq!(
        state["stageStates"][2]["latestExecution"]["type"],
        "ROLLBACK"
    );
}

#[tokio::test]
async fn only_a_success_of_the_present_structure_can_be_rolled_back_to() {
    let mut engine = TestEngine::start().await;
    let first = deployed(&mut engine).await;
    for (stage, target, code) in [
        ("Source", first.as_str(), "UnableToRollbackStageException"),
        ("Nowhere", &first, "StageNotFoundException"),
        (
            "Production",
            "00000000-0000-4000-8000-000000000000",
            "PipelineExecutionNotFoundException",
        ),
    ] {
        let refused = engine
            .refused("RollbackStage", &roll_back(stage, target))
            .await;
        assert_eq!(refused, code, "{stage}");
    }
    let second = engine.start_execution("p").await;
    let build = engine.job_of("build").await;
    engine.fail(&build, "unit test `adds` failed").await;
    assert_eq!(
        engine
            .refused("RollbackStage", &roll_back("Production", &second))
            .await,
        "UnableToRollbackStageException"
    );
    let (_, answer) = engine
        .call("RollbackStage", &roll_back("Production", &first))
        .await;
    let rollback = answer["pipelineExecutionId"].as_str().unwrap().to_owned();
    let job = engine.job_of("deploy").await;
    engine.succeed(&job).await;
    engine
        .until_pipeline(&rollback, ChangeState::Succeeded)
        .await;
    assert_eq!(
        engine
            .refused("RollbackStage", &roll_back("Production", &rollback))
            .await,
        "UnableToRollbackStageException"
    );

    let (_, declared) = engine.call("GetPipeline", &json!({"name": "p"})).await;
    let changed = json!({"pipeline": declared["pipeline"]});
    assert_eq!(engine.call("UpdatePipeline", &changed).await.0, 200);
    assert_eq!(
        engine
            .refused("RollbackStage", &roll_back("Production", &first))
            .await,
        "PipelineExecutionOutdatedException"
    );
}
