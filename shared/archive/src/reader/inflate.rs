//! Inflates the contents of one entry and checks them against what was declared.
//!
//! Problem: half of an extraction's time is inflating. libdeflate is the fastest decoder, but needs whole buffers,
//! and its Rust binding does not say where the deflate data ended. Bytes hidden after that end must be refused,
//! because other readers may interpret them.
//!
//! Solution (`docs/decisions/0110-two-inflaters.md`): contents of up to 1 MiB are inflated whole by libdeflate, with
//! a trick that makes it check where the data ends ([`Inflater::inflate_whole`]). Larger contents are streamed
//! through zlib-rs. If libdeflate refuses something, zlib-rs inflates it again and decides what is wrong.

use std::io::{self, Read};
use std::ops::Range;

use flate2::{Decompress, FlushDecompress, Status};
use libdeflater::Decompressor;

use crate::error::{ArchiveError, Problem};
use crate::format::entry::{Entry, Method};
use crate::reader::source::Source;

/// Bytes per read and write when streaming.
const BUFFER_BYTES: usize = 128 * 1024;

/// Largest contents that are inflated whole. Each thread allocates this much once.
pub(crate) const WHOLE_BYTES: u64 = 1024 * 1024;

/// A gzip header (RFC 1952, 2.3): deflate, no flags, no time, unknown system.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Length of a gzip footer: checksum and size. Buffers of compressed data have this many spare bytes at their end, so
/// that there is room for a footer after the last entry, too.
pub(crate) const FOOTER_BYTES: usize = 8;

/// Why contents could not be copied.
#[derive(Debug)]
pub(crate) enum CopyError {
    /// The archive is invalid or cannot be read.
    Archive(ArchiveError),
    /// Writing the contents failed.
    Write(io::Error),
}

impl From<ArchiveError> for CopyError {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error)
    }
}

/// Where contents are written to.
type Write<'w> = dyn FnMut(&[u8]) -> io::Result<()> + 'w;

/// Decoders and buffers, reused for all entries of an archive.
pub(crate) struct Inflater {
    fast: Decompressor,
    inflate: Decompress,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Output of `inflate_whole`; grows to the largest contents.
    whole: Vec<u8>,
}

impl Inflater {
    pub(crate) fn new() -> Self {
        Self {
            fast: Decompressor::new(),
            inflate: Decompress::new(false),
            input: Vec::new(),
            output: vec![0; BUFFER_BYTES],
            whole: Vec::new(),
        }
    }

    /// Reads the contents from the archive and passes them to `write` in pieces.
    pub(crate) fn copy(
        &mut self,
        source: &Source,
        entry: &Entry,
        write: &mut Write<'_>,
    ) -> Result<(), CopyError> {
        if entry.data == 0 {
            return Err(source
                .error(io::Error::other("this entry was not fetched"))
                .into());
        }
        let mut section = source.section(entry.data, entry.compressed_size);
        let mut input = std::mem::take(&mut self.input);
        input.resize(BUFFER_BYTES, 0);
        let mut contents = self.begin(entry);
        let outcome = loop {
            let count = match section.read(&mut input) {
                Ok(0) => break contents.finish(),
                Ok(count) => count,
                Err(error) => break Err(source.error(error).into()),
            };
            let data = input.get(..count).unwrap_or_default();
            if let Err(error) = contents.push(data, write) {
                break Err(error);
            }
        };
        self.input = input;
        outcome
    }

    /// Inflates an entry whose data comes in pieces, one after the other.
    pub(crate) fn begin<'i>(&'i mut self, entry: &'i Entry) -> Contents<'i> {
        self.inflate.reset(false);
        Contents {
            inflate: &mut self.inflate,
            output: &mut self.output,
            entry,
            crc: crc32fast::Hasher::new(),
            data_left: entry.compressed_size,
            left: entry.size,
            ended: entry.method == Method::Stored,
        }
    }

    /// Passes the contents of an entry to `write`, in one piece if they are small. `data` is the position of the
    /// entry's compressed data in `buffer`, which has a local header before it and at least [`FOOTER_BYTES`] after
    /// it.
    pub(crate) fn write(
        &mut self,
        buffer: &mut [u8],
        data: Range<usize>,
        entry: &Entry,
        write: &mut Write<'_>,
    ) -> Result<(), CopyError> {
        if entry.method == Method::Deflated
            && let Some(contents) = self.inflate_whole(buffer, &data, entry)
        {
            return write(contents).map_err(CopyError::Write);
        }
        let mut contents = self.begin(entry);
        contents.push(buffer.get(data).unwrap_or_default(), write)?;
        contents.finish()
    }

