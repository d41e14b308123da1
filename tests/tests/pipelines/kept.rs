//! A local AWS that stays, without a stack.

use std::collections::BTreeMap;

use pipeline_tests::application::Application;
use pipeline_tests::checkout;
use pipeline_tests::delivery::Delivery;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::Command;

use pipeline_tests::aws::Aws;
use pipeline_tests::home::home;

#[tokio::test(flavor = "multi_thread")]
async fn a_local_aws_is_started_found_again_and_ended() {
    let greeter = Application::example("greeter").unwrap();
    let home = home();
    let delivery = Delivery::silently(greeter.path(), home.path());
    let _kept = delivery.ends_with_this();
    let local = async |arguments: &[&str]| {
        let mut command = Command::new(checkout::programs().join("delivery"));
        command.arg("local").args(arguments);
        command.arg(greeter.path()).arg("--home").arg(home.path());
        command.output().await.unwrap()
    };

    let started = local(&["start", "--repository", "acme/shop", "--json"]).await;
    let printed = String::from_utf8_lossy(&started.stderr);
    assert!(started.status.success(), "{printed}");
    let line: Value = serde_json::from_slice(&started.stdout).unwrap();
    let variables: BTreeMap<String, String> =
        serde_json::from_value(line["variables"].clone()).unwrap();
    assert_eq!(delivery.variables().await.unwrap(), variables);
    let stacks = Aws::new(variables)
        .ask(&["cloudformation", "describe-stacks"])
        .await;
    assert_eq!(stacks["Stacks"], serde_json::json!([]));

    // A shell that was not led to it is told how.
    let mut command = Command::new(checkout::programs().join("delivery"));
    command.arg("status").arg("--home").arg(home.path());
    command.current_dir(greeter.path()).env_remove("AWS_REGION");
    let status = command.output().await.unwrap();
    let printed = String::from_utf8_lossy(&status.stderr);
    assert!(
        printed.contains("`eval \"$(delivery local env)\"`"),
        "{printed}"
    );

    // The same again finds it; under another name it would deliver something else.
    let again = local(&["start", "--repository", "acme/shop", "--json"]).await;
    assert_eq!(again.stdout, started.stdout);
    let other = local(&["start", "--repository", "acme/other"]).await;
    assert_eq!(other.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&other.stderr).contains("with the repository name `acme/shop`")
    );

    assert!(local(&["stop"]).await.status.success());
    assert_eq!(local(&["env"]).await.status.code(), Some(5));
}

/// What a host that was killed has left is not believed: neither while the next one starts, nor by others.
#[tokio::test(flavor = "multi_thread")]
async fn after_its_host_was_killed_a_local_aws_has_new_addresses_that_answer() {
    let greeter = Application::example("greeter").unwrap();
    let home = home();
    let delivery = Delivery::silently(greeter.path(), home.path());
    let _kept = delivery.ends_with_this();
    let start = async || {
        let mut command = Command::new(checkout::programs().join("delivery"));
        command
            .args(["local", "start", "--json"])
            .arg(greeter.path());
        command.arg("--home").arg(home.path());
        command.env("AWS_SECRET_ACCESS_KEY", "the-developer-s-own");
        let output = command.output().await.unwrap();
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{printed}");
        let line: Value = serde_json::from_slice(&output.stdout).unwrap();
        let variables: BTreeMap<String, String> =
            serde_json::from_value(line["variables"].clone()).unwrap();
        variables
    };

    let before = start().await;
    let host = host(home.path());
    let environment = std::fs::read(format!("/proc/{host}/environ")).unwrap_or_default();
    let environment = String::from_utf8_lossy(&environment).into_owned();
    assert!(
        !environment.contains("the-developer-s-own"),
        "{environment}"
    );
    kill_process(Pid::from_raw(host).unwrap(), Signal::KILL).unwrap();

    // Two at once: one of them starts it, and both are told the same.
    let (one, other) = tokio::join!(start(), start());
    assert_eq!(one, other);
    assert_ne!(one["AWS_ENDPOINT_URL"], before["AWS_ENDPOINT_URL"]);
    assert_eq!(delivery.variables().await.unwrap(), one);
    let stacks = Aws::new(one)
        .ask(&["cloudformation", "describe-stacks"])
        .await;
    assert_eq!(stacks["Stacks"], serde_json::json!([]));
}

/// The process that hosts the one environment of a home.
fn host(home: &std::path::Path) -> i32 {
    let kept = std::fs::read_dir(home.join("kept")).unwrap();
    let states = kept.map(|entry| entry.unwrap().path().join("state.json"));
    let texts: Vec<String> = states
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let [text] = texts.as_slice() else {
        panic!("{texts:?}")
    };
    let state: Value = serde_json::from_str(text).unwrap();
    state["pid"].as_i64().unwrap().try_into().unwrap()
}
