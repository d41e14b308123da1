//! Deflate with the fastest backend for each case: libdeflate for whole files, zlib-rs for chunks of larger ones
//! (`docs/decisions/0114-deflate-backends.md`).
//!
//! The chunks of one file are compressed by different threads and concatenated into one deflate stream. That works
//! because each chunk starts without history and, by a sync flush, ends at a byte boundary; only the last one sets
//! the end-of-stream bit. A chunk that does not shrink becomes stored blocks inside the same stream: streaming readers
//! such as Java's `ZipInputStream` refuse a stored entry with a data descriptor.

use flate2::{Compress, Compression, FlushCompress, Status};
use libdeflater::{CompressionLvl, Compressor};

/// Size of a chunk; larger files are split. Each thread needs about four times this much memory.
pub(crate) const CHUNK_BYTES: usize = 1024 * 1024;

/// libdeflate's level.
const WHOLE_LEVEL: CompressionLvl = match CompressionLvl::new(4) {
    Ok(level) => level,
    Err(_) => CompressionLvl::fastest(),
};

/// zlib-rs's level.
const CHUNK_LEVEL: u32 = 3;

/// Compressed data must save more than one in this many parts; otherwise it only costs time to read.
const WORTH_PART: usize = 32;

/// Bytes of every sixteenth of a chunk that are compressed first, as a sample: if none shrinks, the chunk is stored.
const SAMPLE_BYTES: usize = 4 * 1024;

/// Distance between the samples.
const SAMPLE_STRIDE: usize = CHUNK_BYTES / 16;

/// Most bytes of a stored block (RFC 1951, 3.2.4).
const BLOCK_BYTES: usize = 0xFFFF;

/// Upper bound for the end of a flush in zlib (an empty block and the bits before it).
const FLUSH_BYTES: usize = 16;

/// Compressors and a buffer, reused for all files of a thread.
pub(crate) struct Deflater {
    whole: Compressor,
    chunk: Compress,
    output: Vec<u8>,
}

impl Deflater {
    pub(crate) fn new() -> Self {
        Self {
            whole: Compressor::new(WHOLE_LEVEL),
            chunk: Compress::new(Compression::new(CHUNK_LEVEL), false),
            output: vec![0; worth(CHUNK_BYTES)],
        }
    }

    /// Compresses at most [`CHUNK_BYTES`] as one stream; `None` if that does not save enough.
    pub(crate) fn whole(&mut self, bytes: &[u8]) -> Option<&[u8]> {
        let room = self.output.get_mut(..worth(bytes.len()))?;
        let length = self.whole.deflate_compress(bytes, room).ok()?;
        self.output.get(..length)
    }

    /// Appends a chunk of a deflate stream, which starts and ends at a byte boundary and refers to no other chunk.
    /// One that hardly shrinks is stored.
    pub(crate) fn chunk(&mut self, bytes: &[u8], last: bool, out: &mut Vec<u8>) {
        let begin = out.len();
        let may_shrink = bytes.chunks(SAMPLE_STRIDE).any(|stretch| {
            let sample = stretch.get(..SAMPLE_BYTES).unwrap_or(stretch);
            self.whole(sample).is_some()
        });
        if !may_shrink || !self.try_chunk(bytes, last, out) {
            out.truncate(begin);
            put_stored(bytes, last, out);
        }
    }

    /// Appends a compressed chunk; false if that does not save enough, and the caller has to truncate what was
    /// appended.
    fn try_chunk(&mut self, bytes: &[u8], last: bool, out: &mut Vec<u8>) -> bool {
        let begin = out.len();
        let most = worth(bytes.len());
        out.reserve(most.saturating_add(FLUSH_BYTES));
        self.chunk.reset();
        let flush = if last {
            FlushCompress::Finish
        } else {
            FlushCompress::Sync
        };
        let status = self.chunk.compress_vec(bytes, out, flush);
        let ended = match status {
            Ok(Status::StreamEnd) => last,
            // A sync flush is complete only if it left room in the output.
            Ok(Status::Ok) => !last && out.len() < out.capacity(),
            Ok(Status::BufError) | Err(_) => false,
        };
        ended && out.len().saturating_sub(begin) <= most
    }
}

/// Appends stored blocks, which start and end at byte boundaries.
fn put_stored(bytes: &[u8], last: bool, out: &mut Vec<u8>) {
    let mut blocks = bytes.chunks(BLOCK_BYTES).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(last && blocks.peek().is_none()));
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
}

/// Most bytes that compressed data of `length` bytes may have to be worth keeping.
fn worth(length: usize) -> usize {
    length.saturating_sub(length / WORTH_PART).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::DeflateDecoder;
    use test_case::test_case;

    use super::*;

    /// Bytes that do not compress, the same each time.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        })
        .take(length)
        .collect()
    }

    fn inflated(stream: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        DeflateDecoder::new(stream).read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test_case(&[b"ab".repeat(40_000)]; "one that shrinks")]
    #[test_case(&[noise(100_000)]; "one that does not")]
    #[test_case(&[noise(BLOCK_BYTES * 2)]; "whole blocks")]
    #[test_case(&[b"a".to_vec()]; "one byte")]
    #[test_case(&[noise(200_000), b"ab".repeat(90_000), noise(1), b"ab".repeat(9), noise(80_000)]; "all kinds")]
    #[test_case(&[b"ab".repeat(CHUNK_BYTES / 2), noise(CHUNK_BYTES)]; "the largest")]
    fn chunks_are_one_stream(chunks: &[Vec<u8>]) {
        let mut deflater = Deflater::new();
        let mut stream = Vec::new();
        let (last, others) = chunks.split_last().unwrap();
        for chunk in others {
            deflater.chunk(chunk, false, &mut stream);
        }
        deflater.chunk(last, true, &mut stream);
        assert!(inflated(&stream) == chunks.concat());
    }

    #[test]
    fn what_hardly_shrinks_is_not_deflated() {
        let mut deflater = Deflater::new();
        for length in [0, 1, 2, 1000, CHUNK_BYTES] {
            assert!(deflater.whole(&noise(length)).is_none(), "{length}");
        }
        let length = noise(CHUNK_BYTES).len();
        let mut stream = Vec::new();
        deflater.chunk(&noise(length), true, &mut stream);
        assert_eq!(stream.len(), length + 5 * length.div_ceil(BLOCK_BYTES));
        // A sample that shrinks promises too much.
        let mut bytes = noise(CHUNK_BYTES);
        bytes.iter_mut().take(3000).for_each(|byte| *byte = 0);
        stream.clear();
        deflater.chunk(&bytes, true, &mut stream);
        assert_eq!(stream.len(), length + 5 * length.div_ceil(BLOCK_BYTES));
    }

    #[test]
    fn a_chunk_that_begins_with_noise_is_deflated_where_the_rest_shrinks() {
        let half = CHUNK_BYTES / 2;
        let bytes = [noise(half), vec![b'a'; half]].concat();
        let mut stream = Vec::new();
        Deflater::new().chunk(&bytes, true, &mut stream);
        assert!(stream.len() < CHUNK_BYTES * 6 / 10, "{}", stream.len());
        assert!(inflated(&stream) == bytes);
    }

    #[test]
    fn what_shrinks_is_deflated() {
        let mut deflater = Deflater::new();
        let bytes = b"abcd".repeat(1000);
        let stream = deflater.whole(&bytes).unwrap();
        assert!(stream.len() < 100);
        assert!(inflated(stream) == bytes);
    }
}
