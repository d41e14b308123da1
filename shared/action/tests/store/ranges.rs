//! Archives extracted where they lie: which requests that takes, what is not read, and that nothing
//! slips through.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use delivery_action::artifact::{ArtifactError, Store};
use delivery_action::failure::Failure;
use delivery_action::workspace::Workspace;
use delivery_archive::Kind;
use delivery_testing::archives::{Expected, for_each_hostile, zip_of};
use delivery_testing::events::{FUNCTION_KEYS, JobEvent};
use delivery_testing::proxy::{Fault, Hook, Proxy, Rule};
use delivery_testing::s3::{self, LocalS3, Objects};

use super::transfer::{INPUT_KEY, noise};
use super::{BUCKET, job};

const MIB: usize = 1024 * 1024;

/// Files of the archive that most tests read: two small ones, and some that are read in pieces.
fn files() -> BTreeMap<&'static str, Vec<u8>> {
    BTreeMap::from([
        ("a/first", b"first".to_vec()),
        ("a/large", noise(9 * MIB)),
        ("b/middle", noise(3 * MIB)),
        ("b/text", b"line\n".repeat(MIB)),
        ("c/last", b"last".to_vec()),
    ])
}

fn archive() -> Vec<u8> {
    let files = files();
    let entries: Vec<_> = files
        .iter()
        .map(|(name, content)| (*name, content.as_slice()))
        .collect();
    zip_of(&entries)
}

async fn stored(body: Vec<u8>) -> (LocalS3, Store) {
    let s3 = LocalS3::start().await;
    s3.bucket(BUCKET).create().await.put(INPUT_KEY, body).await;
    let store = Store::for_job(&s3.config(), &job(JobEvent::new()));
    (s3, store)
}

/// All files below a directory.
fn found(root: &Path) -> BTreeMap<String, Vec<u8>> {
    walkdir::WalkDir::new(root)
        .into_iter()
        .map(Result::unwrap)
        .filter(|found| found.file_type().is_file())
        .map(|found| {
            let path = found.path().strip_prefix(root).unwrap();
            let content = fs::read(found.path()).unwrap();
            (path.to_str().unwrap().to_owned(), content)
        })
        .collect()
}

fn expected(chosen: impl Fn(&str) -> bool) -> BTreeMap<String, Vec<u8>> {
    let files = files().into_iter().filter(|(name, _)| chosen(name));
    files
        .map(|(name, content)| (name.to_owned(), content))
        .collect()
}

#[tokio::test]
async fn an_archive_is_read_once_and_never_stored() {
    let archive = archive();
    assert!((12 * MIB..13 * MIB).contains(&archive.len()));
    let (s3, store) = stored(archive.clone()).await;
    let workspace = Workspace::create().unwrap();
    let job = job(JobEvent::new());
    let (requests, bytes) = (s3.requests(), s3.objects().bytes_sent());
    let tree = store
        .fetch_and_extract(job.only_input().unwrap(), &workspace, "tree")
        .await
        .unwrap();
    assert!(found(&tree) == expected(|_| true));
    // The end, the first file, three pieces of the large one, one of all others.
    assert_eq!(s3.requests() - requests, 6);
    assert_eq!(s3.objects().bytes_sent() - bytes, archive.len() as u64);
    let left: Vec<_> = fs::read_dir(workspace.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name != "tree" && name != ".lock")
        .collect();
    assert_eq!(left, Vec::<std::ffi::OsString>::new());
}

#[tokio::test]
async fn a_small_archive_is_one_request() {
    let (s3, store) = stored(zip_of(&[("a/b", b"c"), ("d", b"e")])).await;
    let job = job(JobEvent::new());
    let workspace = Workspace::create().unwrap();
    let before = s3.requests();
    let tree = store
        .fetch_and_extract(job.only_input().unwrap(), &workspace, "tree")
        .await
        .unwrap();
    assert_eq!(s3.requests() - before, 1);
    assert_eq!(fs::read(tree.join("a/b")).unwrap(), b"c");
}

#[tokio::test]
async fn what_is_not_chosen_is_not_read() {
    let (s3, store) = stored(archive()).await;
    let job = job(JobEvent::new());
    let workspace = Workspace::create().unwrap();
    let archive = store.open(job.only_input().unwrap()).await.unwrap();
    assert!(
        archive
            .entries()
            .zip(archive.entries().skip(1))
            .all(|(one, next)| one.offset() < next.offset())
    );
    let chosen = |path: &str| path == "a/first" || path == "b/text";
    let (requests, bytes) = (s3.requests(), s3.objects().bytes_sent());
    let into = workspace.directory("some").unwrap();
    let extracted = archive
        .extract(&into, |entry| chosen(entry.path()))
        .await
        .unwrap();
    assert!(found(&into) == expected(chosen));
    assert_eq!((extracted.files, extracted.bytes), (2, 5 + 5 * MIB as u64));
    let (requests, bytes) = (s3.requests() - requests, s3.objects().bytes_sent() - bytes);
    // The other chosen one lies in the archive's end, which was read already.
    assert_eq!(requests, 1);
    assert!(bytes < 1024, "{bytes} bytes");
}

