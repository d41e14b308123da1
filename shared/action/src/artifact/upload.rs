//! Uploads a file, or an archive while it is being created, in one request or in parts.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::CompletedPart;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc::UnboundedReceiver;

use super::digest::{Digest, Hashing, Stored};
use super::multipart::{MultipartUpload, ObjectAttributes, put_error};
use super::part_pipe::{self, HELD_PART_BYTES, HELD_PARTS, Part, PartWriter};
use super::{ArtifactError, MAX_PARTS, PARALLEL_PARTS, PART_BYTES, Store, open_regular};
use crate::aws::CallError;
use crate::blocking;
use crate::job::Artifact;
use delivery_archive::{ArchiveError, Created};

/// Files up to this size are uploaded in one request.
const SINGLE_BYTES: u64 = 2 * PART_BYTES;

/// Uploads a file.
pub(super) async fn upload(
    store: &Store,
    artifact: &Artifact,
    file: &Path,
) -> Result<Stored, ArtifactError> {
    let disk = |source| ArtifactError::Disk {
        path: file.to_owned(),
        source,
    };
    let opened = open_regular(file).map_err(disk)?;
    let length = opened.metadata().map_err(disk)?.len();
    let file = &OpenFile {
        file: opened.into(),
        path: file,
    };
    let target = Target { store, artifact };
    let whole = if length <= SINGLE_BYTES {
        let bytes = file.read(0, length).await?;
        let whole = Digest::of(bytes.as_slice()).map_err(disk)?;
        target.put(bytes.into()).await?;
        whole
    } else if length <= PART_BYTES * MAX_PARTS {
        // The parts are read in any order, but SHA-256 needs them from front to back. So the file is read once more,
        // mostly from the system's cache.
        let opened = Arc::clone(&file.file);
        let whole = blocking(move || Digest::of(&*opened));
        let whole = whole.await.map_err(disk)?;
        target.put_in_parts(file, length).await?;
        whole
    } else {
        return Err(target.too_large(length));
    };
    Ok(Stored {
        bytes: length,
        whole,
        directory: None,
    })
}

/// Creates an archive and uploads it at the same time, without a file. If one of the two fails, so does the other, and
/// nothing is stored.
pub(super) async fn upload_made(
    store: &Store,
    artifact: &Artifact,
    make: impl FnOnce(&mut Hashing<PartWriter>) -> Result<Created, ArchiveError> + Send + 'static,
) -> Result<Stored, ArtifactError> {
    let (writer, parts) = part_pipe::pipe();
    let making = blocking(move || {
        let mut hashing = Hashing::new(writer);
        let created = make(&mut hashing)?;
        let (writer, whole) = hashing.finish();
        // Fails only if the upload failed, which is the error that is reported.
        let _sent = writer.finish();
        Ok((created, whole))
    });
    let target = Target { store, artifact };
    let (created, sent) = futures_util::join!(making, target.put_parts(parts));
    // The upload's error first: if the upload fails, creating fails with a mere "broken pipe".
    sent?;
    let (created, whole) = created.map_err(|source| ArtifactError::Made {
        artifact: artifact.clone(),
        source,
    })?;
    Ok(Stored {
        bytes: created.archive_bytes,
        whole,
        directory: created.directory_sha256.map(Digest::Directory),
    })
}

/// An open file, which stays the same if its path is replaced.
struct OpenFile<'a> {
    file: Arc<File>,
    path: &'a Path,
}

impl OpenFile<'_> {
    async fn read(&self, start: u64, end: u64) -> Result<Vec<u8>, ArtifactError> {
        let file = Arc::clone(&self.file);
        blocking(move || {
            let length = usize::try_from(end - start).map_err(io::Error::other)?;
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, start)?;
            Ok(bytes)
        })
        .await
        .map_err(|source| ArtifactError::Disk {
            path: self.path.to_owned(),
            source,
        })
    }
}

struct Target<'a> {
    store: &'a Store,
    artifact: &'a Artifact,
}

