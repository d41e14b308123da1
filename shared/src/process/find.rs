//! Where programs are: the directories of Lambda layers first, then the function's own `PATH`.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{Environment, ProcessError};
use crate::env;

/// Where a Lambda layer puts programs: `/opt/bin` is on the runtime's own `PATH`, `/opt/nodejs/bin` is
/// where this project's Node.js layer has `node` and `npm`.
const LAYER_DIRECTORIES: [&str; 2] = ["/opt/nodejs/bin", "/opt/bin"];

/// What is searched where the function has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The `PATH` of children: layers first, then the function's own.
#[must_use]
pub fn search_path() -> OsString {
    let own = env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    let layers = LAYER_DIRECTORIES
        .iter()
        .map(PathBuf::from)
        .filter(|directory| directory.is_dir());
    let own: Vec<_> = std::env::split_paths(&own)
        .filter(|directory| directory.is_absolute())
        .collect();
    let mut directories: Vec<PathBuf> = Vec::new();
    for directory in layers.chain(own) {
        if !directories.contains(&directory) {
            directories.push(directory);
        }
    }
    std::env::join_paths(directories).unwrap_or_else(|_| DEFAULT_PATH.into())
}

/// Where a program is that something else will start, such as the `node` of a script's first line.
///
/// # Errors
///
/// [`ProcessError::NotFound`] where it is in no directory of the environment's `PATH`.
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
