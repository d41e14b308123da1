//! Installs `MiniStack` from `PyPI` into a folder of the project's own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::Error;
use super::pip::{Pip, REQUIREMENTS};

/// The version that is installed; everything in `local` was measured against it.
pub const VERSION: &str = "1.5.33";

/// The interpreters that are tried, in this order: what a user calls Python first.
const PYTHONS: [&str; 6] = [
    "python3",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
];

/// The oldest Python that `MiniStack` runs on (its package's `requires-python`).
const OLDEST_PYTHON: (u32, u32) = (3, 10);

/// Looks for it without importing it, which takes longer.
const FIND_MINISTACK: &str =
    "import importlib.util, sys; sys.exit(importlib.util.find_spec('ministack') is None)";

/// How many of pip's last lines an error carries: enough for its cause, which it prints last.
const LAST_LINES: usize = 12;

/// Whether it is installed there, so that a start needs no network and only seconds.
#[must_use]
pub fn is_installed(home: &Path) -> bool {
    is_complete(&home.join(format!("ministack-{VERSION}")).join("complete"))
}

/// Whether the file says that all of the requirements are installed: what an earlier version of this program
/// installed may lack something.
fn is_complete(file: &Path) -> bool {
    fs::read(file).is_ok_and(|installed| installed == REQUIREMENTS.as_bytes())
}

/// Makes sure that `MiniStack` is installed below `home` and gives back its Python interpreter.
///
/// Several processes may ask at once: one installs, the others wait for it.
///
/// # Errors
///
/// When no suitable Python is installed, or the installation fails.
pub fn install(home: &Path) -> Result<PathBuf, Error> {
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| Error::Home { path, source }
    };
    fs::create_dir_all(home).map_err(io(home))?;
    let ignore = home.join(".gitignore");
    if !ignore.exists() {
        fs::write(&ignore, "*\n").map_err(io(&ignore))?;
    }

    let lock_path = home.join("ministack.lock");
    // Read by pip, too, which has it as its input.
    let mut options = File::options();
    let options = options.read(true).write(true).create(true).truncate(false);
    let lock = options.open(&lock_path).map_err(io(&lock_path))?;
    lock.lock().map_err(io(&lock_path))?; // let go when `lock` is dropped, and no program of an installation runs

    let folder = home.join(format!("ministack-{VERSION}"));
    let python = folder.join("bin").join("python");
    let complete = folder.join("complete");
    if is_complete(&complete) && finds_ministack(&python) {
        return Ok(python);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(io(&folder))?; // one that was cut off, damaged, or of a Python that is gone
    }
    let system_python = find_python(version_of)?;
    Pip::with_environment(system_python, &folder, &lock)?.install(&folder)?;
    if !finds_ministack(&python) {
        return Err(Error::Elsewhere { folder });
    }
    fs::write(&complete, REQUIREMENTS).map_err(io(&complete))?;
    Ok(python)
}

/// Whether the environment's interpreter is there and finds what was installed.
fn finds_ministack(python: &Path) -> bool {
    let mut command = Command::new(python);
    command.args(["-I", "-c", FIND_MINISTACK]);
    let found = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

/// The first interpreter that is new enough.
fn find_python(version_of: impl Fn(&str) -> Option<(u32, u32)>) -> Result<&'static str, Error> {
    let mut newest = None;
    for python in PYTHONS {
        let Some(version) = version_of(python) else {
            continue;
        };
        if version >= OLDEST_PYTHON {
            return Ok(python);
        }
        newest = newest.max(Some(version));
    }
    Err(match newest {
        Some((major, minor)) => Error::PythonTooOld {
            found: format!("{major}.{minor}"),
        },
        None => Error::PythonMissing,
    })
}

fn version_of(python: &str) -> Option<(u32, u32)> {
    let output = Command::new(python)
        .args([
            "-c",
            "import sys; print(sys.version_info.major, sys.version_info.minor)",
        ])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (major, minor) = text.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The last lines of what a program wrote, its errors last.
pub(super) fn last_lines(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine where these are the Pythons.
    fn machine<'a>(pythons: &'a [(&'a str, u32)]) -> impl Fn(&str) -> Option<(u32, u32)> + 'a {
        move |name| {
            pythons
                .iter()
                .find(|(found, _)| *found == name)
                .map(|(_, minor)| (3, *minor))
        }
    }

    #[test]
    fn an_installation_is_not_whole_without_its_interpreter_or_its_packages() {
        let folder = tempfile::tempdir().unwrap();
        let python = folder.path().join("python");
        for (program, expected) in [("true", true), ("false", false), ("no-such-program", false)] {
            let _none_yet = fs::remove_file(&python);
            std::os::unix::fs::symlink(Path::new("/bin").join(program), &python).unwrap();
            assert_eq!(finds_ministack(&python), expected, "{program}");
        }
    }

    #[test]
    fn the_first_python_that_is_new_enough_is_taken() {
        let both = machine(&[("python3", 9), ("python3.12", 12), ("python3.10", 10)]);
        assert_eq!(find_python(both).unwrap(), "python3.12");
    }

    #[test]
    fn without_a_suitable_python_the_error_names_the_needed_version() {
        let old = find_python(machine(&[("python3", 9)]))
            .unwrap_err()
            .to_string();
        assert!(
            old.contains("Python 3.9 is too old") && old.contains("3.10 or later"),
            "{old}"
        );
        assert!(matches!(
            find_python(machine(&[])),
            Err(Error::PythonMissing)
        ));
    }
}
