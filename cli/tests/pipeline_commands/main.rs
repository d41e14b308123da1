//! The commands about the pipeline, as the built program, against the engine's own API.
//!
//! The engine is the real one; the other services are played, as far as these commands ask them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod live_view;
mod releases;
mod rollout;
mod services;
mod world;

use serde_json::{Value, json};
use world::World;

/// The text of a value.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "a story")]
async fn from_a_failure_through_retry_and_approval_to_a_stop() {
    let mut world = World::start().await;
    let commit = world.commit.clone();

    // The creation began an execution; its first job fails.
    let job = world.job_of("package").await;
    let busy = world.json(&["status"]).await;
    assert_eq!(busy.code, 0, "{}", busy.printed);
    let stages = &busy.documents[0]["pipeline"]["stages"];
    assert_eq!(stages[0]["status"], "Succeeded");
    assert_eq!(stages[1]["status"], "InProgress");
    assert_eq!(stages[1]["revision"]["id"], commit.as_str());
    assert_eq!(stages[1]["revision"]["message"], "First commit");
    assert_eq!(world.run(&["stop", "nope"]).await.code, 5);
    world.fail(&job, "1 test failed: greets").await;
    world.until_stage("Commit", "Failed").await;

    let failed = world.json(&["status", "--exit-status"]).await;
    assert_eq!(failed.code, 3, "{}", failed.printed);
    let document = &failed.documents[0];
    assert_eq!(document["stack"]["status"], "CREATE_COMPLETE");
    assert_eq!(document["connection"]["status"], "AVAILABLE");
    assert_eq!(
        document["next"],
        json!(["delivery log --failed", "delivery retry Commit"])
    );
    world.agrees_with_the_service(document).await;

    // Its log: the failure first, then the lines of all pages and none of another's, without secrets.
    let log = world.run(&["log", "--failed"]).await;
    assert_eq!(log.code, 0, "{}", log.printed);
    let lines: Vec<&str> = log.data.lines().map(str::trim_start).collect();
    assert!(
        lines[0].starts_with("✗ Failed      Commit / package"),
        "{lines:?}"
    );
    assert_eq!(
        lines[1..4],
        [
            "error[JobFailed]:",
            "| 1 test failed: greets",
            "log of /of/package:"
        ]
    );
    let said: Vec<&str> = lines[4..]
        .iter()
        .map(|line| line.split_once("  ").unwrap().1)
        .collect();
    assert_eq!(
        said,
        ["| first page", "| key [redacted]", "| WARN second page"]
    );
    assert!(
        log.printed.contains("`delivery retry Commit`"),
        "{}",
        log.printed
    );
    assert!(!log.data.contains('\u{1b}'), "no colours in a pipe");
    let printed = world
        .json(&["log", "--stage", "Commit", "--action", "package"])
        .await;
    let result = printed.documents.last().unwrap();
    assert_eq!(result["type"], "result");
    assert_eq!(result["exitCode"], 0);
    assert_eq!(world.run(&["log", "--stage", "Nope"]).await.code, 5);
    let events = world.run(&["log"]).await;
    assert!(events.data.contains("CREATE_COMPLETE"), "{}", events.data);

    // Retried, it comes to the approval, which only its own commit passes.
    let retried = world.json(&["retry"]).await;
    assert_eq!(retried.code, 0, "{}", retried.printed);
    assert_eq!(retried.documents[0]["stage"], "Commit");
    let job = world.job_of("package").await;
    let again = world.json(&["retry", "Commit"]).await;
    assert_eq!(again.code, 1, "{}", again.printed);
    assert_eq!(again.documents[0]["error"]["type"], "running");
    let branch = world.json(&["start", "--revision", "main"]).await;
    assert_eq!(branch.code, 2, "{}", branch.printed);
    world.succeed(&job).await;
    world.until_waiting("Approval").await;
    let waiting = world.run(&["status", "--exit-status"]).await;
    assert_eq!(waiting.code, 8, "{}", waiting.printed);
    assert!(waiting.data.contains("◦ Waiting"), "{}", waiting.data);
    let approve = format!("delivery approve {}", &commit[..8]);
    assert!(waiting.data.contains(&approve), "{}", waiting.data);
    let nobody = world.run(&["approve"]).await;
    assert_eq!(nobody.code, 2, "{}", nobody.printed);
    let stale = world.json(&["approve", "0000000"]).await;
    assert_eq!(stale.code, 1);
    let error = &stale.documents[0]["error"];
    assert_eq!(error["type"], "stale");
    assert!(text(&error["message"]).contains("`0000000`"), "{error}");
    assert!(text(&error["message"]).contains(&commit[..8]), "{error}");
    // `--yes` answers without a question and without a commit.
    let approved = world.json(&["approve", "--yes", "-m", "good"]).await;
    assert_eq!(approved.code, 0, "{}", approved.printed);
    assert_eq!(approved.documents[0]["answer"], "Approved");
    let _deploy = world.job_of("deploy").await;
    assert_eq!(world.run(&["approve", &commit]).await.code, 5);

    // What is in progress is stopped once it has ended, or given up.
    let stopped = world.json(&["stop"]).await;
    assert_eq!(stopped.code, 0, "{}", stopped.printed);
    assert_eq!(stopped.documents[0]["status"], "Stopping");
    assert_eq!(
        stopped.documents[0]["running"],
        json!(["Production / deploy"])
    );
    let execution = text(&stopped.documents[0]["execution"]).to_owned();
    assert_eq!(world.run(&["stop", &execution[..8]]).await.code, 1);
    let abandoned = world.json(&["stop", &execution[..8], "--abandon"]).await;
    assert_eq!(abandoned.code, 0, "{}", abandoned.printed);
    assert_eq!(abandoned.documents[0]["status"], "Stopped");
    assert_eq!(world.run(&["stop", &execution]).await.code, 1);
    assert_eq!(world.run(&["stop"]).await.code, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_started_execution_is_followed_to_its_end_and_a_rejection_fails_it() {
    let mut world = World::start().await;
    let job = world.job_of("package").await;
    world.succeed(&job).await;
    world.until_waiting("Approval").await;
    let commit = world.commit.clone();
    let rejected = world.json(&["reject", &commit]).await;
    assert_eq!(rejected.code, 0, "{}", rejected.printed);
    assert_eq!(rejected.documents[0]["answer"], "Rejected");
    world.until_stage("Approval", "Failed").await;

    let started = world.json(&["start", "--revision", &commit]).await;
    assert_eq!(started.code, 0, "{}", started.printed);
    assert_eq!(started.documents[0]["revision"], commit.as_str());
    let execution = text(&started.documents[0]["execution"]).to_owned();
    let job = world.job_of("package").await;
    world.fail(&job, "broken").await;
    world.until_stage("Commit", "Failed").await;
    let log = world
        .json(&["log", "--follow", "--execution", &execution])
        .await;
    assert_eq!(log.code, 0, "{}", log.printed);

    let following = world.spawn(&["start", "--wait", "--json"]);
    let job = world.job_of("package").await;
    world.fail(&job, "still broken").await;
    let followed = world::Ended::of(following).await;
    assert_eq!(followed.code, 3, "{}", followed.printed);
    let result = followed.documents.last().unwrap();
    assert_eq!(result["type"], "result");
    assert_eq!(result["exitCode"], 3);
    assert!(text(&result["error"]["message"]).contains("still broken"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_followed_to_its_own_end() {
    let mut world = World::start().await;
    let job = world.job_of("package").await;
    world.fail(&job, "the first attempt").await;
    world.until_stage("Commit", "Failed").await;

    let following = world.spawn(&["retry", "--wait", "--json"]);
    let job = world.job_of("package").await;
    world.fail(&job, "the second attempt").await;
    let failed = world::Ended::of(following).await;
    assert_eq!(failed.code, 3, "{}", failed.printed);
    assert_eq!(failed.documents[0]["type"], "retry");
    let result = failed.documents.last().unwrap();
    let message = text(&result["error"]["message"]);
    assert!(message.contains("the second attempt"), "{message}");
    assert!(
        !failed.data.contains("the first attempt"),
        "{}",
        failed.data
    );

    let following = world.spawn(&["retry", "--wait"]);
    let job = world.job_of("package").await;
    world.succeed(&job).await;
    world.until_waiting("Approval").await;
    let commit = world.commit.clone();
    assert_eq!(world.run(&["approve", &commit]).await.code, 0);
    let job = world.job_of("deploy").await;
    world.succeed(&job).await;
    let succeeded = world::Ended::of(following).await;
    assert_eq!(succeeded.code, 0, "{}", succeeded.printed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_told_apart() {
    let world = World::start().await;
    let absent = world.run(&["status", "--stack-name", "absent"]).await;
    assert_eq!(absent.code, 5, "{}", absent.printed);
    let expired = world.json(&["status", "--stack-name", "expired"]).await;
    assert_eq!(expired.code, 4, "{}", expired.printed);
    assert_eq!(expired.documents[0]["error"]["type"], "denied");
    let empty = world.run(&["start", "--stack-name", "empty"]).await;
    assert_eq!(empty.code, 5, "{}", empty.printed);

    // Nothing else than what is denied fails the doctor.
    let doctor = world.json(&["doctor"]).await;
    assert_eq!(doctor.code, 1, "{}", doctor.printed);
    let checks = doctor.documents[0]["checks"].as_array().unwrap();
    let of = |state: &str| -> Vec<&str> {
        let found = checks.iter().filter(|check| check["state"] == state);
        found.map(|check| text(&check["name"])).collect()
    };
    assert_eq!(of("failed"), ["may `approve`"], "{checks:?}");
    assert!(of("ok").contains(&"credentials"), "{checks:?}");
    assert!(of("ok").contains(&"connection"), "{checks:?}");
    let source = &doctor.documents[0]["settings"][0];
    assert_eq!(source["source"], "flag");
}

/// The stack `several` has two pipelines, with the same stages and the same commit.
#[tokio::test(flavor = "multi_thread")]
async fn of_several_pipelines_the_one_that_is_meant_is_found_or_has_to_be_named() {
    let mut world = World::start().await;
    let job = world.job_of("package").await;
    world.create("shop-app").await;
    let _of_the_other = world.job_of("package").await;
    let stack = ["--stack-name", "several"];

    let status = world.json(&[&["status"], &stack[..]].concat()).await;
    assert_eq!(status.code, 0, "{}", status.printed);
    let document = &status.documents[0];
    assert_eq!(document["pipeline"], Value::Null);
    let pipelines = document["pipelines"].as_array().unwrap();
    let names: Vec<_> = pipelines.iter().map(|one| text(&one["name"])).collect();
    assert_eq!(names, ["shop-Delivery-1", "shop-app"]);

    let both = "more than one pipeline can be meant: Delivery-1 and app";
    let latest = ["wait", "--execution", "latest"];
    for command in [&["start"][..], &["stop"], &["log", "--follow"], &latest] {
        let refused = world.json(&[command, &stack].concat()).await;
        assert_eq!(refused.code, 2, "{command:?}: {}", refused.printed);
        let error = &refused.documents.last().unwrap()["error"];
        assert!(
            text(&error["message"]).starts_with(both),
            "{command:?}: {error}"
        );
    }
    for command in ["start", "log"] {
        let unknown = [command, "--pipeline", "ap"];
        let unknown = world.run(&[&unknown, &stack[..]].concat()).await;
        assert_eq!(unknown.code, 5, "{command}: {}", unknown.printed);
    }
    the_log_of_a_pipeline_is_that_of_its_actions(&world).await;

    // One failed: it is retried, also by the name of a stage that both have.
    let mut job = job;
    for retry in [&["retry"][..], &["retry", "Commit"]] {
        world.fail(&job, "1 test failed: greets").await;
        world.until_stage("Commit", "Failed").await;
        let retried = world.json(&[retry, &stack].concat()).await;
        assert_eq!(retried.code, 0, "{}", retried.printed);
        job = world.job_of("package").await;
    }

    // One waits: it is approved.
    world.succeed(&job).await;
    world.until_waiting("Approval").await;
    let commit = world.commit.clone();
    let approved = world
        .json(&[&["approve", &commit], &stack[..]].concat())
        .await;
    assert_eq!(approved.code, 0, "{}", approved.printed);
    let _deploys = world.job_of("deploy").await;

    let stopped = ["stop", "--pipeline", "app", "--abandon"];
    let stopped = world.json(&[&stopped, &stack[..]].concat()).await;
    assert_eq!(stopped.code, 0, "{}", stopped.printed);
    let execution = text(&stopped.documents[0]["execution"]);
    for id in [execution, &execution[..8]] {
        let wait = ["wait", "--execution", id];
        let ended = world.json(&[&wait, &stack[..]].concat()).await;
        assert_eq!(ended.code, 3, "{}", ended.printed);
    }
    let unknown = ["wait", "--execution", "nope"];
    let unknown = world.json(&[&unknown, &stack[..]].concat()).await;
    assert_eq!(unknown.code, 5, "{}", unknown.printed);
    let left = world.json(&[&["stop"], &stack[..]].concat()).await;
    assert_eq!(left.code, 0, "{}", left.printed);
    assert_eq!(left.documents[0]["running"], json!(["Production / deploy"]));
}

/// No event of the stack is in it.
async fn the_log_of_a_pipeline_is_that_of_its_actions(world: &World) {
    let log = ["log", "--pipeline", "app", "--stack-name", "several"];
    let log = world.json(&log).await;
    assert_eq!(log.code, 0, "{}", log.printed);
    let lines = log.documents.iter();
    let headings = lines.filter(|line| line["type"] == "action-log");
    let actions: Vec<_> = headings.map(|line| text(&line["action"])).collect();
    assert_eq!(actions, ["Checkout", "package"]);
    let has_events = log.documents.iter().any(|line| line["type"] == "stack-log");
    assert!(!has_events, "{}", log.printed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_is_no_failure() {
    let world = World::start().await;
    for command in ["completions bash", "status --stack-name shop"] {
        let ended = world
            .shell(&format!("\"$DELIVERY\" {command} | head -n 1"))
            .await;
        assert_eq!(ended.code, 0, "{}", ended.printed);
        assert_eq!(ended.printed, "");
        assert_eq!(ended.data.lines().count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_commands_is_the_stream_of_their_run() {
    let mut world = World::start().await;
    let job = world.job_of("package").await;
    world.fail(&job, "1 test failed: greets").await;
    world.until_stage("Commit", "Failed").await;
    world.build_by_commands().await;
    let log = world.run(&["log", "--failed"]).await;
    assert_eq!(log.code, 0, "{}", log.printed);
    for line in [
        "this engine runs no commands",
        "log of /aws/codepipeline/shop",
        "compiled; read from /aws/codepipeline/shop",
    ] {
        assert!(log.data.contains(line), "{line}: {}", log.data);
    }
}
