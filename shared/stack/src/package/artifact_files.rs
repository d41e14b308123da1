//! The files of an input artifact, of which only what is needed leaves the store.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use delivery_action::artifact::{ArtifactError, Digest, Kind, RemoteArchive, Store};
use delivery_action::failure::ActionError;
use delivery_action::job::Artifact;
use delivery_action::workspace::Workspace;

use super::files::{FileKind, Files};

/// An input artifact as a tree of files.
#[derive(Debug)]
pub struct ArtifactFiles<'a> {
    archive: RemoteArchive,
    workspace: &'a Workspace,
    /// The artifact's place among the inputs: two must not extract into one directory.
    place: usize,
    extracted: AtomicU32,
}

impl<'a> ArtifactFiles<'a> {
    /// Opens an artifact: only its list of files is read. `place` is its place among the job's inputs.
    ///
    /// # Errors
    ///
    /// [`ArtifactError`] names the artifact.
    pub async fn open(
        store: &Store,
        artifact: &Artifact,
        workspace: &'a Workspace,
        place: usize,
    ) -> Result<Self, ArtifactError> {
        Ok(Self {
            archive: store.open(artifact).await?,
            workspace,
            place,
            extracted: AtomicU32::new(0),
        })
    }

    /// Fails unless the artifact has this digest.
    ///
    /// # Errors
    ///
    /// It has another, or cannot be read.
    pub async fn check(&self, digest: Digest) -> Result<(), ArtifactError> {
        self.archive.check_digest(digest).await
    }
}

/// What the paths below a folder begin with.
fn below(folder: &str) -> String {
    if folder.is_empty() {
        String::new()
    } else {
        format!("{folder}/")
    }
}

impl Files for ArtifactFiles<'_> {
    fn kind(&self, path: &str) -> Option<FileKind> {
        let prefix = below(path);
        let mut found = path.is_empty().then_some(FileKind::Folder);
        for entry in self.archive.entries() {
            if entry.path() == path && !matches!(entry.kind(), Kind::Directory) {
                return Some(FileKind::File);
            }
            if entry.path() == path || entry.path().starts_with(&prefix) {
                found = Some(FileKind::Folder);
            }
        }
        found
    }

    fn files_in(&self, folder: &str) -> Vec<String> {
        let prefix = below(folder);
        let entries = self.archive.entries();
        let files = entries.filter(|entry| !matches!(entry.kind(), Kind::Directory));
        let names = files.filter_map(|entry| entry.path().strip_prefix(&prefix));
        let names = names.filter(|name| !name.contains('/'));
        names.map(str::to_owned).collect()
    }

    async fn fetch(&self, path: &str) -> Result<PathBuf, Box<dyn ActionError>> {
        let number = self.extracted.fetch_add(1, Ordering::Relaxed);
        let name = format!("files-{}-{number}", self.place);
        let into = self.workspace.directory(&name).map_err(boxed)?;
        let prefix = below(path);
        let wanted = |found: &str| found == path || found.starts_with(&prefix);
        let extracted = self.archive.extract(&into, |entry| wanted(entry.path()));
        extracted.await.map_err(boxed)?;
        Ok(into.join(path))
    }
}

fn boxed<E: ActionError>(error: E) -> Box<dyn ActionError> {
    Box::new(error)
}
