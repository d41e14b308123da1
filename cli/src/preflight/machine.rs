//! What this machine has: programs, and room on its disks.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;
use tokio::process::Command;

use crate::message::{Finding, Severity};

/// The room that an environment takes in the temporary folder, in bytes: 375 MB were measured with debug
/// programs (220 MB with packages), and an application's dependencies come on top.
const ROOM_FOR_AN_ENVIRONMENT: u64 = 500_000_000;

/// The room that the local AWS takes where it is installed, in bytes: 150 MB were measured.
const ROOM_FOR_AN_INSTALLATION: u64 = 250_000_000;

/// What an installed local AWS leaves to be written in the home: logs and states.
const ROOM_FOR_LOGS: u64 = 20_000_000;

/// The oldest Python of the local AWS, and the newest that has a name of its own yet.
const PYTHON_MINORS: std::ops::RangeInclusive<u8> = 10..=19;

/// The programs without which no run succeeds.
pub(super) fn programs(has_node_layer: bool, home: &Path) -> Vec<Finding> {
    let directories = directories();
    let mut missing = Vec::new();
    if !has_node_layer {
        for (program, purpose) in [
            ("node", "runs the application's tasks and its function"),
            ("npm", "installs the application's packages"),
        ] {
            if !is_there(program, &directories) {
                missing.push(not_found(
                    program,
                    purpose,
                    "install Node.js, which brings npm",
                ));
            }
        }
    }
    let pythons = PYTHON_MINORS.map(|minor| format!("python3.{minor}"));
    let mut pythons = std::iter::once("python3".to_owned()).chain(pythons);
    let has_python = local::ministack::is_installed(home)
        || pythons.any(|python| is_there(&python, &directories));
    if !has_python {
        missing.push(not_found(
            "python3",
            "runs the local AWS",
            "install Python 3.10 or later",
        ));
    }
    missing
}

/// Whether a program of this name would be found.
pub(crate) fn is_on_path(program: &str) -> bool {
    is_there(program, &directories())
}

fn directories() -> Vec<PathBuf> {
    let path = delivery_action::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect()
}

fn is_there(program: &str, directories: &[PathBuf]) -> bool {
    directories.iter().any(|directory| {
        let file = directory.join(program).metadata();
        file.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    })
}

fn not_found(program: &str, purpose: &str, help: &str) -> Finding {
    Finding {
        severity: Severity::Error,
        message: format!("`{program}` was not found on PATH; it {purpose}"),
        help: Some(help.to_owned()),
    }
}

/// The room that an environment needs.
pub(super) fn room(home: &Path) -> Vec<Finding> {
    let in_the_home = if local::ministack::is_installed(home) {
        ROOM_FOR_LOGS
    } else {
        ROOM_FOR_AN_INSTALLATION
    };
    [
        lack_of_room(
            &delivery_action::env::temporary_directory(),
            ROOM_FOR_AN_ENVIRONMENT,
            "free some space, or set `TMPDIR` to a folder on another disk",
        ),
        lack_of_room(
            home,
            in_the_home,
            "free some space, or use a folder on another disk: `--home DIR`",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn lack_of_room(folder: &Path, needed: u64, help: &str) -> Option<Finding> {
    // The home may still have to be made: then the disk is that of the nearest folder above it.
    let disk = folder.ancestors().find_map(|folder| statvfs(folder).ok())?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    (free < needed).then(|| Finding {
        severity: Severity::Error,
        message: format!(
            "`{}` has {} MB free; a run needs {} MB there",
            folder.display(),
            free / 1_000_000,
            needed / 1_000_000
        ),
        help: Some(help.to_owned()),
    })
}

/// Where the application's function runs on another Node.js than on AWS.
pub(super) async fn node_version(runtime: Option<&str>) -> Option<Finding> {
    let runtime = runtime?;
    let wanted = runtime.strip_prefix("nodejs")?.split('.').next()?;
    let output = Command::new("node").arg("--version").output().await.ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text.trim().strip_prefix('v')?;
    (found.split('.').next() != Some(wanted)).then(|| Finding {
        severity: Severity::Note,
        message: format!(
            "the application's function is `{runtime}` on AWS, and runs on Node.js {found} here"
        ),
        help: Some(format!(
            "install Node.js {wanted} to run the same here, or set the parameter `ApplicationRuntime`"
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_is_told_before_anything_is_started() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(lack_of_room(folder.path(), 0, "make room"), None);
        let found = lack_of_room(&folder.path().join("to/be/made"), u64::MAX, "make room").unwrap();
        assert_eq!(found.severity, Severity::Error);
        assert!(
            found.message.contains(" MB free; a run needs "),
            "{}",
            found.message
        );
    }

    #[test]
    fn a_program_is_looked_for_where_the_system_would() {
        let folder = tempfile::tempdir().unwrap();
        let directories = [folder.path().to_owned()];
        let program = folder.path().join("node");
        assert!(!is_there("node", &directories));
        std::fs::write(&program, "").unwrap();
        assert!(!is_there("node", &directories), "it is not executable");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(is_there("node", &directories));
    }

    #[tokio::test]
    async fn another_node_than_the_functions_is_told() {
        assert_eq!(node_version(Some("python3.13")).await, None);
        let found = node_version(Some("nodejs1.x")).await.unwrap();
        assert!(
            found
                .message
                .starts_with("the application's function is `nodejs1.x` on AWS")
        );
    }
}
