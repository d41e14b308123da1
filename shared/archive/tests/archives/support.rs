//! Trees on disk, compared whole.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
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

/// Peak memory since [`forget_peak`], and memory now, in KiB.
pub(crate) fn memory(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Makes the kernel count the peak anew from what is held now.
pub(crate) fn forget_peak() {
    fs::write("/proc/self/clear_refs", "5").unwrap();
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
