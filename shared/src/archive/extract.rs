//! Extraction below a directory that is held open: every step goes by file descriptor from there, no
//! link is ever followed, and links are made last.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags};

use super::contents::{CopyError, Inflater};
use super::entry::{Entry, Kind};
use super::error::{ArchiveError, shown};
use super::limits::free_bytes;
use super::open::Archive;

/// Modes are not taken from the archive, apart from whether a file can be run.
const FILE_MODE: u32 = 0o644;
const EXECUTABLE_MODE: u32 = 0o755;
const DIRECTORY_MODE: u32 = 0o755;

/// What was extracted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extracted {
    /// Files.
    pub files: u64,
    /// Directories that the archive names.
    pub directories: u64,
    /// Symbolic links.
    pub links: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

impl Archive {
    /// Extracts everything into an empty directory.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] names the entry; nothing of the archive stays in the directory.
    pub fn extract(&self, into: &Path) -> Result<Extracted, ArchiveError> {
        let at_into = |source| ArchiveError::io("extract into", into, source);
        if std::fs::read_dir(into).map_err(at_into)?.next().is_some() {
            return Err(at_into(io::ErrorKind::DirectoryNotEmpty.into()));
        }
        self.limits.check_room(&self.demand(), into)?;
        let outcome = self.write_all(into);
        if outcome.is_err() {
            empty(into)?;
        }
        outcome.map_err(|failure| self.explain(failure, into))
    }

    fn write_all(&self, into: &Path) -> Result<Extracted, Failure> {
        let mut root = Destination::open(into).map_err(|error| Failure::at("", error))?;
        let mut inflater = Inflater::new();
        let mut extracted = Extracted::default();
        for entry in &self.entries {
            match entry.kind {
                Kind::File { executable } => {
                    let file = root
                        .create_file(entry.path(), executable)
                        .map_err(|error| Failure::at(entry.path(), error))?;
                    self.copy(&mut inflater, entry, |piece| (&file).write_all(piece))?;
                    extracted.files = extracted.files.saturating_add(1);
                    extracted.bytes = extracted.bytes.saturating_add(entry.size);
                }
                Kind::Directory => {
                    self.copy(&mut inflater, entry, |_| Ok(()))?;
                    root.enter(entry.path())
                        .map_err(|error| Failure::at(entry.path(), error))?;
                    extracted.directories = extracted.directories.saturating_add(1);
                }
                Kind::Link => {}
            }
        }
        for (index, entry) in (0_u32..).zip(&self.entries) {
            if let Some(target) = self.targets.get(&index) {
                root.create_link(entry.path(), target)
                    .map_err(|error| Failure::at(entry.path(), error))?;
                extracted.links = extracted.links.saturating_add(1);
            }
        }
        Ok(extracted)
    }

    fn copy(
        &self,
        inflater: &mut Inflater,
        entry: &Entry,
        write: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), Failure> {
        inflater
            .copy(&self.source, entry, write)
            .map_err(|error| match error {
                CopyError::Archive(error) => Failure::Archive(error),
                CopyError::Write(error) => Failure::at(entry.path(), error),
            })
    }

    /// Says of a failed write whether the disk was full; called when its room is free again.
    fn explain(&self, failure: Failure, into: &Path) -> ArchiveError {
        let (path, source) = match failure {
            Failure::Archive(error) => return error,
            Failure::Write { path, source } => (path, source),
        };
        if is_full(&source) {
            return ArchiveError::NoRoom {
                entry: shown(&path),
                path: into.to_owned(),
                needed_bytes: self.demand().disk_bytes,
                free_bytes: free_bytes(into).unwrap_or(0),
            };
        }
        ArchiveError::Io {
            action: "write",
            path: into.join(path),
            source,
        }
    }
}

/// Why extraction stopped.
enum Failure {
    Archive(ArchiveError),
    Write { path: String, source: io::Error },
}

