//! The contents of the artifact's files, read out of the archive when they are needed: never extracted, and in
//! memory only while they are hashed or sent.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use bytes::Bytes;
use delivery_archive::{Archive, ArchiveError, Entry, Reader};
use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::sync::mpsc;

/// Largest file that is sent from memory; the buffers of one connection are about as large.
pub(crate) const LARGEST_IN_MEMORY_BYTES: u64 = 1024 * 1024;

/// Pieces of a larger file that wait for the network: each is at most one of the reader's buffers.
const WAITING_PIECES: usize = 4;

/// A large file as it comes.
type Pieces = mpsc::Receiver<io::Result<Bytes>>;

/// An artifact's archive and the readers that are free.
#[derive(Debug)]
pub(crate) struct Contents {
    archive: Archive,
    readers: Mutex<Vec<Reader>>,
}

impl Contents {
    pub(crate) fn new(archive: Archive) -> Arc<Self> {
        Arc::new(Self {
            archive,
            readers: Mutex::default(),
        })
    }

    pub(crate) fn archive(&self) -> &Archive {
        &self.archive
    }

    /// The entry with this index.
    ///
    /// # Panics
    ///
    /// If the archive has no such entry.
    pub(crate) fn entry(&self, place: usize) -> &Entry {
        let entry = self.archive.entries().nth(place);
        entry.expect("places are those of the archive's entries")
    }

    /// Hands an entry's contents to `take` in pieces.
    pub(crate) fn copy(
        &self,
        place: usize,
        take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), ArchiveError> {
        let free = self
            .readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut reader = free.unwrap_or_default();
        let copied = reader.copy(&self.archive, self.entry(place), take);
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        readers.push(reader);
        copied
    }

    /// An entry's contents as the body of a request that can be repeated.
    pub(crate) fn body(self: &Arc<Self>, place: usize) -> Result<ByteStream, ArchiveError> {
        if self.entry(place).size() > LARGEST_IN_MEMORY_BYTES {
            let contents = Arc::clone(self);
            let body = SdkBody::retryable(move || contents.stream(place));
            return Ok(ByteStream::new(body));
        }
        let size = usize::try_from(self.entry(place).size()).unwrap_or_default();
        let mut bytes = Vec::with_capacity(size);
        self.copy(place, |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(ByteStream::from(bytes))
    }

    /// The contents as they are inflated, off the async runtime, from the first read until the reader is
    /// dropped.
    fn stream(self: &Arc<Self>, place: usize) -> SdkBody {
        let contents = Arc::clone(self);
        let pieces = stream::unfold(None, move |pieces: Option<Pieces>| {
            let contents = Arc::clone(&contents);
            async move {
                let mut pieces = pieces.unwrap_or_else(|| contents.inflate(place));
                Some((pieces.recv().await?.map(Frame::data), Some(pieces)))
            }
        });
        SdkBody::from_body_1_x(StreamBody::new(pieces))
    }

    fn inflate(self: Arc<Self>, place: usize) -> Pieces {
        let (sender, pieces) = mpsc::channel(WAITING_PIECES);
        tokio::task::spawn_blocking(move || {
            let copied = self.copy(place, |piece| {
                let sent = sender.blocking_send(Ok(Bytes::copy_from_slice(piece)));
                sent.map_err(io::Error::other)
            });
            if let Err(error) = copied
                && sender.blocking_send(Err(io::Error::other(error))).is_err()
            {
                tracing::debug!(place, "the request for this file has ended");
            }
        });
        pieces
    }
}
