//! Limits on what an archive may contain.

use std::path::Path;

use crate::error::{ArchiveError, shown};

/// Most entries, and directories that they imply. A `node_modules` of a large application has some
/// 60,000; memory is 100 bytes or so for each.
const MAX_ENTRIES: u64 = 100_000;

/// Most bytes of all names and link targets together, which are held in memory while they are checked: 100,000 entries
/// of 105 bytes. A `node_modules` of pnpm, which has the longest paths, has about 60,000 entries of 90 bytes. With
/// entries and tree that is about 35 MB, of the 64 MiB that an archive may use.
pub(crate) const MAX_NAME_BYTES: u64 = 10 * 1024 * 1024;

/// How many times as large as the archive its contents may be, once they are larger than
/// [`RATIO_FREE_BYTES`]. Measured on real artifacts: 2 to 12; deflate's own end is 1,032.
const MAX_RATIO: u64 = 200;

/// Contents that fit on any function's disk (the smallest `EphemeralStorage` is 512 MiB) are harmless however well they
/// compress: a test's file of zeros is not an attack.
pub(crate) const RATIO_FREE_BYTES: u64 = 512 * 1024 * 1024;

/// The smallest unit that file systems allocate: a file of one byte takes this much.
const BLOCK_BYTES: u64 = 4096;

/// How much an archive may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Most entries, and directories that they imply.
    pub max_entries: u64,
    /// Most bytes of all contents together.
    pub max_total_bytes: u64,
    /// Most bytes of one entry's contents.
    pub max_entry_bytes: u64,
    /// How many times as large as the archive its contents may be when they exceed 512 MiB.
    pub max_ratio: u64,
    /// Free bytes at the destination; `None` skips the check.
    pub free_bytes: Option<u64>,
}

impl Default for Limits {
    /// No limit on sizes; see [`Limits::for_free_space`].
    fn default() -> Self {
        Self {
            max_entries: MAX_ENTRIES,
            max_total_bytes: u64::MAX,
            max_entry_bytes: u64::MAX,
            max_ratio: MAX_RATIO,
            free_bytes: None,
        }
    }
}

impl Limits {
    /// Limits for the space that is free now on the file system of `path`.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Io`] if the system does not report it.
    pub fn for_free_space(path: &Path) -> Result<Self, ArchiveError> {
        Ok(Self {
            free_bytes: Some(free_bytes(path)?),
            ..Self::default()
        })
    }

    /// Refuses contents beyond the limits, before anything is written.
    pub(crate) fn check(&self, demand: &Demand<'_>) -> Result<(), ArchiveError> {
        let entry = || shown(demand.largest);
        if demand.bytes > self.max_total_bytes {
            return Err(ArchiveError::TooLarge {
                entry: entry(),
                bytes: demand.bytes,
                limit: self.max_total_bytes,
            });
        }
        let allowed = demand.archive_bytes.saturating_mul(self.max_ratio);
        if demand.bytes > RATIO_FREE_BYTES && demand.bytes > allowed {
            return Err(ArchiveError::Ratio {
                entry: entry(),
                compressed: demand.archive_bytes,
                bytes: demand.bytes,
                limit: self.max_ratio,
            });
        }
        Ok(())
    }

    /// Refuses contents that the disk has no room for.
    pub(crate) fn check_room(&self, demand: &Demand<'_>, into: &Path) -> Result<(), ArchiveError> {
        match self.free_bytes {
            Some(free_bytes) if demand.disk_bytes > free_bytes => Err(ArchiveError::NoRoom {
                entry: shown(demand.largest),
                path: into.to_owned(),
                needed_bytes: demand.disk_bytes,
                free_bytes,
            }),
            _ => Ok(()),
        }
    }
}

/// The space that an archive needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand<'a> {
    /// The archive's own length.
    pub(crate) archive_bytes: u64,
    /// All contents together, as declared.
    pub(crate) bytes: u64,
    /// What they take on disk.
    pub(crate) disk_bytes: u64,
    /// The largest entry's name.
    pub(crate) largest: &'a str,
}

/// What a file of this size takes on disk.
pub(crate) fn on_disk(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK_BYTES).saturating_mul(BLOCK_BYTES)
}

/// What is free for this user on the file system that holds `path`.
pub(crate) fn free_bytes(path: &Path) -> Result<u64, ArchiveError> {
    let stat = rustix::fs::statvfs(path)
        .map_err(|error| ArchiveError::io("get the free space of", path, error.into()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}
