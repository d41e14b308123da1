//! The central directory as a whole: everything that can be checked before a byte of any entry is read.
//!
//! Names, kinds, sizes against the limits, the tree of paths, and the extent of each entry. After this, an archive
//! cannot exceed the disk or memory, and each entry can be read independently.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use crate::error::{ArchiveError, Problem, shown};
use crate::format::entry::{Entry, Kind};
use crate::format::name::is_deceptive;
use crate::format::path_tree::{Conflict, Tree};
use crate::limits::{Demand, Limits, MAX_NAME_BYTES, on_disk};
use crate::reader::local_header;
use crate::reader::source::{ReadAt, Source};
use crate::reader::{directory_record, end_record};

/// Longest target of a link (`PATH_MAX` with its NUL).
const MAX_TARGET_BYTES: u64 = 4095;

/// The links' targets, by index of the entry.
pub(crate) type Targets = HashMap<u32, Box<str>>;

/// A checked central directory. Local headers, contents and the targets of links are not checked yet.
#[derive(Debug)]
pub struct CentralDirectory {
    pub(crate) limits: Limits,
    /// In the order of their bytes.
    pub(crate) entries: Vec<Entry>,
    pub(crate) tree: Tree,
    /// The archive's length.
    pub(crate) bytes: u64,
    /// Where its directory lies.
    directory: Range<u64>,
}

impl CentralDirectory {
    /// Reads the directory of an archive whose bytes are wherever `bytes` reads them from; messages call
    /// it `path`.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] names the entry or the record that is wrong.
    pub fn from_bytes(
        bytes: Box<dyn ReadAt>,
        len: u64,
        path: &Path,
        limits: Limits,
    ) -> Result<Self, ArchiveError> {
        Self::read(&Source::from_bytes(bytes, len, path), limits)
    }

    pub(crate) fn read(source: &Source, limits: Limits) -> Result<Self, ArchiveError> {
        let directory = end_record::find(source)?;
        let mut entries = directory_record::read(source, &directory, &limits)?;
        local_header::arrange(&directory, &mut entries)?;
        let directory = Self {
            tree: plant(&entries, &limits)?,
            limits,
            entries,
            bytes: source.len(),
            directory: directory.offset..directory.offset.saturating_add(directory.bytes),
        };
        directory.check_sizes()?;
        directory.check_link_sizes()?;
        directory.limits.check(&directory.demand(|_| true))?;
        Ok(directory)
    }

    /// All entries, in the order of the directory.
    #[must_use]
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The range of bytes that the central directory takes up.
    #[must_use]
    pub fn directory(&self) -> Range<u64> {
        self.directory.clone()
    }

    fn check_sizes(&self) -> Result<(), ArchiveError> {
        let limit = self.limits.max_entry_bytes;
        match self.entries.iter().find(|entry| entry.size > limit) {
            Some(entry) => Err(ArchiveError::EntryTooLarge {
                entry: shown(&entry.name),
                bytes: entry.size,
                limit,
            }),
            None => Ok(()),
        }
    }

    /// Limits the memory for names and link targets, which are all held at once.
    fn check_link_sizes(&self) -> Result<(), ArchiveError> {
        let mut bytes: u64 = self
            .entries
            .iter()
            .fold(0, |sum, entry| sum.saturating_add(entry.name.len() as u64));
        for entry in &self.entries {
            if entry.kind != Kind::Link {
                continue;
            }
            if entry.size > MAX_TARGET_BYTES {
                return Err(ArchiveError::entry(&entry.name, Problem::LinkTarget));
            }
            bytes = bytes.saturating_add(entry.size);
            if bytes > MAX_NAME_BYTES {
                return Err(ArchiveError::NamesTooLong {
                    entry: shown(&entry.name),
                    limit: MAX_NAME_BYTES,
                });
            }
        }
        Ok(())
    }

    /// The space that the chosen entries need.
    pub(crate) fn demand(&self, chosen: impl Fn(usize) -> bool) -> Demand<'_> {
        let entries = || {
            let chosen = self
                .entries
                .iter()
                .enumerate()
                .filter(|(index, _)| chosen(*index));
            chosen.map(|(_, entry)| entry)
        };
        let sum = |size: fn(u64) -> u64| {
            entries().fold(0_u64, |sum, entry| sum.saturating_add(size(entry.size)))
        };
        let largest = entries().max_by_key(|entry| entry.size);
        Demand {
            archive_bytes: self.bytes,
            bytes: sum(|size| size),
            disk_bytes: sum(on_disk),
            largest: largest.map_or("", |entry| &entry.name),
        }
    }

    /// Refuses paths that differ only in case, for a file system that ignores case: files are never overwritten, but
    /// two directories would silently become one.
    pub(crate) fn check_case(&self) -> Result<(), ArchiveError> {
        let Some((one, other)) = self.tree.same_but_for_case() else {
            return Ok(());
        };
        let path = |index: u32| {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            self.entries.get(index).map_or("", Entry::path)
        };
        let problem = Problem::Case(shown(path(one)));
        Err(ArchiveError::entry(path(other), problem))
    }

    /// Checks where all links lead. `targets` must contain every link, because a link may lead through others.
    pub(crate) fn check_links(&self, targets: &Targets) -> Result<(), ArchiveError> {
        let target_of = |index| targets.get(&index).map(|target| &**target);
        for (index, entry) in (0_u32..).zip(&self.entries) {
            if let Some(target) = target_of(index) {
                self.tree
                    .check_link(entry.path(), target, target_of)
                    .map_err(|problem| ArchiveError::entry(&entry.name, problem))?;
            }
        }
        Ok(())
    }
}

/// Builds the tree of all paths.
pub(crate) fn plant(entries: &[Entry], limits: &Limits) -> Result<Tree, ArchiveError> {
    let mut tree = Tree::new(limits.max_entries);
    for (index, entry) in (0_u32..).zip(entries) {
        let path = entry.path();
        if path.is_empty() && entry.kind != Kind::Directory {
            return Err(ArchiveError::entry(&entry.name, Problem::NameEmpty));
        }
        let other = |index: u32| {
            let found = usize::try_from(index)
                .ok()
                .and_then(|index| entries.get(index));
            found.map_or_else(String::new, |entry| shown(entry.path()))
        };
        tree.insert(path, entry.kind, index)
            .map_err(|conflict| conflict_error(conflict, &entry.name, limits.max_entries, other))?;
    }
    Ok(tree)
}

/// The error for a conflict of paths.
pub(crate) fn conflict_error(
    conflict: Conflict,
    name: &str,
    max_entries: u64,
    other: impl Fn(u32) -> String,
) -> ArchiveError {
    let problem = match conflict {
        Conflict::Duplicate => Problem::Duplicate,
        Conflict::BelowFile(index) => Problem::BelowFile(other(index)),
        Conflict::Full => {
            return ArchiveError::TooManyEntries {
                entry: shown(name),
                limit: max_entries,
            };
        }
    };
    ArchiveError::entry(name, problem)
}

/// A link's target from its contents.
pub(crate) fn target(entry: &Entry, contents: &[u8]) -> Result<Box<str>, ArchiveError> {
    let unusable = || ArchiveError::entry(&entry.name, Problem::LinkTarget);
    let target = std::str::from_utf8(contents).map_err(|_| unusable())?;
    if target.is_empty() || target.chars().any(is_deceptive) {
        return Err(unusable());
    }
    Ok(target.into())
}
