//! The directories that belong to this function alone, and may be emptied.
//!
//! Emptying the wrong `/tmp` would delete other people's files, so nothing is guessed: either a variable names the
//! directory and nobody else can write to it, or the program itself lies where only Lambda puts programs.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, stat};
use rustix::process::geteuid;

use super::Unclean;
use crate::env;
use crate::removal;

/// Where Lambda, and nobody else, puts a function's package.
const LAMBDA_TASK_ROOT: &str = "/var/task";

/// What a Lambda function can write to (Lambda Developer Guide, "Understanding the Lambda execution environment
/// lifecycle").
const LAMBDA_TEMPORARY: &str = "/tmp";

/// Other directories that every user of a Linux machine can write to, unless missing or read-only.
const WRITABLE: [&str; 3] = ["/var/tmp", "/dev/shm", "/dev/mqueue"];

/// Directories that belong to this function alone.
#[derive(Debug)]
pub(super) struct Disk {
    temporary: PathBuf,
    others: Vec<PathBuf>,
}

impl Disk {
    /// The function's own disk; `None` if its temporary directory is shared.
    pub(super) fn of_function() -> Result<Option<Self>, DiskError> {
        if let Some(temporary) = env::own_directory() {
            check_private(&temporary)?;
            return Ok(Some(Self {
                temporary,
                others: Vec::new(),
            }));
        }
        Ok(is_in_lambda().then(|| Self {
            temporary: LAMBDA_TEMPORARY.into(),
            others: WRITABLE.map(PathBuf::from).to_vec(),
        }))
    }

    pub(super) fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Removes everything that this user can have put there.
    pub(super) fn empty(&self) -> Result<(), Unclean> {
        empty(&self.temporary)?;
        for directory in &self.others {
            match empty(directory) {
                // Missing, not accessible to this user, or not a directory: no job can have put files there.
                Err(Unclean::Disk { path, .. }) if path == *directory => {}
                emptied => emptied?,
            }
        }
        Ok(())
    }
}

fn empty(directory: &Path) -> Result<(), Unclean> {
    let left = removal::empty(directory).map_err(|source| Unclean::disk(directory, source))?;
    for left in left {
        if !left.is_foreign() {
            return Err(left.into());
        }
        tracing::debug!(path = %left.path.display(), owner = left.owner, "owned by another user; left in place");
    }
    Ok(())
}

/// Whether Lambda started this process. A developer may have copied the variables, but not the program's own path,
/// and where that is Lambda's, no other program shares `/tmp`.
fn is_in_lambda() -> bool {
    let is_task_root = env::var("LAMBDA_TASK_ROOT").as_deref() == Some(LAMBDA_TASK_ROOT);
    let is_there = std::env::current_exe().is_ok_and(|exe| exe.starts_with(LAMBDA_TASK_ROOT));
    is_task_root && is_there && env::temporary_directory() == Path::new(LAMBDA_TEMPORARY)
}

/// Refuses a directory that others can use: emptying it could delete their files.
fn check_private(directory: &Path) -> Result<(), DiskError> {
    let refused = |reason| DiskError {
        path: directory.to_owned(),
        reason,
    };
    let stat = stat(directory).map_err(|error| refused(io::Error::from(error).to_string()))?;
    let others = Mode::from_raw_mode(stat.st_mode) & (Mode::RWXG | Mode::RWXO);
    if !directory.is_absolute() || stat.st_uid != geteuid().as_raw() || !others.is_empty() {
        return Err(refused(
            "it must be the absolute path of a directory owned by the function's user, with mode 700"
                .to_owned(),
        ));
    }
    Ok(())
}

/// The directory configured as the function's own is not private.
#[derive(Debug, thiserror::Error)]
#[error("{} names `{}`: {reason}", env::OWN_DIRECTORY, .path.display())]
pub struct DiskError {
    path: PathBuf,
    reason: String,
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_a_private_directory_can_be_a_functions_own() {
        let place = tempfile::tempdir().unwrap();
        let private = Permissions::from_mode(0o700);
        fs::set_permissions(place.path(), private).unwrap();
        check_private(place.path()).unwrap();
        for mode in [0o755, 0o1777, 0o710] {
            fs::set_permissions(place.path(), Permissions::from_mode(mode)).unwrap();
            check_private(place.path()).unwrap_err();
        }
        for path in ["/tmp", ".", "/not/there"] {
            check_private(Path::new(path)).unwrap_err();
        }
    }

    #[test]
    fn a_process_whose_program_lambda_did_not_place_shares_its_disk() {
        assert!(!is_in_lambda());
    }
}