    /// The whole contents, if they are small and valid; `None` leaves the decision to the streaming decoder.
    ///
    /// The deflate data is wrapped in a gzip header and footer in place, by overwriting the 10 bytes before it (the end
    /// of the local header, already checked) and the 8 bytes after it (restored below). A gzip decoder requires
    /// checksum and size directly after the end of the deflate data. If the data ended early, it would pass only if
    /// the bytes at that position happened to equal this footer, so the footer must not occur anywhere inside the
    /// data.
    fn inflate_whole(
        &mut self,
        buffer: &mut [u8],
        data: &Range<usize>,
        entry: &Entry,
    ) -> Option<&[u8]> {
        if entry.size > WHOLE_BYTES {
            return None;
        }
        let size = usize::try_from(entry.size).ok()?;
        if self.whole.len() < size {
            self.whole.resize(size, 0);
        }
        let output = self.whole.get_mut(..size)?;

        let begins = data.start.checked_sub(GZIP_HEADER.len())?;
        let ends = data.end.checked_add(FOOTER_BYTES)?;
        let gzip = buffer.get_mut(begins..ends)?;
        let mut footer = [0; FOOTER_BYTES];
        let (crc, len) = footer.split_at_mut(4);
        crc.copy_from_slice(&entry.crc.to_le_bytes());
        len.copy_from_slice(&u32::try_from(entry.size).ok()?.to_le_bytes());
        // The local header is not needed any more. What follows the data (the next header, or a descriptor) is, so
        // it is saved here and restored below.
        *gzip.first_chunk_mut()? = GZIP_HEADER;
        let behind = std::mem::replace(gzip.last_chunk_mut()?, footer);
        let outcome = self.fast.gzip_decompress(gzip, output);
        let searched = gzip.get(GZIP_HEADER.len()..gzip.len().saturating_sub(1))?;
        let could_end_early = holds(searched, footer);
        *gzip.last_chunk_mut()? = behind;
        (outcome == Ok(size) && !could_end_early).then_some(output)
    }
}

/// Whether a footer occurs anywhere in the bytes.
///
/// Any 8 consecutive bytes contain a whole aligned 4-byte word, which starts at one of their offsets 0 to 3. So it is
/// enough to compare each aligned word with the footer's words at these four offsets: eight times as fast as
/// comparing at every byte, because the compiler vectorises it. Only if one matches, about once in 4 GB of random
/// data, is every position compared.
fn holds(bytes: &[u8], footer: [u8; FOOTER_BYTES]) -> bool {
    let mut parts = [0; 4];
    for (part, bytes) in parts.iter_mut().zip(footer.windows(4)) {
        *part = u32::from_ne_bytes(bytes.try_into().unwrap_or_default());
    }
    let (words, _) = bytes.as_chunks::<4>();
    let equal = words.iter().fold(0, |equal, word| {
        let word = u32::from_ne_bytes(*word);
        let equals = |equal, part: &u32| equal | u8::from(word == *part);
        parts.iter().fold(equal, equals)
    });
    equal > 0 && bytes.windows(FOOTER_BYTES).any(|window| window == footer)
}

/// Contents that are being inflated, limited to the declared number of bytes.
pub(crate) struct Contents<'i> {
    inflate: &'i mut Decompress,
    output: &'i mut Vec<u8>,
    entry: &'i Entry,
    crc: crc32fast::Hasher,
    /// Bytes of compressed data still to come.
    data_left: u64,
    /// Bytes of contents still to come.
    left: u64,
    /// Whether the compressed data has ended.
    ended: bool,
}

impl Contents<'_> {
    /// Processes the next bytes of compressed data.
    pub(crate) fn push(&mut self, data: &[u8], write: &mut Write<'_>) -> Result<(), CopyError> {
        self.data_left = self.data_left.saturating_sub(data.len() as u64);
        match self.entry.method {
            Method::Stored => {
                take(&mut self.left, &mut self.crc, self.entry, data)?;
                write(data).map_err(CopyError::Write)
            }
            Method::Deflated => self.inflate(data, write),
        }
    }

    /// Checks the length, the checksum, and that the compressed data has ended.
    pub(crate) fn finish(self) -> Result<(), CopyError> {
        let problem = if !self.ended {
            Problem::Deflate
        } else if self.left > 0 {
            Problem::Size(self.entry.size)
        } else if self.crc.finalize() != self.entry.crc {
            Problem::Crc
        } else {
            return Ok(());
        };
        Err(ArchiveError::entry(&self.entry.name, problem).into())
    }

    fn inflate(&mut self, mut data: &[u8], write: &mut Write<'_>) -> Result<(), CopyError> {
        let problem = |problem| ArchiveError::entry(&self.entry.name, problem);
        while !self.ended {
            let (read_before, written_before) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(data, self.output, FlushDecompress::None)
                .map_err(|_| problem(Problem::Deflate))?;
            let read = self.inflate.total_in().saturating_sub(read_before);
            let written = self.inflate.total_out().saturating_sub(written_before);
            data = usize::try_from(read)
                .ok()
                .and_then(|read| data.get(read..))
                .unwrap_or_default();
            let output = usize::try_from(written)
                .ok()
                .and_then(|end| self.output.get(..end))
                .unwrap_or_default();
            take(&mut self.left, &mut self.crc, self.entry, output)?;
            write(output).map_err(CopyError::Write)?;
            if status == Status::StreamEnd {
                self.ended = true;
            } else if data.is_empty() && output.len() < self.output.len() {
                return Ok(()); // these bytes give no more output
            } else if read == 0 && written == 0 {
                return Err(problem(Problem::Deflate).into());
            }
        }
        match self.data_left.saturating_add(data.len() as u64) {
            0 => Ok(()),
            tail => Err(problem(Problem::DeflateTail(tail)).into()),
        }
    }
}

