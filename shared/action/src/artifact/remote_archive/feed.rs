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

/// Pieces in memory at once, in flight or being inflated. Two or three requests at a time saturate a function's
/// network, and four pieces are 16 MiB.
const PIECES: usize = 4;

/// The pieces of a plan. Each slot has the receiver of its piece until a thread takes it.
pub(super) struct Feed {
    pieces: Vec<Mutex<Option<Arriving>>>,
    url: String,
}

type Arriving = oneshot::Receiver<Result<Piece, ArtifactError>>;

/// A piece in memory, and its permit. Both are released when the piece is dropped.
struct Piece {
    bytes: Vec<u8>,
    memory: Arc<Memory>,
    _permit: OwnedSemaphorePermit,
}

/// Buffers for pieces, which are reused.
struct Memory {
    permits: Arc<Semaphore>,
    unused: Mutex<Vec<Vec<u8>>>,
}

impl Feed {
    /// Creates the feed, and the future that fetches its pieces while it is polled.
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
        // `unfold` waits for a permit before it starts the next piece, so permits are granted in the order of the
        // pieces. Threads take pieces in the same order, so the earliest piece that a thread waits for has always
        // got one, and the fetch cannot deadlock.
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
                        // The receiver may be dropped in the meantime; then the piece is not needed.
                        drop(sender.send(piece.fetch(remote, range).await));
                    }
                }
            });
            fetched.buffer_unordered(PIECES).collect::<()>().await;
        };
        (feed, feeding)
    }

    /// Takes the receiver of a piece; `None` if it was already taken.
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
    /// Waits until there is a buffer for one more piece.
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
