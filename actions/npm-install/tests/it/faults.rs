//! Faults at every mutating call, with the function's real binary: the output is whole or not there, what is
//! cached is what npm made, and the job has one result.

use std::collections::BTreeMap;
use std::path::Path;

use delivery_action::artifact::Store;
use delivery_action::failure::FailureType;
use delivery_action::job::Job;
use delivery_archive::{Archive, ArchiveEnd, Limits};
use delivery_testing::archives::{FILE, zip_with_modes};
use delivery_testing::events::{JobEvent, invocation};
use delivery_testing::matrix::{self, Scenario};
use delivery_testing::proxy::{Fault, Proxy, Rule};
use delivery_testing::world::World;
use serde_json::Value;

use crate::projects::{LOCK, MANIFEST, run};

const BUCKET: &str = "artifact-store";
const SOURCE: &str = "greeter/SourceOutp/aB3xY9z";
const OUTPUT: &str = "greeter/SourceInst/cD4wV8u";

/// An installation, with its tree in the cache or not.
struct Installation {
    files: Vec<(&'static str, &'static str)>,
    cached: Option<(String, Vec<u8>)>,
}

impl Installation {
    /// npm runs in every job, and fetches nothing.
    fn by_npm() -> Self {
        Self {
            files: vec![
                ("package.json", r#"{"name": "app", "version": "1.0.0"}"#),
                (
                    "package-lock.json",
                    r#"{"name": "app", "version": "1.0.0", "lockfileVersion": 3, "requires": true,
                        "packages": {"": {"name": "app", "version": "1.0.0"}}}"#,
                ),
            ],
            cached: None,
        }
    }

    /// What another job made is composed.
    async fn from_the_cache() -> Self {
        let files = vec![("package.json", MANIFEST), ("package-lock.json", LOCK)];
        let (store, ended) = run(&files, "").await;
        ended.unwrap();
        let objects = store.s3().bucket(BUCKET).snapshot().await;
        let mut trees = objects
            .into_iter()
            .filter(|(key, _)| key.starts_with("delivery-cache/"));
        let (key, tree) = trees.next().expect("a tree is kept");
        Self {
            files,
            cached: Some((key, tree.body)),
        }
    }

    fn job_event() -> JobEvent {
        JobEvent::new()
            .input("SourceOutput", BUCKET, SOURCE)
            .output("SourceInstalledOutput", BUCKET, OUTPUT)
            .user_parameters("subcommand=ci")
    }

    async fn keep(&self, world: &World, key: &str, tree: &[u8]) {
        let folder = tempfile::tempdir().unwrap();
        let zip = folder.path().join("tree.zip");
        std::fs::write(&zip, tree).unwrap();
        let job = Job::from_event(&Self::job_event().build(), invocation()).unwrap();
        let store = Store::for_function(&world.config(), &job);
        let tail = ArchiveEnd::of(&Archive::open(&zip, Limits::default()).unwrap()).unwrap();
        store.cache_tree(BUCKET, key, &zip, &tail).await.unwrap();
    }
}

impl Scenario for Installation {
    /// The output's files by their paths, with checksum and size. Its bytes tell how it was made: a job whose
    /// composed output failed stores what npm installed.
    type State = Option<BTreeMap<String, (u32, u64)>>;

    fn binary(&self) -> &Path {
        Path::new(env!("CARGO_BIN_EXE_npm-install"))
    }

    fn event(&self) -> Value {
        Self::job_event().build()
    }

    async fn seed(&self, world: &World) {
        let entries: Vec<_> = self
            .files
            .iter()
            .map(|(name, text)| (*name, text.as_bytes(), FILE))
            .collect();
        let bucket = world.bucket(BUCKET);
        bucket
            .create()
            .await
            .put(SOURCE, zip_with_modes(&entries))
            .await;
        if let Some((key, tree)) = &self.cached {
            self.keep(world, key, tree).await;
        }
    }

    async fn snapshot(&self, world: &World) -> Self::State {
        let output = world.bucket(BUCKET).get(OUTPUT).await?;
        let folder = tempfile::tempdir().unwrap();
        let zip = folder.path().join("output.zip");
        std::fs::write(&zip, output.body).unwrap();
        let archive = Archive::open(&zip, Limits::default()).unwrap();
        let files = archive.entries();
        Some(
            files
                .map(|file| (file.path().to_owned(), (file.crc32(), file.size())))
                .collect(),
        )
    }

    fn mends_what_passes(&self) -> bool {
        true
    }

    fn check(&self, world: &World) -> Result<(), String> {
        match &self.cached {
            Some((key, tree)) if world.objects().read(BUCKET, key).as_ref() != Some(tree) => {
                Err("the cached tree changed".to_owned())
            }
            _ => Ok(()),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_at_every_call_ends_in_the_output_or_before_it() {
    for (what, scenario) in [
        ("npm-install", Installation::by_npm()),
        (
            "npm-install, from the cache",
            Installation::from_the_cache().await,
        ),
    ] {
        let summary = matrix::run(&scenario).await;
        println!(
            "{what}: {} cells, {} mutating calls: {:?}",
            summary.cells,
            summary.calls.len(),
            summary.calls
        );
        assert_eq!(summary.broken, Vec::<String>::new());
        assert_eq!(
            summary.calls,
            ["s3:PutObject", "codepipeline:PutJobSuccessResult"]
        );
    }
}

#[tokio::test]
async fn a_source_that_cannot_be_fetched_is_tried_again_and_then_reported() {
    use delivery_action::action::Host;
    use delivery_testing::events::FUNCTION_KEYS;
    use delivery_testing::s3;
    use delivery_testing::world::codepipeline::Reported;
    use npm_install::NpmInstall;

    let scenario = Installation::by_npm();
    for (times, succeeds) in [(1, true), (usize::MAX, false)] {
        let world = World::start().await;
        scenario.seed(&world).await;
        let rule = Rule {
            resource: Some(format!("{BUCKET}/{SOURCE}")),
            times,
            ..Rule::once("s3:GetObject", Fault::Status(503))
        };
        let proxy = Proxy::start(&world.url(), vec![rule]).await;
        let event = scenario.event();
        world.code_pipeline().add_job(&event);
        let config = s3::config(&proxy.url(), FUNCTION_KEYS);
        let host = Host::new(NpmInstall::new, config);
        host.invoke(event, invocation()).await.unwrap();
        let accepted: Vec<Reported> = {
            let pipeline = world.code_pipeline();
            pipeline.accepted().into_iter().cloned().collect()
        };
        match &accepted[..] {
            [Reported::Success { .. }] if succeeds => {}
            [Reported::Failure { failure_type, .. }] if !succeeds => {
                assert_eq!(
                    failure_type,
                    &format!("{:?}", FailureType::SystemUnavailable)
                );
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(scenario.snapshot(&world).await.is_some(), succeeds);
    }
}
