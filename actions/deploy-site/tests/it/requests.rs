//! What a deployment costs: requests, bytes on their way, memory, disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use delivery_archive::Fingerprint;
use delivery_testing::events::JobEvent;
use delivery_testing::proxy::{Fault, Hook, Proxy, Rule};
use delivery_testing::runtime::{Ended, Function, KillSwitch};
use delivery_testing::s3::Objects;
use delivery_testing::world::World;
use delivery_testing::world::codepipeline::Reported;
use test_case::test_case;

use crate::faults::run_with;
use crate::frame::{Frame, MANIFEST, PARAMETERS, foreign_zip, zip_with};

/// The site: pages among other files, three listing pages with its `config.json` and the manifest.
const FILES: usize = 2_500;

/// Keys of a listing page.
const PAGE_KEYS: usize = 1_000;

/// A site of many files, of which some are of another release.
fn site(changed: &BTreeSet<usize>) -> Vec<u8> {
    let mut files = vec![("index.html".to_owned(), b"x".to_vec())];
    for number in 0..FILES - 1 {
        let extension = if number % 10 == 0 { "html" } else { "txt" };
        let release = if changed.contains(&number) { "2" } else { "1" };
        files.push((
            format!("{:02}/{number}.{extension}", number % 100),
            format!("{number} of release {release}").into_bytes(),
        ));
    }
    let files = files
        .iter()
        .map(|(name, content)| (name.as_str(), content.as_slice()));
    zip_with(files, &[])
}

async fn in_memory() -> Frame {
    Frame::start_in(World::start_with(Objects::in_memory()).await).await
}

/// How often each operation was asked of the site's bucket since the calls were forgotten.
fn requests(frame: &Frame) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in frame.world.calls() {
        let bucket = call.operation.resource.split('/').next();
        if bucket == Some("www") {
            *counts.entry(call.operation.name).or_default() += 1;
        }
    }
    counts
}

fn counts(expected: &[(&str, usize)]) -> BTreeMap<String, usize> {
    expected
        .iter()
        .map(|&(name, count)| (name.to_owned(), count))
        .collect()
}

#[tokio::test]
async fn what_does_not_differ_costs_no_request() {
    let frame = in_memory().await;
    frame.artifact(site(&BTreeSet::new())).await;
    frame.world.forget_calls();
    frame.succeed(PARAMETERS).await;
    let first = [
        ("GetObject", 1),                 // the manifest, which is not there
        ("ListObjectsV2", 1),             // nothing is known
        ("PutObject", 1 + FILES + 1 + 1), // the announcement, `config.json`, the manifest
    ];
    let mut requests_first = requests(&frame);
    // Is it still this release's: before the pages, index and `config.json`, and among 250 pages as often as the
    // number of uploads at once fits.
    let checks = requests_first.remove("HeadObject").unwrap_or_default();
    assert!((3 + 1..=3 + 250 / 16).contains(&checks), "{checks}");
    assert_eq!(requests_first, counts(&first));

    let pages = (FILES + 2).div_ceil(PAGE_KEYS);
    frame.world.forget_calls();
    frame.succeed(PARAMETERS).await;
    let unchanged = [("GetObject", 1), ("ListObjectsV2", pages)];
    assert_eq!(requests(&frame), counts(&unchanged));

    // One file of a hundred, assets and pages.
    let changed: BTreeSet<usize> = (0..FILES - 1).step_by(99).collect();
    frame.artifact(site(&changed)).await;
    frame.world.forget_calls();
    frame.succeed(PARAMETERS).await;
    let some = [
        ("GetObject", 1),
        ("ListObjectsV2", pages),
        ("PutObject", 1 + changed.len() + 1),
        // In the middle of 23 replaced assets, and before the three pages.
        ("HeadObject", 2),
    ];
    assert_eq!(requests(&frame), counts(&some));

    // A page alone: the announcement was the last that is to be known.
    frame
        .artifact(site(&changed.iter().copied().chain([10]).collect()))
        .await;
    frame.world.forget_calls();
    frame.succeed(PARAMETERS).await;
    let one = [("GetObject", 1), ("ListObjectsV2", pages), ("PutObject", 3)];
    assert_eq!(requests(&frame), counts(&one));
}

#[tokio::test]
async fn keys_that_nobody_knows_of_cost_a_page_where_they_are() {
    let frame = in_memory().await;
    frame.artifact(site(&BTreeSet::new())).await;
    frame.succeed(PARAMETERS).await;
    let bucket = frame.world.bucket("www");
    for number in 0..3 {
        bucket.put(&format!("00/by-hand-{number}"), "x").await;
    }
    frame.world.forget_calls();
    frame.succeed(PARAMETERS).await;
    let pages = (FILES + 2).div_ceil(PAGE_KEYS) + 1;
    let unchanged = [("GetObject", 1), ("ListObjectsV2", pages)];
    assert_eq!(requests(&frame), counts(&unchanged));
}

