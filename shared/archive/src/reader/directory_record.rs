//! The records of the central directory: one for each entry, each checked by itself.

use std::io::{BufReader, Read};

use crate::error::{ArchiveError, Problem, shown};
use crate::format::entry::{Entry, Kind, Method};
use crate::format::extra_fields::{self, Sizes};
use crate::format::fields::Fields;
use crate::format::name;
use crate::limits::{Limits, MAX_NAME_BYTES};
use crate::reader::end_record::{DirectoryLocation, framing};
use crate::reader::source::Source;

const RECORD_SIGNATURE: u32 = 0x0201_4b50;
const RECORD_BYTES: usize = 46;

/// Bytes of the directory that are read at once.
const READ_BYTES: usize = 128 * 1024;

/// `versionMadeBy` systems whose upper attribute half is a Unix mode: Unix and OS X (APPNOTE 4.4.2).
const UNIX_SYSTEMS: [u8; 2] = [3, 19];

const FLAG_DESCRIPTOR: u16 = 1 << 3;
/// Deflate's two level bits, a data descriptor, UTF-8 names (APPNOTE 4.4.4): nothing else.
const KNOWN_FLAGS: u16 = 0b110 | FLAG_DESCRIPTOR | 1 << 11;
/// Encrypted, strongly encrypted, directory encrypted.
const ENCRYPTION_FLAGS: u16 = 1 | 1 << 6 | 1 << 13;

/// Reads all records. Memory grows with the records that exist, not with the declared count, which an attacker chooses.
pub(crate) fn read(
    source: &Source,
    directory: &DirectoryLocation,
    limits: &Limits,
) -> Result<Vec<Entry>, ArchiveError> {
    if directory.entries > limits.max_entries {
        return Err(ArchiveError::TooManyEntries {
            entry: format!("number {}", directory.entries),
            limit: limits.max_entries,
        });
    }
    let section = source.section(directory.offset, directory.bytes);
    let mut reader = BufReader::with_capacity(READ_BYTES, section);
    // Reserve for the declared count, but no more than there are bytes for. Reserving avoids growing the vector,
    // which holds both copies for a moment.
    let most = directory.bytes.checked_div(RECORD_BYTES as u64);
    let count = usize::try_from(directory.entries.min(most.unwrap_or(0))).unwrap_or(0);
    let mut entries = Vec::with_capacity(count);
    let mut name_bytes = 0_u64;
    let mut variable = Vec::new();
    for _ in 0..directory.entries {
        let left = reader
            .get_ref()
            .left()
            .saturating_add(reader.buffer().len() as u64);
        if left < RECORD_BYTES as u64 {
            return Err(framing(
                "the end record declares more entries than there are",
            ));
        }
        let mut fixed = [0; RECORD_BYTES];
        reader
            .read_exact(&mut fixed)
            .map_err(|error| source.error(error))?;
        let record = Record::parse(&fixed).ok_or_else(|| {
            framing("the central directory contains something other than entries")
        })?;
        let needed = record.variable_len();
        if left.saturating_sub(RECORD_BYTES as u64) < needed as u64 {
            return Err(framing(
                "an entry extends past the end of the central directory",
            ));
        }
        variable.resize(needed, 0);
        reader
            .read_exact(&mut variable)
            .map_err(|error| source.error(error))?;
        let entry = record.entry(&variable)?;
        name_bytes = name_bytes.saturating_add(entry.name.len() as u64);
        if name_bytes > MAX_NAME_BYTES {
            return Err(ArchiveError::NamesTooLong {
                entry: shown(&entry.name),
                limit: MAX_NAME_BYTES,
            });
        }
        entries.push(entry);
    }
    if reader.get_ref().left() > 0 || !reader.buffer().is_empty() {
        return Err(framing(
            "the end record declares fewer entries than there are",
        ));
    }
    Ok(entries)
}

/// The fixed part of a central directory record.
struct Record {
    system: u8,
    flags: u16,
    method: u16,
    crc: u32,
    compressed_size: u32,
    size: u32,
    name_len: u16,
    extra_len: u16,
    comment_len: u16,
    disk: u16,
    attributes: u32,
    header: u32,
}

