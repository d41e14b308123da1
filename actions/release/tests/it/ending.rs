//! The end of an environment's stage.

use delivery_action::clock;
use delivery_release::environment::{Ending, Outcome};
use delivery_release::manifest::ReleaseId;
use delivery_testing::events::JobEvent;
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use std::collections::BTreeMap;

use crate::harness::{
    self, PARTS, RELEASES, STORE, begin, common, ending, ending_with, environment, publish, put,
    repository, run, world,
};

async fn published() -> (World, ReleaseId) {
    let world = world().await;
    let release = publish(&world, "r1").await["Release"].parse().unwrap();
    (world, release)
}

async fn verified(world: &World, release: &ReleaseId) -> Vec<String> {
    let listed = repository(world).releases().await.unwrap();
    let listed = listed.into_iter().find(|one| one.release == *release);
    listed.unwrap().verified
}

/// Ends a deployment as the function `undeploy` does when a stage has failed.
async fn fail(world: &World, name: &str) {
    let environment = environment(world, name);
    let lease = environment.state().await.unwrap().lease.unwrap();
    let failed = Ending {
        outcome: Outcome::Failed {
            message: "the stage has failed".to_owned(),
        },
        services: BTreeMap::new(),
    };
    let (id, now) = (&lease.deployment.id, clock::timestamp());
    environment.end(id, &failed, now).await.unwrap();
}

#[tokio::test]
async fn what_was_deployed_and_tested_is_verified() {
    let (world, release) = published().await;
    let lease = begin(&world, "int", &release, "1a2b", &PARTS).await;
    let variables = run(&world, ending("int", &release, "1a2b"))
        .await
        .variables();
    assert_eq!(variables["Release"], release.to_string());
    assert_eq!(variables["Deployment"], lease.deployment.id.to_string());
    assert_eq!(variables["Environment"], "int");
    let state = environment(&world, "int").state().await.unwrap();
    assert_eq!(state.current.unwrap().release, release);
    assert_eq!(state.lease, None);
    assert_eq!(verified(&world, &release).await, ["int"]);
    // A job that is delivered again says the same, and writes nothing that changes.
    let again = run(&world, ending("int", &release, "1a2b"))
        .await
        .variables();
    assert_eq!(again, variables);
}

#[tokio::test]
async fn what_a_check_was_left_out_of_is_not_verified() {
    let (world, release) = published().await;
    begin(&world, "int", &release, "1a2b", &PARTS).await;
    let job = ending_with("int", &release, "1a2b", "&verify=off");
    let Reported::Success { summary, .. } = run(&world, job).await else {
        panic!("it has not ended");
    };
    let expected =
        format!("release {release} is deployed to `int`, but does not count as verified");
    assert!(summary.starts_with(&expected), "{summary}");
    let state = environment(&world, "int").state().await.unwrap();
    assert_eq!(state.current.unwrap().release, release);
    assert_eq!(verified(&world, &release).await, [""; 0]);
}

#[tokio::test]
async fn a_duplicate_after_others_finds_its_own_deployment() {
    let (world, release) = published().await;
    begin(&world, "int", &release, "1a2b", &PARTS).await;
    let first = run(&world, ending("int", &release, "1a2b"))
        .await
        .variables();
    begin(&world, "int", &release, "3c4d", &[]).await;
    let before = environment(&world, "int").state().await.unwrap();
    let again = run(&world, ending("int", &release, "1a2b"))
        .await
        .variables();
    assert_eq!(again, first);
    assert_eq!(environment(&world, "int").state().await.unwrap(), before);
}

#[tokio::test]
async fn a_part_that_is_missing_is_named_and_nothing_is_verified() {
    let (world, release) = published().await;
    let lease = begin(&world, "int", &release, "1a2b", &PARTS[1..]).await;
    let refused = run(&world, ending("int", &release, "1a2b")).await;
    let id = lease.deployment.id.to_string();
    insta::assert_snapshot!(refused.failure().replace(&id, "ID"));
    assert_eq!(verified(&world, &release).await, [""; 0]);
    let state = environment(&world, "int").state().await.unwrap();
    assert!(state.lease.is_some() && state.current.is_none());
}

