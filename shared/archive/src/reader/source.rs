//! Reading an archive at given positions (`pread`), so that several threads can share one open archive.

use std::fmt::Debug;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::ArchiveError;

/// Bytes that can be read at any position, by several threads at the same time.
pub trait ReadAt: Debug + Send + Sync {
    /// Reads into the buffer from a position and returns the number of bytes read, which may be less than requested,
    /// but is 0 only at the end.
    ///
    /// # Errors
    ///
    /// What the system, or the store behind it, said.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;
}

impl ReadAt for File {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, position)
    }
}

/// An open archive.
#[derive(Debug)]
pub(crate) struct Source {
    bytes: Box<dyn ReadAt>,
    /// Name in messages.
    path: PathBuf,
    len: u64,
}

impl Source {
    /// The archive at a path.
    pub(crate) fn open(path: &Path) -> Result<Self, ArchiveError> {
        let file = File::open(path).map_err(|error| ArchiveError::io("open", path, error))?;
        Self::new(file, path)
    }

    /// The archive in an open file.
    pub(crate) fn of(file: &File) -> Result<Self, ArchiveError> {
        let path = Path::new("the archive");
        let file = file
            .try_clone()
            .map_err(|error| ArchiveError::io("open", path, error))?;
        Self::new(file, path)
    }

    fn new(file: File, path: &Path) -> Result<Self, ArchiveError> {
        let len = file
            .metadata()
            .map_err(|source| ArchiveError::io("inspect the archive", path, source))?
            .len();
        Ok(Self::from_bytes(Box::new(file), len, path))
    }

    /// An archive of a known length; messages call it `path`.
    pub(crate) fn from_bytes(bytes: Box<dyn ReadAt>, len: u64, path: &Path) -> Self {
        Self {
            bytes,
            path: path.to_owned(),
            len,
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Fills the buffer from a position; a shorter file is an error.
    pub(crate) fn read_at(&self, buffer: &mut [u8], position: u64) -> Result<(), ArchiveError> {
        self.read_exact_at(buffer, position)
            .map_err(|source| self.error(source))
    }

    fn read_exact_at(&self, mut buffer: &mut [u8], mut position: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            let count = match self.bytes.read_at(buffer, position) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            buffer = buffer.get_mut(count..).unwrap_or_default();
            position = position.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        }
        Ok(())
    }

    /// Reads up to the buffer's length, but not beyond `end`: for a record whose length is in the record.
    pub(crate) fn read_before<'b>(
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

    /// A sequential reader of `len` bytes from a position.
    pub(crate) fn section(&self, position: u64, len: u64) -> Section<'_> {
        Section {
            source: self,
            position,
            left: len,
        }
    }

    pub(crate) fn error(&self, source: io::Error) -> ArchiveError {
        ArchiveError::io("read the archive", &self.path, source)
    }
}

/// A sequential reader of a range of an archive.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    source: &'a Source,
    position: u64,
    left: u64,
}

impl Section<'_> {
    /// Bytes not read yet.
    pub(crate) fn left(&self) -> u64 {
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
        let count = self.source.bytes.read_at(wanted, self.position)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let read = u64::try_from(count).unwrap_or(u64::MAX);
        self.position = self.position.saturating_add(read);
        self.left = self.left.saturating_sub(read);
        Ok(count)
    }
}
