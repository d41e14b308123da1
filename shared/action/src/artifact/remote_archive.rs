//! Zip archives that stay in S3: only what is needed of them is downloaded.
//!
//! Problem: a source or site artifact can be hundreds of MB, a function has little memory, and its disk may be
//! smaller than the archive and its contents together. Seen: downloading the archive first doubled the disk
//! space and made extraction wait for the last byte.
//!
//! Solution: the end of the object is read first and checked as a central directory. The directory says where
//! each entry's bytes are, so a [`ReadPlan`] turns the wanted entries into few range requests. Extraction runs
//! on blocking threads while the [`feed`] fetches the next ranges on the async runtime, with a fixed number of
//! them in memory. Every request names the object's `ETag`, so all ranges are of one version of the object.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::Client;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;

use super::range_reader::{End, RangeReader};
use super::{ArtifactError, Digest};
use crate::blocking;
use crate::job::Artifact;
use delivery_archive::{
    ArchiveError, CentralDirectory, Entry, Extracted, Extraction, Limits, ReadAt, ReadPlan,
};

mod feed;
mod sparse_copy;

use feed::Feed;

/// Bytes at the end that are read first: the directory of about 16,000 entries, or all of a small archive. Reading
/// this much takes about as long as the second request that it usually saves.
const TAIL_BYTES: u64 = 2 * 1024 * 1024;

/// Bytes of one request. Smaller ones mean more requests, larger ones more memory.
const PIECE_BYTES: u64 = 4 * 1024 * 1024;

/// An archive in the store whose central directory was checked; nothing else was read.
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
    directory: Arc<CentralDirectory>,
    remote: RemoteBytes,
}

impl RemoteArchive {
    pub(super) async fn open(client: &Client, artifact: &Artifact) -> Result<Self, ArtifactError> {
        let (object, tail) = RangeReader::open(client, artifact, End::Back, TAIL_BYTES).await?;
        let remote = RemoteBytes {
            tail_start: object.length.saturating_sub(tail.len() as u64),
            object,
            tail: tail.into(),
        };
        let (length, path) = (remote.object.length, remote.object.url());
        let bytes = Box::new(BlockingReader {
            remote: remote.clone(),
            runtime: Handle::current(),
            last: Mutex::default(),
        });
        let directory = blocking(move || {
            CentralDirectory::from_bytes(bytes, length, path.as_ref(), Limits::default())
        });
        match directory.await {
            Ok(directory) => Ok(Self {
                directory: Arc::new(directory),
                remote,
            }),
            Err(error) => Err(remote.explain(error)),
        }
    }

    /// The entries, in the order of their bytes.
    #[must_use]
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.directory.entries()
    }

    /// Bytes of the archive.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.remote.object.length
    }

    /// Compares the archive with a digest. For a digest of the directory that needs no request; for one of all bytes,
    /// all are read. Everything read later is of the same version of the object.
    ///
    /// # Errors
    ///
    /// [`ArtifactError::Replaced`] if they differ, else why the archive cannot be read.
    pub async fn check_digest(&self, expected: Digest) -> Result<(), ArtifactError> {
        let artifact = &self.remote.object.artifact;
        let range = match expected {
            Digest::Whole(_) => 0..self.size(),
            Digest::Directory(_) => self.directory.directory(),
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
    /// Other entries are not read, except for small gaps between chosen ones, and symbolic links: where a link leads
    /// depends on all links, so all are checked.
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
        let plan = ReadPlan::new(&self.directory, Some(&chosen), PIECE_BYTES);
        let (feed, feeding) = Feed::new(&self.remote, &plan);
        let (directory, into) = (Arc::clone(&self.directory), into.to_owned());
        let extraction = blocking(move || {
            let extraction = Extraction {
                directory: &directory,
                limits: &limits,
                plan: &plan,
                pieces: &feed,
                chosen: Some(&chosen),
            };
            extraction.extract(&into, delivery_archive::threads())
        });
        tokio::pin!(extraction);
        // Whichever ends first: if the extraction fails, `feeding` is dropped and nothing more is fetched. If all
        // pieces were delivered, only the extraction is left. And if this whole future is dropped, the feed closes its
        // channels, so the extraction's threads get no more pieces, clean up and end.
        let extracted = tokio::select! {
            extracted = &mut extraction => extracted,
            () = feeding => extraction.await,
        };
        extracted.map_err(failed)
    }
}

/// An object together with its end, which is in memory.
#[derive(Clone)]
pub(super) struct RemoteBytes {
    pub(super) object: RangeReader,
    tail: Arc<[u8]>,
    tail_start: u64,
}

impl fmt::Debug for RemoteBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RemoteBytes").field(&self.object).finish()
    }
}

impl RemoteBytes {
    /// Reads a range into an empty buffer, without fetching again what is in memory.
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

    /// Unwraps an error of the store that was passed through the archive's reader as an I/O error.
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

/// Blocking reads from front to back, as the central directory is read, on a thread outside the runtime.
#[derive(Debug)]
struct BlockingReader {
    remote: RemoteBytes,
    runtime: Handle,
    /// The last range that was read, and its position.
    last: Mutex<(u64, Vec<u8>)>,
}

impl ReadAt for BlockingReader {
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

/// Copies the bytes that are available from a position on.
fn copy(bytes: &[u8], start: u64, position: u64, buffer: &mut [u8]) -> usize {
    let skipped = usize::try_from(position.saturating_sub(start)).unwrap_or(usize::MAX);
    let there = bytes.get(skipped..).unwrap_or_default();
    let count = there.len().min(buffer.len());
    buffer[..count].copy_from_slice(&there[..count]);
    count
}
