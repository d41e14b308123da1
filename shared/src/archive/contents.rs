//! The contents of one entry, inflated in pieces and checked against everything that was declared.

use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress, Status};

use super::entry::{Entry, Method};
use super::error::{ArchiveError, Problem};
use super::source::{Section, Source};

/// Read and written at once: few system calls for large files, no waste for small ones.
const BUFFER_BYTES: usize = 128 * 1024;

/// Why contents were not copied to their end.
#[derive(Debug)]
pub(super) enum CopyError {
    /// The archive is at fault.
    Archive(ArchiveError),
    /// What they were written to.
    Write(io::Error),
}

impl From<ArchiveError> for CopyError {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error)
    }
}

/// Buffers and state that all entries of an archive use in turn.
pub(super) struct Inflater {
    inflate: Decompress,
    input: Vec<u8>,
    output: Vec<u8>,
}

impl Inflater {
    pub(super) fn new() -> Self {
        Self {
            inflate: Decompress::new(false),
            input: vec![0; BUFFER_BYTES],
            output: vec![0; BUFFER_BYTES],
        }
    }

    /// Hands the contents to `write`, at most as many bytes as were declared, and checks length,
    /// checksum, and that the compressed data ends where it should.
    pub(super) fn copy(
        &mut self,
        source: &Source,
        entry: &Entry,
        write: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), CopyError> {
        let mut sink = Sink {
            crc: crc32fast::Hasher::new(),
            left: entry.size,
            entry,
            write,
        };
        let mut section = source.section(entry.data, entry.compressed_size);
        match entry.method {
            Method::Stored => self.stored(source, &mut section, &mut sink)?,
            Method::Deflated => self.deflated(source, &mut section, &mut sink)?,
        }
        sink.finish()
    }

    fn stored(
        &mut self,
        source: &Source,
        section: &mut Section<'_>,
        sink: &mut Sink<'_, impl FnMut(&[u8]) -> io::Result<()>>,
    ) -> Result<(), CopyError> {
        loop {
            let read = fill(source, section, &mut self.input)?;
            if read.is_empty() {
                return Ok(());
            }
            sink.take(read)?;
        }
    }

    fn deflated(
        &mut self,
        source: &Source,
        section: &mut Section<'_>,
        sink: &mut Sink<'_, impl FnMut(&[u8]) -> io::Result<()>>,
    ) -> Result<(), CopyError> {
        let entry = sink.entry;
        let problem = |problem| ArchiveError::entry(&entry.name, problem);
        self.inflate.reset(false);
        let mut input: &[u8] = &[];
        loop {
            if input.is_empty() {
                input = fill(source, section, &mut self.input)?;
            }
            let (read_before, written_before) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(input, &mut self.output, FlushDecompress::None)
                .map_err(|_| problem(Problem::Deflate))?;
            let read = self.inflate.total_in().saturating_sub(read_before);
            let written = self.inflate.total_out().saturating_sub(written_before);
            input = usize::try_from(read)
                .ok()
                .and_then(|read| input.get(read..))
                .unwrap_or(&[]);
            let output = usize::try_from(written)
                .ok()
                .and_then(|end| self.output.get(..end));
            sink.take(output.unwrap_or(&[]))?;
            match status {
                Status::StreamEnd => break,
                _ if read == 0 && written == 0 => {
                    return Err(problem(Problem::Deflate).into());
                }
                _ => {}
            }
        }
        match section.left().saturating_add(input.len() as u64) {
            0 => Ok(()),
            tail => Err(problem(Problem::DeflateTail(tail)).into()),
        }
    }
}

/// The next bytes of a section.
fn fill<'b>(
    source: &Source,
    section: &mut Section<'_>,
    buffer: &'b mut [u8],
) -> Result<&'b [u8], ArchiveError> {
    let count = section.read(buffer).map_err(|error| source.error(error))?;
    Ok(buffer.get(..count).unwrap_or(&[]))
}

/// Where contents go, and what is expected of them.
struct Sink<'e, W> {
    crc: crc32fast::Hasher,
    left: u64,
    entry: &'e Entry,
    write: W,
}

impl<W: FnMut(&[u8]) -> io::Result<()>> Sink<'_, W> {
    fn take(&mut self, bytes: &[u8]) -> Result<(), CopyError> {
        let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
            return Err(self.problem(Problem::Size(self.entry.size)));
        };
        self.left = left;
        self.crc.update(bytes);
        (self.write)(bytes).map_err(CopyError::Write)
    }

    fn finish(self) -> Result<(), CopyError> {
        if self.left > 0 {
            return Err(self.problem(Problem::Size(self.entry.size)));
        }
        if self.crc.clone().finalize() != self.entry.crc {
            return Err(self.problem(Problem::Crc));
        }
        Ok(())
    }

    fn problem(&self, problem: Problem) -> CopyError {
        ArchiveError::entry(&self.entry.name, problem).into()
    }
}
