//! One entry of an archive, as the central directory describes it.

use crate::format::fingerprint::Fingerprint;
use crate::format::name;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file, with or without the executable bit.
    File {
        /// Whether its owner may run it.
        executable: bool,
    },
    /// A directory.
    Directory,
    /// A symbolic link; its target is its contents.
    Link,
}

/// How an entry's contents are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Stored,
    Deflated,
}

/// One entry of an archive whose rules were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name exactly as in the archive.
    pub(crate) name: Box<str>,
    pub(crate) kind: Kind,
    pub(crate) method: Method,
    pub(crate) flags: u16,
    pub(crate) crc: u32,
    pub(crate) size: u64,
    pub(crate) compressed_size: u64,
    /// Position of the local header.
    pub(crate) header: u64,
    /// Position of the next local header, or of the directory; set when all entries are known.
    pub(crate) end: u64,
    /// Position of the data; 0 until the local header was read.
    pub(crate) data: u64,
    /// Whether its record in the directory has a Zip64 field.
    pub(crate) zip64: bool,
    /// Boxed, because most archives have none.
    pub(crate) fingerprint: Option<Box<Fingerprint>>,
}

impl Entry {
    /// The path below the archive's root, without leading `./` and trailing `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        name::path(&self.name)
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Bytes of its contents.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// CRC-32 of its contents, as declared; reading compares it.
    #[must_use]
    pub fn crc32(&self) -> u32 {
        self.crc
    }

    /// What the archive's creator states about a file's contents, if it matches the entry's size and CRC-32. Nothing
    /// compares it with the contents themselves.
    #[must_use]
    pub fn fingerprint(&self) -> Option<&Fingerprint> {
        self.fingerprint.as_deref()
    }

    /// Where its local header begins in the archive.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.header
    }

    /// Position of the next local header, or of the directory.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Length of header, data and descriptor together.
    pub(crate) fn extent(&self) -> u64 {
        self.end.saturating_sub(self.header)
    }
}
