//! Many uploads at once: as many as the bucket takes, within bounded memory.

use std::collections::VecDeque;
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use delivery_action::clock::Deadline;
use delivery_action::job::Artifact;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument;

use crate::bucket::{Bucket, Cause, Expected, PutError};
use crate::contents::{Contents, LARGEST_IN_MEMORY_BYTES};
use crate::error::DeploySiteError;
use crate::ownership::OwnershipCheck;
use crate::site::{self, Content, Item};
use crate::upload_order::{Batch, Upload};
use crate::upload_window::UploadWindow;

/// Most bytes of bodies in memory at a time: a gigabit a second times 60 ms, twice. A larger file
/// passes through in pieces and counts as [`LARGEST_IN_MEMORY_BYTES`].
const MAX_BYTES_IN_FLIGHT: u64 = 16 * 1024 * 1024;

/// How often a file goes back into the queue. Either the bucket throttled all attempts of the SDK: by then the
/// window has been halved, so trying again does not add to the load. Or something else was at its key
/// than expected: the SDK's own first attempt, whose answer was lost, or the same job delivered twice.
const MAX_RETRIES: u32 = 2;

/// S3's codes for a body that does not match the digest in the request (S3 API Reference, "Error responses").
const OTHER_CONTENTS: [&str; 2] = ["XAmzContentSHA256Mismatch", "BadDigest"];

/// Where files come from and where they go.
#[derive(Clone, Debug)]
pub(crate) struct Uploader {
    pub(crate) bucket: Bucket,
    pub(crate) artifact: Artifact,
    pub(crate) contents: Arc<Contents>,
}

/// One file on its way, and how often it went back into the queue.
type Attempt<'a> = (Upload<'a>, u32);

impl Uploader {
    /// Uploads a batch, roughly in its order, and calls `uploaded` with each file and its `ETag`. No upload
    /// starts after `until`, or once the bucket belongs to another release. `false` if the time was too
    /// short for all.
    pub(crate) async fn upload(
        &self,
        batch: Batch<'_>,
        ownership: &mut OwnershipCheck<'_>,
        window: &mut UploadWindow,
        until: Deadline,
        mut uploaded: impl FnMut(&str, &Item, String),
    ) -> Result<bool, DeploySiteError> {
        let is_visible = batch.is_visible();
        let first = batch.uploads.into_iter().map(|upload| (upload, 0));
        let mut waiting: VecDeque<Attempt<'_>> = first.collect();
        let mut in_flight = InFlight::default();
        let mut throttled = self.bucket.throttled_requests();
        loop {
            while let Some((next, _)) = waiting.front()
                && in_flight.has_room_for(next.item, window)
                && !until.remaining().is_zero()
            {
                if is_visible {
                    ownership.check_in_background(window.limit()).await?;
                }
                ownership.count_change();
                in_flight.start(self, waiting.pop_front());
            }
            let Some((attempt, put)) = in_flight.next().await else {
                return Ok(waiting.is_empty());
            };
            let now = Instant::now();
            // Counted by requests and not by results: the SDK retries a throttled request itself, and an
            // upload that succeeds at its third attempt has to narrow the window, too.
            let before = std::mem::replace(&mut throttled, self.bucket.throttled_requests());
            if before < throttled {
                window.throttled(now);
            }
            window.upload_finished(now);
            let (upload, retries) = attempt;
            let key = upload.key;
            match put {
                Ok(etag) => uploaded(key, upload.item, etag),
                Err(PutError { error, cause })
                    if cause == Cause::Other || retries == MAX_RETRIES =>
                {
                    return Err(error);
                }
                Err(PutError {
                    cause: Cause::Changed,
                    ..
                }) => {
                    // If another release wrote it, this check fails and the file is left alone.
                    ownership.check().await?;
                    tracing::warn!(
                        key,
                        "the object has changed since it was listed; replacing it"
                    );
                    let expected = self.bucket.expected(key).await?;
                    waiting.push_back((Upload { expected, ..upload }, retries + 1));
                }
                Err(_) => {
                    tracing::warn!(key, "S3 is throttling requests; retrying this file later");
                    waiting.push_back((upload, retries + 1));
                }
            }
        }
    }

    async fn put(&self, key: &str, item: &Item, expected: &Expected) -> Result<String, PutError> {
        let body = match &item.content {
            Content::Bytes(bytes) => ByteStream::from(bytes.clone()),
            Content::Entry(place) => self
                .contents
                .body(*place)
                .map_err(|source| PutError::from(site::unreadable(&self.artifact, source)))?,
        };
        let put = self.bucket.put(key, item, expected, body).await;
        let etag = put.map_err(|error| self.with_artifact_as_cause(key, item, error))?;
        tracing::debug!(key, size_bytes = item.size_bytes, "uploaded");
        Ok(etag)
    }

    /// A wrong digest is the artifact's fault: both the digest and the content come from it.
    fn with_artifact_as_cause(&self, key: &str, item: &Item, failed: PutError) -> PutError {
        match failed.error {
            DeploySiteError::Call { source }
                if matches!(item.content, Content::Entry(_))
                    && OTHER_CONTENTS.iter().any(|code| source.is_code(code)) =>
            {
                PutError::from(DeploySiteError::OtherContents {
                    artifact: self.artifact.clone(),
                    file: key.to_owned(),
                    source,
                })
            }
            error => PutError { error, ..failed },
        }
    }
}

/// The uploads under way: tasks of their own, so that all processors sign and send.
#[derive(Default)]
struct InFlight<'a> {
    tasks: JoinSet<(usize, Result<String, PutError>)>,
    attempts: Vec<Option<Attempt<'a>>>,
    bytes: u64,
}

impl<'a> InFlight<'a> {
    fn has_room_for(&self, item: &Item, window: &UploadWindow) -> bool {
        self.tasks.len() < window.limit() && self.bytes + in_memory(item) <= MAX_BYTES_IN_FLIGHT
    }

    fn start(&mut self, uploader: &Uploader, attempt: Option<Attempt<'a>>) {
        let Some((upload, _)) = &attempt else { return };
        self.bytes += in_memory(upload.item);
        let number = self.attempts.len();
        let (uploader, key, item) = (uploader.clone(), upload.key.to_owned(), upload.item.clone());
        let expected = upload.expected.clone();
        self.attempts.push(attempt);
        let task = async move { (number, uploader.put(&key, &item, &expected).await) };
        self.tasks.spawn(task.in_current_span());
    }

    /// The next one that ends; `None` where none is under way.
    async fn next(&mut self) -> Option<(Attempt<'a>, Result<String, PutError>)> {
        let (number, put) = match self.tasks.join_next().await? {
            Ok(ended) => ended,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let attempt = self.attempts.get_mut(number)?.take()?;
        self.bytes -= in_memory(attempt.0.item);
        Some((attempt, put))
    }
}

/// The memory that a body takes.
fn in_memory(item: &Item) -> u64 {
    item.size_bytes.min(LARGEST_IN_MEMORY_BYTES)
}
