//! In which pieces an archive's bytes are read for extraction.
//!
//! Entries that follow each other are read together in a run: one piece that holds all of them, or, for
//! an entry that is larger than a piece, several pieces after each other. Runs are handed out in their
//! order, each to one thread.

use std::ops::Range;

use crate::error::ArchiveError;
use crate::format::entry::{Entry, Kind};
use crate::reader::central_directory::CentralDirectory;
use crate::reader::inflate::FOOTER_BYTES;
use crate::reader::local_header::MAX_HEADER_BYTES;
use crate::reader::source::Source;

/// Bytes of a run that is read from a file: enough that reads cost little beside the rest, and small
/// enough that what was read is still in the processor's cache when it is inflated.
pub(crate) const FILE_PIECE_BYTES: u64 = 512 * 1024;

/// A gap between two wanted entries that is read over, because another request takes longer.
const GAP_BYTES: u64 = 64 * 1024;

// An entry's header always lies in its first piece.
const _: () = assert!(FILE_PIECE_BYTES >= MAX_HEADER_BYTES as u64);

/// Entries that are read together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CoalescedRead {
    /// By their place among all entries; those in between that are not wanted are passed over.
    pub(crate) entries: Range<usize>,
    /// Of the archive.
    pub(crate) bytes: Range<u64>,
    /// The number of its first piece.
    pub(crate) piece: usize,
}

/// What is to be read, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadPlan {
    pub(crate) runs: Vec<CoalescedRead>,
    piece_bytes: u64,
}

impl ReadPlan {
    /// Plans the reading of all chosen entries, by their place among all, and of all links. Pieces have
    /// at least [`MAX_HEADER_BYTES`].
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

/// Whether an entry is among the chosen ones; `None` chooses all.
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
    /// Waits for a piece, which has [`SPARE_BYTES`] behind its end. Each is taken once; a thread takes
    /// them in the order of their numbers, and holds one at a time.
    ///
    /// # Errors
    ///
    /// What the system, or the store behind it, said.
    fn take(
        &self,
        number: usize,
        range: Range<u64>,
    ) -> Result<Box<dyn AsMut<[u8]> + '_>, ArchiveError>;

    /// Tells that pieces will not be taken any more.
    fn pass_over(&self, numbers: Range<usize>);
}

/// Bytes that a piece has behind its end, to work in.
pub const SPARE_BYTES: usize = FOOTER_BYTES;

/// Pieces that are read from an archive that is at hand.
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