#[tokio::test]
async fn more_uploads_are_under_way_where_that_brings_something() {
    let far_away = Objects::in_memory().with_latency(Duration::from_millis(20));
    let frame = Frame::start_in(World::start_with(far_away).await).await;
    frame.artifact(site(&BTreeSet::new())).await;
    frame.succeed(PARAMETERS).await;
    let most = frame.world.objects().most_in_flight();
    assert!((17..=128).contains(&most), "{most}");
}

/// A page, and 40 files of 200 KB that cannot be deflated, each from its own seed.
fn pictures(seeds: &[u64; 40]) -> Vec<(String, Vec<u8>)> {
    let numbered = seeds.iter().enumerate();
    let files = numbered.map(|(number, seed)| (format!("{number:02}.jpg"), noise(*seed, 200_000)));
    let page = ("index.html".to_owned(), b"page".to_vec());
    files.chain([page]).collect()
}

fn borrowed(files: &[(String, Vec<u8>)]) -> impl Iterator<Item = (&str, &[u8])> {
    let files = files.iter();
    files.map(|(name, content)| (name.as_str(), content.as_slice()))
}

/// What a job uploads and leaves, and how many bytes of the artifact come for it.
async fn fetched(frame: &Frame, artifact: Vec<u8>) -> ([String; 2], usize) {
    frame.artifact(artifact).await;
    let before = frame.world.objects().bytes_sent();
    let variables = frame.succeed(PARAMETERS).await;
    let sent = frame.world.objects().bytes_sent() - before;
    let counts = ["Uploaded", "Unchanged"].map(|name| variables[name].clone());
    (counts, usize::try_from(sent).unwrap())
}

#[tokio::test]
async fn of_an_artifact_that_says_what_its_files_are_only_changes_are_fetched() {
    let frame = in_memory().await;
    let mut seeds = std::array::from_fn(|number| number as u64 + 1);
    let first = zip_with(borrowed(&pictures(&seeds)), &[]);
    assert!(first.len() > 8_000_000, "{}", first.len());
    let (counts, sent) = fetched(&frame, first.clone()).await;
    assert_eq!(counts, ["42", "0"]);
    assert!(sent > 8_000_000, "{sent} bytes");

    // The artifact's end, 2 MiB, is always read; the manifest and the listing have some KB.
    let (counts, sent) = fetched(&frame, first).await;
    assert_eq!(counts, ["0", "42"]);
    assert!(sent < 2_200_000, "{sent} bytes");

    (seeds[3], seeds[39]) = (98, 99);
    let second = pictures(&seeds);
    let (counts, sent) = fetched(&frame, zip_with(borrowed(&second), &[])).await;
    assert_eq!(counts, ["2", "40"]);
    assert!(sent < 2_400_000, "{sent} bytes");

    // Another program's archive of the same files has to be read.
    let (counts, sent) = fetched(&frame, foreign_zip(borrowed(&second))).await;
    assert_eq!(counts, ["0", "42"]);
    assert!(sent > 8_000_000, "{sent} bytes");
}

#[tokio::test]
async fn a_file_that_is_not_what_the_artifact_says_is_refused_by_the_bucket() {
    let frame = in_memory().await;
    let files = [("a.txt", &b"what it holds"[..]), ("index.html", b"page")];
    let mut zip = zip_with(files, &[]);
    let said = *Fingerprint::of(files[0].1).sha256();
    let place = zip.windows(32).position(|window| window == said).unwrap();
    zip[place] ^= 1;
    frame.artifact(zip).await;
    let message = frame.fail(PARAMETERS).await;
    let first = "JobFailed: `a.txt` of input artifact `DistSiteOutput` (`s3://store/p/Site/x`) does not match its fingerprint in the artifact";
    assert!(message.starts_with(first), "{message}");
    assert!(
        message.contains("hint: build the artifact again"),
        "{message}"
    );
    assert_eq!(frame.keys().await, [] as [String; 0]);
}

#[tokio::test]
async fn nothing_is_announced_of_what_cannot_be_fetched() {
    let frame = in_memory().await;
    let seeds = std::array::from_fn(|number| number as u64 + 1);
    frame
        .artifact(zip_with(borrowed(&pictures(&seeds)), &[]))
        .await;
    // The first read is that of the artifact's end.
    let rule = Rule {
        resource: Some("store/p/Site/x".to_owned()),
        nth: 2,
        ..Rule::always("s3:GetObject", Fault::Status(403))
    };
    frame.world.forget_calls();
    let Reported::Failure { failure_type, .. } = run_with(&frame, vec![rule]).await else {
        panic!("the job did not fail");
    };
    assert_eq!(failure_type, "PermissionError");
    assert_eq!(frame.writes(), [] as [String; 0]);
}

