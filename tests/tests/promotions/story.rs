//! One release from a commit to production, a bad one after it, and the way back.

use pipeline_tests::home::home;
use serde_json::json;

use crate::world::{World, silently, workshop};

#[tokio::test(flavor = "multi_thread")]
async fn a_release_is_tested_promoted_and_brought_back() {
    let workshop = workshop();
    let home = home();
    let delivery = silently(&workshop, home.path());
    let _kept = delivery.ends_with_this();
    let world = World::of(&workshop, &delivery);

    let good = a_commit_is_tested_in_a_copy_that_goes(&world).await;
    it_is_promoted_by_its_id(&world, &good).await;
    let bad = a_bad_commit_passes_the_tests(&world).await;
    assert_ne!(good, bad);
    // The branch has moved on: production gets what the environment before it has.
    promoted(&world, "pp", "prd", &good).await;
    assert_eq!(world.bookings("prd").await["environment"], "prd");
    promoted(&world, "int", "pp", &bad).await;
    promoted(&world, "pp", "prd", &bad).await;
    assert_eq!(world.bookings("prd").await["environment"], "nowhere");
    production_goes_back(&world, &good).await;
}

/// Brings what one environment has to another.
async fn promoted(world: &World<'_>, from: &str, to: &str, release: &str) {
    world.does(&["promote", from, to, "--yes"]).await;
    assert_eq!(world.runs_its_release(to).await, release);
}

async fn a_commit_is_tested_in_a_copy_that_goes(world: &World<'_>) -> String {
    let run = world.deliver().await;
    assert_eq!(run.exit_code, 0, "{}", run.printed);

    // The copy was there, was tested, and goes with all that it had.
    let copies = world.members("qa").await;
    let [(copy, _)] = copies.as_slice() else {
        panic!("{copies:?}");
    };
    let execution = run.result()["execution"].as_str().unwrap();
    assert_eq!(*copy, format!("qa-{}", &execution[..8]));
    world.are_gone("workshop-qa-").await;

    let release = world.runs_its_release("int").await;
    let verified = world
        .document(&format!("releases/{release}/verified/int.json"))
        .await;
    assert_eq!(verified["execution"], execution, "{verified}");
    assert_eq!(
        world.bookings("int").await,
        json!({ "environment": "int", "bookings": [] })
    );
    // Nothing goes further by itself.
    assert_eq!(world.stacks("workshop-pp-").await, Vec::<String>::new());
    release
}

async fn it_is_promoted_by_its_id(world: &World<'_>, release: &str) {
    // Not past an environment.
    let early = world
        .command(&["promote", "int", "prd", "--release", release, "--yes"])
        .await;
    let said = String::from_utf8_lossy(&early.stderr);
    assert_eq!(early.status.code(), Some(9), "{said}");
    assert!(said.contains("`pp`"), "{said}");

    world
        .does(&["promote", "int", "pp", "--release", release, "--yes"])
        .await;
    assert_eq!(world.runs_its_release("pp").await, release);
    assert_eq!(world.bookings("pp").await["environment"], "pp");
}

/// The bug is one that no test looks for.
async fn a_bad_commit_passes_the_tests(world: &World<'_>) -> String {
    world
        .workshop
        .replace(
            "backend-restapi/src/api.py",
            r#""environment": os.environ["ENVIRONMENT"]"#,
            r#""environment": "nowhere""#,
        )
        .unwrap();
    world.workshop.commit("Forget where it is").unwrap();
    let run = world.deliver().await;
    assert_eq!(run.exit_code, 0, "{}", run.printed);
    world.runs_its_release("int").await
}

async fn production_goes_back(world: &World<'_>, good: &str) {
    world
        .does(&[
            "rollback",
            "prd",
            "--yes",
            "--message",
            "it forgets where it is",
        ])
        .await;
    world.ends("prd", "rollback").await;
    assert_eq!(world.runs_its_release("prd").await, good);
    assert_eq!(world.bookings("prd").await["environment"], "prd");
    let state = world.document("environments/prd/current.json").await;
    let last = &state["last"];
    assert_eq!(last["deployment"]["action"]["kind"], "rollback", "{last:#}");
    assert_eq!(last["deployment"]["reason"], "it forgets where it is");
    // The others keep what they have.
    assert_ne!(world.release_of("pp").await, good);
}
