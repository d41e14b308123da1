//! Several executions at once: SUPERSEDED, QUEUED, PARALLEL, and transitions.

use local::engine::ChangeState;
use serde_json::json;

use crate::test_engine::{TestEngine, commit, lambda_action, pipeline};

#[tokio::test]
async fn of_commits_in_quick_succession_the_older_waiting_one_is_superseded() {
    let mut engine = TestEngine::start().await;
    let stages = [
        ("Commit", vec![lambda_action("a", 1)]),
        ("Prod", vec![lambda_action("b", 1)]),
    ];
    engine.create(&pipeline("p", &stages)).await;
    let a = engine.job_of("a").await;
    let first = engine.executions("p").await[0]["pipelineExecutionId"]
        .as_str()
        .unwrap()
        .to_owned();
    let arrived = |change: &local::engine::StateChange, id: &str| {
        change.execution_id.as_str() == id
            && matches!(&change.subject, local::engine::Subject::Stage { stage, state, .. }
                if stage == "Source" && *state == ChangeState::Succeeded)
    };
    let older_commit = commit(engine.repository.path(), "older");
    let older = engine.start_execution("p").await;
    engine.until(|change| arrived(change, &older)).await;
    let newer_commit = commit(engine.repository.path(), "newer");
    let newer = engine.start_execution("p").await;
    engine.until(|change| arrived(change, &newer)).await;
    assert_eq!(engine.status("p", &older).await, "Superseded");
    assert_eq!(engine.status("p", &first).await, "InProgress");

    let executions = engine.executions("p").await;
    let revision = |id: &str| {
        let execution = executions
            .iter()
            .find(|it| it["pipelineExecutionId"] == id)
            .unwrap();
        execution["sourceRevisions"][0]["revisionId"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        [revision(&older), revision(&newer)],
        [older_commit, newer_commit]
    );

    let (_, state) = engine.call("GetPipelineState", &json!({"name": "p"})).await;
    let commit_stage = &state["stageStates"][1];
    assert_eq!(
        commit_stage["latestExecution"]["pipelineExecutionId"],
        first
    );
    assert_eq!(
        commit_stage["inboundExecution"]["pipelineExecutionId"],
        newer
    );
    engine.succeed(&a).await;
    let (x, y) = (engine.job().await, engine.job().await);
    let mut functions = [x.function.as_str(), y.function.as_str()];
    functions.sort_unstable();
    assert_eq!(
        functions,
        ["a", "b"],
        "the stage is free for the newer as the first goes on"
    );
    for job in [&x, &y] {
        engine.succeed(job).await;
    }
    assert_eq!(engine.status("p", &first).await, "Succeeded");
    let b = engine.job_of("b").await;
    engine.succeed(&b).await;
    assert_eq!(engine.status("p", &newer).await, "Succeeded");
    assert_eq!(engine.status("p", &older).await, "Superseded");
}

#[tokio::test]
async fn queued_executions_go_one_after_another_and_none_is_dropped() {
    let mut engine = TestEngine::start().await;
    let mut declaration = pipeline("p", &[("Commit", vec![lambda_action("a", 1)])]);
    declaration["executionMode"] = json!("QUEUED");
    engine.create(&declaration).await;
    let mut ids = vec![
        engine.executions("p").await[0]["pipelineExecutionId"]
            .as_str()
            .unwrap()
            .to_owned(),
    ];
    for _ in 0..3 {
        ids.push(engine.start_execution("p").await);
    }
    for id in &ids {
        let job = engine.job_of("a").await;
        let (_, details) = engine
            .call("GetJobDetails", &json!({"jobId": job.id()}))
            .await;
        let context = &details["jobDetails"]["data"]["pipelineContext"];
        assert_eq!(context["pipelineExecutionId"], *id);
        engine.succeed(&job).await;
        assert_eq!(engine.status("p", id).await, "Succeeded");
    }
}

#[tokio::test]
async fn more_than_fifty_queued_executions_are_refused() {
    let engine = TestEngine::start().await;
    let mut declaration = pipeline("p", &[("Commit", vec![lambda_action("a", 1)])]);
    declaration["executionMode"] = json!("QUEUED");
    engine.create(&declaration).await;
    for _ in 0..49 {
        engine.start_execution("p").await;
    }
    assert_eq!(
        engine
            .refused("StartPipelineExecution", &json!({"name": "p"}))
            .await,
        "ConcurrentPipelineExecutionsLimitExceededException"
    );
}

#[tokio::test]
async fn parallel_executions_share_a_stage_and_run_five_actions_each() {
    let mut engine = TestEngine::start().await;
    let actions = (0..7)
        .map(|number| lambda_action(&format!("a{number}"), 1))
        .collect();
    let mut declaration = pipeline("p", &[("Commit", actions)]);
    declaration["executionMode"] = json!("PARALLEL");
    engine.create(&declaration).await;
    let mut jobs = Vec::new();
    for _ in 0..5 {
        jobs.push(engine.job().await);
    }
    engine.status("p", "none").await;
    assert!(engine.no_job(), "five actions run at a time");
    let second = engine.start_execution("p").await;
    for _ in 0..5 {
        jobs.push(engine.job().await);
    }
    while let Some(job) = jobs.pop() {
        engine.succeed(&job).await;
        while jobs.len() < 4
            && let Ok(job) =
                tokio::time::timeout(std::time::Duration::from_millis(200), engine.job()).await
        {
            jobs.push(job);
        }
    }
    assert_eq!(engine.status("p", &second).await, "Succeeded");
    let (_, state) = engine.call("GetPipelineState", &json!({"name": "p"})).await;
    assert_eq!(state["stageStates"][1].get("latestExecution"), None);
}

#[tokio::test]
async fn a_disabled_transition_holds_the_newest_execution_until_it_is_enabled() {
    let mut engine = TestEngine::start().await;
    engine
        .create(&pipeline("p", &[("Commit", vec![lambda_action("a", 1)])]))
        .await;
    let a = engine.job_of("a").await;
    engine.succeed(&a).await;
    let disable = json!({"pipelineName": "p", "stageName": "Commit", "transitionType": "Inbound",
        "reason": "freeze (friday)"});
    assert_eq!(engine.call("DisableStageTransition", &disable).await.0, 200);
    let older = engine.start_execution("p").await;
    let newer = engine.start_execution("p").await;
    engine.until_pipeline(&older, ChangeState::Superseded).await;
    assert!(engine.no_job());
    let (_, state) = engine.call("GetPipelineState", &json!({"name": "p"})).await;
    let transition = &state["stageStates"][1]["inboundTransitionState"];
    assert_eq!(transition["enabled"], false);
    assert_eq!(transition["disabledReason"], "freeze (friday)");
    let enable = json!({"pipelineName": "p", "stageName": "Commit", "transitionType": "Inbound"});
    assert_eq!(engine.call("EnableStageTransition", &enable).await.0, 200);
    let a = engine.job_of("a").await;
    engine.succeed(&a).await;
    assert_eq!(engine.status("p", &newer).await, "Succeeded");
    let bad = json!({"pipelineName": "p", "stageName": "Commit", "transitionType": "Inbound",
        "reason": "tabs\tare not allowed"});
    assert_eq!(
        engine.refused("DisableStageTransition", &bad).await,
        "ValidationException"
    );
}

#[tokio::test]
async fn a_stage_that_asks_for_it_is_retried_once_by_itself() {
    let mut engine = TestEngine::start().await;
    let mut declaration = pipeline("p", &[("Commit", vec![lambda_action("a", 1)])]);
    declaration["stages"][1]["onFailure"] = json!({"result": "RETRY",
        "retryConfiguration": {"retryMode": "ALL_ACTIONS"}});
    engine.create(&declaration).await;
    let id = engine.executions("p").await[0]["pipelineExecutionId"]
        .as_str()
        .unwrap()
        .to_owned();
    for _ in 0..2 {
        let a = engine.job_of("a").await;
        engine.fail(&a, "m").await;
    }
    assert_eq!(engine.status("p", &id).await, "Failed");
    let (_, state) = engine.call("GetPipelineState", &json!({"name": "p"})).await;
    assert_eq!(
        state["stageStates"][1]["retryStageMetadata"],
        json!({"autoStageRetryAttempt": 1, "latestRetryTrigger": "AutomatedStageRetry"})
    );
}
