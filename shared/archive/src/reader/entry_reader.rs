//! Single entries, read in any order and by several threads at once.

use std::fmt;
use std::io;

use crate::error::ArchiveError;
use crate::format::entry::Entry;
use crate::reader::archive::Archive;
use crate::reader::inflate::{CopyError, Inflater};

/// Reads entries one after another; its buffers serve all of them, so a thread keeps one.
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
    /// Hands an entry's contents to `write` in pieces, whatever their size: at most as many bytes as
    /// were declared, and compared with the declared checksum after the last.
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