#[tokio::test]
async fn what_is_chosen_is_fetched_into_a_file_with_holes() {
    let (s3, store) = stored(archive()).await;
    let job = job(JobEvent::new());
    let workspace = Workspace::create().unwrap();
    let remote = store.open(job.only_input().unwrap()).await.unwrap();
    let (requests, bytes) = (s3.requests(), s3.objects().bytes_sent());
    let chosen = |path: &str| path == "a/first" || path == "b/text";
    let to = workspace.file("some.zip");
    let some = remote
        .fetch_some(&to, |entry| chosen(entry.path()))
        .await
        .unwrap();
    let (requests, bytes) = (s3.requests() - requests, s3.objects().bytes_sent() - bytes);
    // All but the first file lies in the archive's end, which was read already.
    assert_eq!(requests, 1);
    assert!(bytes < 1024, "{bytes} bytes");
    assert_eq!(fs::metadata(&to).unwrap().len(), archive().len() as u64);
    for (path, contents) in files() {
        let read = some.read(path, u64::MAX);
        if chosen(path) {
            assert!(read.unwrap() == contents, "{path}");
        } else {
            let error = Failure::new(&read.unwrap_err()).cause;
            assert!(error.contains("was not fetched"), "{error}");
        }
    }
    assert_eq!(some.entries().len(), remote.entries().len());

    // Holes take no room.
    let nothing = workspace.file("nothing.zip");
    remote.fetch_some(&nothing, |_| false).await.unwrap();
    let blocks = std::os::unix::fs::MetadataExt::blocks(&fs::metadata(&nothing).unwrap());
    assert!(blocks * 512 < MIB as u64, "{blocks} blocks");
    let again = remote.fetch_some(&to, |_| true).await.unwrap_err();
    assert!(matches!(again, ArtifactError::Disk { .. }), "{again:?}");
}

#[tokio::test]
async fn links_are_checked_whatever_is_chosen() {
    let (_s3, store) = stored(delivery_testing::archives::zip_with_modes(&[
        ("a", b"a", 0o100_644),
        ("b/out", b"../../out", 0o120_777),
    ]))
    .await;
    let job = job(JobEvent::new());
    let workspace = Workspace::create().unwrap();
    let into = workspace.directory("some").unwrap();
    let archive = store.open(job.only_input().unwrap()).await.unwrap();
    let error = archive
        .extract(&into, |entry| entry.kind() != Kind::Link)
        .await
        .unwrap_err();
    assert!(Failure::new(&error).cause.contains("b/out"), "{error:?}");
    assert_eq!(found(&into).len(), 0);
}

#[tokio::test]
async fn an_object_that_is_replaced_meanwhile_is_not_mixed() {
    // This store looks at `If-Match`, as S3 does.
    let s3 = LocalS3::start_with(Objects::in_memory()).await;
    let bucket = s3.bucket(BUCKET);
    bucket.create().await.put(INPUT_KEY, archive()).await;
    let job = job(JobEvent::new());
    let store = Store::for_job(&s3.config(), &job);
    let opened = store.open(job.only_input().unwrap()).await.unwrap();
    let mut other = archive();
    other[MIB] ^= 1;
    bucket.put(INPUT_KEY, other).await;
    let into = tempfile::tempdir().unwrap();
    let error = opened.extract(into.path(), |_| true).await.unwrap_err();
    assert!(matches!(error, ArtifactError::Changed { .. }), "{error:?}");
    assert_eq!(fs::read_dir(into.path()).unwrap().count(), 0);
}

/// Replaces the object right before the second request of each read, so often.
fn replacing(s3: &LocalS3, times: usize) -> Rule {
    let bucket = s3.bucket(BUCKET);
    let left = Arc::new(AtomicUsize::new(times));
    let requests = Arc::new(AtomicUsize::new(0));
    let hook: Hook = Arc::new(move || {
        let (bucket, left, requests) = (bucket.clone(), left.clone(), requests.clone());
        Box::pin(async move {
            let request = requests.fetch_add(1, Ordering::SeqCst);
            let replace = |left: usize| left.checked_sub(1);
            if request % 2 == 1
                && left
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, replace)
                    .is_ok()
            {
                let seed = u8::try_from(request).unwrap();
                bucket.put(INPUT_KEY, vec![seed; 12 * MIB]).await;
            }
        })
    });
    Rule::always("s3:GetObject", Fault::Before(hook))
}

