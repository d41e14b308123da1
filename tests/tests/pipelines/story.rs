//! One application's days: a commit that is good, one whose unit test fails, one whose bug only the
//! functional test sees, and one that repairs it.

use std::path::Path;

use pipeline_tests::application::Application;
use pipeline_tests::delivery::{Delivery, Run};
use pipeline_tests::visitor::Visitor;

use crate::leaks::{files, leaks};
use pipeline_tests::aws::Aws;
use pipeline_tests::home::home;

/// What the application and its environment are called.
const STACK: &str = "story";

struct Day<'a> {
    greeter: &'a Application,
    delivery: &'a Delivery,
    visitor: Visitor,
}

impl Day<'_> {
    async fn deliver(&self) -> Run {
        self.delivery
            .run(&["--keep", "--stack-name", STACK])
            .await
            .unwrap()
    }

    /// The versions that a stage's API and site answer.
    async fn versions(&self, run: &Run, stage: &str) -> [Option<String>; 2] {
        let (api, site) = run.urls(stage).unwrap();
        let answer = self.visitor.get(&format!("{api}greeting")).await.unwrap();
        let config = self
            .visitor
            .get(&format!("{site}config.json"))
            .await
            .unwrap();
        [answer.version(), config.version()]
    }

    async fn failures(&self, run: &Run) -> Vec<(String, String)> {
        let aws = Aws::new(self.delivery.variables().await.unwrap());
        let execution = run.result()["execution"].as_str().unwrap();
        let pipelines = aws.ask(&["codepipeline", "list-pipelines"]).await;
        let pipeline = pipelines["pipelines"][0]["name"]
            .as_str()
            .unwrap()
            .to_owned();
        aws.failures(&pipeline, execution).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_commit_that_passes_every_test_reaches_production_and_no_log_holds_a_credential() {
    let greeter = Application::example("greeter").unwrap();
    let home = home();
    let delivery = Delivery::silently(greeter.path(), home.path());
    let _kept = delivery.ends_with_this();
    let day = Day {
        greeter: &greeter,
        delivery: &delivery,
        visitor: Visitor::default(),
    };

    let good = a_good_commit_reaches_production(&day).await;
    let mut runs = vec![
        a_lock_file_that_does_not_fit_ends_the_first_action(&day).await,
        a_commit_with_a_failing_unit_test_deploys_nothing(&day, &good).await,
        a_bug_that_only_the_functional_test_sees_stops_before_production(&day, &good).await,
        a_repair_goes_through(&day).await,
    ];
    runs.push(good);
    no_log_holds_a_credential(&day, home.path(), &runs).await;
}

async fn a_good_commit_reaches_production(day: &Day<'_>) -> Run {
    let commit = day.greeter.head().unwrap();
    let run = day.deliver().await;
    assert_eq!(run.exit_code, 0, "{}", run.printed);
    let failed: Vec<_> = run
        .actions()
        .into_iter()
        .filter(|(.., status)| status != "Succeeded")
        .collect();
    assert_eq!(failed, []);
    for stage in ["Acceptance", "Production"] {
        assert_eq!(
            day.versions(&run, stage).await,
            [Some(commit.clone()), Some(commit.clone())]
        );
    }
    run
}

async fn a_lock_file_that_does_not_fit_ends_the_first_action(day: &Day<'_>) -> Run {
    let (locked, wanted) = ("\"negotiator\": \"1.1.0\"", "\"negotiator\": \"1.0.0\"");
    day.greeter.replace("package.json", locked, wanted).unwrap();
    day.greeter.commit("Want an older negotiator").unwrap();

    let run = day.deliver().await;

    assert_eq!(run.exit_code, 3, "{}", run.printed);
    let [(action, message)] = day.failures(&run).await.try_into().unwrap();
    assert_eq!(action, "npm-install");
    assert!(message.contains("negotiator"), "{message}");
    assert_eq!(stages(&run), ["Source", "Commit"]);
    day.greeter.replace("package.json", wanted, locked).unwrap();
    run
}

async fn a_commit_with_a_failing_unit_test_deploys_nothing(day: &Day<'_>, good: &Run) -> Run {
    let before = day.versions(good, "Acceptance").await;
    day.greeter
        .replace("lambda/greetings.js", "\"Hello\"", "\"Hullo\"")
        .unwrap();
    day.greeter.commit("Greet like a Victorian").unwrap();

    let run = day.deliver().await;

    assert_eq!(run.exit_code, 3, "{}", run.printed);
    let [(action, message)] = day.failures(&run).await.try_into().unwrap();
    assert_eq!(action, "test-and-package");
    assert!(
        message.contains("greets the world when nobody is named"),
        "{message}"
    );
    assert!(
        message.contains("'package' errored after"),
        "gulp's last lines: {message}"
    );
    assert_eq!(stages(&run), ["Source", "Commit"]);
    assert_eq!(day.versions(good, "Acceptance").await, before);
    assert!(
        run.printed
            .contains("Acceptance and Production are untouched"),
        "{}",
        run.printed
    );
    run
}

async fn a_bug_that_only_the_functional_test_sees_stops_before_production(
    day: &Day<'_>,
    good: &Run,
) -> Run {
    let production = day.versions(good, "Production").await;
    day.greeter
        .replace("lambda/greetings.js", "\"Hullo\"", "\"Hello\"")
        .unwrap();
    let header = "\"Access-Control-Allow-Origin\": \"*\",";
    day.greeter.replace("lambda/index.js", header, "").unwrap();
    let commit = day.greeter.commit("Keep the API to ourselves").unwrap();

    let run = day.deliver().await;

    assert_eq!(run.exit_code, 3, "{}", run.printed);
    let [(action, message)] = day.failures(&run).await.try_into().unwrap();
    assert_eq!(action, "e2e");
    assert!(message.contains("may be called by the site"), "{message}");
    assert_eq!(stages(&run), ["Source", "Commit", "Acceptance"]);
    assert_eq!(
        day.versions(good, "Acceptance").await,
        [Some(commit.clone()), Some(commit)]
    );
    assert_eq!(day.versions(good, "Production").await, production);
    run
}

async fn a_repair_goes_through(day: &Day<'_>) -> Run {
    let status = "statusCode: 200,\n    headers: {";
    let header = "\n      \"Access-Control-Allow-Origin\": \"*\",";
    day.greeter
        .replace("lambda/index.js", status, &format!("{status}{header}"))
        .unwrap();
    let commit = day
        .greeter
        .commit("Let the site call the API again")
        .unwrap();

    let run = day.deliver().await;

    assert_eq!(run.exit_code, 0, "{}", run.printed);
    assert_eq!(
        day.versions(&run, "Production").await,
        [Some(commit.clone()), Some(commit)]
    );
    run
}

async fn no_log_holds_a_credential(day: &Day<'_>, home: &Path, runs: &[Run]) {
    let variables = day.delivery.variables().await.unwrap();
    let key = variables["AWS_ACCESS_KEY_ID"].clone();
    let aws = Aws::new(variables);
    let logs = aws.logs().await.join("\n");
    assert!(
        logs.contains("npm"),
        "the functions logged something to look through"
    );
    let mut texts = vec![("CloudWatch Logs".to_owned(), logs)];
    texts.extend(files(home));
    for run in runs {
        let events = run
            .events
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n");
        texts.push(("standard output".to_owned(), events));
        texts.push(("standard error".to_owned(), run.printed.clone()));
    }
    for (place, mut text) in texts {
        // The key of this local AWS is told to whoever keeps it: in its state, and by `run --keep`.
        if place.ends_with("/state.json") || place == "standard output" {
            text = text.replace(&key, "");
        }
        assert_eq!(leaks(&text), [""; 0], "in {place}");
    }
}

/// The stages that a run reached, in their order.
fn stages(run: &Run) -> Vec<String> {
    let mut stages: Vec<String> = run.actions().into_iter().map(|(stage, ..)| stage).collect();
    stages.dedup();
    stages
}
