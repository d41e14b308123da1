//! The job's own directory: made fresh, removed when the job ends, whatever its end.
//!
//! A warm function meets what a killed job before it left behind. Each workspace holds a lock on
//! itself, so that what nobody holds any more can be told from a job that runs at the same time (on
//! one machine functions share `/tmp`), and is removed.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::env;
use crate::failure::{ActionError, FailureType};

/// What the names of workspaces begin with.
const PREFIX: &str = "delivery-job-";

/// The file in a workspace whose lock says that its job still runs.
const LOCK: &str = ".lock";

/// A directory that exists as long as this value.
#[derive(Debug)]
pub struct Workspace {
    path: PathBuf,
    _lock: File,
}

impl Workspace {
    /// Makes a workspace, after removing those that no job holds any more.
    ///
    /// # Errors
    ///
    /// [`WorkspaceError`] where the disk does not allow it.
    pub fn create() -> Result<Self, WorkspaceError> {
        Self::create_in(&env::temporary_directory())
    }

    /// The same, below a directory of the caller's choice.
    ///
    /// # Errors
    ///
    /// [`WorkspaceError`] where the disk does not allow it.
    pub fn create_in(parent: &Path) -> Result<Self, WorkspaceError> {
        let failed = |source| WorkspaceError {
            parent: parent.to_owned(),
            source,
        };
        remove_abandoned(parent);
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(parent)
            .map_err(failed)?;
        let lock = lock(directory.path()).map_err(failed)?;
        Ok(Self {
            path: directory.keep(),
            _lock: lock,
        })
    }

    /// A directory of this name in the workspace, made if it is not there.
    ///
    /// # Errors
    ///
    /// [`WorkspaceError`] where the disk does not allow it.
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
        if let Err(error) = remove_tree(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a job's directory could not be removed");
        }
    }
}

/// Makes the lock file. It gets its name only once it is locked, so that nobody meets it unlocked.
fn lock(directory: &Path) -> io::Result<File> {
    let unnamed = directory.join(".lock.new");
    let file = File::create_new(&unnamed)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    fs::rename(&unnamed, directory.join(LOCK))?;
    Ok(file)
}

fn remove_abandoned(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(lock) = File::open(entry.path().join(LOCK)) else {
            continue;
        };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            match remove_tree(&entry.path()) {
                Ok(()) => {
                    tracing::info!(path = %entry.path().display(), "removed what a killed job left");
                }
                Err(error) => {
                    tracing::warn!(path = %entry.path().display(), %error, "what a killed job left could not be removed");
                }
            }
        }
    }
}

/// Removes a tree, directories without permissions among it.
fn remove_tree(path: &Path) -> io::Result<()> {
    let Err(error) = fs::remove_dir_all(path) else {
        return Ok(());
    };
    if error.kind() == io::ErrorKind::NotFound {
        return Ok(());
    }
    // A directory's mode is changed before its entries are read.
    let _visited = walkdir::WalkDir::new(path)
        .into_iter()
        .filter_entry(|entry| {
            !entry.file_type().is_dir()
                || fs::set_permissions(entry.path(), Permissions::from_mode(0o700)).is_ok()
        })
        .count();
    fs::remove_dir_all(path)
}

/// A job's directory cannot be made.
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
        fs::write(left.join(LOCK), "").unwrap();
        fs::write(parent.path().join("other"), "").unwrap();

        let next = Workspace::create_in(parent.path()).unwrap();

        assert!(running.path().exists() && next.path().exists());
        assert!(!left.exists());
        assert!(parent.path().join("other").exists());
    }
}