/// Counts and checksums contents; an error if they exceed the declared size.
fn take(
    left: &mut u64,
    crc: &mut crc32fast::Hasher,
    entry: &Entry,
    bytes: &[u8],
) -> Result<(), ArchiveError> {
    *left = left
        .checked_sub(bytes.len() as u64)
        .ok_or_else(|| ArchiveError::entry(&entry.name, Problem::Size(entry.size)))?;
    crc.update(bytes);
    Ok(())
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may panic"
)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::DeflateEncoder;

    use super::*;
    use crate::format::entry::Kind;

    /// Room for a local header.
    const HEADER: usize = 30;

    fn deflated(contents: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(contents).unwrap();
        encoder.finish().unwrap()
    }

    fn footer(contents: &[u8]) -> Vec<u8> {
        let mut footer = crc32fast::hash(contents).to_le_bytes().to_vec();
        footer.extend(u32::try_from(contents.len()).unwrap().to_le_bytes());
        footer
    }

    /// What comes of an entry with these contents and this data, read at once; what lies behind the
    /// data has to stay as it is.
    fn inflated(contents: &[u8], data: &[u8]) -> Result<Vec<u8>, CopyError> {
        let entry = Entry {
            name: "entry".into(),
            kind: Kind::File { executable: false },
            method: Method::Deflated,
            flags: 0,
            crc: crc32fast::hash(contents),
            size: contents.len() as u64,
            compressed_size: data.len() as u64,
            header: 0,
            end: 0,
            data: 0,
            zip64: false,
            fingerprint: None,
        };
        let mut buffer = vec![0; HEADER];
        buffer.extend_from_slice(data);
        buffer.extend_from_slice(b"behind it");
        let mut out = Vec::new();
        let range = HEADER..HEADER + data.len();
        let outcome = Inflater::new().write(&mut buffer, range, &entry, &mut |piece| {
            out.extend_from_slice(piece);
            Ok(())
        });
        assert!(buffer.ends_with(b"behind it"));
        outcome.map(|()| out)
    }

    fn problem(outcome: Result<Vec<u8>, CopyError>) -> Problem {
        match outcome.unwrap_err() {
            CopyError::Archive(ArchiveError::Entry { problem, .. }) => problem,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn small_and_large_contents_come_whole() {
        let large = b"0123456789".repeat(200_000);
        for contents in [b"".as_slice(), b"a", b"hello hello hello", &large] {
            assert_eq!(inflated(contents, &deflated(contents)).unwrap(), contents);
        }
    }

    #[test]
    fn bytes_hidden_behind_the_deflate_data_are_refused_whatever_they_are() {
        for contents in [b"".as_slice(), b"hello hello hello"] {
            let footer = footer(contents);
            // Parts of the footer are what libdeflate would take for it.
            let hidden = (1..=footer.len()).map(|len| footer[..len].to_vec());
            let more = [
                b"x".to_vec(),
                vec![0; 40],
                [&footer[..], b"payload"].concat(),
            ];
            for tail in hidden.chain(more) {
                let data = [deflated(contents), tail.clone()].concat();
                let found = problem(inflated(contents, &data));
                assert_eq!(found, Problem::DeflateTail(tail.len() as u64), "{tail:?}");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_told_apart() {
        let contents = b"hello hello hello";
        let data = deflated(contents);
        let cut = data.len() - 1;
        assert_eq!(problem(inflated(contents, &data[..cut])), Problem::Deflate);
        assert_eq!(problem(inflated(b"hello", &data)), Problem::Size(5));
        assert_eq!(problem(inflated(b"hello hello hallo", &data)), Problem::Crc);
    }

    #[test]
    fn a_footer_is_found_at_every_place() {
        let footer = *b"\x01\x02\x03\x04\x05\x06\x00\x00";
        for place in 0..32 {
            let mut bytes = vec![0xaa; 40];
            bytes[place..place + 8].copy_from_slice(&footer);
            assert!(holds(&bytes, footer), "{place}");
            bytes[place + 5] ^= 1;
            assert!(!holds(&bytes, footer), "{place}");
        }
    }
}
