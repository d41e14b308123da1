//! One version of an object, read by ranges.

use std::error::Error;
use std::ops::Range;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;

use super::ArtifactError;
use crate::aws::{CallError, CallErrorKind};
use crate::job::Artifact;

/// Attempts to read one range whose transfer breaks off; the SDK's own retries end where the body
/// begins.
const ATTEMPTS: u32 = 3;

/// An object as it was when it was first read: a later version of it is an error.
#[derive(Clone, Debug)]
pub(super) struct RangeReader {
    client: Client,
    pub(super) artifact: Artifact,
    /// The whole object's.
    pub(super) length: u64,
    etag: Option<String>,
}

/// Where the first read of an object is made.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Front,
    Back,
}

impl RangeReader {
    /// Reads at most so many bytes at one end of an object, and learns of the whole.
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
                // No range of an empty object can be satisfied.
                Err(ArtifactError::Call { source, .. }) if source.is_code("InvalidRange") => {
                    return Ok((object, Vec::new()));
                }
                Err(error) => return Err(error),
            };
            // Each attempt learns anew: nothing was read of the version before.
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

    /// Adds a range of the object to a buffer.
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

    /// What errors of an archive call the object.
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

    /// Whether there is another attempt.
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

/// Adds a body of a known length to a buffer, which grows once.
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
