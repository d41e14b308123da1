//! A machine of somebody who installs `delivery`: an empty home, no cargo, and no checkout.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use local::ministack::{VERSION, install};
use pipeline_tests::checkout;
use pipeline_tests::packages::network;
use tempfile::TempDir;

/// How the names of Rust's programs begin.
const OF_RUST: [&str; 3] = ["cargo", "rust", "clippy"];

/// Puts the installed local AWS where `delivery` has it, and an empty folder in the place of the checkout.
const HIDE: &str = r#"
set -e
mount --bind "$1" "$2"
mount -t tmpfs tmpfs "$3"
cd "$4"
shift 4
exec "$@"
"#;

/// The machine; its home is removed with this value.
pub(crate) struct Machine {
    folder: TempDir,
    hides: bool,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let programs = folder.path().join("bin");
        fs::create_dir(&programs).unwrap();
        let path = delivery_action::env::var_os("PATH").unwrap_or_default();
        for directory in std::env::split_paths(&path) {
            for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let of_rust = |name: &str| OF_RUST.iter().any(|begin| name.starts_with(begin));
                let link = programs.join(&name);
                // The first one counts, as in a PATH.
                if !of_rust(&name.to_string_lossy()) && link.symlink_metadata().is_err() {
                    symlink(entry.path(), link).unwrap();
                }
            }
        }
        let home = folder.path().join("home");
        fs::create_dir(&home).unwrap();
        fs::write(home.join(".npmrc"), network().unwrap()).unwrap();
        let machine = Self {
            folder,
            hides: can_hide(),
        };
        machine.install_local_aws();
        machine
    }

    /// Its empty home.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Installing the local AWS takes half a minute and the network; that it can be installed is not the subject here.
    fn install_local_aws(&self) {
        install(&checkout::root().join(".delivery")).unwrap();
        let place = self.local_aws();
        if self.hides {
            fs::create_dir_all(place).unwrap();
        } else {
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            symlink(installed(), place).unwrap();
        }
    }

    fn local_aws(&self) -> PathBuf {
        let name = format!(".cache/delivery/ministack-{VERSION}");
        self.home().join(name)
    }

    /// A command in a folder of the machine, with none of the variables of this test.
    pub(crate) fn command(&self, program: &str, folder: &Path) -> Command {
        let mut command = if self.hides {
            let mut command = unshare();
            command.args(["sh", "-c", HIDE, "sh"]).arg(installed());
            command.arg(self.local_aws()).arg(checkout::root());
            command.arg(folder).arg(program);
            command
        } else {
            let mut command = Command::new(program);
            command.current_dir(folder);
            command
        };
        command.env_clear();
        command.env("HOME", self.home());
        command.env("PATH", self.folder.path().join("bin"));
        command
    }
}

fn installed() -> PathBuf {
    checkout::root()
        .join(".delivery")
        .join(format!("ministack-{VERSION}"))
}

fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private"]);
    if fs::metadata("/proc/self").map_or(true, |meta| meta.uid() != 0) {
        command.arg("--map-root-user");
    }
    command
}

fn can_hide() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let mut command = unshare();
    command
        .args(["mount", "-t", "tmpfs", "tmpfs"])
        .arg(folder.path());
    let output = command.output();
    let can = output.is_ok_and(|output| output.status.success());
    if !can {
        println!(
            "skipped: releases where the checkout is out of reach: `unshare --mount` cannot be used here"
        );
    }
    can
}
