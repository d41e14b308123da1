//! Another team's action: written by `delivery new-action`, built on the crates as they would be published.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pipeline_tests::{checkout, sdk};

/// A folder that stays, below `target`, so that cargo finds what it compiled there before.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sdk");
    let _nothing_there = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("packages")).unwrap();
    folder
}

fn new_action(into: &Path, name: &str) -> Output {
    Command::new(checkout::programs().join("delivery"))
        .args(["new-action", name, "--json", "--into"])
        .arg(into)
        .output()
        .unwrap()
}

#[test]
fn a_new_action_builds_on_the_packaged_crates_and_passes_its_tests() {
    let folder = folder();
    let output = new_action(&folder, "post-to-chat");
    assert!(output.status.success(), "{output:?}");
    sdk::package(&folder.join("packages")).unwrap();
    // The workspace's own patch counts here.
    fs::remove_dir_all(folder.join("post-to-chat/.cargo")).unwrap();
    sdk::workspace(&folder, "post-to-chat").unwrap();
    let told = sdk::test(&folder).unwrap();
    assert!(
        told.contains("a_message_is_posted_under_the_job_s_id ... ok"),
        "{told}"
    );
}

#[test]
fn the_example_is_what_the_command_writes() {
    let folder = tempfile::tempdir().unwrap();
    let output = new_action(folder.path(), "notify-webhook");
    let written: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let files = written["files"].as_array().unwrap();
    assert_eq!(files.len(), 11);
    for file in files.iter().filter_map(|file| file.as_str()) {
        let text = |root: &Path| fs::read_to_string(root.join(file)).unwrap();
        let example = text(&checkout::root().join("examples/custom-action"));
        let written = text(&folder.path().join("notify-webhook"));
        if file == ".cargo/config.toml" {
            let shared = checkout::root().join("shared").display().to_string();
            assert_eq!(written.replace(&shared, "../../shared"), example);
        } else {
            assert_eq!(written, example, "{file}");
        }
    }
    let again = new_action(folder.path(), "notify-webhook");
    assert_eq!(again.status.code(), Some(2), "{again:?}");
}
