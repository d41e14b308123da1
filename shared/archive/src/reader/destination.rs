//! The directory to extract into. Everything is created relative to its open descriptor (`openat`, `mkdirat`), without
//! following links, so a path cannot be redirected while the extraction runs.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags};

use crate::error::ArchiveError;

/// Modes are not taken from the archive, except for the executable bit.
const FILE_MODE: u32 = 0o644;
const EXECUTABLE_MODE: u32 = 0o755;
const DIRECTORY_MODE: u32 = 0o755;

/// The directory that is extracted into.
pub(crate) struct TargetDirectory {
    directory: OwnedFd,
    pub(crate) umask: Umask,
    /// Whether the file system ignores case, as on macOS.
    pub(crate) folds_case: bool,
}

impl TargetDirectory {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(path, flags, Mode::empty())?;
        let (umask, folds_case) = try_out(&directory)?;
        Ok(Self {
            directory,
            umask,
            folds_case,
        })
    }
}

/// Creates a directory to find out what the umask removes, and whether the file system ignores case. `umask(2)` can be
/// read only by changing it, which would affect other threads.
fn try_out(root: &OwnedFd) -> io::Result<(Umask, bool)> {
    const PROBE: &str = ".umask";
    const PROBE_IN_CAPITALS: &str = ".UMASK";
    let mode = Mode::from_raw_mode(DIRECTORY_MODE);
    rustix::fs::mkdirat(root, PROBE, mode)?;
    let stat = rustix::fs::statat(root, PROBE, AtFlags::SYMLINK_NOFOLLOW);
    let other = rustix::fs::statat(root, PROBE_IN_CAPITALS, AtFlags::SYMLINK_NOFOLLOW);
    rustix::fs::unlinkat(root, PROBE, AtFlags::REMOVEDIR)?;
    let cut = mode.difference(Mode::from_raw_mode(stat?.st_mode));
    Ok((Umask(cut), other.is_ok()))
}

/// The bits that the process's umask removes; determined once, to save a call per file.
pub(crate) struct Umask(Mode);

impl Umask {
    fn cuts(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether a new directory is unusable, even for its owner, until its mode is set.
    pub(crate) fn is_hard(&self) -> bool {
        self.0.intersects(Mode::RWXU)
    }
}

/// The open directories above the last entry. Entries of one directory mostly follow each other, so most of them need
/// no `openat` for their directory.
pub(crate) struct Destination<'r> {
    root: &'r TargetDirectory,
    /// The last directory's path.
    path: String,
    /// The last directory and those above it, each with the length of its path.
    open: Vec<(usize, OwnedFd)>,
}

impl<'r> Destination<'r> {
    pub(crate) fn new(root: &'r TargetDirectory) -> Self {
        Self {
            root,
            path: String::new(),
            open: Vec::new(),
        }
    }

    pub(crate) fn create_file(&mut self, path: &str, executable: bool) -> io::Result<File> {
        let (parent, name) = self.enter_parent(path)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(if executable {
            EXECUTABLE_MODE
        } else {
            FILE_MODE
        });
        let file = rustix::fs::openat(parent, name, flags, mode)?;
        if self.root.umask.cuts() {
            // By descriptor: by name, it could hit something else that was put in its place.
            rustix::fs::fchmod(&file, mode)?;
        }
        Ok(File::from(file))
    }

    pub(crate) fn create_link(&mut self, path: &str, target: &str) -> io::Result<()> {
        let (parent, name) = self.enter_parent(path)?;
        Ok(rustix::fs::symlinkat(target, parent, name)?)
    }

    fn enter_parent<'p>(&mut self, path: &'p str) -> io::Result<(BorrowedFd<'_>, &'p str)> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok((self.enter(parent)?, name))
    }

    /// Opens a directory, and creates it if it does not exist.
    pub(crate) fn enter(&mut self, path: &str) -> io::Result<BorrowedFd<'_>> {
        if self.path != path {
            self.leave(path);
            let rest = path.get(self.path.len()..).unwrap_or_default();
            for component in rest.split('/').filter(|component| !component.is_empty()) {
                let directory = self.open_or_make(component)?;
                if !self.path.is_empty() {
                    self.path.push('/');
                }
                self.path.push_str(component);
                self.open.push((self.path.len(), directory));
            }
        }
        Ok(self.last())
    }

    /// Closes the open directories that are not above this path.
    fn leave(&mut self, path: &str) {
        let leads = |len: usize| {
            let (left, right) = (self.path.get(..len), path.get(..len));
            left == right && matches!(path.as_bytes().get(len), None | Some(b'/'))
        };
        let kept = self.open.iter().take_while(|(len, _)| leads(*len)).count();
        self.open.truncate(kept);
        self.path
            .truncate(self.open.last().map_or(0, |(len, _)| *len));
    }

    fn last(&self) -> BorrowedFd<'_> {
        self.open
            .last()
            .map_or(self.root.directory.as_fd(), |(_, directory)| {
                directory.as_fd()
            })
    }

    fn open_or_make(&self, name: &str) -> io::Result<OwnedFd> {
        let (parent, mode) = (self.last(), Mode::from_raw_mode(DIRECTORY_MODE));
        let is_new = match rustix::fs::mkdirat(parent, name, mode) {
            Ok(()) => true,
            Err(rustix::io::Errno::EXIST) => false,
            Err(error) => return Err(error.into()),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(parent, name, flags, Mode::empty())?;
        if is_new && self.root.umask.cuts() {
            rustix::fs::fchmod(&directory, mode)?;
        }
        Ok(directory)
    }
}

/// Removes everything in a directory, without following links.
pub(crate) fn empty(directory: &Path) -> Result<(), ArchiveError> {
    let failed = |source| ArchiveError::io("clean up", directory, source);
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
