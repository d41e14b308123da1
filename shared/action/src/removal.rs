//! Deletes directory trees that untrusted programs made, whatever their depth, names and modes.
//!
//! Problem: `std::fs::remove_dir_all` works for well-meaning trees. A hostile build can make one that it does not
//! remove, or that makes it remove something else.
//!
//! Seen: trees deeper than `PATH_MAX`, so that no path reaches the bottom; deeper than the number of files that a
//! process may open; directories without permissions for their owner; names that are not UTF-8; symbolic links
//! in place of directories.
//!
//! Solution: walk by file descriptors (`openat`, `unlinkat`), never by paths, without following links. Permissions
//! are restored before a directory is read. At most [`MAX_OPEN`] directories are open; a deeper one is moved up
//! to the top (`renameat`) and removed in the next pass, so depth never matters. Passes repeat until one finds
//! nothing more to do, or removes nothing.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, chmodat, fchmod, fstat, openat, renameat, statat,
    unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

/// Most directories open at once; deeper ones are moved up first. Well below the 1,024 files that a process may have
/// open by default.
const MAX_OPEN: usize = 64;

/// Most names to try for a directory that is moved up; the untrusted program may have taken some.
const MAX_NAMES: u32 = 1_000;

/// Most entries to report as not removed.
const MAX_REPORTED: usize = 10;

/// Permissions that a directory needs before its entries can be removed.
const ACCESSIBLE: Mode = Mode::RWXU;

/// An entry that could not be removed.
#[derive(Debug, thiserror::Error)]
#[error("cannot remove `{}`, owned by user {owner}", .path.display())]
pub(crate) struct NotRemoved {
    pub(crate) path: PathBuf,
    pub(crate) owner: u32,
    pub(crate) source: io::Error,
}

impl NotRemoved {
    /// Whether another user made it. Only root can change a file's owner, so no job of this user did.
    pub(crate) fn is_foreign(&self) -> bool {
        self.owner != geteuid().as_raw()
    }
}

