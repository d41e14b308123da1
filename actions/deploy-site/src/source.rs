//! The artifact where it lies: its directory is read, and then only what has to be known or sent.
//!
//! Whoever made the archive may have said of each file what its SHA-256 is
//! ([`shared::archive::Fingerprint`]; test-and-package does). Such a file is fetched only if it is to be
//! uploaded, and then the bucket compares what comes with that digest. Every other file is fetched and hashed.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use shared::archive::{Entry, Kind};
use shared::artifact::{RemoteArchive, Store};
use shared::job::Artifact;
use shared::workspace::Workspace;

use crate::contents::Contents;
use crate::error::DeploySiteError;
use crate::site::{Content, Site};

/// What is fetched to be read, in the job's directory, and what is fetched to be uploaded.
const READ: &str = "read.zip";
const UPLOADED: &str = "uploaded.zip";

/// An artifact's archive in the store.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    artifact: Artifact,
    remote: RemoteArchive,
    /// Links, and the files of which the archive says nothing.
    read: Arc<Contents>,
    uploaded: PathBuf,
}

impl Source {
    /// Reads the archive's directory, and fetches what it does not say enough of.
    pub(crate) async fn open(
        store: &Store,
        artifact: &Artifact,
        workspace: &Workspace,
    ) -> Result<Self, DeploySiteError> {
        let remote = store.open(artifact).await?;
        let read = remote
            .fetch_some(&workspace.file(READ), has_to_be_read)
            .await?;
        Ok(Self {
            artifact: artifact.clone(),
            remote,
            read: Contents::new(read),
            uploaded: workspace.file(UPLOADED),
        })
    }

    pub(crate) fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    /// All entries, and the contents that were fetched to be read.
    pub(crate) fn read(&self) -> &Arc<Contents> {
        &self.read
    }

    /// The contents of these files of the site; to be called once.
    pub(crate) async fn contents_of(
        &self,
        site: &Site,
        keys: &BTreeSet<String>,
    ) -> Result<Arc<Contents>, DeploySiteError> {
        let places = keys.iter().filter_map(|key| match site.get(key)?.content {
            Content::Entry(place) => Some(self.read.entry(place)),
            Content::Bytes(_) => None,
        });
        let wanted: BTreeSet<u64> = places
            .filter(|entry| !has_to_be_read(entry))
            .map(Entry::offset)
            .collect();
        if wanted.is_empty() {
            return Ok(Arc::clone(&self.read));
        }
        let is_wanted = |entry: &Entry| wanted.contains(&entry.offset()) || has_to_be_read(entry);
        let uploaded = self.remote.fetch_some(&self.uploaded, is_wanted).await?;
        Ok(Contents::new(uploaded))
    }
}

/// Whether nothing but its contents tells what a file is.
fn has_to_be_read(entry: &Entry) -> bool {
    matches!(entry.kind(), Kind::File { .. }) && entry.fingerprint().is_none()
}
