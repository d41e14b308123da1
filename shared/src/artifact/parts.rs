//! Bytes that are written by a thread that blocks and sent as parts by a task that does not: few parts
//! at once, so that the one who writes waits for the one who sends.

use std::io::{self, Write};
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::PART_BYTES;

/// Parts that exist at once: one is filled while two are on their way, which hides a request's latency. Each
/// takes [`PART_BYTES`] of memory.
pub(super) const HELD_PARTS: usize = 3;

/// Some of the bytes, in their order.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) bytes: Vec<u8>,
    /// Whether these are the last bytes, and all that was to be written was.
    pub(super) is_last: bool,
    /// The memory is in use until this goes.
    pub(super) room: OwnedSemaphorePermit,
}

/// The end that is written to. All parts but the last have [`PART_BYTES`].
#[derive(Debug)]
pub(super) struct PartWriter {
    parts: UnboundedSender<Part>,
    rooms: Arc<Semaphore>,
    runtime: Handle,
    filling: Option<(Vec<u8>, OwnedSemaphorePermit)>,
}

/// Both ends. Where the writer goes without [`PartWriter::finish`], the parts end without a last one; where
/// the receiver goes, writing fails. The writer must not be used by a task.
pub(super) fn pipe() -> (PartWriter, UnboundedReceiver<Part>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let writer = PartWriter {
        parts: sender,
        rooms: Arc::new(Semaphore::new(HELD_PARTS)),
        runtime: Handle::current(),
        filling: None,
    };
    (writer, receiver)
}

impl PartWriter {
    /// Sends what is left as the last part, which may be empty.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let (bytes, room) = self.take_filling()?;
        self.send(bytes, room, true)
    }

    fn take_filling(&mut self) -> io::Result<(Vec<u8>, OwnedSemaphorePermit)> {
        if let Some(filling) = self.filling.take() {
            return Ok(filling);
        }
        let room = self
            .runtime
            .block_on(Arc::clone(&self.rooms).acquire_owned());
        let room = room.map_err(io::Error::other)?;
        Ok((Vec::with_capacity(part_bytes()), room))
    }

    fn send(&self, bytes: Vec<u8>, room: OwnedSemaphorePermit, is_last: bool) -> io::Result<()> {
        let part = Part {
            bytes,
            is_last,
            room,
        };
        let gone = |_| io::ErrorKind::BrokenPipe.into();
        self.parts.send(part).map_err(gone)
    }
}

impl Write for PartWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let (mut filling, mut room) = self.take_filling()?;
        if filling.len() == part_bytes() {
            // Only now is it known that it is not the last one.
            self.send(filling, room, false)?;
            (filling, room) = self.take_filling()?;
        }
        let count = bytes.len().min(part_bytes() - filling.len());
        filling.extend_from_slice(&bytes[..count]);
        self.filling = Some((filling, room));
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn part_bytes() -> usize {
    usize::try_from(PART_BYTES).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn parts_are_full_but_for_the_last_and_few_exist_at_once() {
        let (mut writer, mut parts) = pipe();
        let rooms = Arc::clone(&writer.rooms);
        let length = part_bytes() * 4 + 5;
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
            assert!(held.len() < HELD_PARTS || rooms.available_permits() == 0);
            if held.len() == HELD_PARTS {
                assert!(parts.is_empty(), "more parts than there is room for");
                held.remove(0);
            }
        }
        writing.await.unwrap();
        let full = (part_bytes(), false);
        assert_eq!(lengths, [full, full, full, full, (5, true)]);
    }

    #[tokio::test]
    async fn what_is_full_to_the_byte_is_the_last_part() {
        let (mut writer, mut parts) = pipe();
        let writing = tokio::task::spawn_blocking(move || {
            writer.write_all(&vec![7; part_bytes()]).unwrap();
            writer.finish().unwrap();
        });
        let part = parts.recv().await.unwrap();
        assert_eq!((part.bytes.len(), part.is_last), (part_bytes(), true));
        assert!(parts.recv().await.is_none());
        writing.await.unwrap();
    }

    #[tokio::test]
    async fn writing_fails_where_nobody_sends_any_more() {
        let (mut writer, parts) = pipe();
        drop(parts);
        let writing =
            tokio::task::spawn_blocking(move || writer.write_all(&vec![7; part_bytes() + 1]));
        let error = writing.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
