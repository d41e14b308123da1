//! Whole transfers: small, large, missing, foreign.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use delivery_action::artifact::{Digest, PART_BYTES, Store};
use delivery_action::failure::Failure;
use delivery_action::workspace::Workspace;
use delivery_testing::events::{FUNCTION_KEYS, JobEvent, Keys};
use delivery_testing::s3::LocalS3;

use super::{BUCKET, job};

pub(crate) const INPUT_KEY: &str = "greeter/SourceOutp/aB3xY9z";
const OUTPUT_KEY: &str = "greeter/DistOutput/cD4wV8u";

/// Bytes that do not compress, the same each time.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[tokio::test]
async fn a_directory_goes_out_and_comes_back_as_it_was() {
    let s3 = LocalS3::start().await;
    s3.bucket(BUCKET).create().await;
    let job = job(JobEvent::new());
    let store = Store::for_job(&s3.config(), &job);
    let workspace = Workspace::create().unwrap();
    let tree = workspace.directory("tree/bin").unwrap();
    fs::write(tree.join("run"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(tree.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("run", tree.join("link")).unwrap();

    let output = job.only_output().unwrap();
    store
        .put_directory(output, &workspace.file("tree"))
        .await
        .unwrap();
    let back = store
        .fetch_and_extract(output, &workspace, "back")
        .await
        .unwrap();

    assert_eq!(
        fs::read_to_string(back.join("bin/link")).unwrap(),
        "#!/bin/sh\n"
    );
    assert_eq!(
        fs::read_link(back.join("bin/link")).unwrap().to_str(),
        Some("run")
    );
    assert_eq!(
        fs::metadata(back.join("bin/run"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o755
    );
    let left: Vec<_> = fs::read_dir(workspace.path())
        .unwrap()
        .flatten()
        .map(|e| e.file_name())
        .collect();
    assert!(
        left.iter()
            .all(|name| !name.to_string_lossy().ends_with(".zip")),
        "{left:?}"
    );
}

#[tokio::test]
async fn a_large_file_goes_in_parts_and_comes_in_ranges() {
    let s3 = LocalS3::start().await;
    s3.bucket(BUCKET).create().await;
    let job = job(JobEvent::new());
    let store = Store::for_job(&s3.config(), &job);
    let workspace = Workspace::create().unwrap();
    let content = noise(usize::try_from(2 * PART_BYTES).unwrap() + 12_345);
    let (file, back) = (workspace.file("large"), workspace.file("back"));
    fs::write(&file, &content).unwrap();

    let output = job.only_output().unwrap();
    let before = s3.requests();
    let stored = store.put_file(output, &file).await.unwrap();
    assert_eq!(stored.bytes, content.len() as u64);
    assert_eq!(stored.whole, Digest::of(content.as_slice()).unwrap());
    assert_eq!(stored.directory, None);
    assert_eq!(s3.requests() - before, 5, "create, three parts, complete");
    let before = s3.requests();
    assert_eq!(
        store.fetch(output, &back).await.unwrap(),
        content.len() as u64
    );
    assert_eq!(s3.requests() - before, 3, "three ranges");
    assert!(fs::read(&back).unwrap() == content);
}

#[tokio::test]
async fn a_large_directory_goes_in_parts_while_it_is_archived() {
    let s3 = LocalS3::start().await;
    s3.bucket(BUCKET).create().await;
    let job = job(JobEvent::new());
    let store = Store::for_job(&s3.config(), &job);
    let workspace = Workspace::create().unwrap();
    let tree = workspace.directory("tree").unwrap();
    let part = usize::try_from(PART_BYTES).unwrap();
    // One large file that does not compress, many small ones, one large one that does.
    fs::write(tree.join("noise"), noise(2 * part)).unwrap();
    for number in 0..100 {
        fs::write(tree.join(format!("small-{number}")), noise(10_000)).unwrap();
    }
    fs::write(tree.join("text"), b"line\n".repeat(part)).unwrap();
    let mut archive = Vec::new();
    delivery_archive::create(&tree, &mut archive).unwrap();
    assert!((17 << 20..18 << 20).contains(&archive.len()));

    let output = job.only_output().unwrap();
    let before = s3.requests();
    let made = store.put_directory(output, &tree).await.unwrap();
    assert_eq!(s3.requests() - before, 6, "create, four parts, complete");
    assert_eq!(made.bytes, archive.len() as u64);
    assert_eq!(made.whole, Digest::of(archive.as_slice()).unwrap());
    assert_eq!(made.directory, None, "it says of no file what it holds");
    let stored = s3.bucket(BUCKET).get(OUTPUT_KEY).await.unwrap();
    assert!(stored.body == archive);
    assert_eq!(stored.content_type.as_deref(), Some("application/zip"));

    fs::remove_file(tree.join("noise")).unwrap();
    let before = s3.requests();
    store.put_directory(output, &tree).await.unwrap();
    assert_eq!(s3.requests() - before, 1, "one request for a small archive");
}

#[tokio::test]
async fn an_archive_that_tells_its_files_contents_is_known_by_its_directory() {
    let s3 = LocalS3::start().await;
    s3.bucket(BUCKET).create().await;
    let job = job(JobEvent::new());
    let store = Store::for_job(&s3.config(), &job);
    let workspace = Workspace::create().unwrap();
    let tree = workspace.directory("tree").unwrap();
    fs::write(tree.join("index.html"), "one").unwrap();
    let output = job.only_output().unwrap();
    let one = store.put_fingerprinted(output, &tree).await.unwrap();
    let directory = one.directory.unwrap();
    let archive = store.open(output).await.unwrap();
    archive.check_digest(directory).await.unwrap();
    archive.check_digest(one.whole).await.unwrap();

    // Another file of the same size, and links, whose targets the directory does not tell.
    fs::write(tree.join("index.html"), "two").unwrap();
    let two = store.put_fingerprinted(output, &tree).await.unwrap();
    let archive = store.open(output).await.unwrap();
    for (expected, found) in [(directory, two.directory.unwrap()), (one.whole, two.whole)] {
        let error = archive.check_digest(expected).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "input artifact `DistOutput` (`s3://{BUCKET}/{OUTPUT_KEY}`) is not the one that was built and tested: its \
                 digest is {found}, not {expected}"
            )
        );
    }
    std::os::unix::fs::symlink("index.html", tree.join("home.html")).unwrap();
    let linked = store.put_fingerprinted(output, &tree).await.unwrap();
    assert_eq!(linked.directory, None);
}

#[tokio::test]
async fn a_directory_that_cannot_be_archived_is_not_stored() {
    let s3 = LocalS3::start().await;
    s3.bucket(BUCKET).create().await;
    let job = job(JobEvent::new());
    let workspace = Workspace::create().unwrap();
    let tree = workspace.directory("tree").unwrap();
    std::os::unix::fs::symlink("../outside", tree.join("link")).unwrap();
    let before = s3.requests();
    let error = Store::for_job(&s3.config(), &job)
        .put_directory(job.only_output().unwrap(), &tree)
        .await
        .unwrap_err();
    let failure = Failure::new(&error);
    assert!(failure.cause.contains("entry `link`"), "{failure:?}");
    assert_eq!(s3.requests() - before, 0);
}

#[tokio::test]
async fn an_empty_object_is_an_empty_file() {
    let s3 = LocalS3::start().await;
    s3.bucket(BUCKET).create().await.put(INPUT_KEY, "").await;
    let job = job(JobEvent::new());
    let workspace = Workspace::create().unwrap();
    let file = workspace.file("empty");
    let length = Store::for_job(&s3.config(), &job)
        .fetch(job.only_input().unwrap(), &file)
        .await;
    assert_eq!((length.unwrap(), fs::read(&file).unwrap()), (0, Vec::new()));
}

#[tokio::test]
async fn a_missing_artifact_is_named_with_its_place() {
    let s3 = LocalS3::start().await;
    s3.bucket(BUCKET).create().await;
    let job = job(JobEvent::new());
    let workspace = Workspace::create().unwrap();
    let error = Store::for_job(&s3.config(), &job)
        .fetch(job.only_input().unwrap(), &workspace.file("x"))
        .await
        .unwrap_err();
    let failure = Failure::new(&error);
    assert!(
        failure.cause.starts_with(
            "input artifact `SourceOutput` (`s3://store/greeter/SourceOutp/aB3xY9z`) does not exist: \
             `s3:GetObject` on `s3://store/greeter/SourceOutp/aB3xY9z` failed: NoSuchKey"
        ),
        "{}",
        failure.cause
    );
    assert_eq!(
        failure.failure_type,
        delivery_action::failure::FailureType::RevisionUnavailable
    );
    assert!(!workspace.file("x").exists());
}

#[tokio::test]
async fn what_is_no_zip_leaves_nothing_behind() {
    let s3 = LocalS3::start().await;
    s3.bucket(BUCKET)
        .create()
        .await
        .put(INPUT_KEY, "this is not an archive")
        .await;
    let job = job(JobEvent::new());
    let workspace = Workspace::create().unwrap();
    let error = Store::for_job(&s3.config(), &job)
        .fetch_and_extract(job.only_input().unwrap(), &workspace, "source")
        .await
        .unwrap_err();
    assert!(
        delivery_action::failure::chain(&error).contains("SourceOutput"),
        "{error}"
    );
    assert!(!workspace.file("source.zip").exists());
    let left = fs::read_dir(workspace.file("source")).map_or(0, Iterator::count);
    assert_eq!(left, 0);
}

#[tokio::test]
async fn the_store_is_used_with_the_jobs_credentials_and_not_the_functions() {
    let s3 = LocalS3::start().await;
    s3.bucket(BUCKET).create().await.put(INPUT_KEY, "x").await;
    let foreign = Keys {
        secret_access_key: "not-the-secret",
        ..FUNCTION_KEYS
    };
    let job = job(JobEvent::new().credentials(Some(foreign)));
    let workspace = Workspace::create().unwrap();
    let error = Store::for_job(&s3.config(), &job)
        .fetch(job.only_input().unwrap(), &workspace.file("x"))
        .await
        .unwrap_err();
    let failure = Failure::new(&error);
    assert_eq!(
        failure.failure_type,
        delivery_action::failure::FailureType::PermissionError,
        "{failure:?}"
    );
    assert!(
        failure.cause.contains("SignatureDoesNotMatch"),
        "{failure:?}"
    );
    assert!(!failure.message("log").contains("not-the-secret"));
}

#[tokio::test]
async fn outputs_do_not_replace_anything_but_their_own_key() {
    let s3 = LocalS3::start().await;
    s3.bucket(BUCKET)
        .create()
        .await
        .put(INPUT_KEY, "input")
        .await;
    let job = job(JobEvent::new());
    let store = Store::for_job(&s3.config(), &job);
    let workspace = Workspace::create().unwrap();
    fs::write(workspace.file("out"), "output").unwrap();
    for _delivery in 0..2 {
        store
            .put_file(job.only_output().unwrap(), &workspace.file("out"))
            .await
            .unwrap();
    }
    let objects = s3.bucket(BUCKET).snapshot().await;
    assert_eq!(objects.keys().collect::<Vec<_>>(), [OUTPUT_KEY, INPUT_KEY]);
    assert_eq!(objects[OUTPUT_KEY].body, b"output");
}
