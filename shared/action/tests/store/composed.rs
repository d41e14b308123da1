//! Artifacts composed inside S3 from a cached tree and a source.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use delivery_action::artifact::{ComposeError, LocalArchive, Store, composed_end};
use delivery_action::job::Job;
use delivery_action::workspace::Workspace;
use delivery_archive::{Archive, ArchiveEnd, Creation, Limits};
use delivery_testing::archives::{FILE, LINK, zip_with_modes};
use delivery_testing::events::JobEvent;
use delivery_testing::s3::LocalS3;

use super::{BUCKET, job};

const KEY: &str = "cache/tree.zip";
const OUTPUT_KEY: &str = "greeter/DistOutput/cD4wV8u";
const MIB: usize = 1024 * 1024;

/// A store, a source, and a tree that is archived but not kept yet.
struct Scene {
    s3: LocalS3,
    job: Job,
    store: Store,
    workspace: Workspace,
    zip: PathBuf,
}

impl Scene {
    /// The tree has some files, one of this many bytes that do not compress.
    async fn with_tree(bytes: usize) -> Self {
        let s3 = LocalS3::start().await;
        s3.bucket(BUCKET).create().await;
        let job = job(JobEvent::new());
        let store = Store::for_function(&s3.config(), &job);
        let workspace = Workspace::create().unwrap();
        let tree = workspace.directory("tree/pkg").unwrap();
        fs::write(tree.join("blob"), super::transfer::noise(bytes)).unwrap();
        fs::write(tree.join("index.js"), "module.exports = 1;\n".repeat(20)).unwrap();
        let bin = workspace.directory("tree/.bin").unwrap();
        symlink("../pkg/index.js", bin.join("pkg")).unwrap();
        let zip = workspace.file("tree.zip");
        Creation::of(&workspace.file("tree"))
            .below("node_modules")
            .write_file(&zip)
            .unwrap();
        Self {
            s3,
            job,
            store,
            workspace,
            zip,
        }
    }

    fn tail(&self) -> ArchiveEnd {
        ArchiveEnd::of(&Archive::open(&self.zip, Limits::default()).unwrap()).unwrap()
    }

    fn source(&self, entries: &[(&str, &[u8], u32)]) -> LocalArchive {
        second(&self.workspace.file("source.zip"), entries)
    }

    async fn keep(&self) -> delivery_action::artifact::CachedTree {
        self.store
            .cache_tree(BUCKET, KEY, &self.zip, &self.tail())
            .await
            .unwrap()
    }

    async fn compose(&self, source: &LocalArchive) -> Result<u64, ComposeError> {
        let kept = self
            .store
            .find_cached_tree(BUCKET, KEY)
            .await
            .unwrap()
            .unwrap();
        let output = self.job.only_output().unwrap();
        self.store.put_with_cached_tree(output, &kept, source).await
    }

    fn output(&self) -> Option<Vec<u8>> {
        self.s3.read(BUCKET, OUTPUT_KEY)
    }
}

fn second(path: &Path, entries: &[(&str, &[u8], u32)]) -> LocalArchive {
    fs::write(path, zip_with_modes(entries)).unwrap();
    LocalArchive {
        archive: Arc::new(Archive::open(path, Limits::default()).unwrap()),
        path: path.to_owned(),
    }
}

const SOURCE: [(&str, &[u8], u32); 3] = [
    ("package.json", b"{}", FILE),
    ("src/a.js", b"a", FILE),
    ("latest", b"src/a.js", LINK),
];

