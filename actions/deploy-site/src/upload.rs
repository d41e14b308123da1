//! Many uploads at once: as many as the bucket takes, and within bounded memory.

use std::collections::VecDeque;
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use shared::clock::Deadline;
use shared::job::Artifact;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument;

use crate::bucket::{Bucket, NotPut};
use crate::contents::{Contents, LARGEST_IN_MEMORY_BYTES};
use crate::error::DeploySiteError;
use crate::site::{self, Content, Item};
use crate::window::Window;

/// Most bytes of bodies in memory at a time: a gigabit a second times 60 ms, twice. A larger file
/// passes through in pieces and counts as [`LARGEST_IN_MEMORY_BYTES`].
const MAX_BYTES_IN_FLIGHT: u64 = 16 * 1024 * 1024;

/// How often a file is put back that the bucket refused in all attempts of the SDK because it was
/// asked too much. Each time the number of uploads under way has been halved meanwhile, so this is no
/// second loop that adds to the load.
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

/// One file on its way; the number says how often it was put back.
type Upload<'a> = (&'a str, &'a Item, u32);

impl Uploader {
    /// Uploads files in about their order and tells `uploaded` of each with its `ETag`; none is begun
    /// after `until`. `false` where the time was too short for all.
    pub(crate) async fn upload(
        &self,
        files: &[(&String, &Item)],
        window: &mut Window,
        until: Deadline,
        mut uploaded: impl FnMut(&str, &Item, String),
    ) -> Result<bool, DeploySiteError> {
        let first = files.iter().map(|&(key, item)| (key.as_str(), item, 0));
        let mut waiting: VecDeque<Upload<'_>> = first.collect();
        let mut under_way = UnderWay::default();
        let mut refusals = self.bucket.refusals();
        loop {
            while let Some(next) = waiting.front()
                && under_way.has_room_for(next, window)
                && !until.remaining().is_zero()
            {
                under_way.begin(self, waiting.pop_front());
            }
            let Some((upload, put)) = under_way.next().await else {
                return Ok(waiting.is_empty());
            };
            let now = Instant::now();
            let known = std::mem::replace(&mut refusals, self.bucket.refusals());
            if known < refusals {
                window.slow_down(now);
            }
            window.ended(now);
            let (key, item, returns) = upload;
            match put {
                Ok(etag) => uploaded(key, item, etag),
                Err(NotPut { refused: true, .. }) if returns < MAX_RETURNS => {
                    tracing::warn!(key, "the bucket is asked too much; this file comes later");
                    waiting.push_back((key, item, returns + 1));
                }
                Err(NotPut { error, .. }) => return Err(error),
            }
        }
    }

    async fn put(&self, key: &str, item: &Item) -> Result<String, NotPut> {
        let body = match &item.content {
            Content::Bytes(bytes) => ByteStream::from(bytes.clone()),
            Content::Entry(place) => self
                .contents
                .body(*place)
                .map_err(|source| NotPut::from(site::unreadable(&self.artifact, source)))?,
        };
        let put = self.bucket.put(key, item, body).await;
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
struct UnderWay<'a> {
    tasks: JoinSet<(usize, Result<String, NotPut>)>,
    uploads: Vec<Option<Upload<'a>>>,
    bytes: u64,
}

impl<'a> UnderWay<'a> {
    fn has_room_for(&self, (_, item, _): &Upload<'_>, window: &Window) -> bool {
        self.tasks.len() < window.limit() && self.bytes + in_memory(item) <= MAX_BYTES_IN_FLIGHT
    }

    fn begin(&mut self, uploader: &Uploader, upload: Option<Upload<'a>>) {
        let Some((key, item, _)) = upload else { return };
        self.bytes += in_memory(item);
        let number = self.uploads.len();
        self.uploads.push(upload);
        let (uploader, key, item) = (uploader.clone(), key.to_owned(), item.clone());
        let task = async move { (number, uploader.put(&key, &item).await) };
        self.tasks.spawn(task.in_current_span());
    }

    /// The next one that ends; `None` where none is under way.
    async fn next(&mut self) -> Option<(Upload<'a>, Result<String, NotPut>)> {
        let (number, put) = match self.tasks.join_next().await? {
            Ok(ended) => ended,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let upload = self.uploads.get_mut(number)?.take()?;
        self.bytes -= in_memory(upload.1);
        Some((upload, put))
    }
}

/// What a body takes of memory.
fn in_memory(item: &Item) -> u64 {
    item.size_bytes.min(LARGEST_IN_MEMORY_BYTES)
}