#[tokio::test]
async fn what_an_artifact_says_of_other_contents_is_not_believed() {
    let frame = in_memory().await;
    let seeds = std::array::from_fn(|number| number as u64 + 1);
    let files = pictures(&seeds);
    let zip = zip_with(borrowed(&files), &[]);
    fetched(&frame, zip.clone()).await;
    // A program that replaced three files and kept their extra fields: CRC-32 and size stand before the digest.
    let mut stale = zip;
    for number in [0, 1, 2] {
        let said = *Fingerprint::of(&files[number].1).sha256();
        let place = stale.windows(32).position(|window| window == said).unwrap();
        stale[place - 9] ^= 1;
    }
    let (counts, sent) = fetched(&frame, stale).await;
    assert_eq!(counts, ["0", "42"]);
    assert!(
        (2_600_000..2_900_000).contains(&sent),
        "{sent} bytes: these three were read"
    );
}

/// What a function with 128 MB may use: the rest is the system's.
const MEMORY_LIMIT_BYTES: u64 = 100 * 1024 * 1024;

/// The event of a job that [`large`] is the artifact of.
fn event() -> serde_json::Value {
    JobEvent::new()
        .input("DistSiteOutput", "store", "p/Site/x")
        .user_parameters(PARAMETERS)
        .build()
}

/// Bytes that cannot be deflated.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(length).collect()
}

/// A film of 150 MiB among pictures of 700 KiB.
fn large() -> Vec<(String, Vec<u8>)> {
    let mut files = vec![
        ("index.html".to_owned(), b"x".to_vec()),
        ("film.mp4".to_owned(), noise(1, 150 * 1024 * 1024)),
    ];
    for number in 0..100 {
        files.push((format!("{number}.jpg"), noise(number + 2, 700 * 1024)));
    }
    files
}

#[test_case(zip_with(borrowed(&large()), &[]), &["read.zip", "upload-0.zip"]; "that says what its files are")]
#[test_case(foreign_zip(borrowed(&large())), &["read.zip"]; "of another program")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_site_passes_through_a_small_function_without_being_extracted(
    zip: Vec<u8>,
    archives: &[&str],
) {
    let far_away = Objects::in_memory().with_latency(Duration::from_millis(20));
    let frame = Frame::start_in(World::start_with(far_away).await).await;
    let size = zip.len();
    frame.artifact(zip).await;
    let directory = Arc::new(Mutex::new(PathBuf::new()));
    let found = Arc::new(Mutex::new(BTreeSet::new()));
    let look: Hook = {
        let (directory, found) = (Arc::clone(&directory), Arc::clone(&found));
        Arc::new(move || {
            let files = files_below(&directory.lock().unwrap());
            found.lock().unwrap().extend(files);
            Box::pin(std::future::ready(()))
        })
    };
    let rule = Rule::always("s3:PutObject", Fault::Before(look));
    let proxy = Proxy::start(&frame.world.url(), [rule]).await;
    let binary = Path::new(env!("CARGO_BIN_EXE_deploy-site"));
    let mut function = Function::start(binary, &proxy.url(), &KillSwitch::default()).await;
    *directory.lock().unwrap() = function.directory();
    frame.world.code_pipeline().add_job(&event());
    assert_eq!(function.invoke(&event()).await, Ended::Succeeded);
    let film = frame.world.objects().read("www", "film.mp4");
    let film = film.unwrap_or_else(|| panic!("no film:\n{}", function.log()));
    assert_eq!(film.len(), 150 * 1024 * 1024, "{}", function.log());
    assert!(frame.world.objects().read("www", MANIFEST).is_some());

    let peak = function.peak_memory_bytes();
    println!("{size} bytes took {peak} bytes of memory at most");
    assert!(peak < MEMORY_LIMIT_BYTES, "{peak}");
    let found = found.lock().unwrap();
    let names: BTreeSet<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(names, archives.iter().copied().collect());
}

/// The names of all files below a directory.
fn files_below(directory: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for found in std::fs::read_dir(directory).unwrap() {
        let found = found.unwrap();
        if found.file_type().unwrap().is_dir() {
            names.extend(files_below(&found.path()));
        } else {
            names.push(found.file_name().into_string().unwrap());
        }
    }
    names
}
