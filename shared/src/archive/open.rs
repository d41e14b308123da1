//! An archive that was checked from its first byte to its last, ready to be listed, read and
//! extracted.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use super::contents::{CopyError, Inflater};
use super::directory;
use super::entry::{Entry, Kind};
use super::error::{ArchiveError, Problem, is_deceptive, shown};
use super::layout;
use super::limits::{Demand, Limits, MAX_NAME_BYTES, on_disk};
use super::source::{ReadAt, Source};
use super::tree::{Conflict, Tree};

/// Longest target of a link (`PATH_MAX` with its NUL).
const MAX_TARGET_BYTES: u64 = 4095;

/// A zip archive whose structure was checked: there is one way to read it.
///
/// Contents are inflated, and their checksums compared, when they are read.
///
/// ```no_run
/// # fn main() -> Result<(), shared::archive::ArchiveError> {
/// use shared::archive::{Archive, Limits};
///
/// let archive = Archive::open("api.zip".as_ref(), Limits::default())?;
/// for entry in archive.entries() {
///     println!("{} {}", entry.path(), entry.size());
/// }
/// let document = archive.read("openapi.yaml", 6 * 1024 * 1024)?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Archive {
    pub(super) source: Source,
    pub(super) limits: Limits,
    /// In the order of their bytes.
    pub(super) entries: Vec<Entry>,
    /// The links' targets, by place in `entries`.
    pub(super) targets: HashMap<u32, Box<str>>,
}

impl Archive {
    /// Opens the archive at a path and checks its structure.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] names the rule that is broken, and the entry.
    pub fn open(path: &Path, limits: Limits) -> Result<Self, ArchiveError> {
        let file = File::open(path).map_err(|error| ArchiveError::io("open", path, error))?;
        Self::check(Source::new(file, path)?, limits)
    }

    /// Checks the structure of an archive that is open already.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] names the rule that is broken, and the entry.
    pub fn from_file(file: &File, limits: Limits) -> Result<Self, ArchiveError> {
        let path = Path::new("the archive");
        let file = file
            .try_clone()
            .map_err(|error| ArchiveError::io("open", path, error))?;
        Self::check(Source::new(file, path)?, limits)
    }

    /// Checks the structure of an archive whose bytes are wherever `bytes` reads them from; messages
    /// call it `path`.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] names the rule that is broken, and the entry.
    pub fn from_bytes(
        bytes: Box<dyn ReadAt>,
        len: u64,
        path: &Path,
        limits: Limits,
    ) -> Result<Self, ArchiveError> {
        Self::check(Source::from_bytes(bytes, len, path), limits)
    }

    /// The entries, in the order of their bytes.
    #[must_use]
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Reads the contents of the file at a path into memory.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Missing`] where there is no such file, [`ArchiveError::EntryTooLarge`] where
    /// it has more than `max_bytes`, else what is wrong with its contents.
    pub fn read(&self, path: &str, max_bytes: u64) -> Result<Vec<u8>, ArchiveError> {
        let entry = self
            .entries
            .iter()
            .find(|entry| entry.path() == path && matches!(entry.kind, Kind::File { .. }))
            .ok_or_else(|| ArchiveError::Missing { entry: shown(path) })?;
        if entry.size > max_bytes {
            return Err(ArchiveError::EntryTooLarge {
                entry: shown(path),
                bytes: entry.size,
                limit: max_bytes,
            });
        }
        read_small(&self.source, &mut Inflater::new(), entry)
    }

    fn check(source: Source, limits: Limits) -> Result<Self, ArchiveError> {
        let directory = directory::find(&source)?;
        let mut entries = directory::read(&source, &directory, &limits)?;
        layout::check(&source, &directory, &mut entries)?;
        let tree = plant(&entries, &limits)?;
        let mut archive = Self {
            source,
            limits,
            entries,
            targets: HashMap::new(),
        };
        archive.check_sizes()?;
        archive.limits.check(&archive.demand())?;
        archive.read_links(&tree)?;
        Ok(archive)
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

    pub(super) fn demand(&self) -> Demand<'_> {
        let sum = |size: fn(u64) -> u64| {
            self.entries
                .iter()
                .fold(0_u64, |sum, entry| sum.saturating_add(size(entry.size)))
        };
        let largest = self.entries.iter().max_by_key(|entry| entry.size);
        Demand {
            archive_bytes: self.source.len(),
            bytes: sum(|size| size),
            disk_bytes: sum(on_disk),
            largest: largest.map_or("", |entry| &entry.name),
        }
    }

    /// Reads all links' targets and follows them.
    fn read_links(&mut self, tree: &Tree) -> Result<(), ArchiveError> {
        let mut inflater = Inflater::new();
        let mut bytes: u64 = self
            .entries
            .iter()
            .fold(0, |sum, entry| sum.saturating_add(entry.name.len() as u64));
        let mut targets: HashMap<u32, Box<str>> = HashMap::new();
        for (index, entry) in (0_u32..).zip(&self.entries) {
            if entry.kind != Kind::Link {
                continue;
            }
            bytes = bytes.saturating_add(entry.size);
            if bytes > MAX_NAME_BYTES {
                return Err(ArchiveError::NamesTooLong {
                    entry: shown(&entry.name),
                    limit: MAX_NAME_BYTES,
                });
            }
            targets.insert(index, read_target(&self.source, &mut inflater, entry)?);
        }
        let target_of = |index| targets.get(&index).map(|target| &**target);
        for (index, entry) in (0_u32..).zip(&self.entries) {
            if let Some(target) = target_of(index) {
                tree.check_link(entry.path(), target, target_of)
                    .map_err(|problem| ArchiveError::entry(&entry.name, problem))?;
            }
        }
        self.targets = targets;
        Ok(())
    }
}

/// Makes the tree of all paths.
fn plant(entries: &[Entry], limits: &Limits) -> Result<Tree, ArchiveError> {
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

/// A conflict of paths in words.
pub(super) fn conflict_error(
    conflict: Conflict,
    name: &str,
    max_entries: u64,
    other: impl Fn(u32) -> String,
) -> ArchiveError {
    let problem = match conflict {
        Conflict::Duplicate => Problem::Duplicate,
        Conflict::Case(index) => Problem::Case(other(index)),
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

fn read_target(
    source: &Source,
    inflater: &mut Inflater,
    entry: &Entry,
) -> Result<Box<str>, ArchiveError> {
    let unusable = || ArchiveError::entry(&entry.name, Problem::LinkTarget);
    if entry.size > MAX_TARGET_BYTES {
        return Err(unusable());
    }
    let bytes = read_small(source, inflater, entry)?;
    let target = String::from_utf8(bytes).map_err(|_| unusable())?;
    if target.is_empty() || target.chars().any(is_deceptive) {
        return Err(unusable());
    }
    Ok(target.into_boxed_str())
}

/// Reads contents whose declared size is within bounds; memory grows with what comes.
fn read_small(
    source: &Source,
    inflater: &mut Inflater,
    entry: &Entry,
) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = Vec::new();
    let keep = |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok(())
    };
    match inflater.copy(source, entry, keep) {
        Ok(()) => Ok(bytes),
        Err(CopyError::Archive(error)) => Err(error),
        Err(CopyError::Write(error)) => Err(source.error(error)),
    }
}
