//! What somebody changed by hand is refused by name, and nothing is applied.

use delivery_release::digest::Digest;
use delivery_release::environment::{Action, State};
use delivery_release::manifest::{Manifest, ReleaseId};
use delivery_release::repository::{Publisher, layout};

use crate::world::{BUCKET, World, at, message, provenance, request};

/// What deploying a release to an environment that has another one is refused with.
async fn refusal(world: &World, release: &ReleaseId) -> String {
    let int = world.environment("int");
    let before = int.state().await.unwrap();
    let release = release.clone();
    let wanted = request("job", Action::Deploy { release });
    let refused = int.begin(&wanted, at(600)).await.unwrap_err();
    assert_eq!(int.state().await.unwrap(), before);
    message(&refused)
}

async fn with_a_release() -> (World, ReleaseId, Manifest) {
    let world = World::start().await;
    let good = world.publish("good").await.release;
    world.deploy("int", &good).await;
    let release = world.publish("bad").await.release;
    let manifest = world.repository.manifest(&release).await.unwrap();
    (world, release, manifest)
}

/// The key of the code that the releases do not share.
fn code() -> String {
    layout::blob(&Digest::of(b"bad"))
}

#[tokio::test]
async fn a_blob_that_is_gone() {
    let (world, release, _) = with_a_release().await;
    world.bucket.delete(&code()).await;
    insta::assert_snapshot!(refusal(&world, &release).await);
}

#[tokio::test]
async fn a_blob_of_another_length() {
    let (world, release, _) = with_a_release().await;
    world.bucket.put(&code(), "longer").await;
    insta::assert_snapshot!(refusal(&world, &release).await);
    // Who publishes the same content is told, too.
    let mut publisher = Publisher::new(&world.repository);
    let refused = publisher.put_bytes(b"bad").await.unwrap_err();
    insta::assert_snapshot!(message(&refused));
}

#[tokio::test]
async fn a_blob_that_is_not_what_its_digest_says() {
    let (world, _, manifest) = with_a_release().await;
    let digest = manifest.configuration.sha256;
    let key = layout::blob(&digest);
    world.bucket.put(&key, "application = \"workshap\"\n").await;
    let refused = world.repository.blob(&digest).await.unwrap_err();
    insta::assert_snapshot!(message(&refused));
}

/// S3 has no digest of what was put by hand; of what was put with one it tells the digest.
#[tokio::test]
async fn a_blob_of_the_same_length_with_other_bytes() {
    let (world, release, _) = with_a_release().await;
    world.bucket.put(&code(), "bat").await;
    let refused = refusal(&world, &release).await;
    insta::assert_snapshot!(refused);
    world.bucket.delete(&code()).await;
    let client = aws_sdk_s3::Client::new(&world.s3.config());
    let put = client.put_object().bucket(BUCKET).key(code());
    let digest = Digest::of(b"bat").base64();
    let put = put.checksum_sha256(digest).body(b"bat".to_vec().into());
    put.send().await.unwrap();
    assert_eq!(refusal(&world, &release).await, refused);
    let mut publisher = Publisher::new(&world.repository);
    let again = publisher.put_bytes(b"bad").await.unwrap_err();
    assert_eq!(message(&again), refused);
}

#[tokio::test]
async fn a_blob_that_was_put_by_hand_as_it_was_is_taken() {
    let (world, release, manifest) = with_a_release().await;
    world.bucket.put(&code(), "bad").await;
    world.repository.check_blobs(&manifest).await.unwrap();
    world.deploy("int", &release).await;
}

#[tokio::test]
async fn a_manifest_with_a_changed_byte() {
    let (world, release, manifest) = with_a_release().await;
    let text = String::from_utf8(manifest.to_bytes()).unwrap();
    let changed = text.replacen("api/template.yaml", "api/templbte.yaml", 1);
    world.bucket.put(&layout::manifest(&release), changed).await;
    insta::assert_snapshot!(refusal(&world, &release).await);
    let again = Publisher::new(&world.repository);
    let refused = again
        .publish(&manifest, &provenance("e"), at(0))
        .await
        .unwrap_err();
    insta::assert_snapshot!(message(&refused));
}

#[tokio::test]
async fn a_manifest_that_is_gone() {
    let (world, release, _) = with_a_release().await;
    world.bucket.delete(&layout::manifest(&release)).await;
    insta::assert_snapshot!(refusal(&world, &release).await);
}

/// Puts a document where a manifest of these bytes belongs.
async fn with_manifest(world: &World, text: &str) -> ReleaseId {
    let release = ReleaseId::of(text.as_bytes());
    world.bucket.put(&layout::manifest(&release), text).await;
    release
}

#[tokio::test]
async fn a_manifest_of_a_newer_schema() {
    let (world, ..) = with_a_release().await;
    let release = with_manifest(&world, r#"{"schema":2,"parts":[]}"#).await;
    insta::assert_snapshot!(refusal(&world, &release).await);
}

#[tokio::test]
async fn a_manifest_that_says_more_than_is_known() {
    let (world, _, manifest) = with_a_release().await;
    let text = String::from_utf8(manifest.to_bytes()).unwrap();
    let more = text.replacen('{', r#"{"canary":10,"#, 1);
    let release = with_manifest(&world, &more).await;
    insta::assert_snapshot!(refusal(&world, &release).await);
    let engine = text.replacen("\"cloudformation\"", "\"terraform\"", 1);
    let release = with_manifest(&world, &engine).await;
    insta::assert_snapshot!(refusal(&world, &release).await);
}

#[tokio::test]
async fn a_record_that_is_gone() {
    let world = World::start().await;
    let mut records = Vec::new();
    for code in ["a", "b", "c"] {
        let release = world.publish(code).await.release;
        records.push(world.deploy("int", &release).await);
    }
    let int = world.environment("int");
    world
        .run("int", &request("back", Action::Rollback { release: None }))
        .await;
    let second = &records[1].deployment.id;
    world
        .bucket
        .delete(&layout::deployment("int", second))
        .await;
    let before = int.state().await.unwrap();
    let wanted = request("again", Action::Rollback { release: None });
    let refused = int.begin(&wanted, at(600)).await.unwrap_err();
    insta::assert_snapshot!(message(&refused));
    assert_eq!(int.state().await.unwrap(), before);
    assert_eq!(int.history(10).await.unwrap().missing, [2]);
    // Nothing may be deleted while it is not known what is needed.
    world.repository.holdings().await.unwrap_err();
}

#[tokio::test]
async fn a_document_of_an_environment_that_cannot_be_read() {
    let (world, release, _) = with_a_release().await;
    let key = layout::current("int");
    for text in [r#"{"schema":2}"#, r#"{"schema":1,"deployments":-1}"#, "{"] {
        world.bucket.put(&key, text).await;
        let int = world.environment("int");
        let release = release.clone();
        let wanted = request("job", Action::Deploy { release });
        let refused = int.begin(&wanted, at(600)).await.unwrap_err();
        insta::assert_snapshot!(message(&refused));
        assert_eq!(world.bucket.get(&key).await.unwrap().body, text.as_bytes());
    }
    let read = serde_json::from_str::<State>(r#"{"schema":1,"deployments":0}"#);
    assert_eq!(read.unwrap(), State::default());
}
