//! Removing what untrusted programs left: whatever its depth, names and modes.
//!
//! Everything goes by the descriptor of the directory that it is in: no path is walked twice, none can be
//! too long, and no symbolic link is followed.

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

/// Directories that are open at once: what is deeper is moved up first. Well below the 1,024 files that a
/// process may have open by default.
const MAX_OPEN: usize = 64;

/// Names that are tried for a directory that is moved up, where others are taken.
const MAX_NAMES: u32 = 1_000;

/// Entries that are told of.
const MAX_TOLD: usize = 10;

/// What a directory is given before its entries are removed.
const ACCESSIBLE: Mode = Mode::RWXU;

/// Entries that could not be removed.
#[derive(Debug, thiserror::Error)]
#[error("cannot remove `{}`, owned by user {owner}", .path.display())]
pub(crate) struct Left {
    pub(crate) path: PathBuf,
    pub(crate) owner: u32,
    pub(crate) source: io::Error,
}

impl Left {
    /// Whether a program of this user cannot have made it: only root gives files away.
    pub(crate) fn is_foreign(&self) -> bool {
        self.owner != geteuid().as_raw()
    }
}

/// Removes a directory with all that is in it.
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

/// Removes all that is in a directory, and tells what stays of it.
pub(crate) fn empty(path: &Path) -> io::Result<Vec<Left>> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    loop {
        let mut pass = Pass {
            removed: 0,
            moved: 0,
            left: Vec::new(),
        };
        pass.run(open_directory(CWD, &name)?, path)?;
        // What was moved up may have come before the place that is being read, and what found no room to be
        // moved has it now.
        let is_done = pass.left.is_empty() && pass.moved == 0;
        if is_done || pass.removed == 0 {
            return Ok(pass.left);
        }
    }
}

/// One walk over everything.
struct Pass {
    removed: u64,
    moved: u32,
    left: Vec<Left>,
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
                        Err(error) => self.leave(&levels, path, name, error),
                    }
                }
                Some(Err(error)) if levels.len() == 1 => return Err(error.into()),
                // The directory is not empty then, and is told as what cannot be removed.
                Some(Err(_)) | None => self.close(&mut levels, path),
            }
        }
        Ok(())
    }

    /// Removes an entry, or gives back the directory that it is.
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
        // The directory's own `..` is written.
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

    /// Removes the last directory itself, which has been read to its end.
    fn close(&mut self, levels: &mut Vec<Level>, path: &Path) {
        let Some(done) = levels.pop() else { return };
        let Some(parent) = levels.last() else { return };
        let removed = parent
            .fd()
            .and_then(|parent| unlinkat(parent, &done.name, AtFlags::REMOVEDIR));
        match removed {
            Ok(()) => self.removed += 1,
            Err(error) => self.leave(levels, path, &done.name, error),
        }
    }

    fn leave(&mut self, levels: &[Level], path: &Path, name: &CStr, error: Errno) {
        if error == Errno::NOENT || self.left.len() >= MAX_TOLD {
            return;
        }
        let as_path = |name: &CStr| PathBuf::from(std::ffi::OsStr::from_bytes(name.to_bytes()));
        let below = levels.iter().skip(1).map(|level| as_path(&level.name));
        let owner = levels
            .last()
            .and_then(|level| statat(level.fd().ok()?, name, AtFlags::SYMLINK_NOFOLLOW).ok())
            .map_or(geteuid().as_raw(), |stat| stat.st_uid);
        self.left.push(Left {
            path: path.join(below.collect::<PathBuf>()).join(as_path(name)),
            owner,
            source: error.into(),
        });
    }
}

impl Level {
    fn new(directory: OwnedFd, name: CString) -> Result<Self, Errno> {
        // Entries can be removed only from a directory that may be written to.
        let mode = Mode::from_raw_mode(fstat(&directory)?.st_mode);
        if !mode.contains(ACCESSIBLE) {
            // Where it is another's, this fails and so will the removals, which tell why.
            let _told_by_the_removals = fchmod(&directory, mode | ACCESSIBLE);
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

/// Lets the owner of a directory into it; its name was seen to be a directory's.
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
