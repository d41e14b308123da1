//! Another release comes into the bucket while one does, or what is left of one arrives late.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use delivery_testing::proxy::{Fault, Hook, Rule};
use delivery_testing::s3::Objects;
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;

use crate::faults::run_with_parameters;
use crate::frame::{Frame, MANIFEST, SECOND};

/// What every release here has meanwhiles its own file: of the older release before, of the one that is overtaken,
/// of the newest.
const OLDER: [(&str, &str); 5] = [
    ("index.html", "<link href=style.css>older"),
    ("page.html", "older"),
    ("style.css", "older"),
    ("logo.png", "logo"),
    ("older.txt", "wanted again by the newest"),
];
const OVERTAKEN: [(&str, &str); 5] = [
    ("index.html", "<link href=style.css>overtaken"),
    ("page.html", "overtaken"),
    ("style.css", "overtaken"),
    ("logo.png", "logo"),
    ("overtaken.txt", "new with the overtaken one"),
];
const NEWEST: [(&str, &str); 5] = [
    ("index.html", "<link href=style.css>newest"),
    ("page.html", "newest"),
    ("style.css", "newest"),
    ("logo.png", "logo"),
    ("older.txt", "wanted again by the newest"),
];

/// A bucket where the release that is overtaken would remove `older.txt`.
async fn frame() -> Arc<Frame> {
    let frame = Frame::start_in(World::start_with(Objects::in_memory()).await).await;
    frame.release(&OLDER).await;
    frame.succeed("bucket=www&version=older").await;
    let between: Vec<_> = OLDER[..4].to_vec();
    frame.release(&between).await;
    frame.succeed("bucket=www&version=between").await;
    Arc::new(frame)
}

/// The newest release, wholly, before some call of another one.
fn newest(frame: &Arc<Frame>) -> Fault {
    let frame = Arc::clone(frame);
    let hook: Hook = Arc::new(move || {
        let frame = Arc::clone(&frame);
        Box::pin(async move {
            frame.release(&NEWEST).await;
            frame.succeed("bucket=www&version=newest").await;
        })
    });
    Fault::Before(hook)
}

/// What is not as the newest release has it.
async fn mixed(frame: &Frame) -> Vec<String> {
    let mut wrong = Vec::new();
    for (key, body) in NEWEST {
        let found = frame.world.bucket("www").get(key).await;
        if found.is_none_or(|found| found.body != body.as_bytes()) {
            wrong.push(key.to_owned());
        }
    }
    if frame.config().await["version"] != "newest" {
        wrong.push("config.json".to_owned());
    }
    wrong
}

/// Runs the release that is overtaken, with the newest one before one of its calls.
async fn overtaken_at(action: &str, resource: &str, nth: usize) -> (Arc<Frame>, Reported) {
    let frame = frame().await;
    frame.release(&OVERTAKEN).await;
    let rule = Rule {
        action: action.to_owned(),
        resource: Some(format!("www/{resource}")),
        nth,
        times: 1,
        fault: newest(&frame),
    };
    let reported = run_with_parameters(&frame, vec![rule], "bucket=www&version=overtaken").await;
    (frame, reported)
}

#[tokio::test]
async fn whenever_it_is_overtaken_a_release_changes_nothing_of_the_newer_one() {
    // Each upload but the announcement, the looks at the manifest before index, `config.json` and removals,
    // and the manifest at the end.
    let calls = [
        ("s3:PutObject", "overtaken.txt", 1),
        ("s3:HeadObject", MANIFEST, 1),
        ("s3:PutObject", "style.css", 1),
        ("s3:HeadObject", MANIFEST, 2),
        ("s3:PutObject", "page.html", 1),
        ("s3:HeadObject", MANIFEST, 3),
        ("s3:PutObject", "index.html", 1),
        ("s3:HeadObject", MANIFEST, 4),
        ("s3:PutObject", "config.json", 1),
        ("s3:HeadObject", MANIFEST, 5),
        ("s3:PutObject", MANIFEST, 2),
    ];
    for (action, resource, nth) in calls {
        let (frame, reported) = overtaken_at(action, resource, nth).await;
        let place = format!("{action} {resource} {nth}");
        let Reported::Failure {
            failure_type,
            message,
        } = reported
        else {
            panic!("{place}: {reported:?}");
        };
        assert_eq!(failure_type, "RevisionOutOfSync", "{place}: {message}");
        assert!(message.contains("names `newest`"), "{place}: {message}");
        assert_eq!(mixed(&frame).await, [] as [String; 0], "{place}");
    }
    println!(
        "{} calls at which a release was overtaken, none mixed",
        calls.len()
    );
}

