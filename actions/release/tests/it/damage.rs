//! What somebody changed by hand in the repository is refused by name.

use delivery_release::manifest::{ReleaseId, Service};
use delivery_release::repository::layout;
use delivery_testing::world::World;

use crate::harness::{
    PARTS, RELEASES, begin, ending, environment, manifest, publish, publishing, run, world,
};

/// A world with a release, and the key of its first function's code.
async fn published() -> (World, ReleaseId, String) {
    let world = world().await;
    let variables = publish(&world, "r1").await;
    let manifest = manifest(&world, &variables).await;
    let Service::CloudFormation(stack) = &manifest.services["api"] else {
        panic!("{manifest:?}")
    };
    let code = layout::blob(&stack.artifacts["F0"].sha256);
    (world, variables["Release"].parse().unwrap(), code)
}

#[tokio::test]
async fn a_blob_with_other_bytes() {
    let (world, _, code) = published().await;
    let mut bytes = world.objects().read(RELEASES, &code).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    world.bucket(RELEASES).put(&code, bytes).await;
    let refused = run(&world, publishing("r1")).await;
    insta::assert_snapshot!(refused.failure());
}

#[tokio::test]
async fn a_manifest_with_a_changed_byte() {
    let (world, release, _) = published().await;
    let key = layout::manifest(&release);
    let bytes = world.objects().read(RELEASES, &key).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let text = text.replacen("\"main\"", "\"mein\"", 1);
    world.bucket(RELEASES).put(&key, text).await;
    let refused = run(&world, publishing("r1")).await;
    insta::assert_snapshot!(refused.failure());
}

/// An earlier release only tells what is unchanged.
#[tokio::test]
async fn an_earlier_release_that_cannot_be_read_holds_nothing_up() {
    let (world, release, _) = published().await;
    world
        .bucket(RELEASES)
        .put(&layout::manifest(&release), "{}")
        .await;
    let variables = publish(&world, "r2").await;
    assert_eq!(variables["Unchanged"], "-");
}

#[tokio::test]
async fn a_document_of_an_environment_in_a_newer_schema() {
    let (world, release, _) = published().await;
    begin(&world, "int", &release, "1a2b", &PARTS).await;
    let key = layout::current("int");
    world.bucket(RELEASES).put(&key, r#"{"schema":2}"#).await;
    let refused = run(&world, ending("int", &release, "1a2b")).await;
    insta::assert_snapshot!(refused.failure());
    let there = world.objects().read(RELEASES, &key).unwrap();
    assert_eq!(there, br#"{"schema":2}"#);
}

/// A job that comes back after others have deployed looks for its own record.
#[tokio::test]
async fn a_record_that_is_gone() {
    let (world, release, _) = published().await;
    let lease = begin(&world, "int", &release, "1a2b", &PARTS).await;
    run(&world, ending("int", &release, "1a2b"))
        .await
        .variables();
    begin(&world, "int", &release, "3c4d", &PARTS).await;
    run(&world, ending("int", &release, "3c4d"))
        .await
        .variables();
    let record = layout::deployment("int", &lease.deployment.id);
    world.bucket(RELEASES).delete(&record).await;
    let before = environment(&world, "int").state().await.unwrap();
    let refused = run(&world, ending("int", &release, "1a2b")).await;
    insta::assert_snapshot!(refused.failure());
    assert_eq!(environment(&world, "int").state().await.unwrap(), before);
}
