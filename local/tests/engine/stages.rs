//! How the end of a stage is told on the event bus, and pipelines that a caller alone starts.

use local::engine::{BusEvent, ChangeState, Subject};
use serde_json::{Value, json};

use crate::test_engine::{TestEngine, commit, eventually, git, lambda_action, pipeline};

/// What the bus was told of the stage `int`, in order.
fn told(engine: &TestEngine, execution: &str) -> Vec<ChangeState> {
    let calls = engine.bus.0.lock().unwrap();
    let of_stage = |event: &BusEvent| match &event.change.subject {
        Subject::Stage { stage, state, .. } if stage == "int" => Some(*state),
        _ => None,
    };
    let events = calls.iter().flatten();
    let events = events.filter(|event| event.change.execution_id.as_str() == execution);
    events.filter_map(of_stage).collect()
}

async fn first_execution(engine: &TestEngine) -> String {
    let executions = engine.executions("p").await;
    let id = executions[0]["pipelineExecutionId"].as_str();
    id.unwrap().to_owned()
}

const STOPPED: [ChangeState; 3] = [
    ChangeState::Started,
    ChangeState::Stopping,
    ChangeState::Stopped,
];

#[tokio::test]
async fn each_end_of_a_stage_is_told() {
    for (end, expected) in [
        (
            "succeeds",
            vec![ChangeState::Started, ChangeState::Succeeded],
        ),
        ("fails", vec![ChangeState::Started, ChangeState::Failed]),
        ("abandoned", STOPPED.to_vec()),
        ("stopped", STOPPED.to_vec()),
        ("updated", vec![ChangeState::Started, ChangeState::Canceled]),
    ] {
        let mut engine = TestEngine::start().await;
        let actions = vec![lambda_action("deploy", 1), lambda_action("test", 2)];
        let declaration = pipeline("p", &[("int", actions)]);
        engine.create(&declaration).await;
        let id = first_execution(&engine).await;
        let job = engine.job_of("deploy").await;
        let stop = |abandon: bool| json!({"pipelineName": "p", "pipelineExecutionId": id, "abandon": abandon});
        match end {
            "succeeds" => {
                engine.succeed(&job).await;
                let job = engine.job_of("test").await;
                engine.succeed(&job).await;
            }
            "fails" => engine.fail(&job, "no").await,
            "updated" => {
                let update = json!({"pipeline": declaration});
                assert_eq!(engine.call("UpdatePipeline", &update).await.0, 200);
                engine.succeed(&job).await;
            }
            _ => {
                let stop = stop(end == "abandoned");
                assert_eq!(engine.call("StopPipelineExecution", &stop).await.0, 200);
                if end == "stopped" {
                    engine.succeed(&job).await;
                }
            }
        }
        eventually(|| told(&engine, &id).last() == expected.last()).await;
        assert_eq!(told(&engine, &id), expected, "{end}");
    }
}

/// What the first action of an execution gets.
async fn parameters(engine: &mut TestEngine) -> Value {
    let job = engine.job_of("deploy").await;
    let parameters = job.data()["actionConfiguration"]["configuration"]["UserParameters"].clone();
    engine.fail(&job, "no release").await;
    parameters
}

#[tokio::test]
async fn a_pipeline_whose_source_detects_nothing_is_started_by_its_creation_and_by_callers() {
    let mut engine = TestEngine::start().await;
    let first = git(engine.repository.path(), &["rev-parse", "HEAD"]);
    commit(engine.repository.path(), "second");
    let mut deploy = lambda_action("deploy", 1);
    deploy["inputArtifacts"] = json!([]);
    deploy["configuration"]["UserParameters"] =
        json!("release=#{variables.release}&commit=#{SourceVariables.CommitId}");
    let mut declaration = pipeline("p", &[("int", vec![deploy])]);
    declaration["pipelineType"] = json!("V2");
    declaration["executionMode"] = json!("QUEUED");
    declaration["variables"] = json!([{"name": "release", "defaultValue": "none"}]);
    declaration["stages"][0]["actions"][0]["configuration"]["DetectChanges"] = json!("false");
    engine.create(&declaration).await;
    let second = git(engine.repository.path(), &["rev-parse", "HEAD"]);
    let created = parameters(&mut engine).await;
    assert_eq!(created, format!("release=none&commit={second}"));
    let executions = engine.executions("p").await;
    assert_eq!(executions.len(), 1);
    assert_eq!(executions[0]["trigger"]["triggerType"], "CreatePipeline");

    let start = json!({"name": "p", "variables": [{"name": "release", "value": "0a1b2c3d4e5f6071"}],
        "sourceRevisions": [{"actionName": "Checkout", "revisionType": "COMMIT_ID", "revisionValue": first}]});
    assert_eq!(engine.call("StartPipelineExecution", &start).await.0, 200);
    let started = parameters(&mut engine).await;
    assert_eq!(started, format!("release=0a1b2c3d4e5f6071&commit={first}"));
    assert_eq!(engine.executions("p").await.len(), 2);
}
