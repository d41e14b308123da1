//! Trees on disk, compared whole; and what a test takes of the machine.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    File { executable: bool, bytes: Vec<u8> },
    Directory,
    Link(String),
}

/// Everything below a directory.
pub(crate) fn tree(root: &Path) -> BTreeMap<String, Node> {
    walkdir::WalkDir::new(root)
        .min_depth(1)
        .into_iter()
        .map(|found| {
            let found = found.unwrap();
            let path = found.path();
            let metadata = fs::symlink_metadata(path).unwrap();
            let node = if metadata.is_dir() {
                Node::Directory
            } else if metadata.is_symlink() {
                Node::Link(fs::read_link(path).unwrap().to_str().unwrap().to_owned())
            } else {
                let executable = metadata.permissions().mode() & 0o111 != 0;
                Node::File {
                    executable,
                    bytes: fs::read(path).unwrap(),
                }
            };
            (
                path.strip_prefix(root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned(),
                node,
            )
        })
        .collect()
}

/// Writes a tree; parents are made.
pub(crate) fn plant(root: &Path, nodes: &BTreeMap<String, Node>) {
    for (path, node) in nodes {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match node {
            Node::Directory => fs::create_dir_all(&path).unwrap(),
            Node::Link(target) => std::os::unix::fs::symlink(target, &path).unwrap(),
            Node::File { executable, bytes } => {
                fs::write(&path, bytes).unwrap();
                let mode = if *executable { 0o755 } else { 0o644 };
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
        }
    }
}

/// Most resident memory of a process that reads or writes an archive of any size, in KiB (G1: 64 MiB).
pub(crate) const MAX_RESIDENT_KIB: u64 = 64 * 1024;

/// Names the only test of a process; see [`is_own_process`].
const ROLE: &str = "ARCHIVE_TEST_ALONE";

/// Whether a test has the process to itself. Where it has not, it is run in one of its own, and there is nothing left to do:
/// tests run beside each other, and what others hold at the same time would be measured with it.
#[expect(
    clippy::disallowed_methods,
    reason = "how the test talks to itself in another process"
)]
pub(crate) fn is_own_process(test: &str) -> bool {
    if std::env::var_os(ROLE).is_some() {
        return true;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(ROLE, "1")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    println!("{printed}");
    assert!(
        output.status.success() && printed.contains("1 passed"),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// Memory of this process in KiB, at most (`VmHWM:`, `VmPeak:`).
pub(crate) fn memory(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Ticks of a processor in a second, as `/proc` counts them (`USER_HZ`).
const TICKS: u32 = 100;

/// What this thread has had of a processor: a busy machine does not count.
pub(crate) fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = |field: usize| {
        fields
            .split_whitespace()
            .nth(field)
            .unwrap()
            .parse::<u32>()
            .unwrap()
    };
    Duration::from_secs(1) * (ticks(11) + ticks(12)) / TICKS
}
