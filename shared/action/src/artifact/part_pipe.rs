//! Bytes that are written by a thread that blocks and sent as parts by a task that does not: few parts
//! at once, so that the one who writes waits for the one who sends.
//!
//! The parts' buffers are filled again and again: what is freed and allocated anew at this size stays
//! with the allocator of every thread that took part.

use std::io::{self, Write};
use std::sync::mpsc;

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Length of all parts but the last. Smaller than those of a file, which wait on the disk: these are all in
/// memory. S3 asks for 5 MiB at least (S3 User Guide, "Multipart upload limits").
pub(super) const HELD_PART_BYTES: usize = 5 * 1024 * 1024 + 512 * 1024;

/// Parts that exist at once: one is filled while two are on their way, which hides a request's latency.
pub(super) const HELD_PARTS: usize = 3;

/// Some of the bytes, in their order.
#[derive(Debug)]
pub(super) struct Part {
    /// All of a buffer: it can be filled again as soon as these go.
    pub(super) bytes: Bytes,
    /// Whether these are the last bytes, and all that was to be written was.
    pub(super) is_last: bool,
}

/// The end that is written to. All parts but the last have [`HELD_PART_BYTES`].
#[derive(Debug)]
pub(super) struct PartWriter {
    parts: UnboundedSender<Part>,
    filling: Option<Buffer>,
    /// Buffers that were sent come back here.
    free: mpsc::Receiver<Vec<u8>>,
    give_back: mpsc::Sender<Vec<u8>>,
    made: usize,
}

/// A part's memory, which goes back to the writer when nobody needs it any more.
#[derive(Debug)]
struct Buffer {
    bytes: Vec<u8>,
    give_back: mpsc::Sender<Vec<u8>>,
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // Where the writer is gone, so is the use of it.
        let _gone = self.give_back.send(std::mem::take(&mut self.bytes));
    }
}

/// Both ends. Where the writer goes without [`PartWriter::finish`], the parts end without a last one; where
/// the receiver goes, writing fails. Writing blocks.
pub(super) fn pipe() -> (PartWriter, UnboundedReceiver<Part>) {
    let (parts, receiver) = unbounded_channel();
    let (give_back, free) = mpsc::channel();
    let writer = PartWriter {
        parts,
        filling: None,
        free,
        give_back,
        made: 0,
    };
    (writer, receiver)
}

impl PartWriter {
    /// Sends what is left as the last part, which may be empty.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let filling = self.take_filling()?;
        self.send(filling, true)
    }

    /// The buffer that is being filled, or an empty one as soon as there is one.
    fn take_filling(&mut self) -> io::Result<Buffer> {
        if let Some(filling) = self.filling.take() {
            return Ok(filling);
        }
        let bytes = if self.made < HELD_PARTS {
            self.made += 1;
            Vec::with_capacity(HELD_PART_BYTES)
        } else {
            let mut bytes = self.free.recv().map_err(io::Error::other)?;
            bytes.clear();
            bytes
        };
        let give_back = self.give_back.clone();
        Ok(Buffer { bytes, give_back })
    }

    fn send(&self, buffer: Buffer, is_last: bool) -> io::Result<()> {
        let bytes = Bytes::from_owner(buffer);
        let gone = |_| io::ErrorKind::BrokenPipe.into();
        self.parts.send(Part { bytes, is_last }).map_err(gone)
    }
}

impl Write for PartWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let mut filling = self.take_filling()?;
        if filling.bytes.len() == HELD_PART_BYTES {
            // Only now is it known that it is not the last one.
            self.send(filling, false)?;
            filling = self.take_filling()?;
        }
        let count = bytes.len().min(HELD_PART_BYTES - filling.bytes.len());
        filling.bytes.extend_from_slice(&bytes[..count]);
        self.filling = Some(filling);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn parts_are_full_but_for_the_last_and_few_exist_at_once() {
        let (mut writer, mut parts) = pipe();
        let length = HELD_PART_BYTES * 4 + 5;
        let writing = tokio::task::spawn_blocking(move || {
            for piece in vec![7; length].chunks(999_999) {
                writer.write_all(piece).unwrap();
            }
            writer.finish().unwrap();
        });
        let mut held = Vec::new();
        let mut lengths = Vec::new();
        while let Some(part) = parts.recv().await {
            lengths.push((part.bytes.len(), part.is_last));
            held.push(part);
            if held.len() == HELD_PARTS {
                assert!(parts.is_empty(), "more parts than there is room for");
                held.remove(0);
            }
        }
        writing.await.unwrap();
        let full = (HELD_PART_BYTES, false);
        assert_eq!(lengths, [full, full, full, full, (5, true)]);
    }

    #[tokio::test]
    async fn what_is_full_to_the_byte_is_the_last_part() {
        let (mut writer, mut parts) = pipe();
        let writing = tokio::task::spawn_blocking(move || {
            writer.write_all(&vec![7; HELD_PART_BYTES]).unwrap();
            writer.finish().unwrap();
        });
        let part = parts.recv().await.unwrap();
        assert_eq!((part.bytes.len(), part.is_last), (HELD_PART_BYTES, true));
        assert!(parts.recv().await.is_none());
        writing.await.unwrap();
    }

    #[tokio::test]
    async fn writing_fails_where_nobody_sends_any_more() {
        let (mut writer, parts) = pipe();
        drop(parts);
        let writing =
            tokio::task::spawn_blocking(move || writer.write_all(&vec![7; HELD_PART_BYTES + 1]));
        let error = writing.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
