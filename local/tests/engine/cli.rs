//! The real `aws` command, for every operation that the engine serves.

use std::path::PathBuf;
use std::process::Stdio;

use local::engine::{ChangeState, Subject};
use serde_json::{Value, json};

use crate::test_engine::{TestEngine, approval_action, credentials, lambda_action, pipeline};

const ARN: &str = "arn:aws:codepipeline:us-east-1:000000000000:p";

/// The `aws` command: `DELIVERY_AWS_CLI`, else the first on the `PATH`.
fn command() -> Option<PathBuf> {
    let on_path = || {
        let path = delivery_action::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .map(|folder| folder.join("aws"))
            .find(|file| file.is_file())
    };
    delivery_action::env::var_os("DELIVERY_AWS_CLI")
        .map(PathBuf::from)
        .or_else(on_path)
}

/// Runs `aws codepipeline ...`: its answer, or its complaint.
async fn aws(engine: &TestEngine, arguments: &[&str]) -> Result<Value, String> {
    let home = tempfile::tempdir().unwrap();
    let output = tokio::process::Command::new(command().unwrap())
        .arg("codepipeline")
        .args(arguments)
        .args(["--output", "json"])
        .env("AWS_ENDPOINT_URL_CODEPIPELINE", engine.handle.endpoint())
        .env("AWS_ACCESS_KEY_ID", credentials().access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", home.path().join("config"))
        .env(
            "AWS_SHARED_CREDENTIALS_FILE",
            home.path().join("credentials"),
        )
        .env("AWS_PAGER", "")
        .env_remove("AWS_PROFILE")
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !output.status.success() {
        return Err(text(&output.stderr));
    }
    let answer = text(&output.stdout);
    Ok(if answer.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&answer).unwrap()
    })
}

async fn ok(engine: &TestEngine, arguments: &[&str]) -> Value {
    aws(engine, arguments)
        .await
        .unwrap_or_else(|complaint| panic!("{arguments:?}: {complaint}"))
}

#[expect(clippy::print_stderr, reason = "a test that does not run says so")]
fn skipped() -> bool {
    if command().is_some() {
        return false;
    }
    eprintln!("skipped: there is no `aws` command (set DELIVERY_AWS_CLI)");
    true
}

#[tokio::test]
async fn the_aws_command_reads_and_changes_pipelines() {
    if skipped() {
        return;
    }
    let engine = TestEngine::start().await;
    let declaration = pipeline("p", &[("Commit", vec![lambda_action("a", 1)])]);
    let (tags, text) = (
        json!([{"key": "team", "value": "x"}]).to_string(),
        declaration.to_string(),
    );
    let created = ok(
        &engine,
        &["create-pipeline", "--pipeline", &text, "--tags", &tags],
    )
    .await;
    assert_eq!(created["pipeline"]["version"], 1);
    assert_eq!(created["tags"][0]["key"], "team");
    let got = ok(&engine, &["get-pipeline", "--name", "p"]).await;
    assert_eq!(got["pipeline"]["stages"], created["pipeline"]["stages"]);
    assert_eq!(got["metadata"]["pipelineArn"], ARN);
    // Version 1 of the command shows seconds, version 2 a date.
    let created = &got["metadata"]["created"];
    let seconds = created.as_f64() == Some(1_795_219_200.0);
    assert!(
        seconds || created.as_str().unwrap().starts_with("2026-11-21T"),
        "{created}"
    );
    let updated = ok(&engine, &["update-pipeline", "--pipeline", &text]).await;
    assert_eq!(updated["pipeline"]["version"], 2);
    let listed = ok(&engine, &["list-pipelines"]).await;
    assert_eq!(listed["pipelines"][0]["name"], "p");
    assert_eq!(listed["pipelines"][0]["pipelineType"], "V2");
    ok(
        &engine,
        &[
            "tag-resource",
            "--resource-arn",
            ARN,
            "--tags",
            "key=stage,value=y",
        ],
    )
    .await;
    ok(
        &engine,
        &[
            "untag-resource",
            "--resource-arn",
            ARN,
            "--tag-keys",
            "team",
        ],
    )
    .await;
    let tags = ok(&engine, &["list-tags-for-resource", "--resource-arn", ARN]).await;
    assert_eq!(tags, json!({"tags": [{"key": "stage", "value": "y"}]}));
    ok(&engine, &["delete-pipeline", "--name", "p"]).await;
    let complaint = aws(&engine, &["get-pipeline-state", "--name", "p"])
        .await
        .unwrap_err();
    assert!(
        complaint.contains("(PipelineNotFoundException)"),
        "{complaint}"
    );
}

