//! Coalesced reads: which bytes of an archive are read together for extraction.
//!
//! Problem: a `node_modules` has 15,000 small entries. One request per entry takes minutes from S3, and one system
//! call per entry costs more than inflating it; but not every entry is wanted, so reading everything does not help either.
//!
//! Solution: wanted entries that follow each other become one [`CoalescedRead`], as long as it fits into a piece.
//! Unwanted bytes between two of them are read as well if the gap is small, because that is cheaper than another
//! request. An entry larger than a piece is a read of its own, in several pieces. Pieces are numbered in the order of
//! their bytes; each read is processed by one thread, which takes its pieces in that order.

use std::ops::Range;

use crate::error::ArchiveError;
use crate::format::entry::{Entry, Kind};
use crate::reader::central_directory::CentralDirectory;
use crate::reader::inflate::FOOTER_BYTES;
use crate::reader::local_header::MAX_HEADER_BYTES;
use crate::reader::source::Source;

/// Bytes of a piece that is read from a file: large enough that the system call costs little, and small enough that the
/// bytes are still in the processor's cache when they are inflated.
pub(crate) const FILE_PIECE_BYTES: u64 = 512 * 1024;

/// Largest gap of unwanted bytes that is read as well, because another request would take longer.
const GAP_BYTES: u64 = 64 * 1024;

// So the header of an entry is always complete in its first piece.
const _: () = assert!(FILE_PIECE_BYTES >= MAX_HEADER_BYTES as u64);

/// Entries that are read together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CoalescedRead {
    /// By index; unwanted entries in between are skipped.
    pub(crate) entries: Range<usize>,
    /// Position in the archive.
    pub(crate) bytes: Range<u64>,
    /// The number of its first piece.
    pub(crate) piece: usize,
}

/// All reads of an extraction, in the order of their bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadPlan {
    pub(crate) runs: Vec<CoalescedRead>,
    piece_bytes: u64,
}

impl ReadPlan {
    /// Plans the reading of the chosen entries (by index) and of all links. `piece_bytes` must be at least
    /// [`MAX_HEADER_BYTES`].
    #[must_use]
    pub fn new(directory: &CentralDirectory, chosen: Option<&[bool]>, piece_bytes: u64) -> Self {
        let mut plan = Self {
            runs: Vec::new(),
            piece_bytes,
        };
        for (index, entry) in directory.entries.iter().enumerate() {
            if entry.kind != Kind::Link && !is_chosen(chosen, index) {
                continue;
            }
            let after = index.saturating_add(1);
            match plan.runs.last_mut() {
                Some(run)
                    if entry.header.saturating_sub(run.bytes.end) <= GAP_BYTES
                        && entry.end.saturating_sub(run.bytes.start) <= piece_bytes =>
                {
                    run.entries.end = after;
                    run.bytes.end = entry.end;
                }
                _ => plan.begin(index..after, entry),
            }
        }
        plan
    }

    fn begin(&mut self, entries: Range<usize>, entry: &Entry) {
        let piece = self.runs.last();
        self.runs.push(CoalescedRead {
            piece: piece.map_or(0, |run| self.numbers_of(run).end),
            entries,
            bytes: entry.header..entry.end,
        });
    }

    /// All pieces, in the order of their numbers.
    pub fn pieces(&self) -> impl Iterator<Item = Range<u64>> {
        self.runs
            .iter()
            .flat_map(|run| pieces(run, self.piece_bytes))
    }

    /// The pieces of one run, with their numbers.
    pub(crate) fn pieces_of(
        &self,
        run: &CoalescedRead,
    ) -> impl Iterator<Item = (usize, Range<u64>)> {
        (run.piece..).zip(pieces(run, self.piece_bytes))
    }

    /// The numbers of a run's pieces.
    pub(crate) fn numbers_of(&self, run: &CoalescedRead) -> Range<usize> {
        let count = pieces(run, self.piece_bytes).count();
        run.piece..run.piece.saturating_add(count)
    }

    /// Whether one piece holds all of a run.
    pub(crate) fn is_small(&self, run: &CoalescedRead) -> bool {
        run.bytes.end.saturating_sub(run.bytes.start) <= self.piece_bytes
    }
}

/// Whether an entry is chosen; `None` chooses all.
pub(crate) fn is_chosen(chosen: Option<&[bool]>, index: usize) -> bool {
    chosen.is_none_or(|chosen| chosen.get(index).copied().unwrap_or_default())
}

fn pieces(run: &CoalescedRead, piece_bytes: u64) -> impl Iterator<Item = Range<u64>> {
    let Range { start, end } = run.bytes;
    let step = usize::try_from(piece_bytes).unwrap_or(usize::MAX);
    (start..end)
        .step_by(step)
        .map(move |at| at..at.saturating_add(piece_bytes).min(end))
}

/// Where the pieces of a plan come from.
pub trait PieceSource: Sync {
    /// Waits for a piece; the returned buffer is [`SPARE_BYTES`] longer than the range. Each piece is taken once. A
    /// thread takes pieces in the order of their numbers and holds one at a time, which sources rely on to bound
    /// memory without deadlock.
    ///
    /// # Errors
    ///
    /// What the system, or the store behind it, said.
    fn take(
        &self,
        number: usize,
        range: Range<u64>,
    ) -> Result<Box<dyn AsMut<[u8]> + '_>, ArchiveError>;

    /// Announces that these pieces will not be taken.
    fn pass_over(&self, numbers: Range<usize>);
}

/// Extra bytes at the end of a piece, which inflating uses temporarily (see `inflate_whole`).
pub const SPARE_BYTES: usize = FOOTER_BYTES;

/// Pieces read from a local archive.
pub(crate) struct FromSource<'s>(pub(crate) &'s Source);

impl PieceSource for FromSource<'_> {
    fn take(&self, _: usize, range: Range<u64>) -> Result<Box<dyn AsMut<[u8]> + '_>, ArchiveError> {
        let len = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        let mut piece = vec![0; len.saturating_add(SPARE_BYTES)];
        self.0
            .read_at(piece.get_mut(..len).unwrap_or_default(), range.start)?;
        Ok(Box::new(piece))
    }

    fn pass_over(&self, _: Range<usize>) {}
}
