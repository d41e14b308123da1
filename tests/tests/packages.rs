//! The making of packages: equal bytes, budgets, and what is refused.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use pipeline_tests::checkout;
use tempfile::TempDir;

/// A folder with a program, made at another time in every test.
fn folder(age: Duration) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("bootstrap");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(folder.path().join("lib")).unwrap();
    fs::write(folder.path().join("lib/a"), "a").unwrap();
    let file = fs::File::options().write(true).open(&program).unwrap();
    file.set_modified(delivery_action::clock::now() - age)
        .unwrap();
    folder
}

fn zip(folder: &Path, file: &Path) -> Output {
    Command::new(checkout::root().join("scripts/zip-package"))
        .arg(folder)
        .arg(file)
        .output()
        .unwrap()
}

fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn equal_contents_give_equal_packages_whenever_and_wherever_they_are_made() {
    let target = tempfile::tempdir().unwrap();
    let (first, second) = (
        target.path().join("1/e2e.zip"),
        target.path().join("2/e2e.zip"),
    );
    for (file, age) in [(&first, 0), (&second, 86_400)] {
        let output = zip(folder(Duration::from_secs(age)).path(), file);
        assert!(output.status.success(), "{}", refusal(&output));
    }
    assert_eq!(fs::read(first).unwrap(), fs::read(second).unwrap());
}

#[test]
fn a_package_above_its_budget_fails_with_both_sizes() {
    let target = tempfile::tempdir().unwrap();
    let folder = folder(Duration::ZERO);
    let large = fs::File::create(folder.path().join("large")).unwrap();
    large.set_len(20_000_000).unwrap();
    let printed = refusal(&zip(folder.path(), &target.path().join("e2e.zip")));
    assert!(
        printed.contains("20,000,011 bytes unzipped and its budget is"),
        "{printed}"
    );
}

#[test]
fn what_has_no_budget_or_no_file_or_a_link_is_refused() {
    let target = tempfile::tempdir().unwrap();
    let linked = folder(Duration::ZERO);
    symlink("bootstrap", linked.path().join("link")).unwrap();
    let printed = refusal(&zip(linked.path(), &target.path().join("e2e.zip")));
    assert!(printed.contains("link` is a symbolic link"), "{printed}");

    let printed = refusal(&zip(linked.path(), &target.path().join("other.zip")));
    assert!(printed.contains("`other` has no budget"), "{printed}");

    let empty = tempfile::tempdir().unwrap();
    let printed = refusal(&zip(empty.path(), &target.path().join("e2e.zip")));
    assert!(printed.contains("there is no file in"), "{printed}");
}
