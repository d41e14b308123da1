//! What S3 tells of an object without sending it.

use aws_sdk_s3::types::ChecksumMode;

use crate::world::{World, run};

const BUCKET: &str = "with-digests";

/// The SHA-256 of `x`.
const DIGEST: &str = "LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=";

/// The digest that is told of an object.
async fn digest(world: &World, key: &str, mode: Option<ChecksumMode>) -> Option<String> {
    let head = world.s3.head_object().bucket(BUCKET).key(key);
    let head = head.set_checksum_mode(mode).send().await.unwrap();
    head.checksum_sha256
}

/// A release's blobs are checked by it (`docs/decisions/0293-settings-are-in-delivery-toml-alone.md`).
#[test]
fn the_digest_of_an_object_is_told_if_it_was_put_with_one() {
    run(async |world| {
        let create = world.s3.create_bucket().bucket(BUCKET);
        create.send().await.unwrap();
        let put = |key: &str| world.s3.put_object().bucket(BUCKET).key(key);
        let put = |key: &str| put(key).body(b"x".to_vec().into());
        put("with").checksum_sha256(DIGEST).send().await.unwrap();
        put("without").send().await.unwrap();
        let enabled = || Some(ChecksumMode::Enabled);
        let told = digest(world, "with", enabled()).await;
        assert_eq!(told.as_deref(), Some(DIGEST));
        assert_eq!(
            digest(world, "with", None).await,
            None,
            "only if it is asked for"
        );
        assert_eq!(digest(world, "without", enabled()).await, None);
        let wrong = put("wrong").checksum_sha256("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        assert!(wrong.send().await.is_err());
    });
}
