//! Output artifacts composed inside S3 from a cached tree and an archive on disk.
//!
//! Problem: an npm project's output artifact is its source plus `node_modules`, which changes only with the lock file.
//! Packing and uploading the same `node_modules` again took most of the time of npm-install.
//!
//! Solution (`docs/decisions/0118-outputs-composed-of-a-kept-tree.md`): the tree is cached as one zip archive. The
//! output is a multipart upload whose first parts S3 copies from the cached archive (`UploadPartCopy`), and whose
//! last parts are the source's data and a central directory for both ([`delivery_archive::compose`]). Only those last
//! parts pass through the function.
//!
//! The copies run while the cached tree's directory is still being checked. That is safe because every copy names
//! the `ETag` of the object whose directory is checked, and because nothing exists before the upload is completed: if
//! the check fails, the upload is aborted.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::aws::SdkConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::CompletedPart;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};

use super::cached_tree::{CachedTree, TreeMetadata};
use super::multipart::{
    MAX_PART_BYTES, MIN_PART_BYTES, MultipartUpload, ObjectAttributes, ObjectVersion, put_error,
};
use super::segments::{Segment, SegmentError, Segments, at, read};
use super::{ArtifactError, PARALLEL_PARTS, PART_BYTES, Store};
use crate::aws::{CallError, CallErrorKind};
use crate::blocking;
use crate::job::{Artifact, Job};
use delivery_archive::{Archive, ArchiveEnd, ArchiveError, MAX_END_BYTES};

/// What S3 answers where no byte of a range is in the object (S3, "List of error codes").
const INVALID_RANGE: &str = "InvalidRange";

/// Objects up to this size are uploaded in one request.
const SINGLE_BYTES: u64 = 2 * PART_BYTES;

/// Number of copies that a large enough tree is divided into. S3 executes them in parallel.
const COPIES: u64 = 4;

/// Least size of a copy; below this, another request costs more time than it saves.
const COPY_BYTES: u64 = PART_BYTES;

const CONTENT_TYPE: &str = "application/zip";

