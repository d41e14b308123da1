//! Many uploads at once: as many as the bucket takes, and within bounded memory.

use std::collections::VecDeque;
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use delivery_action::clock::Deadline;
use delivery_action::job::Artifact;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument;

use crate::bucket::{Bucket, Cause, Expected, NotPut};
use crate::contents::{Contents, LARGEST_IN_MEMORY_BYTES};
use crate::error::DeploySiteError;
use crate::ownership::Ownership;
use crate::plan::{Batch, Upload};
use crate::site::{self, Content, Item};
use crate::window::Window;

/// Most bytes of bodies in memory at a time: a gigabit a second times 60 ms, twice. A larger file
/// passes through in pieces and counts as [`LARGEST_IN_MEMORY_BYTES`].
const MAX_BYTES_IN_FLIGHT: u64 = 16 * 1024 * 1024;

/// How often a file is put back: because the bucket was asked too much in all attempts of the SDK (each time the
/// number of uploads under way has been halved meanwhile, so this is no second loop that adds to the
/// load), or because something else was at its key than expected (the SDK's own first attempt, whose
/// answer was lost, or the same job delivered twice).
const MAX_RETURNS: u32 = 2;

/// By which S3 refuses a body that is not what the request says of it (S3 API Reference, "Error responses").
const OTHER_CONTENTS: [&str; 2] = ["XAmzContentSHA256Mismatch", "BadDigest"];

/// What uploads come from and go to.
#[derive(Clone, Debug)]
pub(crate) struct Uploader {
    pub(crate) bucket: Bucket,
    pub(crate) artifact: Artifact,
    pub(crate) contents: Arc<Contents>,
}

/// One file on its way, and how often it was put back.
type Attempt<'a> = (Upload<'a>, u32);

impl Uploader {
    /// Uploads a batch in about its order and tells `uploaded` of each file with its `ETag`; none is begun
    /// after `until`, or where the bucket belongs to another release. `false` where the time was too
    /// short for all.
    pub(crate) async fn upload(
        &self,
        batch: Batch<'_>,
        ownership: &mut Ownership<'_>,
        window: &mut Window,
        until: Deadline,
        mut uploaded: impl FnMut(&str, &Item, String),
    ) -> Result<bool, DeploySiteError> {
        let is_visible = batch.is_visible();
        let first = batch.uploads.into_iter().map(|upload| (upload, 0));
        let mut waiting: VecDeque<Attempt<'_>> = first.collect();
        let mut in_flight = InFlight::default();
        let mut refusals = self.bucket.refusals();
        loop {
            while let Some((next, _)) = waiting.front()
                && in_flight.has_room_for(next.item, window)
                && !until.remaining().is_zero()
            {
                if is_visible {
                    ownership.check_now_and_then().await?;
                }
                ownership.note_change();
                in_flight.begin(self, waiting.pop_front());
            }
            let Some((attempt, put)) = in_flight.next().await else {
                return Ok(waiting.is_empty());
            };
            let now = Instant::now();
            let known = std::mem::replace(&mut refusals, self.bucket.refusals());
            if known < refusals {
                window.slow_down(now);
            }
            window.ended(now);
            let (upload, returns) = attempt;
            let key = upload.key;
            match put {
                Ok(etag) => uploaded(key, upload.item, etag),
                Err(NotPut { error, cause }) if cause == Cause::Other || returns == MAX_RETURNS => {
                    return Err(error);
                }
                Err(NotPut {
                    cause: Cause::Unexpected,
                    ..
                }) => {
                    // Who wrote it? Another release's file is left alone.
                    ownership.check().await?;
                    tracing::warn!(
                        key,
                        "something else is there than was listed; it is replaced"
                    );
                    let expected = self.bucket.expected(key).await?;
                    waiting.push_back((Upload { expected, ..upload }, returns + 1));
                }
                Err(_) => {
                    tracing::warn!(key, "the bucket is asked too much; this file comes later");
                    waiting.push_back((upload, returns + 1));
                }
            }
        }
    }

    async fn put(&self, key: &str, item: &Item, expected: &Expected) -> Result<String, NotPut> {
        let body = match &item.content {
            Content::Bytes(bytes) => ByteStream::from(bytes.clone()),
            Content::Entry(place) => self
                .contents
                .body(*place)
                .map_err(|source| NotPut::from(site::unreadable(&self.artifact, source)))?,
        };
        let put = self.bucket.put(key, item, expected, body).await;
        let etag = put.map_err(|not_put| self.explained(key, item, not_put))?;
        tracing::debug!(key, size_bytes = item.size_bytes, "uploaded");
        Ok(etag)
    }

    /// What is said of a file comes from the artifact, and so does the file.
    fn explained(&self, key: &str, item: &Item, not_put: NotPut) -> NotPut {
        match not_put.error {
            DeploySiteError::Call { source }
                if matches!(item.content, Content::Entry(_))
                    && OTHER_CONTENTS.iter().any(|code| source.is_code(code)) =>
            {
                NotPut::from(DeploySiteError::OtherContents {
                    artifact: self.artifact.clone(),
                    file: key.to_owned(),
                    source,
                })
            }
            error => NotPut { error, ..not_put },
        }
    }
}

/// The uploads under way: tasks of their own, so that all processors sign and send.
#[derive(Default)]
struct InFlight<'a> {
    tasks: JoinSet<(usize, Result<String, NotPut>)>,
    attempts: Vec<Option<Attempt<'a>>>,
    bytes: u64,
}

impl<'a> InFlight<'a> {
    fn has_room_for(&self, item: &Item, window: &Window) -> bool {
        self.tasks.len() < window.limit() && self.bytes + in_memory(item) <= MAX_BYTES_IN_FLIGHT
    }

    fn begin(&mut self, uploader: &Uploader, attempt: Option<Attempt<'a>>) {
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
    async fn next(&mut self) -> Option<(Attempt<'a>, Result<String, NotPut>)> {
        let (number, put) = match self.tasks.join_next().await? {
            Ok(ended) => ended,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let attempt = self.attempts.get_mut(number)?.take()?;
        self.bytes -= in_memory(attempt.0.item);
        Some((attempt, put))
    }
}

/// What a body takes of memory.
fn in_memory(item: &Item) -> u64 {
    item.size_bytes.min(LARGEST_IN_MEMORY_BYTES)
}
