//! Deflate, by the backend that is the fastest for what is at hand: libdeflate for what is there whole,
//! zlib-rs for a piece of a longer stream (see `docs/decisions/0114-deflate-backends.md`).

use flate2::{Compress, Compression, FlushCompress, Status};
use libdeflater::{CompressionLvl, Compressor};

/// Most bytes that are deflated at once: longer files are cut into chunks of this size. Memory for
/// each thread is some four times as much.
pub(crate) const CHUNK_BYTES: usize = 1024 * 1024;

/// libdeflate's level.
const WHOLE_LEVEL: CompressionLvl = match CompressionLvl::new(4) {
    Ok(level) => level,
    Err(_) => CompressionLvl::fastest(),
};

/// zlib-rs's level.
const CHUNK_LEVEL: u32 = 3;

/// Deflated data is kept if it saves more than one part of this many; else it only costs time to read.
const WORTH_PART: usize = 32;

/// So much of every sixteenth of a chunk is tried first: where none of it shrinks, the chunk is stored.
const SAMPLE_BYTES: usize = 4 * 1024;

/// How far the samples' beginnings are from each other.
const SAMPLE_STRIDE: usize = CHUNK_BYTES / 16;

/// Most bytes of a stored block (RFC 1951, 3.2.4).
const BLOCK_BYTES: usize = 0xFFFF;

/// More room than zlib's flush ever needs at the end (an empty block and the bits before it).
const FLUSH_BYTES: usize = 16;

/// Deflate's state and buffers, which all files of a thread use in turn.
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

    /// A deflate stream of at most [`CHUNK_BYTES`]; `None` where it does not save enough.
    pub(crate) fn whole(&mut self, bytes: &[u8]) -> Option<&[u8]> {
        let room = self.output.get_mut(..worth(bytes.len()))?;
        let length = self.whole.deflate_compress(bytes, room).ok()?;
        self.output.get(..length)
    }

    /// Appends a chunk of a deflate stream: it begins and ends at a byte, and refers to no other. One that
    /// hardly shrinks is stored.
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

    /// Appends a deflated chunk; false where it does not save enough, then what it appended is of no use.
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
            // All of it came out only if there is room left.
            Ok(Status::Ok) => !last && out.len() < out.capacity(),
            Ok(Status::BufError) | Err(_) => false,
        };
        ended && out.len().saturating_sub(begin) <= most
    }
}

/// Appends stored blocks, which begin and end at a byte.
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

/// Most bytes to which `length` bytes have to shrink to be kept deflated.
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
