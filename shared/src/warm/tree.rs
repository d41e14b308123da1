//! The dependency tree that an artifact begins with, and what tells it from others.

use sha2::{Digest, Sha256};

use crate::archive::{Entry, Kind};
use crate::artifact::RemoteArchive;
use crate::dependencies::Dependencies;

/// The smallest unit that file systems give to a file.
const BLOCK_BYTES: u64 = 4096;

/// A dependency tree. Two are equal where the same lock file made them, under the same root, and the
/// directories of their archives tell the same paths, kinds, sizes and checksums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    dependencies: Dependencies,
    /// SHA-256 over what the archive's directory says of the tree.
    directory: [u8; 32],
    disk_bytes: u64,
}

impl Tree {
    /// The tree that an archive says it begins with; `None` where it says nothing, or where something
    /// else of the archive lies in the tree, or something of the tree outside its root.
    pub(super) fn of(archive: &RemoteArchive) -> Option<Self> {
        let dependencies: Dependencies = archive.comment().parse().ok()?;
        let mut hash = Sha256::new();
        let mut disk_bytes = 0_u64;
        for entry in archive.entries() {
            let is_below = is_at_or_below(entry.path(), &dependencies.root);
            if is_below != belongs(entry, &dependencies) {
                return None;
            }
            if is_below {
                add(&mut hash, entry);
                let blocks = entry.size().div_ceil(BLOCK_BYTES).max(1);
                disk_bytes = disk_bytes.saturating_add(blocks.saturating_mul(BLOCK_BYTES));
            }
        }
        Some(Self {
            dependencies,
            directory: hash.finalize().into(),
            disk_bytes,
        })
    }

    /// Whether an entry of the archive is one of the tree's.
    pub(super) fn holds(&self, entry: &Entry) -> bool {
        belongs(entry, &self.dependencies)
    }

    /// The directory that holds all of it.
    pub(super) fn root(&self) -> &str {
        &self.dependencies.root
    }

    /// What it takes on disk, in bytes.
    pub(super) fn disk_bytes(&self) -> u64 {
        self.disk_bytes
    }
}

fn belongs(entry: &Entry, dependencies: &Dependencies) -> bool {
    entry.offset() < dependencies.data_bytes
}

fn is_at_or_below(path: &str, root: &str) -> bool {
    path.strip_prefix(root)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn add(hash: &mut Sha256, entry: &Entry) {
    let kind = match entry.kind() {
        Kind::File { executable: false } => 0,
        Kind::File { executable: true } => 1,
        Kind::Directory => 2,
        Kind::Link => 3,
    };
    hash.update((entry.path().len() as u64).to_be_bytes());
    hash.update(entry.path());
    hash.update([kind]);
    hash.update(entry.size().to_be_bytes());
    hash.update(entry.crc32().to_be_bytes());
}