#[tokio::test]
async fn a_small_and_a_large_tree_are_composed_as_if_archived_together() {
    for bytes in [MIB, 9 * MIB] {
        let scene = Scene::with_tree(bytes).await;
        let source = scene.source(&SOURCE);
        scene.keep().await;
        let length = scene.compose(&source).await.unwrap();
        let composed = scene.output().unwrap();
        assert_eq!(composed.len() as u64, length);

        // The same without S3.
        let (tail, archive) = (scene.tail(), Arc::clone(&source.archive));
        let end = composed_end(tail, archive);
        let end = end.await.unwrap();
        let output = scene.job.only_output().unwrap();
        let both = (scene.zip.as_path(), &scene.tail());
        scene
            .store
            .put_composed(output, both, &source, end)
            .await
            .unwrap();
        assert!(scene.output().unwrap() == composed);

        let file = scene.workspace.file("composed.zip");
        fs::write(&file, &composed).unwrap();
        let into = scene.workspace.directory("into").unwrap();
        delivery_archive::extract_file(&file, &into).unwrap();
        assert_eq!(fs::read(into.join("latest")).unwrap(), b"a");
        let linked = fs::read_to_string(into.join("node_modules/.bin/pkg")).unwrap();
        assert!(linked.starts_with("module.exports"), "{linked}");
        assert!(
            fs::read(into.join("node_modules/pkg/blob")).unwrap() == super::transfer::noise(bytes)
        );
        assert_python_reads(&file, 6);
    }
}

