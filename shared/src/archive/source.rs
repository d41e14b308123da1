//! Reads of an archive file at given positions, so that one open file serves many readers.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::error::ArchiveError;

/// An open archive.
#[derive(Debug)]
pub(super) struct Source {
    file: File,
    path: PathBuf,
    len: u64,
}

impl Source {
    pub(super) fn new(file: File, path: &Path) -> Result<Self, ArchiveError> {
        let len = file
            .metadata()
            .map_err(|source| ArchiveError::io("look at the archive", path, source))?
            .len();
        Ok(Self {
            file,
            path: path.to_owned(),
            len,
        })
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Fills the buffer from a position; a file that is shorter is an error.
    pub(super) fn read_at(&self, buffer: &mut [u8], position: u64) -> Result<(), ArchiveError> {
        self.file
            .read_exact_at(buffer, position)
            .map_err(|source| self.error(source))
    }

    /// Reads what there is of a record whose length is not known yet, up to the buffer's length and
    /// not beyond `end`.
    pub(super) fn read_before<'b>(
        &self,
        buffer: &'b mut [u8],
        position: u64,
        end: u64,
    ) -> Result<&'b [u8], ArchiveError> {
        let left = usize::try_from(end.saturating_sub(position)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let Some((wanted, _)) = buffer.split_at_mut_checked(wanted) else {
            return Ok(&[]);
        };
        self.read_at(wanted, position)?;
        Ok(wanted)
    }

    /// The bytes from a position on, as many as given.
    pub(super) fn section(&self, position: u64, len: u64) -> Section<'_> {
        Section {
            source: self,
            position,
            left: len,
        }
    }

    pub(super) fn error(&self, source: io::Error) -> ArchiveError {
        ArchiveError::io("read the archive", &self.path, source)
    }
}

/// A run of bytes of an archive.
#[derive(Debug)]
pub(super) struct Section<'a> {
    source: &'a Source,
    position: u64,
    left: u64,
}

impl Section<'_> {
    /// Bytes that were not read yet.
    pub(super) fn left(&self) -> u64 {
        self.left
    }
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let Some((wanted, _)) = buffer.split_at_mut_checked(wanted) else {
            return Ok(0);
        };
        if wanted.is_empty() {
            return Ok(0);
        }
        let count = self.source.file.read_at(wanted, self.position)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let read = u64::try_from(count).unwrap_or(u64::MAX);
        self.position = self.position.saturating_add(read);
        self.left = self.left.saturating_sub(read);
        Ok(count)
    }
}
