//! Dependency trees that are lent from job to job: fetched once, and never other than they were.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use shared::artifact::Store;
use shared::job::Artifact;
use shared::testing::archives::{DIRECTORY, EXECUTABLE, FILE, LINK, composed, zip_of};
use shared::testing::events::JobEvent;
use shared::testing::s3::LocalS3;
use shared::warm::{Checkout, WarmTree};
use shared::workspace::Workspace;
use test_case::test_case;

use super::{BUCKET, job};

const KEY: &str = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
const OTHER_KEY: &str = "0b0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
const ROOT: &str = "web/node_modules";

type Entry<'a> = (&'a str, &'a [u8], u32);

const TREE: [Entry<'static>; 5] = [
    ("web/node_modules/.bin/a", b"../a/cli.js", LINK),
    (
        "web/node_modules/a/cli.js",
        b"#!/usr/bin/env node",
        EXECUTABLE,
    ),
    ("web/node_modules/a/empty/", b"", DIRECTORY),
    ("web/node_modules/a/index.js", b"exports.a = 1", FILE),
    ("web/node_modules/a/package.json", b"{}", FILE),
];

/// An artifact store, and a function that is used again.
struct Function {
    s3: LocalS3,
    warm: WarmTree,
}

/// A job whose source is extracted.
struct Running {
    checkout: Checkout,
    _workspace: Workspace,
    requests: usize,
}

impl Running {
    fn path(&self, path: &str) -> PathBuf {
        self.checkout.path().join(path)
    }
}

impl Function {
    async fn start() -> Self {
        let s3 = LocalS3::start().await;
        s3.bucket(BUCKET).create().await;
        Self {
            s3,
            warm: WarmTree::default(),
        }
    }

    async fn begin(&self, artifact: Vec<u8>) -> Running {
        let job = job(JobEvent::new());
        let input: &Artifact = job.only_input().unwrap();
        self.s3.bucket(BUCKET).put(&input.key, artifact).await;
        let store = Store::for_job(&self.s3.config(), &job);
        let workspace = Workspace::create().unwrap();
        let before = self.s3.requests();
        let checkout = self
            .warm
            .fetch_and_extract(&store, input, &workspace, "source")
            .await
            .unwrap();
        Running {
            checkout,
            _workspace: workspace,
            requests: self.s3.requests() - before,
        }
    }

    fn end(&self, running: Running) {
        self.warm.take_back(running.checkout);
    }
}

fn artifact(key: &str, source: &[u8]) -> Vec<u8> {
    composed(key, ROOT, &TREE, &[("web/index.js", source, FILE)])
}

/// What a job sees, whether its dependencies are warm or not.
fn assert_whole(running: &Running, source: &[u8]) {
    for (path, content, mode) in TREE {
        let path = running.path(path);
        let metadata = fs::symlink_metadata(&path).unwrap();
        match mode {
            LINK => assert_eq!(fs::read_link(&path).unwrap(), Path::new("../a/cli.js")),
            DIRECTORY => assert!(metadata.is_dir()),
            _ => {
                assert_eq!(fs::read(&path).unwrap(), content);
                assert_eq!(metadata.mode() & 0o111 != 0, mode == EXECUTABLE);
            }
        }
    }
    let files = walkdir::WalkDir::new(running.checkout.path()).into_iter();
    let leaves = files.filter(|found| !found.as_ref().unwrap().file_type().is_dir());
    assert_eq!(leaves.count(), TREE.len());
    assert_eq!(fs::read(running.path("web/index.js")).unwrap(), source);
}

#[tokio::test]
async fn the_same_dependencies_are_lent_to_the_next_job_and_not_fetched() {
    let function = Function::start().await;
    let first = function.begin(artifact(KEY, b"one")).await;
    assert!(!first.checkout.is_warm());
    assert_whole(&first, b"one");
    let inode = |running: &Running| {
        let path = running.path("web/node_modules/a/index.js");
        fs::metadata(path).unwrap().ino()
    };
    let before = inode(&first);
    function.end(first);
    for source in [b"two", b"six"] {
        let next = function.begin(artifact(KEY, source)).await;
        assert!(next.checkout.is_warm());
        assert_whole(&next, source);
        assert_eq!(inode(&next), before);
        function.end(next);
    }
}

