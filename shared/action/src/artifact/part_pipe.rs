//! A pipe from a thread that creates an archive (blocking) to the task that uploads it (async).
//!
//! Problem: the archive must not exist as a whole, neither on disk nor in memory, but S3 takes parts of known length.
//!
//! Solution (`docs/decisions/0116-artifacts-are-uploaded-as-they-are-made.md`): the writer fills buffers of one part
//! each. Only [`HELD_PARTS`] buffers exist; a writer that has used all of them waits until one comes back from the
//! upload, so a fast writer is slowed down to the speed of the network. Buffers are reused because freed and newly
//! allocated blocks of this size stay in the allocator's arenas of all threads involved.
//!
//! The writer sends a full buffer only when more bytes follow. So the last part is always known to be the last when
//! it is sent, also if it is exactly full.

use std::io::{self, Write};
use std::sync::mpsc;

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Length of all parts except the last. Smaller than the parts of a file, because all of these are in memory. S3
/// requires at least 5 MiB (S3 User Guide, "Multipart upload limits").
pub(super) const HELD_PART_BYTES: usize = 5 * 1024 * 1024 + 512 * 1024;

/// Parts that exist at once: one is being filled while two are in flight, which hides the latency of a request.
pub(super) const HELD_PARTS: usize = 3;

/// One part; parts are received in order.
#[derive(Debug)]
pub(super) struct Part {
    /// Dropping these bytes returns the buffer to the writer.
    pub(super) bytes: Bytes,
    /// Whether this is the last part of a complete archive.
    pub(super) is_last: bool,
}

/// The writing end. All parts except the last have [`HELD_PART_BYTES`].
#[derive(Debug)]
pub(super) struct PartWriter {
    parts: UnboundedSender<Part>,
    filling: Option<Buffer>,
    /// Returned buffers.
    free: mpsc::Receiver<Vec<u8>>,
    give_back: mpsc::Sender<Vec<u8>>,
    made: usize,
}

/// The memory of a part, which returns to the writer when it is dropped.
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
        // If the writer is gone, the memory is simply freed.
        let _gone = self.give_back.send(std::mem::take(&mut self.bytes));
    }
}

/// Creates both ends. If the writer is dropped without [`PartWriter::finish`], the parts end without a last one, and
/// the receiver knows that the archive is incomplete. If the receiver is dropped, writing fails. Writing blocks.
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
    /// Sends the rest as the last part, which may be empty.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let filling = self.take_filling()?;
        self.send(filling, true)
    }

    /// The buffer being filled, or else an empty one; waits for it if all are in use.
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
            // Only now is it certain that this part is not the last one.
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
