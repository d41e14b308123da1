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

/// How an entry's bytes are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Stored,
    Deflated,
}

/// One entry of an archive whose rules were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name as it stands in the archive.
    pub(crate) name: Box<str>,
    pub(crate) kind: Kind,
    pub(crate) method: Method,
    pub(crate) flags: u16,
    pub(crate) crc: u32,
    pub(crate) size: u64,
    pub(crate) compressed_size: u64,
    /// Where the local header begins.
    pub(crate) header: u64,
    /// Where the next local header, or the directory, begins; known once all entries are.
    pub(crate) end: u64,
    /// Where the data begins; known once the local header was read, 0 before.
    pub(crate) data: u64,
    /// Whether its record in the directory has a Zip64 field.
    pub(crate) zip64: bool,
    /// In a box, because most archives have none.
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

    /// What the archive's maker says of a file's contents, where that is of contents with
    /// this size and CRC-32; nothing compares it with them.
    #[must_use]
    pub fn fingerprint(&self) -> Option<&Fingerprint> {
        self.fingerprint.as_deref()
    }

    /// Where its local header begins in the archive.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.header
    }

    /// Where the next local header, or the directory, begins.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Bytes that belong to it before the directory: header, data and descriptor.
    pub(crate) fn extent(&self) -> u64 {
        self.end.saturating_sub(self.header)
    }
}
