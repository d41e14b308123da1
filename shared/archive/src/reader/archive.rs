//! A checked archive, ready to be listed, read and extracted.

use std::fs::File;
use std::io;
use std::num::NonZero;
use std::path::Path;

use crate::error::{ArchiveError, shown};
use crate::format::entry::{Entry, Kind};
use crate::limits::Limits;
use crate::reader::central_directory::{self, CentralDirectory, Targets};
use crate::reader::coalesce;
use crate::reader::extract::{self, Extracted};
use crate::reader::inflate::{CopyError, Inflater};
use crate::reader::local_header;
use crate::reader::source::{ReadAt, Source};

/// A zip archive whose structure was checked, so that there is only one way to read it.
///
/// Contents are inflated, and their checksums compared, when they are read.
///
/// ```no_run
/// # fn main() -> Result<(), delivery_archive::ArchiveError> {
/// use delivery_archive::{Archive, Limits};
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
    pub(crate) source: Source,
    pub(crate) directory: CentralDirectory,
    /// The links' targets, by index of the entry.
    pub(crate) targets: Targets,
}

impl Archive {
    /// Opens the archive at a path and checks its structure.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] names the rule that is broken, and the entry.
    pub fn open(path: &Path, limits: Limits) -> Result<Self, ArchiveError> {
        Self::check(Source::open(path)?, limits)
    }

    /// Checks the structure of an archive that is open already.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] names the rule that is broken, and the entry.
    pub fn from_file(file: &File, limits: Limits) -> Result<Self, ArchiveError> {
        Self::check(Source::of(file)?, limits)
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
        self.directory.entries()
    }

    /// The symbolic links and their targets, none of which leads out of the archive.
    pub fn links(&self) -> impl Iterator<Item = (&Entry, &str)> {
        let entries = (0_u32..).zip(self.entries());
        entries.filter_map(|(index, entry)| Some((entry, &**self.targets.get(&index)?)))
    }

    /// Reads the contents of the file at a path into memory.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Missing`] if there is no such file, [`ArchiveError::EntryTooLarge`] where
    /// it has more than `max_bytes`, else what is wrong with its contents.
    pub fn read(&self, path: &str, max_bytes: u64) -> Result<Vec<u8>, ArchiveError> {
        let entry = self
            .entries()
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

    /// Extracts everything into an empty directory.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] names the entry; nothing of the archive stays in the directory.
    pub fn extract(&self, into: &Path) -> Result<Extracted, ArchiveError> {
        extract::from_source(&self.directory, &self.source, into, extract::threads())
    }

    /// Opens an archive of which only the directory, all links and the chosen entries (by index) were downloaded.
    /// Reading another entry is an error.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] names the entry.
    pub fn open_some(path: &Path, limits: Limits, chosen: &[bool]) -> Result<Self, ArchiveError> {
        Self::check_some(Source::open(path)?, limits, Some(chosen))
    }

    fn check(source: Source, limits: Limits) -> Result<Self, ArchiveError> {
        Self::check_some(source, limits, None)
    }

    fn check_some(
        source: Source,
        limits: Limits,
        chosen: Option<&[bool]>,
    ) -> Result<Self, ArchiveError> {
        let mut directory = CentralDirectory::read(&source, limits)?;
        let entries = directory.entries.iter_mut().enumerate();
        let at_hand = entries.filter(|(index, entry)| {
            entry.kind == Kind::Link || coalesce::is_chosen(chosen, *index)
        });
        local_header::check(&source, at_hand.map(|(_, entry)| entry))?;
        let targets = read_links(&source, &directory.entries)?;
        directory.check_links(&targets)?;
        Ok(Self {
            source,
            directory,
            targets,
        })
    }
}

/// Checks an archive and extracts it with a number of threads. Headers are checked as the entries are extracted, so
/// that each entry is read only once.
pub(crate) fn extract(
    source: &Source,
    limits: Limits,
    into: &Path,
    threads: NonZero<usize>,
) -> Result<Extracted, ArchiveError> {
    extract::from_source(
        &CentralDirectory::read(source, limits)?,
        source,
        into,
        threads,
    )
}

fn read_links(source: &Source, entries: &[Entry]) -> Result<Targets, ArchiveError> {
    let mut inflater = Inflater::new();
    let links = (0_u32..)
        .zip(entries)
        .filter(|(_, entry)| entry.kind == Kind::Link);
    links
        .map(|(index, entry)| {
            let contents = read_small(source, &mut inflater, entry)?;
            Ok((index, central_directory::target(entry, &contents)?))
        })
        .collect()
}

/// Reads contents whose declared size was checked. Memory grows with the bytes that arrive, not with the declared size.
fn read_small(
    source: &Source,
    inflater: &mut Inflater,
    entry: &Entry,
) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = Vec::new();
    let mut keep = |piece: &[u8]| -> io::Result<()> {
        bytes.extend_from_slice(piece);
        Ok(())
    };
    match inflater.copy(source, entry, &mut keep) {
        Ok(()) => Ok(bytes),
        Err(CopyError::Archive(error)) => Err(error),
        Err(CopyError::Write(error)) => Err(source.error(error)),
    }
}