/// Pages of a release that is overtaken in the middle of them.
const PAGES: usize = 1_000;

/// Uploads that may run at once, at most.
const MAX_UPLOADS: usize = 128;

/// Uploads that start before the first check is waited for: the announcement, and twice as many pages as may run at once
/// in the beginning.
const LEAST_UPLOADS: usize = 1 + 2 * 16;

/// How often the number of uploads is looked at, so that a check that uploads wait for fails the test and does not hang it.
const MOST_RESTS: usize = 100;

fn pages(release: &str) -> Vec<(String, String)> {
    let pages = (0..PAGES).map(|number| (format!("{number:04}.html"), release.to_owned()));
    pages
        .chain([("index.html".to_owned(), release.to_owned())])
        .collect()
}

async fn release_pages(frame: &Frame, release: &str) {
    let pages = pages(release);
    let files: Vec<_> = pages
        .iter()
        .map(|(key, body)| (key.as_str(), body.as_str()))
        .collect();
    frame.release(&files).await;
}

fn uploads(frame: &Frame) -> usize {
    let calls = frame.world.calls();
    let uploads = calls
        .iter()
        .filter(|call| call.operation.name == "PutObject");
    uploads.count()
}

/// Uploads go on while the check runs, and stop where it takes too long.
#[tokio::test]
async fn a_bounded_number_of_uploads_starts_while_the_manifest_is_checked() {
    let frame = Frame::start_in(World::start_with(Objects::in_memory()).await).await;
    release_pages(&frame, "older").await;
    frame.succeed("bucket=www&version=older").await;
    let frame = Arc::new(frame);
    let meanwhile = Arc::new(AtomicUsize::new(0));
    let newest: Hook = {
        let (frame, meanwhile) = (Arc::clone(&frame), Arc::clone(&meanwhile));
        Arc::new(move || {
            let (frame, meanwhile) = (Arc::clone(&frame), Arc::clone(&meanwhile));
            Box::pin(async move {
                // The check is answered only when uploads have stopped for it. That they stop shows only in time: too
                // short a rest would find fewer of them than there are, never too many.
                let mut before = 0;
                for _rest in 0..MOST_RESTS {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    let now = uploads(&frame);
                    if now >= LEAST_UPLOADS && now == before {
                        break;
                    }
                    before = now;
                }
                meanwhile.store(before, Ordering::Relaxed);
                release_pages(&frame, "newest").await;
                frame.succeed("bucket=www&version=newest").await;
            })
        })
    };
    release_pages(&frame, "overtaken").await;
    frame.world.forget_calls();
    let rule = Rule {
        resource: Some(format!("www/{MANIFEST}")),
        ..Rule::once("s3:HeadObject", Fault::Before(newest))
    };
    let reported = run_with_parameters(&frame, vec![rule], "bucket=www&version=overtaken").await;
    let Reported::Failure { message, .. } = reported else {
        panic!("{reported:?}");
    };
    assert!(message.contains("names `newest`"), "{message}");
    let uploads = meanwhile.load(Ordering::Relaxed);
    assert!(
        (LEAST_UPLOADS..=2 * MAX_UPLOADS + 1).contains(&uploads),
        "{uploads}"
    );
    for (key, body) in pages("newest") {
        let found = frame.world.bucket("www").get(&key).await.unwrap();
        assert_eq!(found.body, body.as_bytes(), "{key}");
    }
}

/// A bucket in which a release was broken off before its index, and something of it is still under way.
async fn broken_off() -> Arc<Frame> {
    let frame = frame().await;
    frame.release(&OVERTAKEN).await;
    let rule = Rule {
        resource: Some("www/index.html".to_owned()),
        ..Rule::always("s3:PutObject", Fault::Status(403))
    };
    run_with_parameters(&frame, vec![rule], "bucket=www&version=overtaken").await;
    frame
}

