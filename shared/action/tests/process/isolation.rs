//! Runs a test in a process of its own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{OnceLock, RwLock};
use std::time::Duration;

use delivery_action::process::{self, Environment};
use tempfile::TempDir;

/// Says that this process is the one that was started for a test.
const ROLE: &str = "DELIVERY_TEST_ROLE";

/// The user and group that have no rights anywhere.
const NOBODY: u32 = 65_534;

/// A value that no child and no log may ever show.
pub(crate) const CANARY: &str = "canary/planted+secret0815=";

/// The processes of all tests.
static PROCESSES: RwLock<()> = RwLock::new(());

/// Whether this is the test's own process. Where it is not, one is started, as another user if this one
/// is root, with the variables of a Lambda function; the test there has to pass.
pub(crate) fn is_own_process(test: &str) -> bool {
    if delivery_action::env::var(ROLE).is_some() {
        return true;
    }
    let home = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir()
        .unwrap();
    let mut command = Command::new(executable());
    command
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env_clear()
        .env(
            "PATH",
            delivery_action::env::var("PATH").unwrap_or_default(),
        )
        .env("TMPDIR", home.path())
        .env(delivery_action::env::OWN_DIRECTORY, home.path())
        .env(ROLE, "1")
        .env("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", CANARY)
        .env("AWS_SESSION_TOKEN", CANARY)
        .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")
        .env(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "http://127.0.0.1/credentials",
        )
        .env("_X_AMZN_TRACE_ID", "Root=1")
        .env("LD_LIBRARY_PATH", "/lib64")
        .env("NODE_OPTIONS", "--max-old-space-size=100");
    if rustix::process::geteuid().is_root() {
        chown(home.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    // Another test's process shows its environment, the canary in it, until it has hidden itself.
    let (_alone, _among_others) = if test.contains("a_child_finds_no_secret") {
        (Some(PROCESSES.write().unwrap()), None)
    } else {
        (None, Some(PROCESSES.read().unwrap()))
    };
    let output = command.output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        output.status.success(),
        "{test} in its own process: {}\n{said}",
        output.status
    );
    assert!(said.contains("1 passed"), "{test} was not run:\n{said}");
    assert!(
        !said.contains(CANARY),
        "the canary is in the output of {test}"
    );
    false
}

/// This test binary where every user can run it.
fn executable() -> &'static Path {
    static COPY: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_directory, file) = COPY.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let file = directory.path().join("process-test");
        fs::copy(std::env::current_exe().unwrap(), &file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        (directory, file)
    });
    file
}

/// A job's directory and the environment of its children.
pub(crate) struct Place {
    pub(crate) directory: TempDir,
    pub(crate) environment: Environment,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let environment = Environment::new(directory.path(), directory.path());
        Self {
            directory,
            environment,
        }
    }

    /// A shell as the child: the one program that every machine has and that can do anything.
    pub(crate) fn shell(&self, script: &str) -> process::Command {
        process::Command::new("sh", self.directory.path(), &self.environment).args(["-c", script])
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// Runs a future as a function does.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// A deadline that no test comes near.
pub(crate) fn far() -> delivery_action::clock::Deadline {
    delivery_action::clock::Deadline::after(Duration::from_mins(2))
}

/// All processes below this one, zombies too, as `PID NAME`.
pub(crate) fn descendants() -> Vec<String> {
    let me = std::process::id().to_string();
    let table: Vec<(String, String, String)> = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let (head, rest) = stat.rsplit_once(')')?;
            let (pid, name) = head.split_once(" (")?;
            let parent = rest.split_whitespace().nth(1)?;
            Some((pid.to_owned(), name.to_owned(), parent.to_owned()))
        })
        .collect();
    let mut found = vec![me];
    let mut index = 0;
    while let Some(parent) = found.get(index).cloned() {
        found.extend(
            table
                .iter()
                .filter(|row| row.2 == parent)
                .map(|row| row.0.clone()),
        );
        index += 1;
    }
    let below = &found[1..];
    table
        .iter()
        .filter(|row| below.contains(&row.0))
        .map(|row| format!("{} {}", row.0, row.1))
        .collect()
}

/// Whether a process of this number exists.
pub(crate) fn exists(pid: &str) -> bool {
    Path::new("/proc").join(pid.trim()).exists()
}
