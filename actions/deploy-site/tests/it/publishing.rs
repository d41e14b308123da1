//! What is in the bucket after a job.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;

use crate::frame::{FIRST, Frame, MANIFEST, PARAMETERS, SECOND, zip_with};

fn numbers(variables: &BTreeMap<String, String>) -> [&str; 3] {
    ["Uploaded", "Unchanged", "Removed"].map(|name| variables[name].as_str())
}

#[tokio::test]
async fn a_first_release_is_uploaded_whole() {
    let frame = Frame::start().await;
    let variables = frame.succeed(PARAMETERS).await;
    assert_eq!(numbers(&variables), ["7", "0", "0"]);
    assert_eq!(variables["Version"], "v1");
    assert_eq!(variables["Changed"], "true");
    assert_eq!(
        frame.keys().await,
        [
            "about/index.html",
            "app.1a2b3c4d.js",
            "config.json",
            "index.html",
            "logo.png",
            "old.txt",
            "style.css"
        ]
    );
    assert_eq!(
        frame.config().await,
        json!({"apiBaseurl": "https://api.example", "version": "v1"})
    );
}

#[tokio::test]
async fn browsers_are_told_type_and_lifetime() {
    let frame = Frame::start().await;
    frame.succeed(PARAMETERS).await;
    let objects = frame.world.bucket("www").snapshot().await;
    let printed = |key: &str| {
        let object = &objects[key];
        (
            object.content_type.clone().unwrap(),
            object.cache_control.clone().unwrap(),
        )
    };
    let pair = |kind: &str, cache: &str| (kind.to_owned(), cache.to_owned());
    assert_eq!(
        printed("index.html"),
        pair("text/html; charset=utf-8", "no-cache")
    );
    assert_eq!(
        printed("style.css"),
        pair("text/css; charset=utf-8", "no-cache")
    );
    assert_eq!(
        printed("config.json"),
        pair("application/json; charset=utf-8", "no-cache")
    );
    assert_eq!(printed("logo.png"), pair("image/png", "no-cache"));
    assert_eq!(
        printed("app.1a2b3c4d.js"),
        pair(
            "text/javascript; charset=utf-8",
            "public, max-age=31536000, immutable"
        )
    );
}

