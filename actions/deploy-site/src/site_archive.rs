//! The artifact's archive, read where it is: first its directory, then only the files that are needed.
//!
//! The archive may have a fingerprint, with the SHA-256, of each file ([`delivery_archive::Fingerprint`];
//! test-and-package writes them). A file with a fingerprint is fetched only if it has to be uploaded, and the bucket
//! compares the upload with the digest. Every other file is fetched and hashed.

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

/// The file in the job's directory with the entries that have to be read.
const READ_FILE: &str = "read.zip";

/// An artifact's archive in the artifact store.
#[derive(Debug)]
pub(crate) struct SiteArchive {
    artifact: Artifact,
    remote: RemoteArchive,
    /// All entries, and the contents of links and of files without a fingerprint.
    read: Arc<Contents>,
    /// The job's directory, and how many files with contents to upload were written to it.
    folder: PathBuf,
    files: AtomicU32,
}

impl SiteArchive {
    /// Reads the archive's directory, checks the artifact's digest, and fetches the entries without a fingerprint.
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
            .fetch_some(&workspace.file(READ_FILE), has_to_be_read)
            .await?;
        Ok(Self {
            artifact: artifact.clone(),
            remote,
            read: Contents::new(read),
            folder: workspace.path().to_owned(),
            files: AtomicU32::new(0),
        })
    }

    pub(crate) fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    /// All entries, and the contents of those that had to be read.
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
        let number = self.files.fetch_add(1, Ordering::Relaxed);
        let file = self.folder.join(format!("upload-{number}.zip"));
        let is_wanted = |entry: &Entry| wanted.contains(&entry.offset());
        Ok(Contents::new(
            self.remote.fetch_some(&file, is_wanted).await?,
        ))
    }
}

/// Whether a file has to be fetched to be hashed.
fn has_to_be_read(entry: &Entry) -> bool {
    matches!(entry.kind(), Kind::File { .. }) && entry.fingerprint().is_none()
}
