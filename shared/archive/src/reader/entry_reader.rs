//! Reads single entries, in any order and from several threads at once.

use std::fmt;
use std::io;

use crate::error::ArchiveError;
use crate::format::entry::Entry;
use crate::reader::archive::Archive;
use crate::reader::inflate::{CopyError, Inflater};

/// Reads entries one after the other and reuses its buffers, so each thread keeps one of these.
pub struct Reader {
    inflater: Inflater,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            inflater: Inflater::new(),
        }
    }
}

impl Reader {
    /// Passes an entry's contents to `write` in pieces: at most the declared number of bytes, compared with the
    /// declared checksum after the last piece.
    ///
    /// # Errors
    ///
    /// What is wrong with the contents, or what `write` said.
    pub fn copy(
        &mut self,
        archive: &Archive,
        entry: &Entry,
        mut write: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), ArchiveError> {
        match self.inflater.copy(&archive.source, entry, &mut write) {
            Ok(()) => Ok(()),
            Err(CopyError::Archive(error)) => Err(error),
            Err(CopyError::Write(error)) => Err(archive.source.error(error)),
        }
    }

    /// Reads an entry's contents into memory; [`Entry::size`] says how much that takes.
    ///
    /// # Errors
    ///
    /// What is wrong with the contents.
    pub fn read(&mut self, archive: &Archive, entry: &Entry) -> Result<Vec<u8>, ArchiveError> {
        let mut bytes = Vec::new();
        self.copy(archive, entry, |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(bytes)
    }
}
