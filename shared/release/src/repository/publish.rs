//! Publishing a release: first what it names, then its place in the index, and its manifest last. A release is there once its
//! manifest is, so one that was published halfway is none, and publishing it again completes it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use aws_sdk_s3::primitives::ByteStream;
use delivery_action::blocking;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::layout;
use super::objects::{Objects, Put};
use super::{ReleaseError, Repository};
use crate::digest::Digest;
use crate::manifest::{Manifest, ReleaseId, SCHEMA};
use crate::time;

/// A blob that is in the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob {
    /// The digest of its bytes.
    pub sha256: Digest,
    /// Its length in bytes.
    pub size: u64,
}

/// How many blobs were written, and how many were there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Blobs that are new.
    pub written: usize,
    /// Blobs that were there.
    pub unchanged: usize,
}

/// Who published a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The pipeline; none where a person publishes.
    pub pipeline: Option<String>,
    /// The pipeline's execution, or another name that no second publication has.
    pub execution: String,
    /// Who started it.
    pub by: Option<String>,
}

/// The document of a [`Provenance`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProvenanceDocument {
    schema: u32,
    release: ReleaseId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pipeline: Option<String>,
    execution: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(with = "time")]
    published: Timestamp,
}

/// A release that is in the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Its id.
    pub release: ReleaseId,
    /// Whether its manifest is new.
    pub manifest: Put,
    /// What became of its blobs.
    pub blobs: Counts,
}

/// Publishes one release.
#[derive(Debug)]
pub struct Publisher {
    repository: Repository,
    blobs: BTreeMap<Digest, Put>,
}

impl Publisher {
    /// One for a release that goes into this repository.
    #[must_use]
    pub fn new(repository: &Repository) -> Self {
        Self {
            repository: repository.clone(),
            blobs: BTreeMap::new(),
        }
    }

    /// Puts bytes in as a blob, if it is not there.
    ///
    /// # Errors
    ///
    /// A call failed, or a blob of this digest has another length.
    pub async fn put_bytes(&mut self, bytes: &[u8]) -> Result<Blob, ReleaseError> {
        let blob = Blob {
            sha256: Digest::of(bytes),
            size: bytes.len() as u64,
        };
        let body = || async { Ok(ByteStream::from(bytes.to_vec())) };
        self.put(blob, body).await
    }

    /// Puts a file in as a blob, if it is not there.
    ///
    /// # Errors
    ///
    /// The file cannot be read, a call failed, or a blob of this digest has another length.
    pub async fn put_file(&mut self, file: &Path) -> Result<Blob, ReleaseError> {
        let disk = |source| ReleaseError::Disk {
            path: file.to_owned(),
            source,
        };
        let path = file.to_owned();
        let (sha256, size) = blocking(move || Digest::of_file(&path))
            .await
            .map_err(disk)?;
        let body = || async {
            let body = ByteStream::from_path(file).await;
            body.map_err(|error| disk(io::Error::other(error)))
        };
        self.put(Blob { sha256, size }, body).await
    }

    async fn put<F>(&mut self, blob: Blob, body: impl Fn() -> F) -> Result<Blob, ReleaseError>
    where
        F: Future<Output = Result<ByteStream, ReleaseError>>,
    {
        if self.blobs.contains_key(&blob.sha256) {
            return Ok(blob);
        }
        let objects = &self.repository.objects;
        let key = layout::blob(&blob.sha256);
        // Asked first: an upload that is refused has been sent all the same.
        let put = match objects.head(&key).await? {
            Some(head) => {
                let Blob { sha256, size } = &blob;
                self.repository.compare(sha256, *size, head).await?;
                Put::Unchanged
            }
            None => objects.create(&key, &blob.sha256, body).await?,
        };
        if put == Put::Written {
            tracing::info!(resource = objects.address(&key), "uploaded");
        }
        self.blobs.insert(blob.sha256, put);
        Ok(blob)
    }

    /// Publishes the release whose blobs are there.
    ///
    /// The same content is the same release: published again, nothing is written.
    ///
    /// # Errors
    ///
    /// A blob that it names is not there, another manifest has its id, or a call failed.
    pub async fn publish(
        self,
        manifest: &Manifest,
        provenance: &Provenance,
        now: Timestamp,
    ) -> Result<Publication, ReleaseError> {
        let release = manifest.id();
        let key = layout::manifest(&release);
        let address = || self.repository.objects.address(&key);
        manifest.check().map_err(|source| ReleaseError::Malformed {
            address: address(),
            source: Box::new(source),
        })?;
        for (digest, size) in manifest.blobs() {
            if !self.blobs.contains_key(&digest) {
                self.repository.check_blob(&digest, size).await?;
            }
        }
        let put = write(
            &self.repository.objects,
            &key,
            manifest,
            provenance,
            time::whole_seconds(now),
        );
        let manifest = put.await?;
        let count = |kind| self.blobs.values().filter(|put| **put == kind).count();
        Ok(Publication {
            release,
            manifest,
            blobs: Counts {
                written: count(Put::Written),
                unchanged: count(Put::Unchanged),
            },
        })
    }
}

/// Writes a manifest, and before it who published it and when.
async fn write(
    objects: &Objects,
    key: &str,
    manifest: &Manifest,
    provenance: &Provenance,
    published: Timestamp,
) -> Result<Put, ReleaseError> {
    let bytes = manifest.to_bytes();
    let release = manifest.id();
    if let Some(there) = objects.get(key).await? {
        if there.bytes == bytes {
            return Ok(Put::Unchanged);
        }
        return Err(ReleaseError::ChangedManifest {
            found: ReleaseId::of(&there.bytes),
            release,
            address: objects.address(key),
        });
    }
    let document = ProvenanceDocument {
        schema: SCHEMA,
        release: release.clone(),
        pipeline: provenance.pipeline.clone(),
        execution: provenance.execution.clone(),
        by: provenance.by.clone(),
        published,
    };
    let document = crate::document::write(&document);
    let by = layout::provenance(&release, &provenance.execution);
    objects.create_bytes(&by, &document).await?;
    let entry = layout::by_time(published, &release);
    objects.create_bytes(&entry, &[]).await?;
    objects.create_bytes(key, &bytes).await
}
