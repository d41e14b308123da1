//! One application's days: a commit that is good, one whose unit test fails, one that does not even run, one whose bug only
//! the functional test sees, and one that repairs it.

use std::path::Path;

use serde_json::Value;

use pipeline_tests::application::Application;
use pipeline_tests::delivery::{Delivery, Run};
use pipeline_tests::visitor::Visitor;

use crate::leaks::{files, leaks};
use pipeline_tests::aws::Aws;
use pipeline_tests::home::home;

/// Most lines that a failure and what follows it may take: those of a small terminal, less one for the notice that the
/// local AWS was stopped, which what stays up does not need.
const MOST_LINES: usize = 25 - 1;

/// What the application and its environment are called.
const STACK: &str = "story";

/// Where the handler learns whom to greet.
const NAME: &str = "const name = event.queryStringParameters?.name;";

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
        a_commit_that_does_not_run_says_where(&day).await,
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
    // The reports of the tests of both stages, and of the unit tests, have come through the functions' logs.
    let reports = files(&day.greeter.path().join(".delivery/runs"));
    let reports = reports
        .iter()
        .filter(|(path, text)| path.contains("/junit/") && text.contains("<testcase"));
    assert_eq!(reports.count(), 3);
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
        message.contains("\nlocation: test/unit/greetings.test.js:9\n"),
        "{message}"
    );
    assert_eq!(stages(&run), ["Source", "Commit"]);
    assert_eq!(day.versions(good, "Acceptance").await, before);
    let told = told(&run);
    assert!(
        told.contains(
            "error[JobFailed]: action test-and-package failed in stage Commit: 6 of 8 tests failed\n  greetings greets the \
             world when nobody is named\n"
        ),
        "{told}"
    );
    for words in [
        "| -   greeting: 'Hello, world!',\n",
        "\n    at test/unit/greetings.test.js:9\n",
        "\n  Acceptance and Production are untouched by this pipeline\n",
        "\n  next: run `npx gulp package` in the project's directory\n",
    ] {
        assert_eq!(told.matches(words).count(), 1, "{words} in {told}");
    }
    let failure = failure(&run);
    assert_eq!(
        failure["cause"]["location"],
        "test/unit/greetings.test.js:9"
    );
    assert_eq!(failure["untouched"][1], "Production");
    run
}

async fn a_commit_that_does_not_run_says_where(day: &Day<'_>) -> Run {
    let (right, wrong) = ("const DEFAULT_NAME =", "const DEFAULT_NAME = ;");
    day.greeter
        .replace("lambda/greetings.js", right, wrong)
        .unwrap();
    day.greeter.commit("Greet in a hurry").unwrap();

    let run = day.deliver().await;

    assert_eq!(run.exit_code, 3, "{}", run.printed);
    let told = told(&run);
    for words in [
        "\n    at lambda/greetings.js:13\n",
        "| SyntaxError: Unexpected token ';'\n",
        "\n  next: run `npx gulp package` in the project's directory\n",
    ] {
        assert_eq!(told.matches(words).count(), 1, "{words} in {told}");
    }
    day.greeter
        .replace("lambda/greetings.js", wrong, right)
        .unwrap();
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
    let bug = format!(
        "{NAME}\n  if (name === \"Ada & Bob\") {{\n    throw new Error(\"one at a time\");\n  }}"
    );
    day.greeter.replace("lambda/index.js", NAME, &bug).unwrap();
    let commit = day.greeter.commit("Greet one at a time").unwrap();

    let run = day.deliver().await;

    assert_eq!(run.exit_code, 3, "{}", run.printed);
    let [(action, message)] = day.failures(&run).await.try_into().unwrap();
    assert_eq!(action, "e2e");
    assert!(
        message.contains("greets a visitor in the visitor's language"),
        "{message}"
    );
    let (_, logged) = message
        .split_once("\nthe application's own log:\n")
        .unwrap();
    assert!(logged.contains("one at a time"), "{message}");
    let told = told(&run);
    for words in [
        "failed in stage Acceptance: 1 of ",
        "\n    at test/functional/greeter.test.js:31\n",
        "\n  the application's own log:\n",
        "\n  Production is untouched by this pipeline\n",
        "\n  next: see the whole log: `delivery log --failed`\n",
    ] {
        assert_eq!(told.matches(words).count(), 1, "{words} in {told}");
    }
    let log = &failure(&run)["applicationLog"];
    let log = log.to_string();
    let place = "\"    at exports.handler (index.js:";
    assert!(
        log.contains("one at a time") && log.contains(place),
        "{log}"
    );
    assert_eq!(stages(&run), ["Source", "Commit", "Acceptance"]);
    assert_eq!(
        day.versions(good, "Acceptance").await,
        [Some(commit.clone()), Some(commit)]
    );
    assert_eq!(day.versions(good, "Production").await, production);
    run
}

async fn a_repair_goes_through(day: &Day<'_>) -> Run {
    day.greeter
        .replace("lambda/index.js", "Ada & Bob", "Ada & Bob & Eve")
        .unwrap();
    let commit = day.greeter.commit("Greet two at a time").unwrap();

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

/// What people are told of a failure, to the end; it fits a small terminal.
fn told(run: &Run) -> &str {
    let from = run.printed.find("error[").unwrap();
    let told = &run.printed[from..];
    assert!(told.lines().count() <= MOST_LINES, "{told}");
    assert!(!told.contains("/source/"), "a path of the sandbox: {told}");
    told
}

/// The failure that programs are told of.
fn failure(run: &Run) -> &Value {
    let mut events = run.events.iter();
    events.find(|event| event["type"] == "failure").unwrap()
}

/// The stages that a run reached, in their order.
fn stages(run: &Run) -> Vec<String> {
    let mut stages: Vec<String> = run.actions().into_iter().map(|(stage, ..)| stage).collect();
    stages.dedup();
    stages
}
