//! Copies of the application are removed however their stage ends, and what failed stays to be read.

use pipeline_tests::aws::Aws;
use pipeline_tests::home::home;
use serde_json::Value;

use crate::world::{World, silently, workshop};

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_whose_tests_fail_is_removed_and_the_failed_action_is_still_the_test() {
    let workshop = workshop();
    workshop
        .replace(
            "backend-restapi/bookings.test.js",
            "assert.strictEqual(answer.status, 200)",
            "assert.strictEqual(answer.status, 418)",
        )
        .unwrap();
    workshop.commit("Expect a teapot").unwrap();
    let home = home();
    let delivery = silently(&workshop, home.path());
    let _kept = delivery.ends_with_this();
    let world = World::of(&workshop, &delivery);

    let run = world.deliver().await;

    assert_ne!(run.exit_code, 0);
    let failed: Vec<_> = run
        .actions()
        .into_iter()
        .filter(|(_, _, status)| status == "Failed")
        .collect();
    let [(stage, name, _)] = failed.as_slice() else {
        panic!("{failed:?}");
    };
    assert_eq!((stage.as_str(), name.as_str()), ("qa", "e2e-restapi"));
    let reported = run.result().to_string();
    assert!(reported.contains("418"), "{reported}");

    world.are_gone("workshop-qa-").await;
    let copies = world.members("qa").await;
    let [(_, document)] = copies.as_slice() else {
        panic!("{copies:?}");
    };
    assert_eq!(document["current"], serde_json::Value::Null, "{document:#}");
    assert_eq!(document["last"]["deployment"]["action"]["kind"], "remove");
    // The table of the copy is retained on purpose, and named.
    let kept = document["last"].to_string();
    assert!(kept.contains("Bookings"), "{kept}");
    // It went no further.
    assert_eq!(world.stacks("workshop-int-").await, Vec::<String>::new());
    // After the removal the failure is still the test's.
    let log = world.command(&["log", "--failed"]).await;
    let printed = String::from_utf8_lossy(&log.stdout);
    assert!(printed.contains("418"), "{printed}");

    the_schedule_removes_what_is_left(&world).await;
}

/// An environment whose time is over, and of which nobody is left to say so: the pipeline that made it was killed.
async fn the_schedule_removes_what_is_left(world: &World<'_>) {
    let (aws, stack) = (world.aws().await, "workshop-dev-left-orders");
    let create = [
        "cloudformation",
        "create-stack",
        "--stack-name",
        stack,
        "--template-body",
        "Resources: { Topic: { Type: 'AWS::SNS::Topic' } }",
        "--tags",
        "Key=delivery:application,Value=workshop",
        "Key=delivery:environment,Value=dev-left",
        "Key=delivery:service,Value=orders",
        "Key=delivery:removable,Value=true",
    ];
    aws.ask(&create).await;
    let bucket = aws.output("workshop", "Releases").await;
    let over = r#"{"schema": 1, "deployments": 1, "until": "2026-01-01T00:00:00Z"}"#;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), over).unwrap();
    let key = "environments/dev-left/current.json";
    let object = ["--bucket", &bucket, "--key", key];
    let body = ["--body", file.path().to_str().unwrap()];
    aws.ask(&[&["s3api", "put-object"], &object[..], &body].concat())
        .await;

    every_minute(&aws, "UndeployScheduleRule").await;
    world.are_gone(stack).await;
    world.ends("dev-left", "remove").await;
    let document = world.document(key).await;
    let deployment = &document["last"]["deployment"];
    assert_eq!(deployment["by"], "the schedule", "{document:#}");
}

/// Lets the rule of a schedule fire as often as a rule can. Its target stays what the template says.
async fn every_minute(aws: &Aws, logical: &str) {
    let listed = aws.ask(&["events", "list-rules"]).await;
    let mut rules = listed["Rules"].as_array().unwrap().iter();
    let has_name = |rule: &&Value| rule["Name"].as_str().unwrap().contains(logical);
    let rule = rules.find(has_name).unwrap_or_else(|| panic!("{listed:#}"));
    assert_eq!(rule["ScheduleExpression"], "rate(5 minutes)", "{rule:#}");
    let name = rule["Name"].as_str().unwrap();
    let schedule = ["--schedule-expression", "rate(1 minute)"];
    aws.ask(&[&["events", "put-rule", "--name", name], &schedule[..]].concat())
        .await;
}
