//! The artifact where it lies: its directory is read, and then only what has to be known or sent.
//!
//! Whoever made the archive may have said of each file what its SHA-256 is
//! ([`delivery_archive::Fingerprint`]; test-and-package does). Such a file is fetched only if it is to be
//! uploaded, and then the bucket compares what comes with that digest. Every other file is fetched and hashed.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use delivery_action::artifact::{Digest, RemoteArchive, Store};
use delivery_action::job::Artifact;
use delivery_action::workspace::Workspace;
use delivery_archive::{Entry, Kind};

use crate::contents::Contents;
use crate::error::DeploySiteError;
use crate::site::{Content, Site};

/// What is fetched to be read, in the job's directory.
const READ: &str = "read.zip";

/// An artifact's archive in the store.
#[derive(Debug)]
pub(crate) struct Source {
    artifact: Artifact,
    remote: RemoteArchive,
    /// Links, and the files of which the archive says nothing.
    read: Arc<Contents>,
    /// The job's directory, and how many files of what is to be uploaded were made in it.
    folder: PathBuf,
    fetched: AtomicU32,
}

impl Source {
    /// Reads the archive's directory, refuses an artifact that has not the digest, and fetches what it does not say enough of.
    pub(crate) async fn open(
        store: &Store,
        artifact: &Artifact,
        workspace: &Workspace,
        digest: Option<Digest>,
    ) -> Result<Self, DeploySiteError> {
        let remote = store.open(artifact).await?;
        if let Some(digest) = digest {
            remote.check_digest(digest).await?;
        }
        let read = remote
            .fetch_some(&workspace.file(READ), has_to_be_read)
            .await?;
        Ok(Self {
            artifact: artifact.clone(),
            remote,
            read: Contents::new(read),
            folder: workspace.path().to_owned(),
            fetched: AtomicU32::new(0),
        })
    }

    pub(crate) fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    /// All entries, and the contents that were fetched to be read.
    pub(crate) fn read(&self) -> &Arc<Contents> {
        &self.read
    }

    /// The contents of these files of the site.
    pub(crate) async fn contents_of(
        &self,
        site: &Site,
        keys: &BTreeSet<String>,
    ) -> Result<Arc<Contents>, DeploySiteError> {
        let entries = || {
            keys.iter().filter_map(|key| match site.get(key)?.content {
                Content::Entry(place) => Some(self.read.entry(place)),
                Content::Bytes(_) => None,
            })
        };
        if entries().all(has_to_be_read) {
            return Ok(Arc::clone(&self.read));
        }
        let wanted: BTreeSet<u64> = entries().map(Entry::offset).collect();
        let number = self.fetched.fetch_add(1, Ordering::Relaxed);
        let file = self.folder.join(format!("upload-{number}.zip"));
        let is_wanted = |entry: &Entry| wanted.contains(&entry.offset());
        Ok(Contents::new(
            self.remote.fetch_some(&file, is_wanted).await?,
        ))
    }
}

/// Whether nothing but its contents tells what a file is.
fn has_to_be_read(entry: &Entry) -> bool {
    matches!(entry.kind(), Kind::File { .. }) && entry.fingerprint().is_none()
}
