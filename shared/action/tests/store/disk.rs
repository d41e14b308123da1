//! A disk that is too small: a tmpfs of a few MiB, in a mount namespace of the test's own.

use std::fs;
use std::process::Command;

use delivery_action::artifact::Store;
use delivery_action::failure::{Failure, FailureType};
use delivery_action::workspace::Workspace;
use delivery_testing::events::{FUNCTION_KEYS, JobEvent};
use delivery_testing::s3::{self, LocalS3};

use super::{BUCKET, job};

/// Size of the small disk.
const DISK_MIB: usize = 4;

/// Names the S3 to talk to; where it is set, the test is the function with the small disk.
const S3_VARIABLE: &str = "DELIVERY_TEST_DISK_S3";

#[tokio::test]
async fn a_full_disk_is_said_to_be_full_and_keeps_nothing() {
    if let Some(url) = delivery_action::env::var(S3_VARIABLE) {
        return on_a_small_disk(&url).await;
    }
    let probe = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "true"])
        .output();
    if !probe.is_ok_and(|output| output.status.success()) {
        println!(
            "skipped: no user namespaces here, so no small disk can be made without being root"
        );
        return;
    }
    let s3 = LocalS3::start().await;
    s3.bucket(BUCKET).create().await;
    store_inputs(&s3).await;
    let url = s3.url();
    let output = tokio::task::spawn_blocking(move || {
        let disk = tempfile::tempdir().unwrap();
        let mount = format!(
            "mount -t tmpfs -o size={DISK_MIB}m none \"$TMPDIR\" && exec \"$0\" --exact --nocapture \
             disk::a_full_disk_is_said_to_be_full_and_keeps_nothing"
        );
        Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &mount])
            .arg(std::env::current_exe().unwrap())
            .env("TMPDIR", disk.path())
            .env(S3_VARIABLE, url)
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(text.contains("1 passed"), "{text}");
}

/// One object that is larger than the disk, and one whose content is.
async fn store_inputs(s3: &LocalS3) {
    let bucket = s3.bucket(BUCKET);
    bucket.put("large", vec![1; (DISK_MIB + 1) << 20]).await;
    let workspace = Workspace::create().unwrap();
    let tree = workspace.directory("tree").unwrap();
    fs::write(tree.join("zeros"), vec![0; (DISK_MIB + 1) << 20]).unwrap();
    let store_job = job(JobEvent::new());
    Store::for_job(&s3.config(), &store_job)
        .put_directory(store_job.only_input().unwrap(), &tree)
        .await
        .unwrap();
}

async fn on_a_small_disk(url: &str) {
    let config = s3::config(url, FUNCTION_KEYS);
    let job = job(JobEvent::new());
    let store = Store::for_job(&config, &job);
    let workspace = Workspace::create().unwrap();

    // An archive that has no room beside its source is stored all the same.
    let tree = workspace.directory("tree").unwrap();
    let noise: Vec<u8> = (0_u32..).map(noise_byte).take(DISK_MIB << 19).collect();
    fs::write(tree.join("half"), &noise).unwrap();
    fs::write(tree.join("more"), &noise[..DISK_MIB << 18]).unwrap();
    let stored = store.put_directory(job.only_output().unwrap(), &tree);
    assert!(stored.await.unwrap().bytes > (DISK_MIB as u64) << 19);
    fs::remove_dir_all(&tree).unwrap();

    let mut large = job.only_input().unwrap().clone();
    large.key = "large".into();
    let error = store
        .fetch(&large, &workspace.file("large"))
        .await
        .unwrap_err();
    let failure = Failure::new(&error);
    assert!(
        failure.cause.starts_with(
            "input artifact `SourceOutput` (`s3://store/large`) needs 5 MiB on the function's disk, which has "
        ),
        "{failure:?}"
    );
    assert_eq!(failure.failure_type, FailureType::JobFailed);
    assert!(failure.hint.unwrap().contains("EphemeralStorage"));
    assert!(!workspace.file("large").exists());

    let input = job.only_input().unwrap();
    let error = store
        .fetch_and_extract(input, &workspace, "source")
        .await
        .unwrap_err();
    let failure = Failure::new(&error);
    assert!(failure.message("log").contains("MiB"), "{failure:?}");
    assert!(failure.hint.unwrap().contains("EphemeralStorage"));
    assert_eq!(
        fs::read_dir(workspace.file("source")).map_or(0, Iterator::count),
        0
    );
    assert!(!workspace.file("source.zip").exists());
}

/// Bytes that do not compress.
fn noise_byte(number: u32) -> u8 {
    let mixed = number.wrapping_mul(0x9E37_79B9) ^ (number.wrapping_mul(0x85EB_CA6B) >> 13);
    (mixed.wrapping_mul(0xC2B2_AE35) >> 24) as u8
}
