//! The SDK as another team has it: packaged crates, and an action in a repository of its own.
//!
//! An action that is built alone would compile the AWS SDKs again, for minutes: cargo selects features by what
//! is built together. So it is built in a workspace with this one's dependencies, features and profiles, and in
//! this one's target folder, where all of them are compiled already.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::checkout;

/// The published crates, each before those that need it.
pub const PUBLISHED: [&str; 3] = ["delivery-archive", "delivery-action", "delivery-testing"];

/// The members of this workspace, as its file has them.
const MEMBERS: &str = r#"members = ["actions/*", "cli", "local", "shared/*", "tests"]"#;

/// A package that needs what this whole workspace needs, and so selects the same features.
const EVERYTHING: &str = r#"[package]
name = "everything"
version = "0.0.0"
edition = "2024"

[dependencies]
"#;

/// The features that one crate of this workspace adds to those of the table (`cli/Cargo.toml`).
const MORE_FEATURES: (&str, &str) = (
    "aws-config",
    r#"features = ["credentials-login", "credentials-process", "sso"]"#,
);

/// Packages the published crates as `cargo publish` would and unpacks them in a folder.
///
/// # Errors
///
/// What cargo says.
///
/// # Panics
///
/// Where the folder cannot be written.
pub fn package(into: &Path) -> Result<(), String> {
    let target = tempfile::tempdir().expect("a temporary folder can be made");
    let mut command = Command::new("cargo");
    // Verifying them would compile the AWS SDKs again; building an action on them shows as much.
    command.args(["package", "--offline", "--allow-dirty", "--no-verify"]);
    command.arg("--target-dir").arg(target.path());
    for name in PUBLISHED {
        command.args(["--package", name]);
    }
    run(command.current_dir(checkout::root()))?;
    let packages =
        fs::read_dir(target.path().join("package")).map_err(|error| error.to_string())?;
    for package in packages.filter_map(Result::ok) {
        if package.path().extension().is_some_and(|end| end == "crate") {
            // Without their times, which cargo sets to one and the same: a change would not be noticed.
            let mut command = Command::new("tar");
            command.arg("-xzmf").arg(package.path()).arg("-C").arg(into);
            run(&mut command)?;
        }
    }
    Ok(())
}

/// Makes a workspace of an action, and the published crates that were copied into it.
///
/// # Errors
///
/// Where a file cannot be read or written.
///
/// # Panics
///
/// Where the manifests of this workspace are not of the form that is known here.
pub fn workspace(folder: &Path, action: &str) -> io::Result<()> {
    let root = fs::read_to_string(checkout::root().join("Cargo.toml"))?;
    assert!(root.contains(MEMBERS), "the members are listed otherwise");
    let mut text = root.replace(
        MEMBERS,
        &format!("members = [\"everything\", \"{action}\"]"),
    );
    text.push_str("\n[patch.crates-io]\n");
    for name in PUBLISHED {
        let version = env!("CARGO_PKG_VERSION");
        let path = format!("{action}/sdk/{name}-{version}");
        let _infallible = writeln!(text, "{name} = {{ path = \"{path}\" }}");
    }
    fs::write(folder.join("Cargo.toml"), &text)?;
    fs::copy(
        checkout::root().join("Cargo.lock"),
        folder.join("Cargo.lock"),
    )?;

    let everything = folder.join("everything");
    fs::create_dir_all(everything.join("src"))?;
    fs::write(everything.join("src/lib.rs"), "")?;
    fs::write(
        everything.join("Cargo.toml"),
        EVERYTHING.to_owned() + &dependencies(&root),
    )?;

    let manifest = folder.join(action).join("Cargo.toml");
    let text = fs::read_to_string(&manifest)?;
    let (text, _profile) = text
        .split_once("\n# What is uploaded")
        .expect("a profile at the end");
    fs::write(&manifest, text.replace("[workspace]\n", ""))
}

/// The lines that take every dependency of this workspace from others.
fn dependencies(root: &str) -> String {
    let (_, table) = root
        .split_once("[workspace.dependencies]\n")
        .expect("a table of versions");
    let table = table.split("\n[").next().unwrap_or_default();
    let names = table.lines().filter_map(|line| {
        let (name, value) = line.split_once(" = ")?;
        let is_ours = value.starts_with("{ path") || name.starts_with('#');
        (!is_ours).then_some(name)
    });
    let line = |name| match MORE_FEATURES {
        (known, features) if known == name => {
            format!("{name} = {{ workspace = true, {features} }}\n")
        }
        _ => format!("{name}.workspace = true\n"),
    };
    names.map(line).collect()
}

/// Runs the tests of everything in a workspace, in this workspace's target folder.
///
/// # Errors
///
/// What cargo says.
pub fn test(workspace: &Path) -> Result<String, String> {
    let programs = checkout::programs();
    let mut command = Command::new("cargo");
    command.args(["test", "--offline", "--workspace", "--target-dir"]);
    command.arg(programs.parent().unwrap_or(&programs));
    run(command.current_dir(workspace))
}

/// What cargo sets for the tests that it runs (`CARGO_PKG_NAME`).
const OF_THIS_TEST: [&str; 4] = ["BIN_", "CFG_", "MANIFEST_", "PKG_"];

/// Those of them that are set and empty here (The Cargo Book, "Environment variables Cargo sets for crates"), which
/// [`delivery_action::env`] does not list.
const EMPTY_IN_THIS_TEST: [&str; 7] = [
    "CARGO_MANIFEST_LINKS",
    "CARGO_PKG_AUTHORS",
    "CARGO_PKG_HOMEPAGE",
    "CARGO_PKG_LICENSE_FILE",
    "CARGO_PKG_README",
    "CARGO_PKG_REPOSITORY",
    "CARGO_PKG_VERSION_PRE",
];

fn run(command: &mut Command) -> Result<String, String> {
    // ring's build script asks for them, so another value compiles it and everything above it again.
    for name in delivery_action::env::with_prefix("CARGO_").keys() {
        if OF_THIS_TEST.iter().any(|begin| name.starts_with(begin)) {
            command.env_remove(format!("CARGO_{name}"));
        }
    }
    for name in EMPTY_IN_THIS_TEST {
        command.env_remove(name);
    }
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let printed = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (printed(&output.stdout), printed(&output.stderr));
    if output.status.success() {
        Ok(out + &err)
    } else {
        Err(format!(
            "{command:?} ended with {}:\n{out}{err}",
            output.status
        ))
    }
}