#[tokio::test]
async fn an_object_that_a_second_delivery_replaces_is_read_again() {
    let s3 = LocalS3::start_with(Objects::in_memory()).await;
    let bucket = s3.bucket(BUCKET);
    bucket
        .create()
        .await
        .put(INPUT_KEY, vec![255; 12 * MIB])
        .await;
    let workspace = Workspace::create().unwrap();
    let (_proxy, store) = through(&s3, replacing(&s3, 2)).await;
    let job = job(JobEvent::new());
    let file = workspace.file("twice");
    store.fetch(job.only_input().unwrap(), &file).await.unwrap();
    assert!(fs::read(&file).unwrap() == vec![3; 12 * MIB]);

    let (_proxy, store) = through(&s3, replacing(&s3, usize::MAX)).await;
    let file = workspace.file("for-ever");
    let error = store
        .fetch(job.only_input().unwrap(), &file)
        .await
        .unwrap_err();
    assert!(matches!(error, ArtifactError::Changed { .. }), "{error:?}");
}

/// A store behind a proxy that changes some of the answers.
async fn through(s3: &LocalS3, rule: Rule) -> (Proxy, Store) {
    let proxy = Proxy::start(&s3.url(), [rule]).await;
    let config = s3::config(&proxy.url(), FUNCTION_KEYS);
    let store = Store::for_job(&config, &job(JobEvent::new()));
    (proxy, store)
}

#[tokio::test]
async fn a_piece_that_breaks_off_is_read_again_and_given_up_after_three_times() {
    let (s3, _) = stored(archive()).await;
    let job = job(JobEvent::new());
    let input = job.only_input().unwrap();
    for (times, whole) in [(2, true), (100, false)] {
        let rule = Rule {
            nth: 3,
            times,
            ..Rule::once("s3:GetObject", Fault::Truncate)
        };
        let (_proxy, store) = through(&s3, rule).await;
        let workspace = Workspace::create().unwrap();
        match store.fetch_and_extract(input, &workspace, "tree").await {
            Ok(tree) => assert!(whole && found(&tree) == expected(|_| true)),
            Err(error) => {
                assert!(
                    !whole && matches!(error, ArtifactError::Incomplete { attempts: 3, .. }),
                    "{error:?}"
                );
                let tree = fs::read_dir(workspace.file("tree")).unwrap();
                assert_eq!(tree.count(), 0);
            }
        }
    }
}

#[tokio::test]
async fn damage_ends_an_extraction_of_many_pieces_and_names_the_entry() {
    let mut damaged = archive();
    // In the large file, which lies behind the first one and is stored or nearly so.
    damaged[2 * MIB] ^= 1;
    let (_s3, store) = stored(damaged).await;
    let job = job(JobEvent::new());
    let workspace = Workspace::create().unwrap();
    let error = store
        .fetch_and_extract(job.only_input().unwrap(), &workspace, "tree")
        .await
        .unwrap_err();
    assert!(Failure::new(&error).cause.contains("a/large"), "{error:?}");
    assert_eq!(fs::read_dir(workspace.file("tree")).unwrap().count(), 0);
}

/// Archives whose contents are as large as the disk: the rules that refuse them are the directory's,
/// which the test of local archives holds against a small disk.
const LARGE: [&str; 2] = ["bomb/", "lie/"];

#[tokio::test]
async fn hostile_archives_are_refused_from_the_store_too() {
    let mut archives = Vec::new();
    for_each_hostile(|hostile| {
        if !LARGE.iter().any(|class| hostile.name.starts_with(class)) {
            archives.push(hostile);
        }
    });
    let s3 = LocalS3::start_with(Objects::in_memory()).await;
    let bucket = s3.bucket(BUCKET);
    bucket.create().await;
    let job = job(JobEvent::new());
    let store = Store::for_job(&s3.config(), &job);
    let mut complaints = Vec::new();
    let count = archives.len();
    for hostile in archives {
        bucket.put(INPUT_KEY, hostile.bytes).await;
        let workspace = Workspace::create().unwrap();
        let outcome = store
            .fetch_and_extract(job.only_input().unwrap(), &workspace, "tree")
            .await;
        match (&outcome, hostile.expected) {
            (Ok(_), Expected::Refused) => complaints.push(format!("{} was accepted", hostile.name)),
            (Err(error), Expected::Accepted) => {
                complaints.push(format!("{}: {error:?}", hostile.name));
            }
            _ => {}
        }
        let left = fs::read_dir(workspace.file("tree")).map_or(0, Iterator::count);
        if outcome.is_err() && left > 0 {
            complaints.push(format!("{} left something", hostile.name));
        }
    }
    assert_eq!(complaints, Vec::<String>::new());
    assert!(count >= 1_300, "only {count} archives");
}