#[tokio::test]
async fn what_an_overtaken_release_still_changes_is_mended_by_the_newer_one() {
    let frame = broken_off().await;
    let late: Hook = {
        let bucket = frame.world.bucket("www");
        Arc::new(move || {
            let bucket = bucket.clone();
            Box::pin(async move {
                bucket
                    .put(
                        "logo.png",
                        "late, over what the newest release took for unchanged",
                    )
                    .await;
                bucket
                    .put(
                        "style.css",
                        "late, over what the newest release had uploaded",
                    )
                    .await;
                bucket.delete("older.txt").await;
            })
        })
    };
    let rule = Rule {
        resource: Some("www/config.json".to_owned()),
        ..Rule::once("s3:PutObject", Fault::Before(late))
    };
    frame.release(&NEWEST).await;
    let reported = run_with_parameters(&frame, vec![rule], "bucket=www&version=newest").await;
    assert!(matches!(reported, Reported::Success { .. }), "{reported:?}");
    assert_eq!(mixed(&frame).await, [] as [String; 0]);
    // The manifest knows the uploads that count: the same release again has nothing to do.
    frame.world.forget_calls();
    frame.succeed("bucket=www&version=newest").await;
    assert_eq!(frame.writes(), [] as [String; 0]);
}

#[tokio::test]
async fn a_file_that_someone_wrote_by_hand_meanwhile_is_replaced() {
    let frame = frame().await;
    frame.release(&SECOND).await;
    let by_hand: Hook = {
        let bucket = frame.world.bucket("www");
        Arc::new(move || {
            let bucket = bucket.clone();
            Box::pin(async move {
                bucket.put("style.css", "by hand").await;
                bucket.put("news.js", "by hand").await;
            })
        })
    };
    let rule = Rule {
        resource: Some("www/news.js".to_owned()),
        ..Rule::once("s3:PutObject", Fault::Before(by_hand))
    };
    let reported = run_with_parameters(&frame, vec![rule], "bucket=www&version=second").await;
    assert!(matches!(reported, Reported::Success { .. }), "{reported:?}");
    assert_eq!(frame.text("style.css").await, "body { color: white }");
    assert_eq!(frame.text("news.js").await, "news()");
}

#[tokio::test]
async fn a_job_whose_execution_has_ended_changes_nothing() {
    let frame = frame().await;
    frame.release(&OVERTAKEN).await;
    let before = frame.world.bucket("www").snapshot().await;
    let parameters = "bucket=www&version=late&pipeline=greeter&execution=0a-1b";
    let event = frame.event(parameters, None);
    frame.world.code_pipeline().add_job(&event.clone().build());
    frame
        .world
        .code_pipeline()
        .set_execution("0a-1b", "Stopped");
    let reported = frame.run_job(event, Duration::from_mins(5)).await;
    let Reported::Failure {
        failure_type,
        message,
    } = reported
    else {
        panic!("{reported:?}");
    };
    assert_eq!(failure_type, "RevisionOutOfSync");
    assert!(
        message.starts_with("pipeline execution `0a-1b` of `greeter` has ended"),
        "{message}"
    );
    assert_eq!(frame.world.bucket("www").snapshot().await, before);
}

#[tokio::test]
async fn an_execution_that_ends_meanwhile_replaces_no_page() {
    let frame = frame().await;
    frame.release(&OVERTAKEN).await;
    let end: Hook = {
        let frame = Arc::clone(&frame);
        Arc::new(move || {
            frame
                .world
                .code_pipeline()
                .set_execution("0a-1b", "Stopped");
            Box::pin(std::future::ready(()))
        })
    };
    let rule = Rule {
        resource: Some("www/style.css".to_owned()),
        ..Rule::once("s3:PutObject", Fault::Before(end))
    };
    let parameters = "bucket=www&version=late&pipeline=greeter&execution=0a-1b";
    let reported = run_with_parameters(&frame, vec![rule], parameters).await;
    assert!(matches!(reported, Reported::Failure { .. }), "{reported:?}");
    assert_eq!(frame.text("page.html").await, "older");
    assert_eq!(frame.text("index.html").await, "<link href=style.css>older");
}
