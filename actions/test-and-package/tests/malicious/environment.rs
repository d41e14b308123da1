//! The execution environment of a function: one `/tmp` for all processes that Lambda starts in it, one after the other.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use delivery_testing::runtime::{Function, KillSwitch};
use tempfile::TempDir;

use crate::attacks::Attack;

const BINARY: &str = env!("CARGO_BIN_EXE_test-and-package");

/// The user and group that have no rights anywhere.
const NOBODY: &str = "65534";

/// Builds what Lambda has: a read-only package, a small `/tmp`; and what every Linux has besides.
const LAMBDA: &str = r#"
set -e
mount -t tmpfs -o size=8m,mode=755 tmpfs /var
mkdir -m 1777 /var/tmp
mkdir /var/task
touch /var/task/bootstrap
mount --bind "$1" /var/task/bootstrap # before /tmp, where the checkout may be
mount -o remount,bind,ro /var/task/bootstrap
mount -t tmpfs -o size=96m,nr_inodes=60000,mode=1777 tmpfs /tmp
mount -t tmpfs -o size=8m,mode=1777 tmpfs /dev/shm
[ ! -d /dev/mqueue ] || mount -t mqueue none /dev/mqueue
echo ready
exec cat
"#;

/// Where processes of a function live.
pub(crate) struct Environment {
    place: Place,
    polls: u64,
}

enum Place {
    /// A mount namespace, which this process holds open.
    Lambda(Child),
    /// A directory of this machine; only what is in it is the function's.
    Directory(TempDir),
}

impl Environment {
    pub(crate) fn new() -> Self {
        let place = Self::lambda().unwrap_or_else(|reason| {
            println!("skipped: jobs that write wherever they can: {reason}");
            let private = fs::Permissions::from_mode(0o700);
            Place::Directory(
                tempfile::Builder::new()
                    .permissions(private)
                    .tempdir()
                    .unwrap(),
            )
        });
        Self { place, polls: 1 }
    }

    fn lambda() -> Result<Place, String> {
        if fs::metadata("/proc/self").map_or(true, |meta| meta.uid() != 0) {
            return Err("a `/tmp` of its own needs root".to_owned());
        }
        let mut holder = Command::new("unshare")
            .args([
                "--mount",
                "--ipc",
                "--propagation",
                "private",
                "sh",
                "-c",
                LAMBDA,
                "sh",
                BINARY,
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("`unshare` cannot be run: {error}"))?;
        let mut said = [0; 6];
        let is_ready = holder.stdout.as_mut().unwrap().read_exact(&mut said);
        if is_ready.is_err() || &said != b"ready\n" {
            let status = holder.wait().unwrap();
            return Err(format!("a mount namespace cannot be made: {status}"));
        }
        Ok(Place::Lambda(holder))
    }

    /// Whether a job can be run here without harm to this machine.
    pub(crate) fn allows(&self, attack: &Attack) -> bool {
        matches!(self.place, Place::Lambda(_)) || !attack.needs_namespace
    }

    /// Runs a script in it as root; `false` where there is no namespace.
    pub(crate) fn run(&self, script: &str) -> bool {
        let Place::Lambda(holder) = &self.place else {
            return false;
        };
        let id = holder.id().to_string();
        let mut command = Command::new("nsenter");
        command.args([
            "--mount", "--ipc", "--target", &id, "--", "sh", "-ec", script,
        ]);
        assert!(command.status().unwrap().success(), "{script}");
        true
    }

    /// Starts a process of the function.
    pub(crate) async fn function(&self, endpoint: &str, timeout: Duration) -> Function {
        let (command, variables) = match &self.place {
            Place::Lambda(holder) => {
                let mut command = tokio::process::Command::new("nsenter");
                command
                    .args([
                        "--mount",
                        "--ipc",
                        "--target",
                        &holder.id().to_string(),
                        "--",
                    ])
                    .args([
                        "env",
                        "-u",
                        "TMPDIR",
                        "-u",
                        delivery_action::env::OWN_DIRECTORY,
                    ])
                    .args([
                        "setpriv",
                        "--reuid",
                        NOBODY,
                        "--regid",
                        NOBODY,
                        "--clear-groups",
                    ])
                    .arg("/var/task/bootstrap");
                (
                    command,
                    vec![("LAMBDA_TASK_ROOT", OsString::from("/var/task"))],
                )
            }
            Place::Directory(directory) => (
                tokio::process::Command::new(BINARY),
                vec![(delivery_action::env::OWN_DIRECTORY, directory.path().into())],
            ),
        };
        let mut variables = variables;
        variables.push((
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into(),
        ));
        Function::start_command(
            command,
            endpoint,
            &KillSwitch::default(),
            timeout,
            &variables,
        )
        .await
    }

    /// Counts an event, and says how many the process will have asked for once it has ended.
    pub(crate) fn invoked(&mut self) -> u64 {
        self.polls += 1;
        self.polls
    }

    /// The next process counts anew.
    pub(crate) fn restarted(&mut self) {
        self.polls = 1;
    }

    /// No process is left in the environment but the function's.
    pub(crate) fn assert_alone(&self, function: &Function) {
        let Place::Lambda(holder) = &self.place else {
            return;
        };
        let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/mnt")).ok();
        let ours = namespace(&holder.id().to_string());
        let known = [Some(holder.id()), function.id()];
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u32>().ok())
            else {
                continue;
            };
            let is_in_it = ours.is_some() && namespace(&pid.to_string()) == ours;
            let name = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
            assert!(
                !is_in_it || known.contains(&Some(pid)),
                "process {pid} lives on: {name:?}"
            );
        }
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        if let Place::Lambda(holder) = &mut self.place {
            drop(holder.stdin.take());
            drop(holder.wait());
        }
    }
}