/// Python's reader finds as many entries, and all contents as their checksums say.
fn assert_python_reads(zip: &Path, entries: usize) {
    let program = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\nprint(len(z.namelist()))";
    let Ok(output) = Command::new("python3")
        .args(["-c", program])
        .arg(zip)
        .output()
    else {
        println!("skipped: `python3` is not installed");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(text.trim(), entries.to_string(), "{error}");
}

#[tokio::test]
async fn what_passes_through_the_function_does_not_depend_on_the_trees_size() {
    let mut counts = Vec::new();
    for bytes in [6 * MIB, 30 * MIB] {
        let scene = Scene::with_tree(bytes).await;
        let source = scene.source(&SOURCE);
        scene.keep().await;
        let (requests, moved) = (scene.s3.requests(), scene.s3.bytes());
        scene.compose(&source).await.unwrap();
        counts.push((scene.s3.requests() - requests, scene.s3.bytes() - moved));
    }
    let [(small_requests, small), (large_requests, large)] = counts.try_into().unwrap();
    assert_eq!(small_requests, 6, "look, read, begin, copy, part, complete");
    assert_eq!(large_requests, 8, "two copies more");
    // The directory, the end of the data in which an end record could lie, the source, the requests'
    // own text: nothing that grows with the tree.
    assert!(small.abs_diff(large) < 4096, "{small} and {large}");
    assert!(large < 200_000, "{large}");
}

#[tokio::test]
async fn a_damaged_or_foreign_tree_is_told_and_nothing_is_stored() {
    let scene = Scene::with_tree(6 * MIB).await;
    let source = scene.source(&SOURCE);
    let kept = fs::read(&scene.zip).unwrap();
    let bucket = scene.s3.bucket(BUCKET);

    bucket.put(KEY, kept.clone()).await;
    assert_damaged(&scene, &source, "its metadata is not that of a cached tree").await;

    // The metadata are those of the tree, the bytes are not.
    let mut flipped = kept.clone();
    let in_directory = usize::try_from(scene.tail().data_bytes()).unwrap() + 50;
    flipped[in_directory] ^= 1;
    for (bytes, reason) in [
        (
            flipped,
            "its central directory does not match the recorded hash",
        ),
        (kept[..kept.len() - 1].to_vec(), "bytes instead of"),
        (Vec::new(), "bytes instead of"),
    ] {
        scene.keep().await;
        scene.s3.overwrite(BUCKET, KEY, &bytes);
        assert_damaged(&scene, &source, reason).await;
    }
    scene.keep().await;
    scene.compose(&source).await.unwrap();
}

async fn assert_damaged(scene: &Scene, source: &LocalArchive, reason: &str) {
    match scene.compose(source).await {
        Err(ComposeError::Damaged { reason: found }) => {
            assert!(found.contains(reason), "{found} instead of {reason}");
        }
        other => panic!("{other:?} instead of {reason}"),
    }
    assert_eq!(scene.output(), None);
}

/// Of a large tree either a copy or the read of the directory fails first, and they fail differently here: the read asks for a
/// range that the other object lacks. A small tree is only read.
#[tokio::test]
async fn a_tree_that_is_replaced_meanwhile_is_not_used() {
    for (bytes, other) in [(MIB, ""), (6 * MIB, "another")] {
        let scene = Scene::with_tree(bytes).await;
        let source = scene.source(&SOURCE);
        let kept = scene.keep().await;
        scene.s3.bucket(BUCKET).put(KEY, other).await;
        let output = scene.job.only_output().unwrap();
        let composed = scene
            .store
            .put_with_cached_tree(output, &kept, &source)
            .await;
        assert!(
            matches!(composed, Err(ComposeError::Gone(_))),
            "{composed:?}"
        );
        assert_eq!(scene.output(), None);
    }
}

#[tokio::test]
async fn two_who_keep_the_same_tree_at_once_both_succeed() {
    let scene = Scene::with_tree(20 * MIB).await;
    let source = scene.source(&SOURCE);
    tokio::join!(scene.keep(), scene.keep());
    scene.compose(&source).await.unwrap();
}

#[tokio::test]
async fn what_the_two_cannot_both_hold_is_refused() {
    let scene = Scene::with_tree(6 * MIB).await;
    scene.keep().await;
    let upper: &[(&str, &[u8], u32)] = &[("Node_modules/x", b"", FILE)];
    let file: &[(&str, &[u8], u32)] = &[("node_modules", b"", FILE)];
    let same: &[(&str, &[u8], u32)] = &[("node_modules/pkg/blob", b"", FILE)];
    let through: &[(&str, &[u8], u32)] = &[("x", b"node_modules/.bin/pkg", LINK)];
    for entries in [file, same, through] {
        let source = scene.source(entries);
        let composed = scene.compose(&source).await;
        assert!(
            matches!(composed, Err(ComposeError::Together(_))),
            "{composed:?}"
        );
        assert_eq!(scene.output(), None);
    }
    let beside: &[(&str, &[u8], u32)] = &[("x", b"node_modules/pkg/blob", LINK)];
    scene.compose(&scene.source(beside)).await.unwrap();
    // Upper and lower case are told apart by the store and by Lambda.
    scene.compose(&scene.source(upper)).await.unwrap();
}

#[tokio::test]
async fn more_entries_than_16_bits_count_are_composed() {
    const MANY: usize = 66_000;
    let mut scene = Scene::with_tree(10).await;
    let many = scene.workspace.directory("many").unwrap();
    for name in 0..MANY {
        fs::write(many.join(name.to_string()), "").unwrap();
    }
    scene.zip = scene.workspace.file("many.zip");
    Creation::of(&many)
        .below("node_modules/p")
        .write_file(&scene.zip)
        .unwrap();
    scene.keep().await;
    scene.compose(&scene.source(&SOURCE)).await.unwrap();
    let file = scene.workspace.file("composed.zip");
    fs::write(&file, scene.output().unwrap()).unwrap();
    let composed = Archive::open(&file, Limits::default()).unwrap();
    assert_eq!(composed.entries().len(), MANY + SOURCE.len());
    assert_python_reads(&file, MANY + SOURCE.len());
}

#[test]
fn links_are_confined_to_their_directory_or_not() {
    let workspace = Workspace::create().unwrap();
    let confined = |target: &str| {
        let path = workspace.file("links.zip");
        let entries: &[(&str, &[u8], u32)] = &[
            ("web/node_modules/a/b", b"x", FILE),
            ("web/node_modules/.bin/l", target.as_bytes(), LINK),
        ];
        let archive = second(&path, entries).archive;
        delivery_archive::check_confined(&archive, "web/node_modules").is_ok()
    };
    assert!(confined("../a/b"));
    assert!(!confined("../../x"));
    assert!(!confined("../a/../../x"));
}