/// Removes a directory and everything in it.
pub(crate) fn remove_tree(path: &Path) -> io::Result<()> {
    match empty(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        emptied => {
            if let Some(left) = emptied?.into_iter().next() {
                return Err(io::Error::new(left.source.kind(), left));
            }
        }
    }
    match unlinkat(CWD, path, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Removes everything in a directory, and returns what could not be removed.
pub(crate) fn empty(path: &Path) -> io::Result<Vec<NotRemoved>> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    loop {
        let mut pass = Pass {
            removed: 0,
            moved: 0,
            not_removed: Vec::new(),
        };
        pass.run(open_directory(CWD, &name)?, path)?;
        // Another pass is needed if something was moved up (it may have landed behind the position that
        // `readdir` had reached), or if something could not be moved (there may be room for it now). It is
        // pointless if this pass removed nothing.
        let is_done = pass.not_removed.is_empty() && pass.moved == 0;
        if is_done || pass.removed == 0 {
            return Ok(pass.not_removed);
        }
    }
}

/// One walk over the whole tree.
struct Pass {
    removed: u64,
    moved: u32,
    not_removed: Vec<NotRemoved>,
}

/// A directory that is being emptied.
struct Level {
    entries: Dir,
    name: CString,
}

impl Pass {
    fn run(&mut self, top: OwnedFd, path: &Path) -> io::Result<()> {
        let mut levels = vec![Level::new(top, CString::default())?];
        while let Some(level) = levels.last_mut() {
            let read = level.entries.read();
            match read {
                Some(Ok(entry)) if is_dots(entry.file_name()) => {}
                Some(Ok(entry)) => {
                    let name = entry.file_name();
                    match self.entry(&levels, name, entry.file_type()) {
                        Ok(Some(below)) => levels.push(below),
                        Ok(None) => {}
                        Err(error) => self.report(&levels, path, name, error),
                    }
                }
                Some(Err(error)) if levels.len() == 1 => return Err(error.into()),
                // Reading failed below the top: the directory is not empty, so `close` reports it.
                Some(Err(_)) | None => self.close(&mut levels, path),
            }
        }
        Ok(())
    }

    /// Removes an entry, or opens it if it is a directory.
    fn entry(
        &mut self,
        levels: &[Level],
        name: &CStr,
        kind: FileType,
    ) -> Result<Option<Level>, Errno> {
        let Some(level) = levels.last() else {
            return Ok(None);
        };
        let parent = level.fd()?;
        let is_directory = match kind {
            FileType::Directory => true,
            FileType::Unknown => {
                let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode) == FileType::Directory
            }
            _ => false,
        };
        if !is_directory {
            unlinkat(parent, name, AtFlags::empty())?;
            self.removed += 1;
            return Ok(None);
        }
        if levels.len() >= MAX_OPEN {
            let top = levels.first().unwrap_or(level);
            self.move_up(parent, name, top.fd()?)?;
            return Ok(None);
        }
        Ok(Some(Level::new(
            open_directory(parent, name)?,
            name.to_owned(),
        )?))
    }

    fn move_up(
        &mut self,
        from: BorrowedFd<'_>,
        name: &CStr,
        top: BorrowedFd<'_>,
    ) -> Result<(), Errno> {
        // Moving a directory changes its `..` entry, which needs permission to write to it.
        make_accessible(from, name)?;
        for number in 0..MAX_NAMES {
            let fresh = format!(".removed-{}-{number}", self.moved);
            match renameat(from, name, top, fresh.as_str()) {
                Ok(()) => {
                    self.moved += 1;
                    return Ok(());
                }
                Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Errno::EXIST)
    }

    /// Removes the innermost open directory, which has been read to its end.
    fn close(&mut self, levels: &mut Vec<Level>, path: &Path) {
        let Some(done) = levels.pop() else { return };
        let Some(parent) = levels.last() else { return };
        let removed = parent
            .fd()
            .and_then(|parent| unlinkat(parent, &done.name, AtFlags::REMOVEDIR));
        match removed {
            Ok(()) => self.removed += 1,
            Err(error) => self.report(levels, path, &done.name, error),
        }
    }

    fn report(&mut self, levels: &[Level], path: &Path, name: &CStr, error: Errno) {
        if error == Errno::NOENT || self.not_removed.len() >= MAX_REPORTED {
            return;
        }
        let as_path = |name: &CStr| PathBuf::from(std::ffi::OsStr::from_bytes(name.to_bytes()));
        let below = levels.iter().skip(1).map(|level| as_path(&level.name));
        let owner = levels
            .last()
            .and_then(|level| statat(level.fd().ok()?, name, AtFlags::SYMLINK_NOFOLLOW).ok())
            .map_or(geteuid().as_raw(), |stat| stat.st_uid);
        self.not_removed.push(NotRemoved {
            path: path.join(below.collect::<PathBuf>()).join(as_path(name)),
            owner,
            source: error.into(),
        });
    }
}

impl Level {
    fn new(directory: OwnedFd, name: CString) -> Result<Self, Errno> {
        // Removing entries needs permission to write to their directory.
        let mode = Mode::from_raw_mode(fstat(&directory)?.st_mode);
        if !mode.contains(ACCESSIBLE) {
            // For another user's directory this fails; the removals then fail as well, and report why.
            let _reported_by_the_removals = fchmod(&directory, mode | ACCESSIBLE);
        }
        let entries = Dir::new(directory)?;
        Ok(Self { entries, name })
    }

    fn fd(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.entries.fd()
    }
}

fn is_dots(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

fn open_directory(parent: impl AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(&parent, name, flags, Mode::empty()) {
        Err(Errno::ACCESS) => {
            make_accessible(parent.as_fd(), name)?;
            openat(parent, name, flags, Mode::empty())
        }
        opened => opened,
    }
}

/// Gives the owner of a directory access to it.
fn make_accessible(parent: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let mode = Mode::from_raw_mode(stat.st_mode);
    let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    if !is_directory || mode.contains(ACCESSIBLE) || stat.st_uid != geteuid().as_raw() {
        return Ok(());
    }
    chmodat(parent, name, mode | ACCESSIBLE, AtFlags::empty())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use rustix::fs::mkdirat;

    use super::*;

    fn entries(directory: &Path) -> usize {
        fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn a_tree_deeper_than_any_path_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let mut directory = open_directory(CWD, &c_path(place.path())).unwrap();
        for _ in 0..20_000 {
            mkdirat(&directory, "d", Mode::RWXU).unwrap();
            directory = open_directory(&directory, c"d").unwrap();
        }
        fs::create_dir(place.path().join(".removed-0-0")).unwrap();
        fs::write(place.path().join(".removed-0-1"), "").unwrap();
        assert!(empty(place.path()).unwrap().is_empty());
        assert_eq!(entries(place.path()), 0);
    }

    #[test]
    fn closed_directories_odd_names_and_links_are_removed_and_no_link_is_followed() {
        let place = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("stays"), "").unwrap();
        let tree = place.path().join("tree");
        let closed = tree.join("a/closed/below");
        fs::create_dir_all(&closed).unwrap();
        fs::write(closed.join("x".repeat(255)), "").unwrap();
        fs::write(closed.join(std::ffi::OsStr::from_bytes(b"\xff\n-rf ")), "").unwrap();
        symlink(outside.path(), closed.join("link")).unwrap();
        for mode in [0o000, 0o500, 0o300] {
            let directory = tree.join(format!("mode-{mode:o}"));
            fs::create_dir_all(directory.join("in")).unwrap();
            fs::set_permissions(&directory, Permissions::from_mode(mode)).unwrap();
        }
        fs::set_permissions(&closed, Permissions::from_mode(0o0)).unwrap();
        fs::set_permissions(tree.join("a"), Permissions::from_mode(0o0)).unwrap();
        remove_tree(&tree).unwrap();
        assert_eq!(entries(place.path()), 0);
        assert_eq!(entries(outside.path()), 1);
    }

    #[test]
    fn what_is_not_there_is_removed_and_a_file_is_no_directory() {
        let place = tempfile::tempdir().unwrap();
        remove_tree(&place.path().join("none")).unwrap();
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(remove_tree(&file).is_err());
        symlink(place.path(), place.path().join("link")).unwrap();
        assert!(remove_tree(&place.path().join("link")).is_err());
        assert_eq!(entries(place.path()), 2);
    }

    fn c_path(path: &Path) -> CString {
        CString::new(path.as_os_str().as_bytes()).unwrap()
    }
}
