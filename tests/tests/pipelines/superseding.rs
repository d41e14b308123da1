//! Two commits in quick succession.

use pipeline_tests::application::Application;
use pipeline_tests::delivery::Delivery;
use pipeline_tests::visitor::Visitor;
use serde_json::Value;

use pipeline_tests::aws::Aws;
use pipeline_tests::home::home;

#[tokio::test(flavor = "multi_thread")]
async fn of_two_commits_in_quick_succession_the_older_is_superseded_where_it_waits() {
    let greeter = Application::example("greeter").unwrap();
    let home = home();
    let delivery = Delivery::silently(greeter.path(), home.path());
    let _kept = delivery.ends_with_this();
    let launched = delivery.run(&["--keep"]).await.unwrap();
    assert_eq!(launched.exit_code, 0, "{}", launched.printed);
    let aws = Aws::new(delivery.variables().await.unwrap());
    let pipelines = aws.ask(&["codepipeline", "list-pipelines"]).await;
    let pipeline = pipelines["pipelines"][0]["name"]
        .as_str()
        .unwrap()
        .to_owned();

    // Both wait at the entrance of the stage, as if an execution before them held it.
    transition(
        &aws,
        "disable-stage-transition",
        &pipeline,
        &["--reason", "two commits are to meet"],
    )
    .await;
    let mut commits = Vec::new();
    let mut executions = Vec::new();
    for message in ["Second", "Third"] {
        commits.push(greeter.commit(message).unwrap());
        let started = aws
            .ask(&[
                "codepipeline",
                "start-pipeline-execution",
                "--name",
                &pipeline,
            ])
            .await;
        let id = started["pipelineExecutionId"].as_str().unwrap().to_owned();
        fetched(&aws, &pipeline, &id).await;
        executions.push(id);
    }
    let older = over(&aws, &pipeline, &executions[0]).await;
    transition(&aws, "enable-stage-transition", &pipeline, &[]).await;
    let newer = over(&aws, &pipeline, &executions[1]).await;

    assert_eq!(older, ("Superseded".to_owned(), commits[0].clone()));
    assert_eq!(newer, ("Succeeded".to_owned(), commits[1].clone()));
    let (api, _) = launched.urls("Production").unwrap();
    let answer = Visitor::default()
        .get(&format!("{api}greeting"))
        .await
        .unwrap();
    assert_eq!(answer.version().as_ref(), Some(&commits[1]));
    a_run_says_for_which_closed_stage_it_waits(&delivery, &aws, &pipeline).await;
}

/// Once, however often it looks.
async fn a_run_says_for_which_closed_stage_it_waits(
    delivery: &Delivery,
    aws: &Aws,
    pipeline: &str,
) {
    let reason = "rolled back by ann (delivery resume prod opens it) it greets nobody";
    let closed = ["--reason", reason];
    transition(aws, "disable-stage-transition", pipeline, &closed).await;
    let waited = delivery.run(&["--keep", "--timeout", "15s"]).await.unwrap();
    assert_eq!(waited.exit_code, 6, "{}", waited.printed);
    let notices = waited.events.iter().filter(|one| one["type"] == "notice");
    let said = notices.filter_map(|one| one["message"].as_str());
    let said: Vec<_> = said.filter(|text| text.contains("closed")).collect();
    assert_eq!(
        said,
        [
            "the execution waits for Commit, which is closed: rolled back by ann: it greets nobody\n  help: `delivery resume \
             prod` opens it"
        ]
    );
}

/// Closes or opens the entrance of the stage Commit.
async fn transition(aws: &Aws, operation: &str, pipeline: &str, arguments: &[&str]) {
    let of = [
        "codepipeline",
        operation,
        "--pipeline-name",
        pipeline,
        "--stage-name",
        "Commit",
    ];
    let entrance = ["--transition-type", "Inbound"];
    aws.ask(&[of.as_slice(), entrance.as_slice(), arguments].concat())
        .await;
}

async fn execution(aws: &Aws, pipeline: &str, id: &str) -> Value {
    let arguments = [
        "codepipeline",
        "get-pipeline-execution",
        "--pipeline-name",
        pipeline,
    ];
    let id = ["--pipeline-execution-id", id];
    let answer = aws
        .ask(&[arguments.as_slice(), id.as_slice()].concat())
        .await;
    answer["pipelineExecution"].clone()
}

/// Waits until Source has fetched the execution's revision; each question starts a process, which is
/// pause enough between two of them.
async fn fetched(aws: &Aws, pipeline: &str, id: &str) {
    while execution(aws, pipeline, id).await["artifactRevisions"][0].is_null() {}
}

/// Waits for the end: the status, and the revision that was delivered.
async fn over(aws: &Aws, pipeline: &str, id: &str) -> (String, String) {
    loop {
        let execution = execution(aws, pipeline, id).await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if execution["status"] != "InProgress" {
            let revision = text(&execution["artifactRevisions"][0]["revisionId"]);
            return (text(&execution["status"]), revision);
        }
    }
}
