//! Faults at every mutating call, and what others do meanwhile.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use delivery_action::action::Host;
use delivery_testing::events::{FUNCTION_KEYS, JobEvent, invocation_of};
use delivery_testing::matrix::{self, Scenario};
use delivery_testing::proxy::{Fault, Hook, Proxy, Rule};
use delivery_testing::s3::{self, Objects, StoredObject};
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use deploy_site::DeploySite;
use serde_json::Value;

use crate::frame::{FIRST, Frame, MANIFEST, PARAMETERS, zip};

/// A release with something new, replaced and gone.
const CHANGED: [(&str, &str); 3] = [
    (
        "index.html",
        "<link rel=stylesheet href=style.css><script src=app.5e6f7a8b.js></script>",
    ),
    ("style.css", "body { color: white }"),
    ("app.5e6f7a8b.js", "fetch('config.json') // again"),
];

/// The release that comes between two attempts of that one. It changes each file that both have: an upload on its
/// way is refused by its condition, which a file that the newer release left as it was still meets (0157).
const OTHER: [(&str, &str); 3] = [
    (
        "index.html",
        "<link rel=stylesheet href=style.css><img src=logo.png>",
    ),
    ("style.css", "body { color: blue }"),
    ("logo.png", "logo"),
];

fn release(event: JobEvent, key: &str, version: &str, execution: &str) -> Value {
    let parameters = format!(
        "bucket=www&version={version}&distribution=E1&pipeline=greeter&execution={execution}"
    );
    let event = event.input("DistSiteOutput", "store", key);
    event.user_parameters(&parameters).build()
}

/// A release over two others, so that the job uploads, replaces, removes and
/// invalidates.
struct Release {
    before: BTreeMap<String, StoredObject>,
}

impl Release {
    /// The bucket as two releases leave it.
    async fn prepare() -> Self {
        let frame = Frame::start_in(World::start_with(Objects::in_memory()).await).await;
        let mut older = FIRST.to_vec();
        older.push(("oldest.txt", "only in the oldest release"));
        frame.release(&older).await;
        frame.succeed("bucket=www&version=v0").await;
        frame.release(&FIRST).await;
        frame.succeed("bucket=www&version=v1").await;
        Self {
            before: frame.world.bucket("www").snapshot().await,
        }
    }
}

/// The bucket and the invalidations.
#[derive(Debug, PartialEq)]
struct State {
    site: BTreeMap<String, StoredObject>,
    manifest: Value,
    invalidations: BTreeMap<String, Vec<String>>,
}

impl Scenario for Release {
    type State = State;

    fn binary(&self) -> &Path {
        Path::new(env!("CARGO_BIN_EXE_deploy-site"))
    }

    fn event(&self) -> Value {
        release(JobEvent::new(), "p/Site/x", "v2", "0a1b2c3d-1111")
    }

    fn other_release(&self) -> Option<Value> {
        let event = JobEvent::new().id("22222222-abcd-1111-abcd-111111abcdef");
        Some(release(event, "p/Site/other", "v3", "0a1b2c3d-2222"))
    }

    /// Its own files. An asset of the first release that arrives late lies next to them, and the manifest knows it;
    /// an invalidation that arrives late drops what is fetched again.
    async fn other_state(&self, world: &World) -> State {
        let mut state = self.snapshot(world).await;
        let is_its_own =
            |key: &String| key == "config.json" || OTHER.iter().any(|(name, _)| name == key);
        state.site.retain(|key, _| is_its_own(key));
        state.invalidations.clear();
        state
    }

    async fn check_other(&self, world: &World) -> Result<(), String> {
        let site = world.bucket("www").snapshot().await;
        for (key, body) in OTHER {
            if site
                .get(key)
                .is_none_or(|object| object.body != body.as_bytes())
            {
                return Err(format!("`{key}` is not that of the other release"));
            }
        }
        Ok(())
    }

    async fn seed(&self, world: &World) {
        world.cloud_front().create("E1");
        world
            .bucket("store")
            .create()
            .await
            .put("p/Site/x", zip(&CHANGED))
            .await
            .put("p/Site/other", zip(&OTHER))
            .await;
        let www = world.bucket("www");
        www.create().await;
        for (key, object) in &self.before {
            www.put(key, object.body.clone()).await;
        }
    }

    async fn snapshot(&self, world: &World) -> State {
        let mut site = world.bucket("www").snapshot().await;
        let manifest = site.remove(MANIFEST).expect("there is always a manifest");
        let mut manifest: Value = serde_json::from_slice(&manifest.body).unwrap();
        // Before the first page is replaced, an announcement is all that may differ.
        if manifest.get("unfinished").is_some() {
            manifest = Value::from("announced");
        }
        let invalidations = world.cloud_front().invalidations("E1").clone();
        State {
            site,
            manifest,
            invalidations,
        }
    }

    fn mends_what_passes(&self) -> bool {
        true
    }