#[tokio::test]
async fn the_aws_command_runs_an_execution_from_start_to_approval() {
    if skipped() {
        return;
    }
    let mut engine = TestEngine::start().await;
    let stages = [
        ("Commit", vec![lambda_action("a", 1)]),
        ("Sign", vec![approval_action("Ask")]),
    ];
    engine.create(&pipeline("p", &stages)).await;
    let first = engine.job_of("a").await;
    let failure = "type=JobFailed,message=broken,externalExecutionId=x-1";
    let job = ["--job-id", first.id(), "--failure-details", failure];
    ok(&engine, &[&["put-job-failure-result"], &job[..]].concat()).await;

    let started = ok(&engine, &["start-pipeline-execution", "--name", "p"]).await;
    let id = started["pipelineExecutionId"].as_str().unwrap().to_owned();
    let job = engine.job_of("a").await;
    let details = ok(&engine, &["get-job-details", "--job-id", job.id()]).await;
    assert_eq!(
        details["jobDetails"]["data"]["pipelineContext"]["pipelineExecutionId"],
        id
    );
    engine.fail(&job, "broken again").await;
    let execution = ["--pipeline-name", "p", "--pipeline-execution-id", &id];
    let retry = [
        "retry-stage-execution",
        "--stage-name",
        "Commit",
        "--retry-mode",
        "FAILED_ACTIONS",
    ];
    let retried = ok(&engine, &[&retry[..], &execution[..]].concat()).await;
    assert_eq!(retried["pipelineExecutionId"], id);
    let job = engine.job_of("a").await;
    let report = [
        "put-job-success-result",
        "--job-id",
        job.id(),
        "--output-variables",
        "Version=7",
        "--execution-details",
        "summary=done,percentComplete=100",
    ];
    ok(&engine, &report).await;
    engine
        .until(|change| matches!(&change.subject, Subject::ApprovalNeeded { .. }))
        .await;
    let state = ok(&engine, &["get-pipeline-state", "--name", "p"]).await;
    let action = &state["stageStates"][1]["actionStates"][0]["latestExecution"];
    assert_eq!(
        (&action["status"], &action["summary"]),
        (&json!("Succeeded"), &json!("done"))
    );
    let asked = &state["stageStates"][2]["actionStates"][0]["latestExecution"];
    let token = asked["token"].as_str().unwrap();
    let answer = [
        "put-approval-result",
        "--pipeline-name",
        "p",
        "--stage-name",
        "Sign",
        "--action-name",
        "Ask",
        "--result",
        "summary=ok,status=Approved",
        "--token",
        token,
    ];
    ok(&engine, &answer).await;
    engine.until_pipeline(&id, ChangeState::Succeeded).await;

    let got = ok(
        &engine,
        &[&["get-pipeline-execution"], &execution[..]].concat(),
    )
    .await;
    assert_eq!(got["pipelineExecution"]["status"], "Succeeded");
    let all = ok(
        &engine,
        &["list-pipeline-executions", "--pipeline-name", "p"],
    )
    .await;
    assert_eq!(
        all["pipelineExecutionSummaries"].as_array().unwrap().len(),
        2
    );
    let filter = format!("pipelineExecutionId={id}");
    let list = [
        "list-action-executions",
        "--pipeline-name",
        "p",
        "--filter",
        &filter,
    ];
    let actions = ok(&engine, &list).await;
    let actions = actions["actionExecutionDetails"].as_array().unwrap();
    let statuses: Vec<_> = actions
        .iter()
        .map(|it| it["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["Succeeded", "Succeeded", "Failed", "Succeeded"]);
    assert_eq!(
        actions[1]["output"]["outputVariables"],
        json!({"Version": "7"})
    );
}

#[tokio::test]
async fn the_aws_command_stops_executions_and_closes_transitions() {
    if skipped() {
        return;
    }
    let mut engine = TestEngine::start().await;
    engine
        .create(&pipeline("p", &[("Commit", vec![lambda_action("a", 1)])]))
        .await;
    engine.job_of("a").await;
    let id = engine.executions("p").await[0]["pipelineExecutionId"]
        .as_str()
        .unwrap()
        .to_owned();
    let stop = [
        "stop-pipeline-execution",
        "--pipeline-name",
        "p",
        "--pipeline-execution-id",
        &id,
        "--abandon",
        "--reason",
        "wrong",
    ];
    let stopped = ok(&engine, &stop).await;
    assert_eq!(stopped["pipelineExecutionId"], id);
    let complaint = aws(&engine, &stop).await.unwrap_err();
    assert!(
        complaint.contains("(PipelineExecutionNotStoppableException)"),
        "{complaint}"
    );
    let transition = [
        "--pipeline-name",
        "p",
        "--stage-name",
        "Commit",
        "--transition-type",
        "Inbound",
    ];
    let disable = [
        &["disable-stage-transition", "--reason", "freeze"],
        &transition[..],
    ]
    .concat();
    ok(&engine, &disable).await;
    let state = ok(&engine, &["get-pipeline-state", "--name", "p"]).await;
    let inbound = &state["stageStates"][1]["inboundTransitionState"];
    assert_eq!(
        (&inbound["enabled"], &inbound["disabledReason"]),
        (&json!(false), &json!("freeze"))
    );
    ok(
        &engine,
        &[&["enable-stage-transition"], &transition[..]].concat(),
    )
    .await;
    let state = ok(&engine, &["get-pipeline-state", "--name", "p"]).await;
    assert_eq!(
        state["stageStates"][1]["inboundTransitionState"]["enabled"],
        true
    );
}
