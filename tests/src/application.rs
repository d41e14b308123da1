//! A copy of an example application, with a Git history of its own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::checkout;

/// The author of commits; Git's own configuration is not used.
const AUTHOR: [&str; 4] = ["-c", "user.name=Demo", "-c", "user.email=demo@example.com"];

/// What an installation or a build left in the example's folder is not the application.
const NOT_COPIED: [&str; 3] = ["node_modules", "dist", "reports"];

/// An application in a temporary folder, which is removed with this value.
#[derive(Debug)]
pub struct Application {
    _folder: TempDir,
    path: PathBuf,
}

impl Application {
    /// Copies `examples/NAME` and commits it.
    ///
    /// # Errors
    ///
    /// Where the copy or Git fails.
    pub fn example(name: &str) -> io::Result<Self> {
        let application = Self::empty(name)?;
        let example = checkout::root().join("examples").join(name);
        copy(&example, &application.path)?;
        application.commit("Begin")?;
        Ok(application)
    }

    /// A folder with nothing in it but Git's.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be made, or Git fails.
    pub fn empty(name: &str) -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("delivery-demo-")
            .tempdir()?;
        let path = folder.path().join(name);
        fs::create_dir(&path)?;
        let application = Self {
            _folder: folder,
            path,
        };
        application.git(&["init", "--quiet", "--initial-branch", "main"])?;
        Ok(application)
    }

    /// Its folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn write(&self, file: &str, text: &str) -> io::Result<()> {
        fs::write(self.path.join(file), text)
    }

    /// Replaces text in a file, which must hold it.
    ///
    /// # Errors
    ///
    /// Where the file does not hold it, or cannot be written.
    pub fn replace(&self, file: &str, old: &str, new: &str) -> io::Result<()> {
        let path = self.path.join(file);
        let text = fs::read_to_string(&path)?;
        if !text.contains(old) {
            return Err(io::Error::other(format!("`{file}` does not hold `{old}`")));
        }
        fs::write(path, text.replace(old, new))
    }

    /// Commits everything and returns the commit's id.
    ///
    /// # Errors
    ///
    /// Where Git fails.
    pub fn commit(&self, message: &str) -> io::Result<String> {
        self.git(&["add", "--all"])?;
        self.git(&[
            "commit",
            "--quiet",
            "--allow-empty",
            "--no-gpg-sign",
            "--message",
            message,
        ])?;
        self.head()
    }

    /// The commit that is checked out.
    ///
    /// # Errors
    ///
    /// Where Git fails.
    pub fn head(&self) -> io::Result<String> {
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs Git in its folder and returns what it printed.
    ///
    /// # Errors
    ///
    /// Where Git fails.
    pub fn git(&self, arguments: &[&str]) -> io::Result<String> {
        let output = Command::new("git")
            .arg("-C")
            .arg(&self.path)
            .args(AUTHOR)
            .args(arguments)
            .stdin(Stdio::null())
            .output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(io::Error::other(format!(
            "`git {}`: {said}",
            arguments.join(" ")
        )))
    }
}

/// Copies an application's folder, without what an installation or a build left there.
///
/// # Errors
///
/// Where a file cannot be read or written.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if NOT_COPIED.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
