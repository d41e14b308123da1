//! Archives that stay in the store: their directory is read first, then the entries that are wanted,
//! by ranges, in bounded memory and without a file of the archive's own.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_s3::Client;
use futures_util::{StreamExt, stream};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::object::{End, Object};
use super::{ArtifactError, Digest};
use crate::blocking;
use crate::job::Artifact;
use delivery_archive::{
    ArchiveError, Entry, Extracted, Extraction, Limits, Outline, Pieces, Plan, ReadAt, SPARE_BYTES,
};

/// Bytes of an archive's end that are read first: the directory of some 16,000 entries, and all of a
/// small archive. It takes about as long as the request that it saves.
const TAIL_BYTES: u64 = 2 * 1024 * 1024;

/// Bytes of one request. Smaller pieces cost requests, larger ones memory.
const PIECE_BYTES: u64 = 4 * 1024 * 1024;

/// Pieces in memory at once, on their way or being inflated: two or three requests at a time fill a
/// function's network, and 16 MiB are a quarter of what a transfer may take.
const PIECES: usize = 4;

/// An archive in the store whose directory was checked; nothing else of it was read.
///
/// ```no_run
/// # async fn run(store: delivery_action::artifact::Store, artifact: delivery_action::job::Artifact) -> Result<(), delivery_action::artifact::ArtifactError> {
/// let archive = store.open(&artifact).await?;
/// let kept = |entry: &delivery_archive::Entry| !entry.path().starts_with("node_modules/");
/// archive.extract("/tmp/source".as_ref(), kept).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct RemoteArchive {
    pub(super) outline: Arc<Outline>,
    pub(super) remote: Remote,
}

impl RemoteArchive {
    pub(super) async fn open(client: &Client, artifact: &Artifact) -> Result<Self, ArtifactError> {
        let (object, tail) = Object::open(client, artifact, End::Back, TAIL_BYTES).await?;
        let remote = Remote {
            tail_start: object.length.saturating_sub(tail.len() as u64),
            object,
            tail: tail.into(),
        };
        let (length, path) = (remote.object.length, remote.object.url());
        let bytes = Box::new(Windows {
            remote: remote.clone(),
            runtime: Handle::current(),
            last: Mutex::default(),
        });
        let outline =
            blocking(move || Outline::from_bytes(bytes, length, path.as_ref(), Limits::default()));
        match outline.await {
            Ok(outline) => Ok(Self {
                outline: Arc::new(outline),
                remote,
            }),
            Err(error) => Err(remote.explain(error)),
        }
    }

    /// The entries, in the order of their bytes.
    #[must_use]
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.outline.entries()
    }

    /// The comment in the end record; empty where there is none or it is not UTF-8.
    #[must_use]
    pub fn comment(&self) -> &str {
        self.outline.comment()
    }

    /// Bytes of the archive.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.remote.object.length
    }

    /// Compares the archive with a digest. One of the directory costs no request, one of all bytes reads them
    /// all. What is read afterwards is of the same version of the object.
    ///
    /// # Errors
    ///
    /// [`ArtifactError::Replaced`] where it is another one, else why it cannot be read.
    pub async fn check_digest(&self, expected: Digest) -> Result<(), ArtifactError> {
        let artifact = &self.remote.object.artifact;
        let range = match expected {
            Digest::Whole(_) => 0..self.size(),
            Digest::Directory(_) => self.outline.directory(),
        };
        let mut hash = Sha256::new();
        let mut piece = Vec::new();
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + PIECE_BYTES);
            piece.clear();
            self.remote.read(start..end, &mut piece).await?;
            hash.update(&piece);
            start = end;
        }
        let found = hash.finalize().into();
        expected.check(
            artifact,
            match expected {
                Digest::Whole(_) => Digest::Whole(found),
                Digest::Directory(_) => Digest::Directory(found),
            },
        )
    }

    /// Extracts the chosen entries into an empty directory, under the strict rules of
    /// [`delivery_archive::extract`]. Directories that lead to them are made.
    ///
    /// Of the others nothing is read but what lies in small gaps between chosen ones, and symbolic
    /// links: where a link leads depends on all of them, so all are checked, whatever is chosen.
    ///
    /// # Errors
    ///
    /// [`ArtifactError`] names the artifact, and the entry where one is at fault; nothing of the
    /// archive stays in the directory.
    pub async fn extract(
        &self,
        into: &Path,
        which: impl Fn(&Entry) -> bool,
    ) -> Result<Extracted, ArtifactError> {
        let failed = |error| self.remote.explain(error);
        let limits = Limits::for_free_space(into).map_err(failed)?;
        let chosen: Vec<bool> = self.entries().map(which).collect();
        let plan = Plan::new(&self.outline, Some(&chosen), PIECE_BYTES);
        let (feed, feeding) = Feed::new(&self.remote, &plan);
        let (outline, into) = (Arc::clone(&self.outline), into.to_owned());
        let extraction = blocking(move || {
            let extraction = Extraction {
                outline: &outline,
                limits: &limits,
                plan: &plan,
                pieces: &feed,
                chosen: Some(&chosen),
            };
            extraction.extract(&into, delivery_archive::threads())
        });
        tokio::pin!(extraction);
        // Where the extraction fails, what it waits for no more is not fetched; where this future is
        // dropped, the extraction gets no more pieces and ends.
        let extracted = tokio::select! {
            extracted = &mut extraction => extracted,
            () = feeding => extraction.await,
        };
        extracted.map_err(failed)
    }
}

