//! The job's own directory: created empty, removed when the job ends, however it ends.
//!
//! On a disk of the function's own, all of it is emptied after the report ([`crate::sandbox`]), so that a slow removal
//! does not delay the report. On a shared disk (a developer's machine), each workspace is removed by its own job,
//! and those of killed jobs by the next one. To tell a killed job's directory from that of a job running at the
//! same time, a job holds a lock (`flock`) on its directory, which the kernel releases when the process ends. The
//! lock is on the directory itself: opening a lock file inside it would follow whatever a job put there, such as a
//! pipe that blocks.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock, fstat, open, stat};

use crate::env;
use crate::failure::{ActionError, FailureType};
use crate::removal::remove_tree;
use crate::sandbox;

/// Prefix of the names of workspaces.
const PREFIX: &str = "delivery-job-";

/// Most attempts to create a workspace. Between creating and locking a directory, another function may take it for
/// an abandoned one and remove it.
const MAX_ATTEMPTS: u32 = 16;

/// A directory that exists as long as this value.
#[derive(Debug)]
pub struct Workspace {
    path: PathBuf,
    _lock: OwnedFd,
}

impl Workspace {
    /// Creates a workspace, after removing those of killed jobs.
    ///
    /// # Errors
    ///
    /// [`WorkspaceError`] if the disk does not allow it.
    pub fn create() -> Result<Self, WorkspaceError> {
        Self::create_in(&env::temporary_directory())
    }

    /// Creates a workspace below a given directory, after removing those of killed jobs from it.
    ///
    /// # Errors
    ///
    /// [`WorkspaceError`] if the disk does not allow it.
    pub fn create_in(parent: &Path) -> Result<Self, WorkspaceError> {
        if !is_own(parent) {
            remove_abandoned(parent);
        }
        let failed = |source| WorkspaceError {
            parent: parent.to_owned(),
            source,
        };
        let mut attempt = 1;
        loop {
            let directory = tempfile::Builder::new()
                .prefix(PREFIX)
                .permissions(Permissions::from_mode(0o700))
                .tempdir_in(parent)
                .map_err(failed)?;
            match hold(directory.path()) {
                Ok(Some(lock)) => {
                    return Ok(Self {
                        path: directory.keep(),
                        _lock: lock,
                    });
                }
                Ok(None) | Err(_) if attempt < MAX_ATTEMPTS => attempt += 1,
                Ok(None) => return Err(failed(io::ErrorKind::ResourceBusy.into())),
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// A directory of this name in the workspace, made if it is not there.
    ///
    /// # Errors
    ///
    /// [`WorkspaceError`] if the disk does not allow it.
    pub fn directory(&self, name: &str) -> Result<PathBuf, WorkspaceError> {
        let path = self.file(name);
        fs::create_dir_all(&path).map_err(|source| WorkspaceError {
            parent: path.clone(),
            source,
        })?;
        Ok(path)
    }

    /// The path of a file of this name in the workspace; nothing is made.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The workspace itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if self.path.parent().is_some_and(is_own) {
            return;
        }
        if let Err(error) = remove_tree(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "could not remove a job's directory");
        }
    }
}

/// Whether this directory is emptied as a whole by the sandbox.
fn is_own(parent: &Path) -> bool {
    sandbox::own_directory() == Some(parent)
}

/// Locks a directory; `None` if another process holds it, or removed it before it was locked.
fn hold(directory: &Path) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let lock = open(directory, flags, Mode::empty())?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(None);
    }
    // The lock may be on a directory that was removed, and perhaps created again, after it was opened here. It
    // counts only if the path still leads to the locked directory.
    let held = fstat(&lock)?;
    let is_there = stat(directory)
        .is_ok_and(|there| (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino));
    Ok(is_there.then_some(lock))
}

fn remove_abandoned(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        if let Ok(Some(_lock)) = hold(&entry.path()) {
            match remove_tree(&entry.path()) {
                Ok(()) => {
                    tracing::info!(path = %entry.path().display(), "removed the directory of a killed job");
                }
                Err(error) => {
                    tracing::warn!(path = %entry.path().display(), %error, "could not remove the directory of a killed job");
                }
            }
        }
    }
}

/// A job's directory cannot be created.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the job's directory in `{}`", .parent.display())]
pub struct WorkspaceError {
    parent: PathBuf,
    source: io::Error,
}

impl ActionError for WorkspaceError {
    fn failure_type(&self) -> FailureType {
        FailureType::JobFailed
    }

    fn hint(&self) -> Option<String> {
        Some(
            "check the free space of the function's disk, or raise its `EphemeralStorage`"
                .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, mknodat};

    use super::*;

    #[test]
    fn a_workspace_goes_with_its_value_even_with_a_closed_directory_in_it() {
        let parent = tempfile::tempdir().unwrap();
        let workspace = Workspace::create_in(parent.path()).unwrap();
        let closed = workspace.directory("a/closed").unwrap();
        fs::write(closed.join("file"), "x").unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
        drop(workspace);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_job_left_is_removed_and_a_running_job_is_not_touched() {
        let parent = tempfile::tempdir().unwrap();
        let running = Workspace::create_in(parent.path()).unwrap();
        let left = parent.path().join("delivery-job-killed");
        fs::create_dir(&left).unwrap();
        fs::write(parent.path().join("other"), "").unwrap();
        // A pipe that is opened is waited for.
        for pipe in ["delivery-job-killed/.lock", "delivery-job-pipe"] {
            let mode = Mode::RUSR | Mode::WUSR;
            mknodat(CWD, parent.path().join(pipe), FileType::Fifo, mode, 0).unwrap();
        }

        let next = Workspace::create_in(parent.path()).unwrap();

        assert!(running.path().exists() && next.path().exists());
        assert!(!left.exists());
        assert!(parent.path().join("delivery-job-pipe").exists());
        assert!(parent.path().join("other").exists());
    }
}
