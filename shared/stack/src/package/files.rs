//! Where the files come from that a template names: a folder, or an archive of which only what is needed is read.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};

use delivery_action::failure::{ActionError, FailureType};

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A file.
    File,
    /// A folder.
    Folder,
}

/// A tree of files. Paths are relative to its root, normal, and with `/`; the root is empty.
pub trait Files: Sync {
    /// What is at a path; `None` where nothing is.
    fn kind(&self, path: &str) -> Option<FileKind>;

    /// The names of the files right in a folder.
    fn files_in(&self, folder: &str) -> Vec<String>;

    /// Brings a file or folder onto the disk, if it is not there, and returns where it is.
    fn fetch(
        &self,
        path: &str,
    ) -> impl Future<Output = Result<PathBuf, Box<dyn ActionError>>> + Send;
}

/// A folder of this machine.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The tree below a folder.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
}

impl Files for Folder {
    fn kind(&self, path: &str) -> Option<FileKind> {
        let found = self.root.join(path).metadata().ok()?;
        Some(if found.is_dir() {
            FileKind::Folder
        } else {
            FileKind::File
        })
    }

    fn files_in(&self, folder: &str) -> Vec<String> {
        let entries = self.root.join(folder).read_dir();
        let files = entries.into_iter().flatten().flatten();
        let files = files.filter(|entry| entry.path().is_file());
        let names = files.filter_map(|entry| entry.file_name().into_string().ok());
        names.collect()
    }

    async fn fetch(&self, path: &str) -> Result<PathBuf, Box<dyn ActionError>> {
        // A link may lead out of the tree where its path does not.
        let failed = |source| {
            Box::new(DiskError {
                path: self.root.join(path),
                source,
            }) as Box<_>
        };
        let whole = self.root.join(path).canonicalize().map_err(failed)?;
        let root = self.root.canonicalize().map_err(failed)?;
        if whole.starts_with(root) {
            return Ok(whole);
        }
        Err(failed(io::Error::other("the link leads out of the folder")))
    }
}

/// The disk failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{}`", .path.display())]
pub struct DiskError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl ActionError for DiskError {
    fn failure_type(&self) -> FailureType {
        FailureType::JobFailed
    }
}

/// A path seen from a folder of the tree, as [`Files`] take it; `None` where it leaves the tree.
#[must_use]
pub fn resolve(folder: &str, path: &str) -> Option<String> {
    if path.starts_with(['/', '~']) || path.contains('\\') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The folder that a file is in; empty for the root.
pub(crate) fn folder_of(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case("", "src", Some("src"))]
    #[test_case("a/b", "./src/", Some("a/b/src"))]
    #[test_case("a/b", "../c", Some("a/c"))]
    #[test_case("a", ".", Some("a"))]
    #[test_case("a", "..", Some(""); "the root")]
    #[test_case("a", "../../b", None; "out of the tree")]
    #[test_case("a", "/etc", None; "absolute")]
    fn paths_stay_in_the_tree(folder: &str, path: &str, expected: Option<&str>) {
        assert_eq!(resolve(folder, path).as_deref(), expected);
    }

    #[tokio::test]
    async fn a_link_out_of_the_folder_is_not_followed() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "x").unwrap();
        let tree = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), tree.path().join("src")).unwrap();
        let error = Folder::new(tree.path())
            .fetch("src/secret")
            .await
            .unwrap_err();
        assert!(
            delivery_action::failure::chain(&*error).ends_with("the link leads out of the folder")
        );
    }
}
