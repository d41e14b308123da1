//! Copies of the application are removed however their stage ends, and what failed stays to be read.

use pipeline_tests::home::home;

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
}