#[tokio::test]
async fn the_environment_of_an_execution_has_its_digits() {
    let world = world().await;
    let mut source = harness::source("r1");
    source[0].1 = format!("{}qa = {{ ttl = \"4h\" }}\n", harness::DEFINITION);
    source[0].1 = source[0]
        .1
        .replace("shop = { directory = \"shop\", kind = \"app\" }\n", "");
    put(&world, "r1", &source).await;
    let event = JobEvent::new()
        .input("SourceOutput", STORE, "r1")
        .user_parameters(&common("r1"));
    let release = run(&world, event).await.variables()["Release"]
        .parse()
        .unwrap();
    let execution = "1f09ab3c-ffff-4000-8000-000000000000";
    begin(
        &world,
        "qa-1f09ab3c",
        &release,
        execution,
        &["api", "website"],
    )
    .await;
    let event = JobEvent::new().user_parameters(&format!(
        "end=qa&instance={execution}&releases={RELEASES}&release={release}&pipeline=workshop&execution={execution}"
    ));
    let variables = run(&world, event).await.variables();
    assert_eq!(variables["Environment"], "qa-1f09ab3c");
    assert_eq!(verified(&world, &release).await, ["qa-1f09ab3c"]);
}

#[tokio::test]
async fn a_retry_of_the_tests_alone_takes_the_deployment_up() {
    let (world, release) = published().await;
    begin(&world, "int", &release, "1a2b", &PARTS).await;
    fail(&world, "int").await;
    let variables = run(&world, ending("int", &release, "1a2b"))
        .await
        .variables();
    assert_eq!(variables["Environment"], "int");
    let state = environment(&world, "int").state().await.unwrap();
    assert_eq!(state.current.unwrap().release, release);
    assert_eq!(verified(&world, &release).await, ["int"]);
}

#[tokio::test]
async fn a_deployment_that_failed_before_others_stays_failed() {
    let (world, release) = published().await;
    let lease = begin(&world, "int", &release, "1a2b", &PARTS).await;
    fail(&world, "int").await;
    begin(&world, "int", &release, "3c4d", &PARTS).await;
    run(&world, ending("int", &release, "3c4d"))
        .await
        .variables();
    let refused = run(&world, ending("int", &release, "1a2b")).await.failure();
    insta::assert_snapshot!(refused.replace(&lease.deployment.id.to_string(), "ID"));
}

#[tokio::test]
async fn who_deployed_nothing_ends_nothing() {
    let (world, release) = published().await;
    let refused = run(&world, ending("int", &release, "1a2b")).await;
    insta::assert_snapshot!(refused.failure());
    assert_eq!(verified(&world, &release).await, [""; 0]);
}

#[tokio::test]
async fn a_job_whose_execution_has_ended_takes_nothing_up() {
    let (world, release) = published().await;
    begin(&world, "int", &release, "1a2b", &PARTS).await;
    fail(&world, "int").await;
    let event = ending("int", &release, "1a2b");
    let built = event.build();
    world.code_pipeline().add_job(&built);
    world.code_pipeline().set_execution("1a2b", "Stopped");
    let before = environment(&world, "int").state().await.unwrap();
    delivery_action::action::Host::new(release::Release::new, world.config())
        .invoke(built, delivery_testing::events::invocation())
        .await
        .unwrap();
    assert_eq!(environment(&world, "int").state().await.unwrap(), before);
}

#[tokio::test]
async fn services_that_an_environment_shares_are_not_expected() {
    let world = world().await;
    let mut source = harness::source("r1");
    source[0].1 = harness::DEFINITION.replace("int = {}", "int = { share = { api = \"prd\" } }");
    source[0].1 = source[0].1.replace("prd = { after = \"int\" }", "prd = {}");
    put(&world, "r1", &source).await;
    let release = publish(&world, "r1").await["Release"].parse().unwrap();
    begin(&world, "int", &release, "1a2b", &PARTS[1..]).await;
    run(&world, ending("int", &release, "1a2b"))
        .await
        .variables();
    assert_eq!(verified(&world, &release).await, ["int"]);
}
