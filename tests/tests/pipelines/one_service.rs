//! One service of kind stack: without a `delivery.toml`, one that commands build, and the one that `delivery init` writes.

use std::path::Path;
use std::process::Command;

use pipeline_tests::application::Application;
use pipeline_tests::aws::Aws;
use pipeline_tests::checkout;
use pipeline_tests::delivery::{Delivery, Run};
use pipeline_tests::home::home;
use pipeline_tests::visitor::Visitor;
use serde_json::json;

/// Delivers an application, and returns what a URL of each of these stacks answers.
async fn delivered(application: &Path, urls: &[(&str, &str)]) -> (Run, Vec<String>) {
    let home = home();
    let delivery = Delivery::silently(application, home.path());
    let _kept = delivery.ends_with_this();
    let run = delivery.run(&["--keep"]).await.unwrap();
    assert_eq!(run.exit_code, 0, "{}", run.printed);
    let aws = Aws::new(delivery.variables().await.unwrap());
    let mut answers = Vec::new();
    for (stack, path) in urls {
        let describe = ["describe-stacks", "--stack-name", stack];
        let stacks = aws
            .ask(&[&["cloudformation"], &describe[..]].concat())
            .await;
        let outputs = stacks["Stacks"][0]["Outputs"].as_array().unwrap();
        let url = outputs.iter().find(|output| output["OutputKey"] == "Url");
        let url = url.unwrap()["OutputValue"].as_str().unwrap();
        let answer = Visitor::default().get(&format!("{url}{path}")).await;
        let answer = answer.unwrap();
        assert!(answer.status.is_success(), "{url}{path}: {answer:?}");
        answers.push(answer.body);
    }
    (run, answers)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sam_application_without_a_file_says_hello_in_test_and_prod() {
    let hello = Application::example("sam-hello").unwrap();
    let stacks = [("sam-hello-test-main", "/"), ("sam-hello-prod-main", "/")];
    let (run, answers) = delivered(hello.path(), &stacks).await;
    let urls = &run.result()["urls"];
    for stage in ["Acceptance", "Production"] {
        let url = urls[stage]["services"]["main"]["Url"].as_str();
        assert!(url.is_some_and(|url| url.starts_with("http://")), "{urls}");
    }
    for answer in answers {
        assert!(answer.to_lowercase().contains("hello"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_service_is_tested_and_built_by_commands() {
    let slugs = Application::example("python-service").unwrap();
    // Nobody is there to approve.
    slugs
        .replace("delivery.toml", ", approval = true", "")
        .unwrap();
    slugs.commit("Approve nothing").unwrap();
    let stacks = [
        ("slugs-test-api", "/slug?title=One+Two"),
        ("slugs-prod-api", "/slug?title=One+Two"),
    ];
    let (run, answers) = delivered(slugs.path(), &stacks).await;
    for answer in answers {
        assert!(answer.contains("one-two"), "{answer}");
    }
    let commands = run
        .actions()
        .into_iter()
        .find(|(stage, ..)| stage == "Commit");
    assert!(commands.is_some(), "{:?}", run.actions());
}

/// CodePipeline's own action reports the command; which test failed in it is only in the log.
#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_fails_in_commands_is_named_with_its_place() {
    let slugs = Application::example("python-service").unwrap();
    slugs
        .replace("tests/test_slugs.py", "hello-world-2", "hello-world")
        .unwrap();
    slugs.commit("Expect something else").unwrap();
    let home = home();
    let run = Delivery::silently(slugs.path(), home.path()).run(&[]).await;
    let run = run.unwrap();
    let mut failures = run.events.iter().filter(|one| one["type"] == "failure");
    let failure = failures.next().unwrap_or_else(|| panic!("{}", run.printed));
    let cause = &failure["cause"];
    let name = cause["failedTests"][0].as_str().unwrap_or_default();
    assert!(
        name.starts_with("test_words_are_joined (test_slugs.Slugs"),
        "{failure}"
    );
    assert_eq!(
        (&cause["testSays"], &cause["location"]),
        (
            &json!([
                "AssertionError: 'hello-world-2' != 'hello-world'",
                "- hello-world-2",
                "?            --",
                "+ hello-world",
            ]),
            &json!("tests/test_slugs.py:12"),
        ),
        "{failure}"
    );
    assert_eq!(
        failure["next"],
        "run `python3 -m unittest discover --start-directory tests` in the project's directory"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_init_writes_into_an_empty_folder_is_tested_and_delivered() {
    let first = Application::empty("first").unwrap();
    let output = Command::new(checkout::programs().join("delivery"))
        .args(["init", "--yes"])
        .current_dir(first.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    first.commit("Begin").unwrap();
    let stacks = [("first-test-main", "/?name=Ada"), ("first-prod-main", "/")];
    let (run, answers) = delivered(first.path(), &stacks).await;
    assert_eq!(answers, ["Hello, Ada!", "Hello, world!"]);
    let actions = run.result()["actions"].to_string();
    for tests in [
        "1 test: 1 passed; test (npm)",
        "1 test: 1 passed; test-functional (npm)",
    ] {
        assert!(actions.contains(tests), "no `{tests}` in {actions}");
    }
}
