//! Reads one version of an S3 object by ranges.
//!
//! An object may be replaced between two range requests. The first request learns the `ETag`; all others are
//! conditional on it (`If-Match`), so bytes of two versions are never mixed. The SDK retries requests, but not bodies:
//! a transfer that is interrupted in the body is repeated here.

use std::error::Error;
use std::ops::Range;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;

use super::ArtifactError;
use crate::aws::{CallError, CallErrorKind};
use crate::job::Artifact;

/// Attempts to read one range; the SDK's own retries do not cover the body.
const ATTEMPTS: u32 = 3;

/// An object as it was at the first request; reading a later version is an error.
#[derive(Clone, Debug)]
pub(super) struct RangeReader {
    client: Client,
    pub(super) artifact: Artifact,
    /// Length of the whole object.
    pub(super) length: u64,
    etag: Option<String>,
}

/// The end of an object that is read first.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Front,
    Back,
}

impl RangeReader {
    /// Reads at most `most` bytes at one end of an object, and learns its length and version.
    pub(super) async fn open(
        client: &Client,
        artifact: &Artifact,
        end: End,
        most: u64,
    ) -> Result<(Self, Vec<u8>), ArtifactError> {
        let mut object = Self {
            client: client.clone(),
            artifact: artifact.clone(),
            length: 0,
            etag: None,
        };
        let range = match end {
            End::Front => format!("bytes=0-{}", most.saturating_sub(1)),
            End::Back => format!("bytes=-{most}"),
        };
        let mut bytes = Vec::new();
        let mut attempt = 1;
        loop {
            let output = match object.get(range.clone()).await {
                Ok(output) => output,
                // S3 rejects every range of an empty object.
                Err(ArtifactError::Call { source, .. }) if source.is_code("InvalidRange") => {
                    return Ok((object, Vec::new()));
                }
                Err(error) => return Err(error),
            };
            // Until an attempt succeeds, the object may change: nothing was used of the version before.
            let length = whole_length(&output);
            let etag = output.e_tag().map(str::to_owned);
            match collect(output, length.min(most), &mut bytes).await {
                Ok(()) => {
                    object.length = length;
                    object.etag = etag;
                    return Ok((object, bytes));
                }
                Err(error) => object.retry(error, attempt)?,
            }
            attempt += 1;
        }
    }

    /// Appends a range of the object to a buffer.
    pub(super) async fn read(
        &self,
        range: Range<u64>,
        buffer: &mut Vec<u8>,
    ) -> Result<(), ArtifactError> {
        let kept = buffer.len();
        let mut attempt = 1;
        loop {
            buffer.truncate(kept);
            let header = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
            let output = self.get(header).await?;
            match collect(output, range.end - range.start, buffer).await {
                Ok(()) => return Ok(()),
                Err(error) => self.retry(error, attempt)?,
            }
            attempt += 1;
        }
    }

    /// The object's name in errors about the archive.
    pub(super) fn url(&self) -> String {
        let Artifact { bucket, key, .. } = &self.artifact;
        format!("s3://{bucket}/{key}")
    }

    async fn get(&self, range: String) -> Result<GetObjectOutput, ArtifactError> {
        let request = self
            .client
            .get_object()
            .bucket(&self.artifact.bucket)
            .key(&self.artifact.key)
            .range(range)
            .set_if_match(self.etag.clone());
        request.send().await.map_err(|error| {
            let source = CallError::new("s3:GetObject", self.url(), &error);
            let artifact = self.artifact.clone();
            match source.kind {
                CallErrorKind::NotFound => ArtifactError::Missing { artifact, source },
                CallErrorKind::Conflict => ArtifactError::Changed { artifact, source },
                _ => ArtifactError::Call { artifact, source },
            }
        })
    }

    /// Logs an interrupted transfer, or fails after the last attempt.
    fn retry(
        &self,
        source: Box<dyn Error + Send + Sync>,
        attempt: u32,
    ) -> Result<(), ArtifactError> {
        if attempt == ATTEMPTS {
            return Err(ArtifactError::Incomplete {
                artifact: self.artifact.clone(),
                attempts: ATTEMPTS,
                source,
            });
        }
        tracing::warn!(artifact = self.artifact.name, error = %source, attempt, "a transfer was interrupted");
        Ok(())
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

/// Appends a body of a known length to a buffer.
async fn collect(
    mut output: GetObjectOutput,
    expected: u64,
    buffer: &mut Vec<u8>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut left = usize::try_from(expected)?;
    buffer.reserve_exact(left);
    while let Some(bytes) = output.body.next().await {
        let bytes = bytes?;
        left = left
            .checked_sub(bytes.len())
            .ok_or("received more bytes than requested")?;
        buffer.extend_from_slice(&bytes);
    }
    if left > 0 {
        return Err(format!("{left} of {expected} bytes are missing").into());
    }
    Ok(())
}
