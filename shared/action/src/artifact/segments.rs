//! The bytes of an upload that come from several places: segments of memory and of files, read as one.

use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::open_regular;
use crate::blocking;

/// Why a segment could not be read.
#[derive(Debug)]
pub(super) struct SegmentError {
    pub(super) path: PathBuf,
    pub(super) source: io::Error,
}

/// Segments that are uploaded one after the other.
#[derive(Clone, Debug)]
pub(super) struct Segments(pub(super) Vec<Segment>);

#[derive(Clone, Debug)]
pub(super) enum Segment {
    Memory(Bytes),
    File(PathBuf, Range<u64>),
}

impl Segment {
    fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(_, range) => range.end.saturating_sub(range.start),
        }
    }
}

impl Segments {
    pub(super) fn len(&self) -> u64 {
        self.0.iter().map(Segment::len).sum()
    }

    /// Reads a range that may span several segments.
    pub(super) async fn read(&self, range: Range<u64>) -> Result<Bytes, SegmentError> {
        let segments = self.clone();
        blocking(move || segments.read_now(&range)).await
    }

    fn read_now(&self, range: &Range<u64>) -> Result<Bytes, SegmentError> {
        let mut bytes = Vec::with_capacity(at(range.end.saturating_sub(range.start)));
        // Position of the current segment in the whole.
        let mut begin = 0_u64;
        for segment in &self.0 {
            let end = begin.saturating_add(segment.len());
            let (from, to) = (range.start.max(begin), range.end.min(end));
            if from < to {
                let within = from - begin..to - begin;
                match segment {
                    Segment::Memory(memory) => {
                        bytes.extend_from_slice(&memory[at(within.start)..at(within.end)]);
                    }
                    Segment::File(path, whole) => {
                        let within = whole.start + within.start..whole.start + within.end;
                        let read = read(path, within).map_err(|source| SegmentError {
                            path: path.clone(),
                            source,
                        })?;
                        bytes.extend_from_slice(&read);
                    }
                }
            }
            begin = end;
        }
        Ok(bytes.into())
    }
}

pub(super) fn read(path: &Path, range: Range<u64>) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; at(range.end.saturating_sub(range.start))];
    open_regular(path)?.read_exact_at(&mut bytes, range.start)?;
    Ok(bytes)
}

/// A position as an index. Everything held in memory is far smaller than `usize::MAX`.
pub(super) fn at(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}
