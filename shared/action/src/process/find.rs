//! Finding programs on the function's `PATH`, which in Lambda ends with the layers' `/opt/bin`.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{Environment, ProcessError};
use crate::env;

/// Used if the function has no `PATH`: the value that Lambda sets (Lambda Developer Guide, "Defined
/// runtime environment variables").
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/opt/bin";

/// The `PATH` of children: the absolute directories of the function's own, each once.
#[must_use]
pub fn search_path() -> OsString {
    let own = env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    let mut directories: Vec<PathBuf> = Vec::new();
    for directory in std::env::split_paths(&own) {
        if directory.is_absolute() && !directories.contains(&directory) {
            directories.push(directory);
        }
    }
    std::env::join_paths(directories).unwrap_or_else(|_| DEFAULT_PATH.into())
}

/// The path of a program that something else will start, such as the `node` in a script's first line.
///
/// # Errors
///
/// [`ProcessError::NotFound`] if it is not in any directory of the environment's `PATH`.
pub fn require(program: &str, environment: &Environment) -> Result<PathBuf, ProcessError> {
    let path = environment.path();
    find(OsStr::new(program), path).ok_or_else(|| ProcessError::NotFound {
        program: program.to_owned(),
        searched: path.to_string_lossy().into_owned(),
    })
}

/// The first executable file of this name in the directories of `path`; a name with a `/` is a path.
pub(super) fn find(program: &OsStr, path: &OsStr) -> Option<PathBuf> {
    if program.as_encoded_bytes().contains(&b'/') {
        let file = PathBuf::from(program);
        return is_executable(&file).then_some(file);
    }
    std::env::split_paths(path)
        .map(|directory| directory.join(program))
        .find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
