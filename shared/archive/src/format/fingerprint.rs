//! Fingerprints: the SHA-256 of a file's contents, and whether they are text, stored in the central directory.
//!
//! A reader that has the directory can tell which files changed without downloading them
//! (`docs/decisions/0133-fingerprints-in-archives.md`). Other programs ignore the extra field.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::format::fields::Fields;

/// The field's id: "dl", which no program known to APPNOTE.TXT 4.5.2 and 4.6.1 uses.
pub(crate) const FIELD: u16 = 0x6c64;

/// Bytes of the field's data: version, flags, CRC-32 and size of the contents, digest.
pub(crate) const FIELD_BYTES: u16 = 46;

const VERSION: u8 = 1;
const FLAG_TEXT: u8 = 1;

/// Identifies a file's contents.
///
/// It is a statement of the archive's creator. Reading an entry compares its CRC-32, not this digest, so rely on it
/// only if you trust the creator, or compare it where the contents are used. It repeats the contents' CRC-32 and
/// size: if the entry's differ, the fingerprint belongs to older contents and is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    sha256: [u8; 32],
    crc32: u32,
    size: u64,
    is_text: bool,
}

impl Fingerprint {
    /// The fingerprint of these contents.
    #[must_use]
    pub fn of(contents: &[u8]) -> Self {
        let mut fingerprinting = Fingerprinting::default();
        fingerprinting.update(contents);
        fingerprinting.finish()
    }

    /// SHA-256 of the contents.
    #[must_use]
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// Whether the contents are text in UTF-8.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.is_text
    }

    /// Appends the field's data.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        out.push(if self.is_text { FLAG_TEXT } else { 0 });
        out.extend_from_slice(&self.crc32.to_le_bytes());
        out.extend_from_slice(&self.size.to_le_bytes());
        out.extend_from_slice(&self.sha256);
    }

    /// Whether it is of contents with this CRC-32 and size.
    pub(crate) fn is_of(&self, crc32: u32, size: u64) -> bool {
        (self.crc32, self.size) == (crc32, size)
    }

    /// Reads the field's data; `None` if it is of another version.
    pub(crate) fn read(data: &[u8]) -> Option<Self> {
        let mut fields = Fields(data);
        let &[version, flags] = fields.take(2)? else {
            return None;
        };
        let (crc32, size) = (fields.u32()?, fields.u64()?);
        let sha256 = fields.0.try_into().ok()?;
        (version == VERSION && flags & !FLAG_TEXT == 0).then_some(Self {
            sha256,
            crc32,
            size,
            is_text: flags & FLAG_TEXT != 0,
        })
    }
}

/// Computes the fingerprint of contents that arrive in pieces.
#[derive(Clone, Debug, Default)]
pub struct Fingerprinting {
    hash: Sha256,
    crc32: crc32fast::Hasher,
    size: u64,
    utf8: Utf8,
}

impl Fingerprinting {
    /// Adds a piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.hash.update(piece);
        self.crc32.update(piece);
        self.size = self.size.saturating_add(piece.len() as u64);
        self.utf8.update(piece);
    }

    /// The fingerprint of all pieces.
    #[must_use]
    pub fn finish(self) -> Fingerprint {
        Fingerprint {
            sha256: self.hash.finalize().into(),
            crc32: self.crc32.finalize(),
            size: self.size,
            is_text: self.utf8.is_text(),
        }
    }
}

/// Whether bytes that come in pieces are text in UTF-8.
#[derive(Clone, Debug, Default)]
struct Utf8 {
    broken: bool,
    /// The beginning of a character whose end is in the next piece.
    open: Vec<u8>,
}

impl Utf8 {
    fn update(&mut self, piece: &[u8]) {
        if self.broken {
            return;
        }
        let mut bytes = Cow::Borrowed(piece);
        if !self.open.is_empty() {
            let mut joined = std::mem::take(&mut self.open);
            joined.extend_from_slice(piece);
            bytes = Cow::Owned(joined);
        }
        if let Err(error) = std::str::from_utf8(&bytes) {
            if error.error_len().is_some() {
                self.broken = true;
            } else {
                let open = bytes.get(error.valid_up_to()..).unwrap_or_default();
                self.open = open.to_vec();
            }
        }
    }

    fn is_text(&self) -> bool {
        !self.broken && self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_may_be_cut_in_two() {
        let mut utf8 = Utf8::default();
        let (first, second) = "aü".as_bytes().split_at(2);
        utf8.update(first);
        assert!(!utf8.is_text());
        utf8.update(second);
        assert!(utf8.is_text());
        utf8.update(&[0xff]);
        utf8.update(b"a");
        assert!(!utf8.is_text());
    }

    #[test]
    fn what_is_put_is_read_and_nothing_else() {
        for contents in [&b"text"[..], &[0xff], b""] {
            let fingerprint = Fingerprint::of(contents);
            let mut data = Vec::new();
            fingerprint.put(&mut data);
            assert_eq!(data.len(), usize::from(FIELD_BYTES));
            assert_eq!(Fingerprint::read(&data), Some(fingerprint));
            let longer = [data.as_slice(), &[0]].concat();
            for other in [longer.as_slice(), data.split_at(45).0, &[2, 1], &[]] {
                assert_eq!(Fingerprint::read(other), None);
            }
            let unknown_flag = data.iter().enumerate();
            let data: Vec<u8> = unknown_flag
                .map(|(place, byte)| if place == 1 { byte | 2 } else { *byte })
                .collect();
            assert_eq!(Fingerprint::read(&data), None);
        }
    }
}