#[tokio::test]
async fn only_the_source_passes_through_the_function() {
    let mut noise = vec![0_u8; 40 * 1024 * 1024];
    let mut state = 1_u64;
    for byte in &mut noise {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        *byte = state.to_be_bytes()[0];
    }
    let tree: [Entry<'_>; 1] = [("node_modules/noise", &noise, FILE)];
    let artifact = composed(KEY, "node_modules", &tree, &[("index.js", b"x", FILE)]);
    let function = Function::start().await;
    let cold = function.begin(artifact.clone()).await;
    let cold_requests = cold.requests;
    function.end(cold);
    let warm = function.begin(artifact).await;
    assert!(warm.checkout.is_warm());
    assert!(
        warm.requests <= 2 && warm.requests < cold_requests,
        "{} and {cold_requests}",
        warm.requests
    );
}

#[tokio::test]
async fn what_a_job_added_is_gone_for_the_next() {
    let function = Function::start().await;
    let first = function.begin(artifact(KEY, b"one")).await;
    fs::create_dir(first.path("web/node_modules/.cache")).unwrap();
    fs::write(first.path("web/node_modules/.cache/x"), "x").unwrap();
    symlink("/etc", first.path("web/node_modules/a/out")).unwrap();
    function.end(first);
    let next = function.begin(artifact(KEY, b"two")).await;
    assert!(next.checkout.is_warm());
    assert_whole(&next, b"two");
}

#[test_case(|running| fs::write(running.path("web/node_modules/a/index.js"), "exports.a = 2").unwrap(); "changed")]
#[test_case(|running| fs::remove_file(running.path("web/node_modules/a/index.js")).unwrap(); "removed")]
#[test_case(|running| fs::rename(running.path("web/node_modules"), running.path("elsewhere")).unwrap(); "moved away")]
#[test_case(|running| {
    fs::remove_dir_all(running.path("web/node_modules")).unwrap();
    symlink("/etc", running.path("web/node_modules")).unwrap();
}; "a link in its place")]
#[tokio::test]
async fn dependencies_that_a_job_changed_are_extracted_again(change: fn(&Running)) {
    let function = Function::start().await;
    let first = function.begin(artifact(KEY, b"one")).await;
    change(&first);
    function.end(first);
    let next = function.begin(artifact(KEY, b"two")).await;
    assert!(!next.checkout.is_warm());
    assert_whole(&next, b"two");
    function.end(next);
    assert!(
        function
            .begin(artifact(KEY, b"six"))
            .await
            .checkout
            .is_warm()
    );
}

#[tokio::test]
async fn other_dependencies_are_extracted() {
    let function = Function::start().await;
    function.end(function.begin(artifact(KEY, b"one")).await);
    let next = function.begin(artifact(OTHER_KEY, b"two")).await;
    assert!(!next.checkout.is_warm());
    assert_whole(&next, b"two");
    function.end(next);

    let mut tree = TREE;
    tree[3].1 = b"exports.a = 2";
    let other = composed(OTHER_KEY, ROOT, &tree, &[("web/index.js", b"two", FILE)]);
    let next = function.begin(other).await;
    assert!(!next.checkout.is_warm());
    let index = next.path("web/node_modules/a/index.js");
    assert_eq!(fs::read(index).unwrap(), b"exports.a = 2");
}

#[test_case(&zip_of(&[("web/node_modules/a/index.js", b"x"), ("web/index.js", b"x")]); "no comment")]
#[test_case(&composed(KEY, ROOT, &TREE, &[("web/node_modules/b", b"x", FILE)]); "the source has a file in the tree")]
#[test_case(&composed(KEY, "web", &TREE, &[("web/index.js", b"x", FILE)]); "a root that holds more")]
#[test_case(&composed(KEY, "node_modules", &TREE, &[("web/index.js", b"x", FILE)]); "another root")]
#[tokio::test]
async fn an_artifact_that_does_not_keep_them_apart_is_extracted_whole(artifact: &[u8]) {
    let function = Function::start().await;
    for _ in 0..2 {
        let job = function.begin(artifact.to_vec()).await;
        assert!(!job.checkout.is_warm());
        function.end(job);
    }
}

#[tokio::test]
async fn a_job_that_never_ended_leaves_nothing_to_the_next() {
    let function = Function::start().await;
    drop(function.begin(artifact(KEY, b"one")).await);
    let next = function.begin(artifact(KEY, b"two")).await;
    assert!(!next.checkout.is_warm());
    assert_whole(&next, b"two");
}