impl Record {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        fields.signature(RECORD_SIGNATURE)?;
        let [_, system] = fields.u16()?.to_le_bytes();
        let _version_needed = fields.u16()?;
        let (flags, method) = (fields.u16()?, fields.u16()?);
        let _time_and_date = fields.u32()?;
        let (crc, compressed_size, size) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let (name_len, extra_len, comment_len) = (fields.u16()?, fields.u16()?, fields.u16()?);
        let disk = fields.u16()?;
        let _internal_attributes = fields.u16()?;
        let (attributes, header) = (fields.u32()?, fields.u32()?);
        Some(Self {
            system,
            flags,
            method,
            crc,
            compressed_size,
            size,
            name_len,
            extra_len,
            comment_len,
            disk,
            attributes,
            header,
        })
    }

    fn variable_len(&self) -> usize {
        [self.name_len, self.extra_len, self.comment_len]
            .map(usize::from)
            .iter()
            .sum()
    }

    /// Checks the record by itself; `variable` is name, extra fields and comment.
    fn entry(&self, variable: &[u8]) -> Result<Entry, ArchiveError> {
        let mut fields = Fields(variable);
        let name = fields.take(self.name_len.into()).unwrap_or_default();
        let extra = fields.take(self.extra_len.into()).unwrap_or_default();
        let named = |problem| ArchiveError::entry(&String::from_utf8_lossy(name), problem);
        self.checked(name, extra, fields.0).map_err(named)
    }

    fn checked(&self, raw: &[u8], extra: &[u8], comment: &[u8]) -> Result<Entry, Problem> {
        name::check(raw)?;
        let name = std::str::from_utf8(raw).map_err(|_| Problem::NameNotUtf8)?;
        if self.flags & ENCRYPTION_FLAGS != 0 {
            return Err(Problem::Encrypted);
        }
        if self.flags & !KNOWN_FLAGS != 0 {
            return Err(Problem::Flags(self.flags & !KNOWN_FLAGS));
        }
        let method = method(self.method)?;
        std::str::from_utf8(comment).map_err(|_| Problem::Comment)?;
        let narrow = Sizes {
            size: self.size,
            compressed_size: self.compressed_size,
            header: Some(self.header),
            disk: Some(self.disk),
        };
        let extra = extra_fields::check(extra, raw)?;
        let wide = extra.sizes(&narrow)?;
        if method == Method::Stored && wide.size != wide.compressed_size {
            return Err(Problem::StoredSizes);
        }
        let kind = self.kind(name)?;
        if kind == Kind::Directory && wide.size != 0 {
            return Err(Problem::DirectoryData);
        }
        Ok(Entry {
            name: name.into(),
            kind,
            method,
            flags: self.flags,
            crc: self.crc,
            size: wide.size,
            compressed_size: wide.compressed_size,
            header: wide.header,
            end: wide.header,
            data: 0,
            zip64: extra.has_zip64(),
            fingerprint: match kind {
                Kind::File { .. } => extra
                    .fingerprint()
                    .filter(|said| said.is_of(self.crc, wide.size))
                    .map(Box::new),
                Kind::Directory | Kind::Link => None,
            },
        })
    }

    fn kind(&self, name: &str) -> Result<Kind, Problem> {
        const DOS_DIRECTORY: u32 = 0x10;
        let mode = self.attributes >> 16;
        let unix = UNIX_SYSTEMS.contains(&self.system);
        let file = Kind::File {
            executable: unix && mode & 0o111 != 0,
        };
        let by_name = if name.ends_with('/') {
            Kind::Directory
        } else {
            file
        };
        let by_mode = match mode & 0o170_000 {
            0 if self.attributes & DOS_DIRECTORY != 0 => Kind::Directory,
            0 => by_name,
            0o100_000 => file,
            0o040_000 => Kind::Directory,
            0o120_000 if unix => Kind::Link,
            0o120_000 => return Err(Problem::Special("symbolic link of a system without links")),
            0o010_000 => return Err(Problem::Special("named pipe")),
            0o020_000 => return Err(Problem::Special("character device")),
            0o060_000 => return Err(Problem::Special("block device")),
            0o140_000 => return Err(Problem::Special("socket")),
            _ => return Err(Problem::Special("file of an unknown type")),
        };
        match (by_mode, by_name) {
            (Kind::Link, Kind::File { .. }) => Ok(Kind::Link),
            (by_mode, by_name) if by_mode == by_name => Ok(by_mode),
            (by_mode, by_name) => Err(Problem::KindDiffers {
                by_mode: word(by_mode),
                by_name: word(by_name),
            }),
        }
    }
}

fn method(number: u16) -> Result<Method, Problem> {
    match number {
        0 => Ok(Method::Stored),
        8 => Ok(Method::Deflated),
        other => Err(Problem::Method(other)),
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::File { .. } => "file",
        Kind::Directory => "directory",
        Kind::Link => "symbolic link",
    }
}

pub(crate) fn has_descriptor(entry: &Entry) -> bool {
    entry.flags & FLAG_DESCRIPTOR != 0
}

pub(crate) fn method_number(method: Method) -> u16 {
    match method {
        Method::Stored => 0,
        Method::Deflated => 8,
    }
}
