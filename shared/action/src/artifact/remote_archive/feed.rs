//! Ranges of an archive on their way from S3 to the threads that extract them.
//!
//! Two kinds of code meet here: fetching is async and runs on the runtime, extraction blocks on its own
//! threads. One `oneshot` channel per range connects them, so each thread waits for exactly the range it needs
//! next. Memory is bounded by [`PIECES`] permits, which are handed out strictly in the order of the ranges:
//! without that order, ranges nobody waits for yet could hold all permits while a thread waits for an earlier
//! range that then never gets one.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{StreamExt, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::RemoteBytes;
use crate::artifact::ArtifactError;
use delivery_archive::{ArchiveError, PieceSource, ReadPlan, SPARE_BYTES};

/// Pieces in memory at once, on their way or being inflated: two or three requests at a time fill a
/// function's network, and 16 MiB are a quarter of what a transfer may take.
const PIECES: usize = 4;

/// The pieces of a plan on their way from the store to the threads that extract them.
pub(super) struct Feed {
    pieces: Vec<Mutex<Option<Arriving>>>,
    url: String,
}

type Arriving = oneshot::Receiver<Result<Piece, ArtifactError>>;

/// Bytes in memory, and the permit for them: both go when nobody holds the piece any more.
struct Piece {
    bytes: Vec<u8>,
    memory: Arc<Memory>,
    _permit: OwnedSemaphorePermit,
}

/// Memory for pieces, which is used again.
struct Memory {
    permits: Arc<Semaphore>,
    unused: Mutex<Vec<Vec<u8>>>,
}

impl Feed {
    /// The feed, and what fetches its pieces as long as it is polled.
    pub(super) fn new(
        remote: &RemoteBytes,
        plan: &ReadPlan,
    ) -> (Self, impl Future<Output = ()> + use<>) {
        let channels = plan.pieces().map(|range| {
            let (sender, receiver) = oneshot::channel();
            ((range, sender), Mutex::new(Some(receiver)))
        });
        let (wanted, pieces): (Vec<_>, _) = channels.unzip();
        let feed = Self {
            pieces,
            url: remote.object.url(),
        };
        let memory = Arc::new(Memory {
            permits: Arc::new(Semaphore::new(PIECES)),
            unused: Mutex::default(),
        });
        // Memory is given out in the order of the pieces. So the first piece that a thread waits for
        // always has some, and no later ones can hold all of it.
        let starts = stream::unfold(
            (wanted.into_iter(), memory),
            async |(mut wanted, memory)| {
                let (range, sender) = wanted.next()?;
                let piece = Memory::piece(&memory).await?;
                Some(((range, sender, piece), (wanted, memory)))
            },
        );
        let remote = remote.clone();
        let feeding = async move {
            let fetched = starts.map(|(range, sender, piece)| {
                let remote = &remote;
                async move {
                    if !sender.is_closed() {
                        // It may be closed meanwhile: then nobody waits for the piece any more.
                        drop(sender.send(piece.fetch(remote, range).await));
                    }
                }
            });
            fetched.buffer_unordered(PIECES).collect::<()>().await;
        };
        (feed, feeding)
    }

    /// What is on its way to nobody yet.
    fn arriving(&self, number: usize) -> Option<Arriving> {
        let piece = self.pieces.get(number)?;
        piece.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl PieceSource for Feed {
    fn take(
        &self,
        number: usize,
        _: Range<u64>,
    ) -> Result<Box<dyn AsMut<[u8]> + '_>, ArchiveError> {
        let failed = |source| ArchiveError::io("read the archive", self.url.as_ref(), source);
        let given_up = || failed(io::ErrorKind::Interrupted.into());
        let arriving = self.arriving(number).ok_or_else(given_up)?;
        match arriving.blocking_recv() {
            Ok(Ok(piece)) => Ok(Box::new(piece)),
            Ok(Err(error)) => Err(failed(io::Error::other(error))),
            Err(_) => Err(given_up()),
        }
    }

    fn pass_over(&self, numbers: Range<usize>) {
        numbers.for_each(|number| drop(self.arriving(number)));
    }
}

impl Memory {
    /// Waits until there is memory for one more piece.
    async fn piece(memory: &Arc<Self>) -> Option<Piece> {
        let permit = Arc::clone(&memory.permits).acquire_owned().await.ok()?;
        let unused = memory.unused().pop();
        Some(Piece {
            bytes: unused.unwrap_or_default(),
            memory: Arc::clone(memory),
            _permit: permit,
        })
    }

    fn unused(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.unused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Piece {
    async fn fetch(
        mut self,
        remote: &RemoteBytes,
        range: Range<u64>,
    ) -> Result<Self, ArtifactError> {
        let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let whole = length.saturating_add(SPARE_BYTES);
        self.bytes.clear();
        self.bytes.reserve_exact(whole);
        remote.read(range, &mut self.bytes).await?;
        self.bytes.resize(whole, 0);
        Ok(self)
    }
}

impl AsMut<[u8]> for Piece {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.memory.unused().push(bytes);
    }
}
