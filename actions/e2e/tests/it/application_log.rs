//! What the application logged, beside a test of it that failed.

use delivery_action::failure::{Failure, FailureType};
use delivery_testing::source::SourceStore;
use delivery_testing::world::World;
use e2e::EndToEnd;
use test_case::test_case;

/// Later than any test ends, and within what a function may log late.
fn soon() -> i64 {
    delivery_action::clock::timestamp().as_millisecond() + 2_000
}

/// The failure of a test of the application, whose log the action finds in this world.
async fn failure(
    world: impl AsyncFnOnce(SourceStore) -> (SourceStore, World),
    parameters: &str,
) -> Failure {
    let manifest = r#"{"name": "app", "scripts": {"test": "echo 502; exit 1"}}"#;
    let store = SourceStore::of(&[("package.json", manifest)]).await;
    let (store, world) = world(store).await;
    let action = EndToEnd::new(&world.config());
    let event = store.event(&format!("task=test&{parameters}"));
    store.run(&action, event).await.unwrap_err()
}

async fn with_logs(store: SourceStore) -> (SourceStore, World) {
    let world = World::start_with(store.s3().objects().clone()).await;
    world.lambda().add_function("greeter", b"code", &["test"]);
    let group = "/aws/lambda/greeter";
    let version_2 = "2026/11/28/[2]8f00b204";
    let logged = [
        (version_2, 1_000, "Error: of an earlier test"),
        ("2026/11/28/[1]8f00b204", soon(), "Error: of production"),
        (version_2, soon(), "START RequestId: r-1 Version: 2"),
        (
            version_2,
            soon() + 1,
            "Error: boom\n    at f (/var/task/index.js:1:39)\n    at g (node:events:1:2)",
        ),
    ];
    for (stream, at_ms, message) in logged {
        world.logs().write(group, stream, at_ms, message);
    }
    for group in [
        "/aws/lambda/greeter-int-api-Hello-1a2b",
        "/aws/lambda/greeter-int-api2-Hello-1a2b",
    ] {
        world
            .logs()
            .write(group, "s", soon(), &format!("ERROR in {group}"));
    }
    (store, world)
}

const OF_VERSION_2: &str =
    "\nthe application's own log:\n  Error: boom\n      at f (index.js:1:39)";

#[test_case("function=greeter:2", OF_VERSION_2)]
#[test_case(
    "function=greeter",
    "\nthe application's own log:\n  Error: of production\n  Error: boom\n      at f (index.js:1:39)"
)]
#[test_case(
    "stack=greeter-int-api",
    "\nthe application's own log:\n  ERROR in /aws/lambda/greeter-int-api-Hello-1a2b"
)]
#[test_case("retries=0", "")]
#[tokio::test]
async fn the_message_has_what_the_version_under_test_logged(parameters: &str, logged: &str) {
    let failure = failure(with_logs, parameters).await;
    assert_eq!(failure.failure_type, FailureType::JobFailed);
    let (_, log) = failure.cause.split_once("exit code 1").unwrap();
    assert_eq!(log, logged);
}

#[test_case("logs:FilterLogEvents")]
#[test_case("lambda:GetFunctionConfiguration")]
#[tokio::test]
async fn without_the_permission_the_failure_is_the_same(denied: &str) {
    let without = async |store: SourceStore| {
        let (store, world) = with_logs(store).await;
        world.deny(denied);
        (store, world)
    };
    let failure = failure(without, "function=greeter:2").await;
    assert!(failure.cause.ends_with("exit code 1"), "{}", failure.cause);
}

#[test_case("function=greeter:prod")]
#[test_case("function=:2")]
#[tokio::test]
async fn what_is_no_function_is_said(parameters: &str) {
    let failure = failure(with_logs, parameters).await;
    assert_eq!(failure.failure_type, FailureType::ConfigurationError);
    assert!(
        failure
            .cause
            .contains("the name of a function, or NAME:VERSION"),
        "{}",
        failure.cause
    );
}
