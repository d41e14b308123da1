//! What a large artifact costs in memory: bounded parts, never the artifact.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;

use delivery_action::artifact::Store;
use delivery_action::workspace::Workspace;
use delivery_testing::events::JobEvent;
use delivery_testing::s3::LocalS3;

use super::{BUCKET, job};

/// The artifact, 1 GiB: a large file and 768 of 1 MiB, none of which can be deflated.
const LARGE_BYTES: usize = 256 * 1024 * 1024;
const FILES: usize = 768;
const FILE_BYTES: usize = 1024 * 1024;
const ALL_BYTES: u64 = 1024 * 1024 * 1024;

/// What a process may hold at most while it passes through, its own code included.
const MEMORY_LIMIT_BYTES: u64 = 64 * 1024 * 1024;

/// Names the S3 to talk to; where it is set, the test is the function and not the one who measures.
const S3_VARIABLE: &str = "DELIVERY_TEST_MEMORY_S3";

#[tokio::test]
async fn an_artifact_of_1_gib_passes_through_in_64_mib() {
    if let Some(url) = delivery_action::env::var(S3_VARIABLE) {
        return pass_through(&url).await;
    }
    let s3 = LocalS3::start().await;
    s3.bucket(BUCKET).create().await;
    store_input(&s3).await;
    let url = s3.url();
    // The function is a process of its own, so that what it holds at most can be read from it.
    let output = tokio::task::spawn_blocking(move || {
        Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "--nocapture",
                "memory::an_artifact_of_1_gib_passes_through_in_64_mib",
            ])
            .env(S3_VARIABLE, url)
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let peak: u64 = text
        .split("peak ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    println!("peak memory for 1 GiB in and out: {} MiB", peak >> 20);
    assert!(peak < MEMORY_LIMIT_BYTES, "{peak} bytes");
}

async fn store_input(s3: &LocalS3) {
    let workspace = Workspace::create().unwrap();
    let tree = workspace.directory("tree").unwrap();
    write_noise(&tree.join("large"), 0, LARGE_BYTES);
    for number in 1..=FILES {
        write_noise(
            &tree.join(format!("{number:03}")),
            number as u64,
            FILE_BYTES,
        );
    }
    let job = job(JobEvent::new());
    let store = Store::for_job(&s3.config(), &job);
    let size = store
        .put_directory(job.only_input().unwrap(), &tree)
        .await
        .unwrap()
        .bytes;
    assert!(size >= ALL_BYTES, "{size} bytes");
}

fn write_noise(path: &Path, seed: u64, bytes: usize) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    for _word in 0..bytes / 8 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes()).unwrap();
    }
    file.flush().unwrap();
}

/// What the function does: download, extract, zip, upload.
async fn pass_through(url: &str) {
    let job = job(JobEvent::new());
    let config = delivery_testing::s3::config(url, delivery_testing::events::FUNCTION_KEYS);
    let store = Store::for_job(&config, &job);
    let workspace = Workspace::create().unwrap();
    let tree = store
        .fetch_and_extract(job.only_input().unwrap(), &workspace, "tree")
        .await
        .unwrap();
    assert_eq!(fs::read_dir(&tree).unwrap().count(), FILES + 1);
    let size = store
        .put_directory(job.only_output().unwrap(), &tree)
        .await
        .unwrap()
        .bytes;
    assert!(size >= ALL_BYTES, "{size} bytes");
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    println!("peak {} bytes", kilobytes * 1024);
}
