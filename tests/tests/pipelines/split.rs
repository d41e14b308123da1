//! The workshop in two pipelines: one for its table, one for what reads it.

use std::path::Path;

use pipeline_tests::application::Application;
use pipeline_tests::aws::Aws;
use pipeline_tests::checkout;
use pipeline_tests::delivery::{Delivery, Run};
use pipeline_tests::home::home;
use pipeline_tests::visitor::Visitor;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

const PIPELINES: &str = r#"
[pipelines]
app = ["restapi", "tasks", "website"]
infra = ["database"]
"#;

const INFRA: &str = "workshop-infra";
const APP: &str = "workshop-app";

fn split_workshop() -> Application {
    let workshop = Application::example("workshop").unwrap();
    let file = workshop.path().join("delivery.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, text + PIPELINES).unwrap();
    workshop.commit("Deliver the table on its own").unwrap();
    workshop
}

/// Each pipeline and the status of its execution, in their order.
fn pipelines(run: &Run) -> Vec<(&str, &str)> {
    let pipelines = run.result()["pipelines"].as_array().unwrap().iter();
    pipelines
        .map(|one| {
            (
                one["name"].as_str().unwrap(),
                one["status"].as_str().unwrap(),
            )
        })
        .collect()
}

/// What the API of an environment answers, to whom its site sends visitors.
async fn bookings(run: &Run, environment: &str) -> Value {
    let visitor = Visitor::default();
    let site = run.result()["urls"][environment]["site"].as_str().unwrap();
    let config = visitor.get(&format!("{site}/config.json")).await.unwrap();
    let config: Value = serde_json::from_str(&config.body).unwrap();
    let api = config["apiBaseurl"].as_str().unwrap();
    let answer = visitor.get(&format!("{api}/bookings")).await.unwrap();
    serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{api}: {}", answer.body))
}

/// The executions of a pipeline, the oldest first: what started them, and how they are.
async fn executions(aws: &Aws, pipeline: &str) -> Vec<(String, String)> {
    let asked = [
        "codepipeline",
        "list-pipeline-executions",
        "--pipeline-name",
        pipeline,
    ];
    let answer = aws.ask(&asked).await;
    let summaries = answer["pipelineExecutionSummaries"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let executions = summaries.iter().rev();
    executions
        .map(|one| (text(&one["trigger"]["triggerType"]), text(&one["status"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workshop_in_two_pipelines_is_delivered_by_one_run() {
    let workshop = split_workshop();
    let home = home();
    let delivery = Delivery::silently(workshop.path(), home.path());
    let _kept = delivery.ends_with_this();

    let run = delivery.run(&["--keep"]).await.unwrap();

    assert_eq!(run.exit_code, 0, "{}", run.printed);
    assert_eq!(pipelines(&run), [(INFRA, "Succeeded"), (APP, "Succeeded")]);
    let commit = workshop.head().unwrap();
    for one in run.result()["pipelines"].as_array().unwrap() {
        assert_eq!(one["revision"], commit.as_str());
    }
    for environment in ["int", "prd"] {
        let expected = json!({ "environment": environment, "bookings": [] });
        assert_eq!(bookings(&run, environment).await, expected);
    }
    // What the creation began is what `infra` delivers; `app` could not have found its table yet.
    let aws = Aws::new(delivery.variables().await.unwrap());
    let created = |status: &str| ("CreatePipeline".to_owned(), status.to_owned());
    assert_eq!(executions(&aws, INFRA).await, [created("Succeeded")]);
    let started = ("StartPipelineExecution".to_owned(), "Succeeded".to_owned());
    let of_app = executions(&aws, APP).await;
    assert_eq!(of_app.last(), Some(&started), "{of_app:?}");

    a_pipeline_does_not_start_after_one_that_failed(&workshop, &delivery, &aws).await;
}

async fn a_pipeline_does_not_start_after_one_that_failed(
    workshop: &Application,
    delivery: &Delivery,
    aws: &Aws,
) {
    let before = executions(aws, APP).await;
    let template = "backend-database/template.yaml";
    // A table with another key is another table: it holds data, so it is not replaced.
    workshop
        .replace(template, "AttributeName: id", "AttributeName: number")
        .unwrap();
    workshop.commit("Number the bookings").unwrap();

    let run = delivery.run(&["--keep"]).await.unwrap();

    assert_eq!(run.exit_code, 3, "{}", run.printed);
    assert_eq!(pipelines(&run), [(INFRA, "Failed")]);
    let notice = "not started, since the pipeline infra did not succeed: app";
    assert!(
        run.events.iter().any(|event| event["message"] == notice),
        "{}",
        run.printed
    );
    assert_eq!(executions(aws, APP).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_starts_the_pipelines_that_it_concerns() {
    let workshop = split_workshop();
    let first = workshop.head().unwrap();
    let home = home();
    let mut child = Command::new(checkout::programs().join("delivery"))
        .args(["run", "--watch", "--json", "--home"])
        .arg(home.path())
        .arg("--functions")
        .arg(checkout::programs())
        .arg(workshop.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut succeeded, mut last) = (0, Value::Null);
    while let Some(line) = lines.next_line().await.unwrap() {
        last = serde_json::from_str(&line).unwrap();
        if last["type"] == "execution" && last["status"] == "Succeeded" {
            succeeded += 1;
            match succeeded {
                2 => commit_page(&workshop),
                3 => interrupt(child.id().unwrap()),
                _ => {}
            }
        }
        if last["message"] == "the commit changes nothing that a pipeline delivers" {
            let cleanup = "backend-tasks/src/cleanup.py";
            workshop
                .replace(cleanup, "\"removed\"", "\"gone\"")
                .unwrap();
            workshop.commit("Call it gone").unwrap();
        }
    }

    assert_eq!(child.wait().await.unwrap().code(), Some(130), "{last}");
    let revisions: Vec<_> = last["pipelines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["name"], &one["revision"]))
        .collect();
    let third = workshop.head().unwrap();
    let expected = [(json!(INFRA), json!(first)), (json!(APP), json!(third))];
    assert_eq!(
        revisions,
        expected.iter().map(|(a, b)| (a, b)).collect::<Vec<_>>()
    );
}

/// Runs until an event that is wanted, then interrupts the run, and returns the event.
async fn interrupted_at(
    workshop: &Application,
    home: &Path,
    is_wanted: impl Fn(&Value) -> bool,
) -> Value {
    let mut child = Command::new(checkout::programs().join("delivery"))
        .args(["run", "--keep", "--json", "--home"])
        .arg(home)
        .arg("--functions")
        .arg(checkout::programs())
        .arg(workshop.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut wanted = None;
    while let Some(line) = lines.next_line().await.unwrap() {
        let event: Value = serde_json::from_str(&line).unwrap();
        if wanted.is_none() && is_wanted(&event) {
            interrupt(child.id().unwrap());
            wanted = Some(event);
        }
    }
    assert_eq!(child.wait().await.unwrap().code(), Some(130));
    wanted.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_delivers_its_own_commit_while_the_first_one_waits() {
    let workshop = split_workshop();
    workshop
        .replace("delivery.toml", "int = {}", "int = { approval = true }")
        .unwrap();
    workshop.commit("Ask before int").unwrap();
    let home = home();
    let delivery = Delivery::silently(workshop.path(), home.path());
    let _kept = delivery.ends_with_this();
    interrupted_at(&workshop, home.path(), |event| event["type"] == "approval").await;

    // What the creation of the pipeline began is in progress for ever, with the first commit.
    commit_page(&workshop);
    let second = interrupted_at(&workshop, home.path(), |event| {
        event["type"] == "execution" && event["revision"].is_string()
    });

    assert_eq!(second.await["revision"], workshop.head().unwrap().as_str());
}

/// No service has the pages at the root.
fn commit_page(workshop: &Application) {
    std::fs::write(workshop.path().join("NOTES.md"), "later").unwrap();
    workshop.commit("Note something").unwrap();
}

fn interrupt(process: u32) {
    let pid = Pid::from_raw(process.try_into().unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
}