    fn check(&self, _world: &World) -> Result<(), String> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_at_every_call_ends_in_the_release_or_before_it() {
    let summary = matrix::run(&Release::prepare().await).await;
    println!(
        "deploy-site: {} cells, {} mutating calls: {:?}",
        summary.cells,
        summary.calls.len(),
        summary.calls
    );
    assert_eq!(summary.broken, Vec::<String>::new());
    assert!(
        summary.calls.contains(&"s3:DeleteObject".to_owned()),
        "{:?}",
        summary.calls
    );
    assert!(
        summary
            .calls
            .contains(&"cloudfront:CreateInvalidation".to_owned()),
        "{:?}",
        summary.calls
    );
}

/// Runs one job through a proxy with these faults.
pub(crate) async fn run_with(frame: &Frame, rules: Vec<Rule>) -> Reported {
    run_with_time(frame, rules, Duration::from_mins(5)).await
}

/// The same with other parameters.
pub(crate) async fn run_with_parameters(
    frame: &Frame,
    rules: Vec<Rule>,
    parameters: &str,
) -> Reported {
    run_event(
        frame,
        rules,
        frame.event(parameters, None),
        Duration::from_mins(5),
    )
    .await
}

async fn run_with_time(frame: &Frame, rules: Vec<Rule>, time: Duration) -> Reported {
    run_event(frame, rules, frame.event(PARAMETERS, None), time).await
}

async fn run_event(frame: &Frame, rules: Vec<Rule>, event: JobEvent, time: Duration) -> Reported {
    let proxy = Proxy::start(&frame.world.url(), rules).await;
    let event = event.build();
    frame.world.code_pipeline().add_job(&event);
    let config = s3::config(&proxy.url(), FUNCTION_KEYS);
    let host = Host::<DeploySite, _>::new(DeploySite::new, config);
    host.invoke(event, invocation_of(time)).await.unwrap();
    let reports = frame.world.code_pipeline().reports().to_vec();
    reports
        .last()
        .expect("a result was reported")
        .result
        .clone()
}

#[tokio::test]
async fn a_release_that_another_one_overtakes_replaces_no_page() {
    let frame = Frame::start().await;
    let other = Frame::start().await;
    other.succeed("bucket=www&version=other").await;
    let manifest = other.text(MANIFEST).await;
    let bucket = frame.world.bucket("www");
    let overtake: Hook = Arc::new(move || {
        let (bucket, manifest) = (bucket.clone(), manifest.clone());
        Box::pin(async move {
            bucket.put(MANIFEST, manifest).await;
        })
    });
    let rule = Rule {
        action: "s3:PutObject".to_owned(),
        resource: Some("www/style.css".to_owned()),
        nth: 1,
        times: 1,
        fault: Fault::Before(overtake),
    };
    let Reported::Failure {
        failure_type,
        message,
    } = run_with(&frame, vec![rule]).await
    else {
        panic!("the job did not fail");
    };
    assert_eq!(failure_type, "RevisionOutOfSync");
    let first = "another release was deployed to bucket `www` at the same time as `v1`; the manifest names `other`\n";
    assert!(message.starts_with(first), "{message}");
    let keys = frame.keys().await;
    assert!(!keys.contains(&"index.html".to_owned()), "{keys:?}");
    assert!(!keys.contains(&"config.json".to_owned()), "{keys:?}");
}

/// One asset takes so long that half of the function's 24 s are over, and not yet all of the action's 18.
#[tokio::test]
async fn a_job_without_time_goes_on_in_the_next_one() {
    let frame = Frame::start().await;
    let slow = Rule {
        resource: Some("www/logo.png".to_owned()),
        ..Rule::once("s3:PutObject", Fault::Delay(Duration::from_secs(14)))
    };
    let reported = run_with_time(&frame, vec![slow], Duration::from_secs(24)).await;
    let Reported::Continuation { token, summary } = reported else {
        panic!("{reported:?}")
    };
    assert_eq!(
        summary.split(" (log").next(),
        Some("4 of 7 files are in `s3://www/`")
    );
    assert_eq!(
        frame.world.bucket("www").get("index.html").await,
        None,
        "pages come last"
    );
    let event = frame.event(PARAMETERS, None).continuation_token(&token);
    let variables = frame
        .run_job(event, Duration::from_mins(5))
        .await
        .variables();
    assert_eq!(
        (
            variables["Uploaded"].as_str(),
            variables["Unchanged"].as_str()
        ),
        ("3", "4")
    );
}

#[tokio::test]
async fn a_bucket_that_asks_to_slow_down_is_asked_again() {
    let frame = Frame::start().await;
    let rule = Rule {
        times: 2,
        ..Rule::once("s3:PutObject", Fault::Status(503))
    };
    let reported = run_with(&frame, vec![rule]).await;
    assert!(matches!(reported, Reported::Success { .. }), "{reported:?}");
}

#[tokio::test]
async fn a_bucket_in_lasting_trouble_is_reported_as_such() {
    let frame = Frame::start().await;
    let started = tokio::time::Instant::now();
    let rule = Rule::always("s3:PutObject", Fault::Status(503));
    let Reported::Failure {
        failure_type,
        message,
    } = run_with(&frame, vec![rule]).await
    else {
        panic!("the job did not fail");
    };
    assert_eq!(failure_type, "SystemUnavailable");
    assert!(
        message.contains("`s3:PutObject` on `s3://www/.delivery-manifest.json`"),
        "{message}"
    );
    assert!(started.elapsed() < Duration::from_secs(30));
}