/// Why an artifact was not composed. Nothing was stored then.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The cached tree is not what was cached; it has to be created again.
    #[error("{reason}")]
    Damaged {
        /// What is wrong with it.
        reason: String,
    },
    /// The cached tree was removed or replaced since it was found.
    #[error("the cached tree no longer exists")]
    Gone(#[source] CallError),
    /// The two archives cannot be combined.
    #[error("the source and the dependencies conflict")]
    Together(#[source] ArchiveError),
    /// The store refused the call.
    #[error(transparent)]
    Call(CallError),
    /// The function's disk failed.
    #[error("cannot read `{}`", .path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl From<CallError> for ComposeError {
    fn from(error: CallError) -> Self {
        match error.kind {
            // The upload was created, so its target exists: these errors are about the object that is copied.
            CallErrorKind::NotFound | CallErrorKind::Conflict => Self::Gone(error),
            // One that is too short for the range is another object.
            _ if error.is_code(INVALID_RANGE) => Self::Gone(error),
            _ => Self::Call(error),
        }
    }
}

impl From<SegmentError> for ComposeError {
    fn from(SegmentError { path, source }: SegmentError) -> Self {
        Self::Disk { path, source }
    }
}

impl ComposeError {
    /// Converts it to an error about this output artifact.
    #[must_use]
    pub fn of(self, artifact: &Artifact) -> ArtifactError {
        let artifact = artifact.clone();
        match self {
            Self::Damaged { reason } => ArtifactError::Archive {
                artifact,
                source: ArchiveError::Io {
                    action: "compose",
                    path: PathBuf::from("the archive"),
                    source: std::io::Error::other(reason),
                },
            },
            Self::Together(source) => ArtifactError::Made { artifact, source },
            Self::Gone(source) | Self::Call(source) => ArtifactError::Call { artifact, source },
            Self::Disk { path, source } => ArtifactError::Disk { path, source },
        }
    }
}

/// The directory and end records of a composed archive.
#[derive(Clone, Debug)]
pub struct ComposedEnd(Bytes);

/// A checked archive on this machine's disk.
#[derive(Clone, Debug)]
pub struct LocalArchive {
    /// The checked archive.
    pub archive: Arc<Archive>,
    /// Its path.
    pub path: PathBuf,
}

impl Store {
    /// The store with the credentials of the function's own role.
    #[must_use]
    pub fn for_function(config: &SdkConfig, job: &Job) -> Self {
        Self {
            client: aws_sdk_s3::Client::new(config),
            encryption_key: job.encryption_key.as_ref().map(|key| key.id.clone()),
        }
    }

    /// Looks for a cached tree; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`CallError`]. If the caller may not list the bucket, S3 answers "access denied" for missing objects, too.
    pub async fn find_cached_tree(
        &self,
        bucket: &str,
        key: &str,
    ) -> Result<Option<CachedTree>, CallError> {
        let head = self.client.head_object().bucket(bucket).key(key);
        let found = match head.send().await {
            Ok(found) => found,
            Err(error) => {
                let error = CallError::new("s3:GetObject", format!("s3://{bucket}/{key}"), &error);
                return match error.kind {
                    CallErrorKind::NotFound => Ok(None),
                    _ => Err(error),
                };
            }
        };
        Ok(Some(CachedTree {
            version: ObjectVersion {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                etag: found.e_tag.unwrap_or_default(),
            },
            metadata: found.metadata.unwrap_or_default(),
            length: found
                .content_length
                .and_then(|length| u64::try_from(length).ok())
                .unwrap_or_default(),
        }))
    }

    /// Stores an archive as a cached tree, replacing any earlier one under the key. Readers never see a partial object.
    ///
    /// # Errors
    ///
    /// [`ComposeError`]: nothing was stored.
    pub async fn cache_tree(
        &self,
        bucket: &str,
        key: &str,
        zip: &Path,
        tail: &ArchiveEnd,
    ) -> Result<CachedTree, ComposeError> {
        let length = length(zip)?;
        let data_bytes = tail.data_bytes();
        let file = zip.to_owned();
        let hash = blocking(move || {
            read(&file, data_bytes..length).map(|end| hex::encode(Sha256::digest(end)))
        })
        .await
        .map_err(|source| disk(zip, source))?;
        let claim = TreeMetadata {
            data_bytes,
            length,
            hash,
        };
        let metadata = claim.to_metadata();
        let about = ObjectAttributes {
            content_type: CONTENT_TYPE,
            metadata: metadata.clone(),
        };
        let rest = Segments(vec![Segment::File(zip.to_owned(), 0..length)]);
        let etag = self.write(bucket, key, about, &rest).await?;
        Ok(CachedTree {
            version: ObjectVersion {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                etag: etag.unwrap_or_default(),
            },
            metadata,
            length,
        })
    }

    /// Stores the archive composed of a cached tree and a local archive, and returns its length. The cached tree's
    /// data is copied inside S3 while its directory is checked.
    ///
    /// # Errors
    ///
    /// [`ComposeError`]: nothing was stored.
    pub async fn put_with_cached_tree(
        &self,
        artifact: &Artifact,
        cached: &CachedTree,
        second: &LocalArchive,
    ) -> Result<u64, ComposeError> {
        let claim = cached.claim().map_err(damaged)?;
        // A part that is not the last one must have at least 5 MiB, so smaller data cannot be copied as a part.
        if claim.data_bytes < MIN_PART_BYTES {
            let (data, tail) = self.read_cached_tree(cached, &claim, 0).await?;
            let end = composed_end(tail, second.archive.clone()).await?;
            let rest = second.rest(Segment::Memory(data.slice(..at(claim.data_bytes))), end)?;
            let written = self
                .write(&artifact.bucket, &artifact.key, zip_file(), &rest)
                .await;
            return written.map(|_etag| rest.len());
        }
        let upload =
            MultipartUpload::create(self, &artifact.bucket, &artifact.key, zip_file()).await?;
        let composed = self.copy_and(&upload, cached, &claim, second).await;
        if composed.is_err() {
            upload.abort().await;
        }
        composed
    }

    /// Stores the archive composed of two local archives, and returns its length. The bytes are the same as if the
    /// first one had been cached and composed by [`Store::put_with_cached_tree`].
    ///
    /// # Errors
    ///
    /// [`ComposeError`]: nothing was stored.
    pub async fn put_composed(
        &self,
        artifact: &Artifact,
        first: (&Path, &ArchiveEnd),
        second: &LocalArchive,
        end: ComposedEnd,
    ) -> Result<u64, ComposeError> {
        let (path, tail) = first;
        let data = Segment::File(path.to_owned(), 0..tail.data_bytes());
        let rest = second.rest(data, end)?;
        self.write(&artifact.bucket, &artifact.key, zip_file(), &rest)
            .await?;
        Ok(rest.len())
    }

    async fn copy_and(
        &self,
        upload: &MultipartUpload<'_>,
        cached: &CachedTree,
        claim: &TreeMetadata,
        second: &LocalArchive,
    ) -> Result<u64, ComposeError> {
        let copies = ranges(claim.data_bytes);
        // Parts are assembled by number, not by arrival: the copies are 1 to n, everything else follows.
        let first_own = copies.len() as u64 + 1;
        let copying = async {
            stream::iter((1_u64..).zip(copies))
                .map(|(number, range)| upload.copy(number, &cached.version, range))
                .buffer_unordered(PARALLEL_PARTS)
                .try_collect::<Vec<CompletedPart>>()
                .await
                .map_err(ComposeError::from)
        };
        let checking = async {
            let (_, tail) = self
                .read_cached_tree(cached, claim, claim.data_bytes)
                .await?;
            let end = composed_end(tail, second.archive.clone()).await?;
            let rest = second.rest(Segment::Memory(Bytes::new()), end)?;
            let parts = send(upload, first_own, &rest).await?;
            Ok::<_, ComposeError>((parts, rest.len()))
        };
        let (mut parts, (own, length)) = futures_util::try_join!(copying, checking)?;
        parts.extend(own);
        upload.complete(parts).await?;
        Ok(claim.data_bytes.saturating_add(length))
    }

    /// Reads a cached tree from a position on, and checks its directory.
    async fn read_cached_tree(
        &self,
        cached: &CachedTree,
        claim: &TreeMetadata,
        from: u64,
    ) -> Result<(Bytes, ArchiveEnd), ComposeError> {
        let length = cached.length;
        // The check of the end needs the last 64 KiB in any case: that is where another end record could hide.
        let from = from.min(length.saturating_sub(MAX_END_BYTES));
        let ObjectVersion { bucket, key, etag } = &cached.version;
        let resource = || format!("s3://{bucket}/{key}");
        let output = self
            .client
            .get_object()
            .bucket(bucket)
            .key(key)
            .if_match(etag)
            .range(format!("bytes={from}-{}", length.saturating_sub(1)))
            .send()
            .await
            .map_err(|error| CallError::new("s3:GetObject", resource(), &error))?;
        let bytes = output
            .body
            .collect()
            .await
            .map_err(|error| damaged(format!("cannot read it to the end: {error}")))?
            .into_bytes();
        let claim = claim.clone();
        blocking(move || {
            let directory = bytes
                .get(at(claim.data_bytes.saturating_sub(from))..)
                .filter(|_| bytes.len() as u64 == length.saturating_sub(from))
                .ok_or_else(|| damaged("it is shorter than declared"))?;
            if hex::encode(Sha256::digest(directory)) != claim.hash {
                return Err(damaged(
                    "its central directory does not match the recorded hash",
                ));
            }
            let tail = ArchiveEnd::new(bytes.clone(), length)
                .map_err(|error| damaged(crate::failure::chain(&error)))?;
            if tail.data_bytes() != claim.data_bytes {
                return Err(damaged(
                    "its central directory is not at the recorded position",
                ));
            }
            Ok((bytes, tail))
        })
        .await
    }

    /// Stores an object, in one request or in parts, and returns its `ETag`.
    async fn write(
        &self,
        bucket: &str,
        key: &str,
        about: ObjectAttributes,
        rest: &Segments,
    ) -> Result<Option<String>, ComposeError> {
        if rest.len() > SINGLE_BYTES {
            let upload = MultipartUpload::create(self, bucket, key, about).await?;
            let completed = async {
                let parts = send(&upload, 1, rest).await?;
                upload.complete(parts).await.map_err(ComposeError::from)
            };
            let completed = completed.await;
            if completed.is_err() {
                upload.abort().await;
            }
            return completed;
        }
        let (algorithm, encryption_key) = self.encryption();
        let output = self
            .client
            .put_object()
            .bucket(bucket)
            .key(key)
            .content_type(about.content_type)
            .set_metadata(Some(about.metadata).filter(|metadata| !metadata.is_empty()))
            .server_side_encryption(algorithm)
            .set_ssekms_key_id(encryption_key)
            .body(ByteStream::from(rest.read(0..rest.len()).await?))
            .send()
            .await
            .map_err(|error| ComposeError::Call(put_error(bucket, key, &error)))?;
        Ok(output.e_tag)
    }
}

/// The end of the archive composed of two archives.
///
/// # Errors
///
/// [`ComposeError::Together`] if the two cannot be combined.
pub async fn composed_end(
    tail: ArchiveEnd,
    second: Arc<Archive>,
) -> Result<ComposedEnd, ComposeError> {
    blocking(move || delivery_archive::compose(&tail, &second))
        .await
        .map(|end| ComposedEnd(end.into()))
        .map_err(ComposeError::Together)
}

impl LocalArchive {
    /// Everything that follows the copied data.
    fn rest(&self, before: Segment, end: ComposedEnd) -> Result<Segments, ComposeError> {
        let data_bytes =
            delivery_archive::data_bytes(&self.archive).map_err(ComposeError::Together)?;
        let data = Segment::File(self.path.clone(), 0..data_bytes);
        Ok(Segments(vec![before, data, Segment::Memory(end.0)]))
    }
}

/// Sends segments as parts, several at once.
async fn send(
    upload: &MultipartUpload<'_>,
    first: u64,
    rest: &Segments,
) -> Result<Vec<CompletedPart>, ComposeError> {
    let length = rest.len();
    stream::iter(0..length.div_ceil(PART_BYTES))
        .map(|index| async move {
            let start = index * PART_BYTES;
            let bytes = rest.read(start..length.min(start + PART_BYTES)).await?;
            upload
                .part(first + index, bytes)
                .await
                .map_err(ComposeError::from)
        })
        .buffer_unordered(PARALLEL_PARTS)
        .try_collect()
        .await
}

/// Divides a cached tree's data into ranges of nearly the same size. Their sizes must be legal for parts: with fewer
/// than [`COPIES`] ranges for small trees, none is below the minimum of 5 MiB, and with more for large ones, none is
/// above the maximum of 5 GiB.
fn ranges(data_bytes: u64) -> Vec<Range<u64>> {
    let count = (data_bytes / COPY_BYTES)
        .clamp(1, COPIES)
        .max(data_bytes.div_ceil(MAX_PART_BYTES));
    let size = data_bytes.div_ceil(count);
    (0..count)
        .map(|index| index * size..data_bytes.min((index + 1) * size))
        .collect()
}

fn zip_file() -> ObjectAttributes {
    ObjectAttributes {
        content_type: CONTENT_TYPE,
        ..ObjectAttributes::default()
    }
}

fn length(path: &Path) -> Result<u64, ComposeError> {
    let metadata = std::fs::metadata(path).map_err(|source| disk(path, source))?;
    Ok(metadata.len())
}

fn damaged(reason: impl Into<String>) -> ComposeError {
    ComposeError::Damaged {
        reason: reason.into(),
    }
}

fn disk(path: &Path, source: std::io::Error) -> ComposeError {
    ComposeError::Disk {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn copies_cover_the_data_and_none_is_too_small_or_too_large() {
        for bytes in
            [5, 7, 15, 16, 17, 41, 1000, 20 * 1024, 20 * 1024 + 1, 51_200].map(|n| n * MIB + 3)
        {
            let ranges = ranges(bytes);
            assert_eq!((ranges[0].start, ranges.last().unwrap().end), (0, bytes));
            assert!(ranges.windows(2).all(|two| two[0].end == two[1].start));
            assert!(
                ranges.iter().all(|range| {
                    (MIN_PART_BYTES..=MAX_PART_BYTES).contains(&(range.end - range.start))
                }),
                "{ranges:?}"
            );
        }
    }
}