#[tokio::test]
async fn the_same_release_again_changes_nothing() {
    let frame = Frame::start().await;
    frame.succeed(PARAMETERS).await;
    frame.world.forget_calls();
    let variables = frame.succeed(PARAMETERS).await;
    assert_eq!(numbers(&variables), ["0", "7", "0"]);
    assert_eq!(variables["Changed"], "false");
    assert_eq!(frame.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_release_with_fewer_files_is_a_change_though_nothing_is_uploaded() {
    let frame = Frame::start().await;
    frame.succeed(PARAMETERS).await;
    frame.release(&FIRST[..5]).await;
    for changed in ["true", "false"] {
        let variables = frame.succeed(PARAMETERS).await;
        assert_eq!(numbers(&variables), ["0", "6", "0"]);
        assert_eq!(variables["Changed"], changed);
    }
}

#[tokio::test]
async fn only_what_differs_is_uploaded() {
    let frame = Frame::start().await;
    frame.succeed(PARAMETERS).await;
    frame.release(&SECOND).await;
    let variables = frame.succeed(PARAMETERS).await;
    // `logo.png` and `config.json` are those of the first release.
    assert_eq!(numbers(&variables), ["5", "2", "0"]);
}

#[tokio::test]
async fn what_is_gone_is_removed_one_release_later() {
    let frame = Frame::start().await;
    frame.succeed(PARAMETERS).await;
    frame.release(&SECOND).await;
    frame.succeed(PARAMETERS).await;
    assert!(frame.keys().await.contains(&"old.txt".to_owned()));
    let third: Vec<_> = SECOND
        .iter()
        .copied()
        .filter(|(name, _)| *name != "news.js")
        .collect();
    frame.release(&third).await;
    let variables = frame.succeed(PARAMETERS).await;
    assert_eq!(variables["Removed"], "3");
    assert_eq!(
        frame.keys().await,
        [
            "app.5e6f7a8b.js",
            "config.json",
            "index.html",
            "logo.png",
            "news.js",
            "news/index.html",
            "style.css"
        ]
    );
}

#[tokio::test]
async fn a_repeated_job_does_not_count_as_another_release() {
    let frame = Frame::start().await;
    frame.succeed(PARAMETERS).await;
    frame.release(&SECOND).await;
    frame.succeed(PARAMETERS).await;
    frame.succeed(PARAMETERS).await;
    assert!(frame.keys().await.contains(&"old.txt".to_owned()));
}

#[tokio::test]
async fn with_delete_never_all_stays() {
    let frame = Frame::start().await;
    let parameters = format!("{PARAMETERS}&delete=never");
    for files in [&FIRST[..], &SECOND[..], &SECOND[..5]] {
        frame.release(files).await;
        assert_eq!(frame.succeed(&parameters).await["Removed"], "0");
    }
    let keys = frame.keys().await;
    assert!(
        keys.contains(&"old.txt".to_owned()) && keys.contains(&"news.js".to_owned()),
        "{keys:?}"
    );
}

#[tokio::test]
async fn what_others_put_there_is_never_removed() {
    let frame = Frame::start().await;
    frame.world.bucket("www").put("by-hand.txt", "mine").await;
    for files in [&FIRST[..], &SECOND[..], &SECOND[..5]] {
        frame.release(files).await;
        frame.succeed(PARAMETERS).await;
    }
    assert_eq!(frame.text("by-hand.txt").await, "mine");
}

#[tokio::test]
async fn what_others_changed_is_put_right() {
    let frame = Frame::start().await;
    frame.succeed(PARAMETERS).await;
    frame.world.bucket("www").put("style.css", "tampered").await;
    frame.world.bucket("www").delete("logo.png").await;
    let variables = frame.succeed(PARAMETERS).await;
    assert_eq!(numbers(&variables), ["2", "5", "0"]);
    assert_eq!(frame.text("style.css").await, "body { color: black }");
}

#[tokio::test]
async fn a_folder_of_the_source_is_a_site() {
    let frame = Frame::start().await;
    frame
        .release(&[
            ("README.md", "x"),
            ("index.html", "of the repository"),
            ("frontend/build/index.html", "of the site"),
            ("frontend/build/app/main.js", "x"),
            ("frontend/build-tools.txt", "x"),
        ])
        .await;
    frame
        .succeed(&format!("{PARAMETERS}&directory=frontend/build"))
        .await;
    assert_eq!(
        frame.keys().await,
        ["app/main.js", "config.json", "index.html"]
    );
    let objects = frame.world.bucket("www").snapshot().await;
    assert_eq!(&objects["index.html"].body[..], b"of the site");
}

#[tokio::test]
async fn a_prefix_is_a_site_of_its_own() {
    let frame = Frame::start().await;
    frame
        .world
        .bucket("www")
        .put("application/x", "another site")
        .await;
    frame.succeed(&format!("{PARAMETERS}&prefix=app")).await;
    assert_eq!(frame.text("app/logo.png").await, "logo");
    let first: Vec<_> = frame
        .keys()
        .await
        .into_iter()
        .filter(|key| !key.starts_with("app"))
        .collect();
    assert_eq!(first, Vec::<String>::new());
}

#[tokio::test]
async fn config_json_holds_the_keys_given_and_replaces_the_artifacts_own() {
    let frame = Frame::start().await;
    frame
        .release(&[
            ("index.html", "x"),
            ("config.json", "{\"version\": \"local\"}"),
        ])
        .await;
    frame
        .succeed("bucket=www&version=v2&Config.title=A%20%22title%22")
        .await;
    assert_eq!(
        frame.config().await,
        json!({"version": "v2", "title": "A \"title\""})
    );
}

#[tokio::test]
async fn the_version_is_the_revision_where_that_is_a_commit_id() {
    let frame = Frame::start().await;
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let event = frame.event("bucket=www", Some(commit));
    let variables = frame
        .run_job(event, Duration::from_mins(5))
        .await
        .variables();
    assert_eq!(variables["Version"], commit);
}

#[tokio::test]
async fn the_version_is_else_when_the_artifact_was_stored() {
    let frame = Frame::start().await;
    let stored = UNIX_EPOCH + Duration::from_secs(981_173_106); // a clock's version would be another one
    let objects = frame.world.objects();
    objects.set_modified("store", "p/Site/x", stored);
    assert_eq!(
        frame.succeed("bucket=www").await["Version"],
        "20010203-040506"
    );
    frame.world.forget_calls();
    frame.succeed("bucket=www").await;
    assert_eq!(frame.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn what_changed_is_invalidated_once() {
    let frame = Frame::start().await;
    let parameters = format!("{PARAMETERS}&distribution=E1");
    frame.succeed(&parameters).await;
    frame.succeed(&parameters).await;
    let invalidations = frame.world.cloud_front().invalidations("E1").clone();
    assert_eq!(invalidations.len(), 1);
    frame.release(&SECOND).await;
    frame.succeed(&parameters).await;
    let all = frame.world.cloud_front().invalidations("E1").clone();
    let (_, second) = all
        .iter()
        .find(|(reference, _)| !invalidations.contains_key(*reference))
        .unwrap();
    assert_eq!(
        *second,
        [
            "/",
            "/app.5e6f7a8b.js",
            "/index.html",
            "/news.js",
            "/news/",
            "/news/index.html",
            "/style.css"
        ]
    );
    // Back to the first release: another transition, so another reference.
    frame.release(&FIRST).await;
    frame.succeed(&parameters).await;
    assert_eq!(frame.world.cloud_front().invalidations("E1").len(), 3);
}

#[tokio::test]
async fn a_failed_invalidation_says_that_the_site_is_there() {
    let frame = Frame::start().await;
    frame.world.deny("cloudfront:CreateInvalidation");
    let message = frame.fail(&format!("{PARAMETERS}&distribution=E1")).await;
    let expected = "PermissionError: the site is deployed as `v1`, but the cache of distribution `E1` is stale: \
                    the invalidation `serverless-delivery-";
    assert!(message.starts_with(expected), "{message}");
    assert_eq!(frame.keys().await.len(), 7);
}

#[tokio::test]
async fn two_jobs_at_once_end_as_one() {
    let frame = Frame::start().await;
    let (first, second) = tokio::join!(frame.run(PARAMETERS), frame.run(PARAMETERS));
    first.variables();
    second.variables();
    frame.world.forget_calls();
    assert_eq!(numbers(&frame.succeed(PARAMETERS).await), ["0", "7", "0"]);
    assert_eq!(frame.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_broken_off_release_leaves_nothing_for_good() {
    let frame = Frame::start().await;
    frame.succeed(PARAMETERS).await;
    // A manifest as an invocation leaves it that was killed after it had uploaded `orphan.js`.
    let mut manifest: serde_json::Value =
        serde_json::from_str(&frame.text(MANIFEST).await).unwrap();
    manifest["retained"] = json!(["orphan.js"]);
    manifest["unfinished"] = json!({"release": "x", "changed": ["orphan.js"], "files": {}});
    let bucket = frame.world.bucket("www");
    bucket
        .put(MANIFEST, manifest.to_string())
        .await
        .put("orphan.js", "x")
        .await;
    frame.release(&SECOND).await;
    assert_eq!(frame.succeed(PARAMETERS).await["Removed"], "1");
    assert!(!frame.keys().await.contains(&"orphan.js".to_owned()));
}

#[tokio::test]
async fn links_are_served_as_what_they_lead_to() {
    let frame = Frame::start().await;
    let files = [
        ("index.html", b"x".as_slice()),
        ("v2/guide.html", b"the guide"),
    ];
    let links = [("latest", "v2"), ("guide.html", "latest/guide.html")];
    frame.artifact(zip_with(files, &links)).await;
    let variables = frame.succeed(PARAMETERS).await;
    assert_eq!(numbers(&variables), ["5", "0", "0"]);
    for key in ["v2/guide.html", "latest/guide.html", "guide.html"] {
        assert_eq!(frame.text(key).await, "the guide");
    }
}

#[tokio::test]
async fn a_parameter_says_what_browsers_keep() {
    let frame = Frame::start().await;
    frame
        .succeed(&format!("{PARAMETERS}&immutable=*.png,about/**"))
        .await;
    let objects = frame.world.bucket("www").snapshot().await;
    let kept: Vec<_> = objects
        .iter()
        .filter(|(_, object)| object.cache_control.as_deref() != Some("no-cache"))
        .map(|(key, _)| key.as_str())
        .collect();
    assert_eq!(
        kept,
        ["logo.png"],
        "a page is asked for again, whatever a pattern says"
    );
}

#[tokio::test]
async fn what_macos_adds_to_archives_is_not_published() {
    let frame = Frame::start().await;
    let mut release = FIRST.to_vec();
    release.extend([
        (".DS_Store", "looks"),
        ("about/.DS_Store", "looks"),
        ("__MACOSX/._index.html", "attributes"),
        ("model.html", "a page"),
        ("Model.html", "another page"),
    ]);
    frame.release(&release).await;
    let variables = frame.succeed(PARAMETERS).await;
    assert_eq!(numbers(&variables), ["9", "0", "0"]);
    assert_eq!(frame.text("model.html").await, "a page");
    assert_eq!(frame.text("Model.html").await, "another page");
}
