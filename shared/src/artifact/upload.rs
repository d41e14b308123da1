//! Single and multipart uploads of a file.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, ServerSideEncryption};
use futures_util::{StreamExt, TryStreamExt, stream};

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
        let (algorithm, key) = self.encryption();
        self.store
            .client
            .put_object()
            .bucket(&self.artifact.bucket)
            .key(&self.artifact.key)
            .content_type(Self::content_type(&bytes))
            .server_side_encryption(algorithm)
            .set_ssekms_key_id(key)
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map_err(|error| self.call_error(&error))?;
        Ok(())
    }

    async fn put_in_parts(&self, file: &Path, length: u64) -> Result<(), ArtifactError> {
        let (algorithm, key) = self.encryption();
        let first = read(file, 0, length.min(ZIP_SIGNATURE.len() as u64)).await?;
        let created = self
            .store
            .client
            .create_multipart_upload()
            .bucket(&self.artifact.bucket)
            .key(&self.artifact.key)
            .content_type(Self::content_type(&first))
            .server_side_encryption(algorithm)
            .set_ssekms_key_id(key)
            .send()
            .await
            .map_err(|error| self.call_error(&error))?;
        let id = created.upload_id().unwrap_or_default();
        let outcome = self.parts(file, length, id).await;
        if outcome.is_err() {
            self.abort(id).await;
        }
        outcome
    }

    async fn parts(&self, file: &Path, length: u64, id: &str) -> Result<(), ArtifactError> {
        let count = length.div_ceil(PART_BYTES);
        let mut parts: Vec<CompletedPart> = stream::iter(0..count)
            .map(|index| async move {
                let start = index * PART_BYTES;
                let bytes = read(file, start, length.min(start + PART_BYTES)).await?;
                let number = i32::try_from(index + 1).expect("there are at most 10,000 parts");
                self.part(id, number, bytes).await
            })
            .buffer_unordered(PARALLEL_PARTS)
            .try_collect()
            .await?;
        parts.sort_by_key(CompletedPart::part_number);
        self.store
            .client
            .complete_multipart_upload()
            .bucket(&self.artifact.bucket)
            .key(&self.artifact.key)
            .upload_id(id)
            .multipart_upload(
                CompletedMultipartUpload::builder()
                    .set_parts(Some(parts))
                    .build(),
            )
            .send()
            .await
            .map_err(|error| self.call_error(&error))?;
        Ok(())
    }

    async fn part(
        &self,
        id: &str,
        number: i32,
        bytes: Vec<u8>,
    ) -> Result<CompletedPart, ArtifactError> {
        let output = self
            .store
            .client
            .upload_part()
            .bucket(&self.artifact.bucket)
            .key(&self.artifact.key)
            .upload_id(id)
            .part_number(number)
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map_err(|error| self.call_error(&error))?;
        Ok(CompletedPart::builder()
            .part_number(number)
            .set_e_tag(output.e_tag)
            .set_checksum_crc32(output.checksum_crc32)
            .build())
    }

    /// Removes the parts of an upload that failed. If this fails too, the bucket's lifecycle removes
    /// them.
    async fn abort(&self, id: &str) {
        let aborted = self
            .store
            .client
            .abort_multipart_upload()
            .bucket(&self.artifact.bucket)
            .key(&self.artifact.key)
            .upload_id(id)
            .send()
            .await;
        if let Err(error) = aborted {
            let error = CallError::new("s3:AbortMultipartUpload", self.resource(), &error);
            tracing::warn!(%error, "the parts of a failed upload stay until the bucket's lifecycle removes them");
        }
    }

    /// The artifact store's key where it has one, else the account's `aws/s3` key: CodePipeline's
    /// own buckets refuse what is not encrypted with KMS (CodePipeline User Guide, "Configure
    /// server-side encryption for artifacts").
    fn encryption(&self) -> (ServerSideEncryption, Option<String>) {
        (
            ServerSideEncryption::AwsKms,
            self.store.encryption_key.clone(),
        )
    }

    fn content_type(bytes: &[u8]) -> &'static str {
        if bytes.starts_with(ZIP_SIGNATURE) || bytes.starts_with(EMPTY_ZIP_SIGNATURE) {
            "application/zip"
        } else {
            "application/octet-stream"
        }
    }

    fn resource(&self) -> String {
        format!("s3://{}/{}", self.artifact.bucket, self.artifact.key)
    }

    fn call_error<E>(
        &self,
        error: &aws_sdk_s3::error::SdkError<
            E,
            aws_smithy_runtime_api::client::orchestrator::HttpResponse,
        >,
    ) -> ArtifactError
    where
        E: aws_smithy_types::error::metadata::ProvideErrorMetadata + std::error::Error + 'static,
    {
        let source = CallError::new("s3:PutObject", self.resource(), error);
        ArtifactError::Call {
            artifact: self.artifact.clone(),
            source,
        }
    }
}

/// What a zip archive begins with (APPNOTE.TXT 4.3.7).
const ZIP_SIGNATURE: &[u8] = b"PK\x03\x04";

/// What an archive without entries begins with (APPNOTE.TXT 4.3.16).
const EMPTY_ZIP_SIGNATURE: &[u8] = b"PK\x05\x06";
