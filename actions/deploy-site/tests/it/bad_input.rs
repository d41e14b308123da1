//! What a job says of what it cannot use.

use insta::assert_snapshot;
use serde_json::json;

use crate::frame::{Frame, MANIFEST, PARAMETERS, foreign_zip, zip_with};

/// A job that fails before it has written anything.
async fn failed(frame: &Frame, parameters: &str) -> String {
    frame.world.forget_calls();
    let message = frame.fail(parameters).await;
    assert_eq!(frame.writes(), Vec::<String>::new());
    message
}

#[tokio::test]
async fn an_artifact_that_is_not_there() {
    let frame = Frame::start().await;
    frame.world.bucket("store").delete("p/Site/x").await;
    let message = failed(&frame, PARAMETERS).await;
    let first = "RevisionUnavailable: input artifact `DistSiteOutput` (`s3://store/p/Site/x`) does not exist";
    assert!(message.starts_with(first), "{message}");
}

#[tokio::test]
async fn an_artifact_that_is_not_a_zip() {
    let frame = Frame::start().await;
    frame.artifact("<html>").await;
    let message = failed(&frame, PARAMETERS).await;
    assert!(
        message
            .contains("artifact `DistSiteOutput` (`s3://store/p/Site/x`) is not a usable archive"),
        "{message}"
    );
}

#[tokio::test]
async fn an_artifact_without_an_index() {
    let frame = Frame::start().await;
    frame
        .release(&[("site/index.html", "x"), ("style.css", "x")])
        .await;
    assert_snapshot!(failed(&frame, PARAMETERS).await, @"
    JobFailed: input artifact `DistSiteOutput` (`s3://store/p/Site/x`) has no `index.html` at its root, among 2 other files
    hint: in the action that makes the artifact, name the directory that has `index.html`, or name it by `directory`
    ");
}

#[tokio::test]
async fn an_empty_artifact() {
    let frame = Frame::start().await;
    frame.release(&[]).await;
    assert_snapshot!(failed(&frame, PARAMETERS).await, @"
    JobFailed: input artifact `DistSiteOutput` (`s3://store/p/Site/x`) has no `index.html` at its root, among 0 other files
    hint: in the action that makes the artifact, name the directory that has `index.html`, or name it by `directory`
    ");
}

#[tokio::test]
async fn an_artifact_with_a_link_to_nothing() {
    let frame = Frame::start().await;
    let zip = zip_with([("index.html", b"x".as_slice())], &[("latest", "v2")]);
    frame.artifact(zip).await;
    assert_snapshot!(failed(&frame, PARAMETERS).await, @"
    JobFailed: input artifact `DistSiteOutput` (`s3://store/p/Site/x`) has the link `latest`, which does not lead to a file
    hint: remove the link, or add the file that it leads to
    ");
}

#[tokio::test]
async fn an_artifact_with_a_damaged_file() {
    let frame = Frame::start().await;
    let files = [("index.html", &b"a page that is not there for long"[..])];
    let damaged = |mut zip: Vec<u8>| {
        // The file's data is between its header with the name and the central directory.
        let name = zip.windows(10).position(|bytes| bytes == b"index.html");
        zip[name.unwrap() + 20] ^= 1;
        zip
    };
    frame.artifact(damaged(foreign_zip(files))).await;
    let message = failed(&frame, PARAMETERS).await;
    assert!(message.contains("entry `index.html`"), "{message}");

    // Where the artifact says what the file is, it is read when it is its turn, and not before the upload is
    // announced.
    frame.artifact(damaged(zip_with(files, &[]))).await;
    frame.world.forget_calls();
    let message = frame.fail(PARAMETERS).await;
    assert!(message.contains("entry `index.html`"), "{message}");
    assert_eq!(frame.writes(), [format!("PutObject {MANIFEST}")]);
}

#[tokio::test]
async fn an_artifact_with_a_manifest_of_its_own() {
    let frame = Frame::start().await;
    frame
        .release(&[("index.html", "x"), (MANIFEST, "{}")])
        .await;
    assert_snapshot!(failed(&frame, PARAMETERS).await, @"
    JobFailed: input artifact `DistSiteOutput` (`s3://store/p/Site/x`) has a file `.delivery-manifest.json`, a name that is reserved for the site's manifest
    hint: remove the file from the site
    ");
}

#[tokio::test]
async fn a_bucket_that_does_not_exist() {
    let frame = Frame::start().await;
    let message = failed(&frame, "bucket=nowhere&version=v1").await;
    assert!(
        message.starts_with("ConfigurationError: bucket `nowhere` does not exist"),
        "{message}"
    );
    assert!(
        message.ends_with("hint: correct `bucket` in the action's `UserParameters`"),
        "{message}"
    );
}

#[tokio::test]
async fn an_unknown_key() {
    let frame = Frame::start().await;
    assert_snapshot!(failed(&frame, "bucket=www&apiBaseUrl=x").await, @"
    ConfigurationError: `UserParameters` has an unknown key `apiBaseUrl`; known keys are `bucket`, `directory`, `prefix`, `apiBaseurl`, `version`, `delete`, `distribution`, `immutable`, `digest`, `Config.NAME`, `pipeline`, `execution`, `releases`
    hint: correct or remove the key in the action's `UserParameters`
    ");
}

#[tokio::test]
async fn a_missing_key() {
    let frame = Frame::start().await;
    assert_snapshot!(failed(&frame, "version=v1").await, @"
    ConfigurationError: `UserParameters` lacks `bucket`
    hint: add the key to the action's `UserParameters`
    ");
}

#[tokio::test]
async fn a_manifest_that_is_none() {
    let frame = Frame::start().await;
    frame.world.bucket("www").put(MANIFEST, "[]").await;
    let message = failed(&frame, PARAMETERS).await;
    let first =
        "ConfigurationError: `s3://www/.delivery-manifest.json` is not a manifest of this action";
    assert!(message.starts_with(first), "{message}");
}

#[tokio::test]
async fn a_manifest_of_a_later_version() {
    let frame = Frame::start().await;
    frame.succeed(PARAMETERS).await;
    let mut manifest: serde_json::Value =
        serde_json::from_str(&frame.text(MANIFEST).await).unwrap();
    manifest["format"] = json!(2);
    frame
        .world
        .bucket("www")
        .put(MANIFEST, manifest.to_string())
        .await;
    assert_snapshot!(failed(&frame, PARAMETERS).await, @"
    ConfigurationError: `s3://www/.delivery-manifest.json` has format 2; this function reads format 1
    hint: update the function
    ");
}

#[tokio::test]
async fn access_denied_names_the_permission_and_leaves_no_page() {
    let frame = Frame::start().await;
    frame.world.deny("s3:PutObject");
    let message = frame.fail(PARAMETERS).await;
    assert!(
        message.starts_with("PermissionError: the site is only partly deployed"),
        "{message}"
    );
    assert!(
        message.contains("hint: allow `s3:PutObject` on `s3://www/.delivery-manifest.json` for this function's role"),
        "{message}"
    );
    assert_eq!(frame.keys().await, Vec::<String>::new());
}
