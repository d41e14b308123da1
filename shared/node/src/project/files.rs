//! The files of a source by path, in a folder or still in an archive.

use std::io;
use std::path::Path;

use delivery_archive::{Archive, ArchiveError, Kind};

/// A source whose files can be read one by one. Paths are relative to its root, with `/`; the root is the empty path.
pub trait Files {
    /// The bytes of a file.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] if there is no such file, else why it cannot be read: a file of
    /// more than `max_bytes` is [`io::ErrorKind::FileTooLarge`].
    fn read(&self, path: &str, max_bytes: u64) -> io::Result<Vec<u8>>;

    /// The names right below a folder, in order; empty where it holds nothing or is not there.
    fn names(&self, folder: &str) -> Vec<String>;
}

/// The files of a folder on the disk.
#[derive(Clone, Copy, Debug)]
pub struct Folder<'a>(pub &'a Path);

impl Files for Folder<'_> {
    fn read(&self, path: &str, max_bytes: u64) -> io::Result<Vec<u8>> {
        let path = self.0.join(path);
        let meta = path.metadata()?;
        // Opening a named pipe would wait for a writer.
        if !meta.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        if meta.len() > max_bytes {
            return Err(too_large(meta.len(), max_bytes));
        }
        std::fs::read(path)
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = self.0.join(folder).read_dir() else {
            return Vec::new();
        };
        let mut names: Vec<_> = entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort_unstable();
        names
    }
}

impl Files for Archive {
    fn read(&self, path: &str, max_bytes: u64) -> io::Result<Vec<u8>> {
        let is_link = |kind| kind == Kind::Link;
        if self
            .entries()
            .any(|entry| entry.path() == path && is_link(entry.kind()))
        {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "it is a link"));
        }
        Archive::read(self, path, max_bytes).map_err(|error| match error {
            ArchiveError::Missing { .. } => io::ErrorKind::NotFound.into(),
            ArchiveError::EntryTooLarge { bytes, limit, .. } => too_large(bytes, limit),
            other => io::Error::other(other),
        })
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let below = match folder {
            "" => String::new(),
            folder => format!("{folder}/"),
        };
        let mut names: Vec<_> = self
            .entries()
            .filter_map(|entry| entry.path().strip_prefix(&below))
            .map(|rest| rest.split_once('/').map_or(rest, |(name, _)| name))
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

fn too_large(bytes: u64, limit: u64) -> io::Error {
    io::Error::new(
        io::ErrorKind::FileTooLarge,
        format!("it has {bytes} bytes; the limit is {limit}"),
    )
}

/// `name` in `folder`, if the root is the empty path.
#[must_use]
pub fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}
