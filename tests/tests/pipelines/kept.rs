//! A local AWS that stays, without a stack.

use std::collections::BTreeMap;

use pipeline_tests::application::Application;
use pipeline_tests::checkout;
use pipeline_tests::delivery::Delivery;
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
    let told = String::from_utf8_lossy(&started.stderr);
    assert!(started.status.success(), "{told}");
    let line: Value = serde_json::from_slice(&started.stdout).unwrap();
    let variables: BTreeMap<String, String> =
        serde_json::from_value(line["variables"].clone()).unwrap();
    assert_eq!(delivery.variables().await.unwrap(), variables);
    let stacks = Aws::new(variables)
        .ask(&["cloudformation", "describe-stacks"])
        .await;
    assert_eq!(stacks["Stacks"], serde_json::json!([]));

    // The same again finds it; under another name it would deliver something else.
    let again = local(&["start", "--repository", "acme/shop", "--json"]).await;
    assert_eq!(again.stdout, started.stdout);
    let other = local(&["start", "--repository", "acme/other"]).await;
    assert_eq!(other.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&other.stderr).contains("as the repository `acme/shop`"));

    assert!(local(&["stop"]).await.status.success());
    assert_eq!(local(&["env"]).await.status.code(), Some(5));
}
