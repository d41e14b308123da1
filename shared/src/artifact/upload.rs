//! Single and multipart uploads of a file.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::multipart::{About, Multipart, put_error};
use super::{ArtifactError, MAX_PARTS, PARALLEL_PARTS, PART_BYTES, Store, blocking, open};
use crate::aws::CallError;
use crate::job::Artifact;

/// Files up to this size go up in one request.
const SINGLE_BYTES: u64 = 2 * PART_BYTES;

/// Uploads a file and returns its length.
pub(super) async fn upload(
    store: &Store,
    artifact: &Artifact,
    file: &Path,
) -> Result<u64, ArtifactError> {
    let disk = |source| ArtifactError::Disk {
        path: file.to_owned(),
        source,
    };
    let length = open(file)?.metadata().map_err(disk)?.len();
    let target = Target { store, artifact };
    if length <= SINGLE_BYTES {
        target.put(read(file, 0, length).await?).await?;
    } else if length <= PART_BYTES * MAX_PARTS {
        target.put_in_parts(file, length).await?;
    } else {
        return Err(ArtifactError::TooLarge {
            artifact: artifact.clone(),
            size_bytes: length,
        });
    }
    Ok(length)
}

async fn read(file: &Path, start: u64, end: u64) -> Result<Vec<u8>, ArtifactError> {
    let path = Arc::new(file.to_owned());
    let shared = Arc::clone(&path);
    blocking(move || {
        let length = usize::try_from(end - start).map_err(std::io::Error::other)?;
        let mut bytes = vec![0; length];
        std::fs::File::open(&*shared)?.read_exact_at(&mut bytes, start)?;
        Ok(bytes)
    })
    .await
    .map_err(|source| ArtifactError::Disk {
        path: path.to_path_buf(),
        source,
    })
}

struct Target<'a> {
    store: &'a Store,
    artifact: &'a Artifact,
}

impl Target<'_> {
    async fn put(&self, bytes: Vec<u8>) -> Result<(), ArtifactError> {
        let Artifact { bucket, key, .. } = self.artifact;
        let (algorithm, encryption_key) = self.store.encryption();
        self.store
            .client
            .put_object()
            .bucket(bucket)
            .key(key)
            .content_type(Self::content_type(&bytes))
            .server_side_encryption(algorithm)
            .set_ssekms_key_id(encryption_key)
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map_err(|error| self.failed(put_error(bucket, key, &error)))?;
        Ok(())
    }

    async fn put_in_parts(&self, file: &Path, length: u64) -> Result<(), ArtifactError> {
        let first = read(file, 0, length.min(ZIP_SIGNATURE.len() as u64)).await?;
        let about = About {
            content_type: Self::content_type(&first),
            ..About::default()
        };
        let Artifact { bucket, key, .. } = self.artifact;
        let upload = Multipart::create(self.store, bucket, key, about)
            .await
            .map_err(|error| self.failed(error))?;
        let outcome = self.parts(&upload, file, length).await;
        if outcome.is_err() {
            upload.abort().await;
        }
        outcome
    }

    async fn parts(
        &self,
        upload: &Multipart<'_>,
        file: &Path,
        length: u64,
    ) -> Result<(), ArtifactError> {
        let count = length.div_ceil(PART_BYTES);
        let parts = stream::iter(0..count)
            .map(|index| async move {
                let start = index * PART_BYTES;
                let bytes = read(file, start, length.min(start + PART_BYTES)).await?;
                let part = upload.part(index + 1, Bytes::from(bytes)).await;
                part.map_err(|error| self.failed(error))
            })
            .buffer_unordered(PARALLEL_PARTS)
            .try_collect()
            .await?;
        let completed = upload.complete(parts).await;
        completed.map(drop).map_err(|error| self.failed(error))
    }

    fn failed(&self, source: CallError) -> ArtifactError {
        ArtifactError::Call {
            artifact: self.artifact.clone(),
            source,
        }
    }

    fn content_type(bytes: &[u8]) -> &'static str {
        if bytes.starts_with(ZIP_SIGNATURE) || bytes.starts_with(EMPTY_ZIP_SIGNATURE) {
            "application/zip"
        } else {
            "application/octet-stream"
        }
    }
}

/// What a zip archive begins with (APPNOTE.TXT 4.3.7).
const ZIP_SIGNATURE: &[u8] = b"PK\x03\x04";

/// What an archive without entries begins with (APPNOTE.TXT 4.3.16).
const EMPTY_ZIP_SIGNATURE: &[u8] = b"PK\x05\x06";