impl Target<'_> {
    async fn put(&self, bytes: Bytes) -> Result<(), ArtifactError> {
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

    async fn put_in_parts(&self, file: &OpenFile<'_>, length: u64) -> Result<(), ArtifactError> {
        let first = file.read(0, length.min(ZIP_SIGNATURE.len() as u64)).await?;
        let about = ObjectAttributes {
            content_type: Self::content_type(&first),
            ..ObjectAttributes::default()
        };
        let Artifact { bucket, key, .. } = self.artifact;
        let upload = MultipartUpload::create(self.store, bucket, key, about)
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
        upload: &MultipartUpload<'_>,
        file: &OpenFile<'_>,
        length: u64,
    ) -> Result<(), ArtifactError> {
        let count = length.div_ceil(PART_BYTES);
        let parts = stream::iter(0..count)
            .map(|index| async move {
                let start = index * PART_BYTES;
                let bytes = file.read(start, length.min(start + PART_BYTES)).await?;
                let part = upload.part(index + 1, Bytes::from(bytes)).await;
                part.map_err(|error| self.failed(error))
            })
            .buffer_unordered(PARALLEL_PARTS)
            .try_collect()
            .await?;
        let completed = upload.complete(parts).await;
        completed.map(drop).map_err(|error| self.failed(error))
    }

    /// Uploads parts as they arrive; in one request if there are few. If they end without a last one, the archive
    /// could not be created, and nothing is stored.
    async fn put_parts(&self, mut parts: UnboundedReceiver<Part>) -> Result<(), ArtifactError> {
        let mut first: Vec<Part> = Vec::new();
        // Collect up to the number of buffers that exist. More would deadlock: the writer waits for a buffer that
        // only an upload returns.
        while first.len() < HELD_PARTS {
            let Some(part) = parts.recv().await else {
                return Ok(());
            };
            first.push(part);
            if first.last().is_some_and(|part| part.is_last) {
                return self.put(joined(first)).await;
            }
        }
        let Artifact { bucket, key, .. } = self.artifact;
        let about = ObjectAttributes {
            content_type: first
                .first()
                .map_or("", |part| Self::content_type(&part.bytes)),
            ..ObjectAttributes::default()
        };
        let upload = MultipartUpload::create(self.store, bucket, key, about)
            .await
            .map_err(|error| self.failed(error))?;
        let rest = stream::poll_fn(move |context| parts.poll_recv(context));
        let outcome = match self.send(&upload, stream::iter(first).chain(rest)).await {
            Ok(Some(parts)) => upload
                .complete(parts)
                .await
                .map_err(|error| self.failed(error)),
            Ok(None) => {
                upload.abort().await;
                return Ok(());
            }
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            upload.abort().await;
        }
        outcome.map(drop)
    }

    /// Sends parts; `None` if there was no last one.
    async fn send(
        &self,
        upload: &MultipartUpload<'_>,
        parts: impl Stream<Item = Part>,
    ) -> Result<Option<Vec<CompletedPart>>, ArtifactError> {
        let sent: Vec<(CompletedPart, bool)> = parts
            .zip(stream::iter(1..))
            .map(|(part, number)| async move {
                if number > MAX_PARTS {
                    return Err(self.too_large(number * HELD_PART_BYTES as u64));
                }
                let sent = upload.part(number, part.bytes).await;
                sent.map(|sent| (sent, part.is_last))
                    .map_err(|error| self.failed(error))
            })
            // One buffer less than there are, so that the writer always has one to fill.
            .buffer_unordered(HELD_PARTS - 1)
            .try_collect()
            .await?;
        let is_whole = sent.iter().any(|(_, is_last)| *is_last);
        Ok(is_whole.then(|| sent.into_iter().map(|(part, _)| part).collect()))
    }

    fn failed(&self, source: CallError) -> ArtifactError {
        ArtifactError::Call {
            artifact: self.artifact.clone(),
            source,
        }
    }

    fn too_large(&self, size_bytes: u64) -> ArtifactError {
        ArtifactError::TooLarge {
            artifact: self.artifact.clone(),
            size_bytes,
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

/// Concatenates parts.
fn joined(mut parts: Vec<Part>) -> Bytes {
    if parts.len() == 1 {
        return parts.swap_remove(0).bytes;
    }
    let pieces: Vec<Bytes> = parts.into_iter().map(|part| part.bytes).collect();
    pieces.concat().into()
}

/// First bytes of a zip archive (APPNOTE.TXT 4.3.7).
const ZIP_SIGNATURE: &[u8] = b"PK\x03\x04";

/// First bytes of an archive without entries (APPNOTE.TXT 4.3.16).
const EMPTY_ZIP_SIGNATURE: &[u8] = b"PK\x05\x06";

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::Duration;

    use test_case::test_case;

    use super::*;
    use crate::clock::Deadline;
    use crate::env::LogLocation;
    use crate::job::{Invocation, Job};
    use delivery_testing::events::{FUNCTION_KEYS, JobEvent, Keys};
    use delivery_testing::s3::LocalS3;

    const BUCKET: &str = "store";

    /// Most that goes in one request.
    const AT_ONCE: u64 = (HELD_PARTS * HELD_PART_BYTES) as u64;

    fn job(event: JobEvent) -> Job {
        let event = event.output("Output", BUCKET, "key").build();
        let invocation = Invocation {
            request_id: "5c3b5a3e-request".to_owned(),
            deadline: Deadline::after(Duration::from_mins(1)),
            log: LogLocation::default(),
            function: None,
        };
        Job::from_event(&event, invocation).unwrap()
    }

    /// Something that is as long as an archive of this length.
    fn write(to: &mut Hashing<PartWriter>, length: u64) -> Result<Created, ArchiveError> {
        std::io::copy(&mut std::io::repeat(7).take(length), to).map_err(|source| {
            let (action, path) = ("write", "the archive".into());
            ArchiveError::Io {
                action,
                path,
                source,
            }
        })?;
        let mut created = Created::default();
        created.archive_bytes = length;
        Ok(created)
    }

    #[test_case(0, 1; "nothing")]
    #[test_case(AT_ONCE, 1; "as much as goes in one request")]
    #[test_case(AT_ONCE + 1, 6; "one byte more: create, four parts, complete")]
    #[test_case(5 * HELD_PART_BYTES as u64, 7; "whole parts: create, five parts, complete")]
    #[tokio::test]
    async fn what_is_made_is_stored(length: u64, requests: usize) {
        let s3 = LocalS3::start().await;
        s3.bucket(BUCKET).create().await;
        let job = job(JobEvent::new());
        let store = Store::for_job(&s3.config(), &job);
        let before = s3.requests();
        let uploading = upload_made(&store, job.only_output().unwrap(), move |to| {
            write(to, length)
        });
        let made = uploading.await.unwrap();
        assert_eq!(made.bytes, length);
        assert_eq!(s3.requests() - before, requests);
        let stored = s3.bucket(BUCKET).get("key").await.unwrap();
        assert_eq!(made.whole, Digest::of(&*stored.body).unwrap());
        assert_eq!(stored.body.len() as u64, length);
        assert!(stored.body.iter().all(|byte| *byte == 7));
    }

    #[test_case(AT_ONCE, 0; "before anything was sent")]
    #[test_case(AT_ONCE + 1, 5; "later: create, three parts, abort")]
    #[tokio::test]
    async fn what_cannot_be_made_is_not_stored(length: u64, requests: usize) {
        let s3 = LocalS3::start().await;
        s3.bucket(BUCKET).create().await;
        let job = job(JobEvent::new());
        let store = Store::for_job(&s3.config(), &job);
        let before = s3.requests();
        let make = upload_made(&store, job.only_output().unwrap(), move |to| {
            write(to, length)?;
            let entry = "late".to_owned();
            Err(ArchiveError::Missing { entry })
        });
        let error = make.await.unwrap_err();
        assert!(matches!(error, ArtifactError::Made { .. }), "{error:?}");
        assert_eq!(s3.requests() - before, requests);
        assert!(s3.bucket(BUCKET).get("key").await.is_none());
    }

    #[test_case(AT_ONCE; "of one request")]
    #[test_case(100 * AT_ONCE; "in parts")]
    #[tokio::test]
    async fn an_upload_that_fails_ends_the_making_and_is_the_error(length: u64) {
        let s3 = LocalS3::start().await;
        let foreign = Keys {
            secret_access_key: "not-the-secret",
            ..FUNCTION_KEYS
        };
        let job = job(JobEvent::new().credentials(Some(foreign)));
        let store = Store::for_job(&s3.config(), &job);
        let make = upload_made(&store, job.only_output().unwrap(), move |to| {
            write(to, length)
        });
        let error = make.await.unwrap_err();
        assert!(
            matches!(&error, ArtifactError::Call { source, .. } if source.is_code("SignatureDoesNotMatch")),
            "{error:?}"
        );
    }
}
