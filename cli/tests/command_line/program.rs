//! The program, and the repositories that it is run in.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// What the smallest project needs that passes the check before the start.
pub(crate) const PACKAGE: &str = r#"{"scripts": {"package": "true", "test-functional": "true"}}"#;

pub(crate) fn delivery(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_delivery"));
    command
        .current_dir(folder)
        .env("DELIVERY_HOME", folder.join(".home"))
        .env_remove("AWS_REGION");
    command
}

pub(crate) fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs it, and expects this exit code; what people are told.
pub(crate) fn says(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = delivery(folder).args(arguments).output().unwrap();
    let printed = printed(&output);
    assert_eq!(output.status.code(), Some(code), "{printed}");
    printed
}

pub(crate) fn git(folder: &Path, arguments: &[&str]) {
    let who = ["-c", "user.name=T", "-c", "user.email=t@example.com"];
    let mut command = Command::new("git");
    let done = command
        .arg("-C")
        .arg(folder)
        .args(who)
        .args(arguments)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", printed(&done));
}

/// A repository with a project in it.
pub(crate) fn repository() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    git(
        folder.path(),
        &["init", "--quiet", "--initial-branch", "main"],
    );
    std::fs::write(folder.path().join("package.json"), PACKAGE).unwrap();
    std::fs::write(folder.path().join(".gitignore"), ".home\n").unwrap();
    git(folder.path(), &["add", "--all"]);
    git(folder.path(), &["commit", "--quiet", "-m", "one"]);
    folder
}
