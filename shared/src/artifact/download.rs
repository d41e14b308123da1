//! Parallel ranged reads into a file.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::Bytes;
use futures_util::{TryStreamExt, stream};

use super::{ArtifactError, PARALLEL_PARTS, PART_BYTES, blocking};
use crate::aws::{CallError, CallErrorKind};
use crate::job::Artifact;

/// Attempts to read one part whose transfer breaks off; the SDK's own retries end where the body
/// begins.
const PART_ATTEMPTS: u32 = 3;

/// Downloads an object into a new file and returns its length.
pub(super) async fn download(
    client: &Client,
    artifact: &Artifact,
    to: &Path,
) -> Result<u64, ArtifactError> {
    let disk = |source| ArtifactError::Disk {
        path: to.to_owned(),
        source,
    };
    let source = Source { client, artifact };
    let Some(first) = source.first_part().await? else {
        File::create_new(to).map_err(disk)?;
        return Ok(0);
    };
    check_space(artifact, to, first.length)?;
    let file = Arc::new(File::create_new(to).map_err(disk)?);
    write(&file, 0, first.bytes, to).await?;
    let starts =
        (PART_BYTES..first.length).step_by(usize::try_from(PART_BYTES).unwrap_or(usize::MAX));
    stream::iter(starts.map(Ok))
        .try_for_each_concurrent(PARALLEL_PARTS, |start| {
            let (source, file, etag) = (&source, &file, &first.etag);
            async move {
                let end = first.length.min(start + PART_BYTES);
                let bytes = source.part(start, end, etag.as_deref()).await?;
                write(file, start, bytes, to).await
            }
        })
        .await?;
    Ok(first.length)
}

/// The object's first part, and what it tells of the whole.
struct First {
    bytes: Bytes,
    length: u64,
    etag: Option<String>,
}

struct Source<'a> {
    client: &'a Client,
    artifact: &'a Artifact,
}

impl Source<'_> {
    /// `None` where the object is empty: no range of it can be satisfied.
    async fn first_part(&self) -> Result<Option<First>, ArtifactError> {
        let mut attempt = 1;
        loop {
            let output = match self.get(0, PART_BYTES, None).await {
                Ok(output) => output,
                Err(ArtifactError::Call { source, .. }) if source.is_code("InvalidRange") => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            };
            let length = whole_length(&output);
            let etag = output.e_tag().map(str::to_owned);
            match collect(output, length.min(PART_BYTES)).await {
                Ok(bytes) => {
                    return Ok(Some(First {
                        bytes,
                        length,
                        etag,
                    }));
                }
                Err(source) if attempt == PART_ATTEMPTS => return Err(self.incomplete(source)),
                Err(error) => self.warn(&error, attempt),
            }
            attempt += 1;
        }
    }

    async fn part(&self, start: u64, end: u64, etag: Option<&str>) -> Result<Bytes, ArtifactError> {
        let mut attempt = 1;
        loop {
            let output = self.get(start, end, etag).await?;
            match collect(output, end - start).await {
                Ok(bytes) => return Ok(bytes),
                Err(source) if attempt == PART_ATTEMPTS => return Err(self.incomplete(source)),
                Err(error) => self.warn(&error, attempt),
            }
            attempt += 1;
        }
    }

    async fn get(
        &self,
        start: u64,
        end: u64,
        etag: Option<&str>,
    ) -> Result<GetObjectOutput, ArtifactError> {
        let Artifact { bucket, key, .. } = self.artifact;
        let request = self
            .client
            .get_object()
            .bucket(bucket)
            .key(key)
            .range(format!("bytes={start}-{}", end.saturating_sub(1)))
            .set_if_match(etag.map(str::to_owned));
        request.send().await.map_err(|error| {
            let source = CallError::new("s3:GetObject", format!("s3://{bucket}/{key}"), &error);
            let artifact = self.artifact.clone();
            match source.kind {
                CallErrorKind::NotFound => ArtifactError::Missing { artifact, source },
                CallErrorKind::Conflict => ArtifactError::Changed { artifact, source },
                _ => ArtifactError::Call { artifact, source },
            }
        })
    }

    fn incomplete(&self, source: Box<dyn std::error::Error + Send + Sync>) -> ArtifactError {
        ArtifactError::Incomplete {
            artifact: self.artifact.clone(),
            attempts: PART_ATTEMPTS,
            source,
        }
    }

    fn warn(&self, error: &dyn std::fmt::Display, attempt: u32) {
        tracing::warn!(artifact = self.artifact.name, %error, attempt, "a transfer broke off");
    }
}

/// The length of the whole object: from `Content-Range` (`bytes 0-9/100`), else the body's own.
fn whole_length(output: &GetObjectOutput) -> u64 {
    output
        .content_range()
        .and_then(|range| range.rsplit_once('/')?.1.parse().ok())
        .or_else(|| u64::try_from(output.content_length()?).ok())
        .unwrap_or_default()
}

async fn collect(
    output: GetObjectOutput,
    expected: u64,
) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    let bytes = output.body.collect().await?.into_bytes();
    let length = bytes.len() as u64;
    if length == expected {
        return Ok(bytes);
    }
    Err(format!("{length} bytes came instead of {expected}").into())
}

fn check_space(artifact: &Artifact, to: &Path, needed_bytes: u64) -> Result<(), ArtifactError> {
    let directory = to.parent().unwrap_or(to);
    let stat = rustix::fs::statvfs(directory).map_err(|error| ArtifactError::Disk {
        path: directory.to_owned(),
        source: error.into(),
    })?;
    let free_bytes = stat.f_bavail.saturating_mul(stat.f_frsize);
    if needed_bytes <= free_bytes {
        return Ok(());
    }
    Err(ArtifactError::DiskFull {
        artifact: artifact.clone(),
        needed_bytes,
        free_bytes,
    })
}

async fn write(file: &Arc<File>, at: u64, bytes: Bytes, path: &Path) -> Result<(), ArtifactError> {
    let file = Arc::clone(file);
    blocking(move || file.write_all_at(&bytes, at))
        .await
        .map_err(|source| ArtifactError::Disk {
            path: path.to_owned(),
            source,
        })
}