/// An object whose end is at hand.
#[derive(Clone)]
pub(super) struct Remote {
    pub(super) object: Object,
    tail: Arc<[u8]>,
    tail_start: u64,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remote").field(&self.object).finish()
    }
}

impl Remote {
    /// Reads a range into an empty buffer; what is at hand is not fetched again.
    pub(super) async fn read(
        &self,
        range: Range<u64>,
        buffer: &mut Vec<u8>,
    ) -> Result<(), ArtifactError> {
        if range.start < self.tail_start {
            let end = range.end.min(self.tail_start);
            self.object.read(range.start..end, buffer).await?;
        }
        let place = |position: u64| {
            usize::try_from(position.saturating_sub(self.tail_start)).unwrap_or(usize::MAX)
        };
        let at_hand = self.tail.get(place(range.start)..place(range.end));
        buffer.extend_from_slice(at_hand.expect("a range ends with the object at the latest"));
        Ok(())
    }

    /// An error of the archive, or that of the store which is behind it.
    pub(super) fn explain(&self, error: ArchiveError) -> ArtifactError {
        let artifact = self.object.artifact.clone();
        match error {
            ArchiveError::Io {
                action,
                path,
                source,
            } => source.downcast().unwrap_or_else(|source| {
                let source = ArchiveError::Io {
                    action,
                    path,
                    source,
                };
                ArtifactError::Archive { artifact, source }
            }),
            source => ArtifactError::Archive { artifact, source },
        }
    }
}

/// An object that is read from front to back, as a directory is, by threads that may block.
#[derive(Debug)]
struct Windows {
    remote: Remote,
    runtime: Handle,
    /// The last window that was read, and where it begins.
    last: Mutex<(u64, Vec<u8>)>,
}

impl ReadAt for Windows {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        if position >= self.remote.tail_start {
            return Ok(copy(
                &self.remote.tail,
                self.remote.tail_start,
                position,
                buffer,
            ));
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, bytes) = &mut *last;
        if position < *start || position - *start >= bytes.len() as u64 {
            let end = self.remote.tail_start.min(position + PIECE_BYTES);
            bytes.clear();
            self.runtime
                .block_on(self.remote.object.read(position..end, bytes))
                .map_err(io::Error::other)?;
            *start = position;
        }
        Ok(copy(bytes, *start, position, buffer))
    }
}

/// Copies what there is from a position on.
fn copy(bytes: &[u8], start: u64, position: u64, buffer: &mut [u8]) -> usize {
    let skipped = usize::try_from(position.saturating_sub(start)).unwrap_or(usize::MAX);
    let there = bytes.get(skipped..).unwrap_or_default();
    let count = there.len().min(buffer.len());
    buffer[..count].copy_from_slice(&there[..count]);
    count
}

/// The pieces of a plan on their way from the store to the threads that extract them.
struct Feed {
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
    fn new(remote: &Remote, plan: &Plan) -> (Self, impl Future<Output = ()> + use<>) {
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

impl Pieces for Feed {
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
    async fn fetch(mut self, remote: &Remote, range: Range<u64>) -> Result<Self, ArtifactError> {
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