impl Failure {
    fn at(path: &str, source: io::Error) -> Self {
        Self::Write {
            path: path.to_owned(),
            source,
        }
    }
}

/// Whether a write failed for want of room (bytes, inodes or quota).
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Removes all that is in a directory; links are removed, not followed.
fn empty(directory: &Path) -> Result<(), ArchiveError> {
    let failed = |source| ArchiveError::io("remove what was extracted into", directory, source);
    for found in std::fs::read_dir(directory).map_err(failed)? {
        let found = found.map_err(failed)?;
        if found.file_type().map_err(failed)?.is_dir() {
            std::fs::remove_dir_all(found.path()).map_err(failed)?;
        } else {
            std::fs::remove_file(found.path()).map_err(failed)?;
        }
    }
    Ok(())
}

/// The directory that is extracted into, and the directories that lead to the place of the last
/// entry: entries of one directory mostly follow each other.
struct Destination {
    root: OwnedFd,
    open: Vec<(String, OwnedFd)>,
    /// Whether the process's umask takes bits of the modes away; asking once saves a call a file.
    umask_cuts: bool,
}

impl Destination {
    fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self {
            umask_cuts: umask_cuts(&root)?,
            root,
            open: Vec::new(),
        })
    }

    fn create_file(&mut self, path: &str, executable: bool) -> io::Result<File> {
        let (parent, name) = self.enter_parent(path)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(if executable {
            EXECUTABLE_MODE
        } else {
            FILE_MODE
        });
        let file = rustix::fs::openat(parent, name, flags, mode)?;
        if self.umask_cuts {
            // By descriptor, so that no link can stand in between.
            rustix::fs::fchmod(&file, mode)?;
        }
        Ok(File::from(file))
    }

    fn create_link(&mut self, path: &str, target: &str) -> io::Result<()> {
        let (parent, name) = self.enter_parent(path)?;
        Ok(rustix::fs::symlinkat(target, parent, name)?)
    }

    fn enter_parent<'p>(&mut self, path: &'p str) -> io::Result<(BorrowedFd<'_>, &'p str)> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok((self.enter(parent)?, name))
    }

    /// Opens a directory, which is made where it is not there yet.
    fn enter(&mut self, path: &str) -> io::Result<BorrowedFd<'_>> {
        let components: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let shared = self
            .open
            .iter()
            .zip(&components)
            .take_while(|(open, part)| open.0 == **part);
        let shared = shared.count();
        self.open.truncate(shared);
        for component in components.iter().skip(shared) {
            let directory = open_or_make(self.last(), component)?;
            self.open.push(((*component).to_owned(), directory));
        }
        Ok(self.last())
    }

    fn last(&self) -> BorrowedFd<'_> {
        self.open
            .last()
            .map_or(self.root.as_fd(), |(_, directory)| directory.as_fd())
    }
}

/// Tries the umask out on a directory: it can be read only by changing it, for all threads.
fn umask_cuts(root: &OwnedFd) -> io::Result<bool> {
    const PROBE: &str = ".umask";
    let mode = Mode::from_raw_mode(DIRECTORY_MODE);
    rustix::fs::mkdirat(root, PROBE, mode)?;
    let stat = rustix::fs::statat(root, PROBE, AtFlags::SYMLINK_NOFOLLOW);
    rustix::fs::unlinkat(root, PROBE, AtFlags::REMOVEDIR)?;
    Ok(!Mode::from_raw_mode(stat?.st_mode).contains(mode))
}

fn open_or_make(parent: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    let mode = Mode::from_raw_mode(DIRECTORY_MODE);
    let is_new = match rustix::fs::mkdirat(parent, name, mode) {
        Ok(()) => true,
        Err(rustix::io::Errno::EXIST) => false,
        Err(error) => return Err(error.into()),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    if is_new {
        rustix::fs::fchmod(&directory, mode)?;
    }
    Ok(directory)
}
