//! The records at an archive's end, and the central directory that they point to.
//!
//! Readers disagree about archives because each looks for these records in its own way. So there may
//! be one way only: one end record that ends with the file, Zip64 records exactly before it where
//! there are any, the directory exactly before those, and nothing in between.

use std::io::{BufReader, Read};

use super::bytes::Fields;
use super::entry::{Entry, Kind, Method};
use super::error::{ArchiveError, Problem, shown};
use super::extra::{self, Sizes};
use super::limits::{Limits, MAX_NAME_BYTES};
use super::name;
use super::source::Source;

const END_SIGNATURE: u32 = 0x0605_4b50;
const END_BYTES: usize = 22;
const MAX_COMMENT_BYTES: usize = 0xFFFF;
const LOCATOR_SIGNATURE: u32 = 0x0706_4b50;
const LOCATOR_BYTES: usize = 20;
const END64_SIGNATURE: u32 = 0x0606_4b50;
const END64_BYTES: usize = 56;
/// What the Zip64 end record says of its own length: without signature and this field.
const END64_SIZE_FIELD: u64 = 44;
const RECORD_SIGNATURE: u32 = 0x0201_4b50;
const RECORD_BYTES: usize = 46;

/// A record of a tape, and the largest block of them that libarchive's programs fill.
const TAPE_RECORD_BYTES: u64 = 512;
const TAPE_BLOCK_BYTES: usize = 10_240;

/// Bytes of the directory that are read at once.
const READ_BYTES: usize = 128 * 1024;

/// `versionMadeBy` systems whose upper attribute half is a Unix mode: Unix and OS X (APPNOTE 4.4.2).
const UNIX_SYSTEMS: [u8; 2] = [3, 19];

const FLAG_DESCRIPTOR: u16 = 1 << 3;
/// Deflate's two level bits, a data descriptor, UTF-8 names (APPNOTE 4.4.4): nothing else.
const KNOWN_FLAGS: u16 = 0b110 | FLAG_DESCRIPTOR | 1 << 11;
/// Encrypted, strongly encrypted, directory encrypted.
const ENCRYPTION_FLAGS: u16 = 1 | 1 << 6 | 1 << 13;

/// Where the central directory lies, and how many records it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Directory {
    pub(super) offset: u64,
    pub(super) bytes: u64,
    pub(super) entries: u64,
}

/// What an end record says; all ones mean that the Zip64 record says it.
struct End {
    /// This disk, that of the directory, and the entries of this disk.
    disks: [u16; 2],
    entries_here: u16,
    entries: u16,
    bytes: u32,
    offset: u32,
}

/// Finds the one central directory, and the archive's comment: empty where it is not UTF-8.
pub(super) fn find(source: &Source) -> Result<(Directory, Box<str>), ArchiveError> {
    let (end, end_offset, comment) = find_end(source)?;
    let located = match end_offset.checked_sub(LOCATOR_BYTES as u64) {
        Some(offset) => read_locator(source, offset)?.map(|end64| (offset, end64)),
        None => None,
    };
    let (directory, limit) = match located {
        Some((locator_offset, end64_offset)) => (
            read_end64(source, &end, end64_offset, locator_offset)?,
            end64_offset,
        ),
        None if end.disks != [0, 0] || end.entries_here != end.entries => {
            return Err(framing("it is one part of a split archive"));
        }
        None => (
            Directory {
                offset: end.offset.into(),
                bytes: end.bytes.into(),
                entries: end.entries.into(),
            },
            end_offset,
        ),
    };
    if directory.offset.checked_add(directory.bytes) != Some(limit) {
        return Err(framing(
            "the central directory does not end where the end record begins",
        ));
    }
    Ok((directory, comment))
}

/// The end record whose comment ends with the file, where it begins, and the comment. There may be
/// one only.
fn find_end(source: &Source) -> Result<(End, u64, Box<str>), ArchiveError> {
    let tail_len = source.len().min((END_BYTES + MAX_COMMENT_BYTES) as u64);
    let tail_offset = source.len().saturating_sub(tail_len);
    let mut tail = vec![0; usize::try_from(tail_len).unwrap_or(0)];
    source.read_at(&mut tail, tail_offset)?;

    let mut found = None;
    let mut signatures = 0_usize;
    let mut rest = tail.as_slice();
    while let Some(position) = find_signature(rest) {
        let (skipped, record) = rest.split_at(position);
        signatures = signatures.saturating_add(1);
        if let Some((end, comment)) = parse_end(record, source.len()) {
            if found.is_some() {
                return Err(framing("it has two end records"));
            }
            if find_signature(comment).is_some() {
                return Err(framing("its comment holds another end record"));
            }
            let before = tail.len().saturating_sub(record.len());
            let comment = std::str::from_utf8(comment).unwrap_or_default();
            found = Some((
                end,
                tail_offset.saturating_add(before as u64),
                comment.into(),
            ));
        }
        rest = rest
            .get(skipped.len().saturating_add(1)..)
            .unwrap_or_default();
    }
    match found {
        Some(found) => Ok(found),
        None if signatures > 0 => Err(framing("bytes follow its end record")),
        None if tail.is_empty() => Err(ArchiveError::NotZip {
            reason: "the file is empty",
        }),
        None => Err(ArchiveError::NotZip {
            reason: "there is no end record",
        }),
    }
}

fn find_signature(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|window| window == END_SIGNATURE.to_le_bytes())
}

/// An end record and its comment, where the comment ends with the file, which these are the last bytes of.
fn parse_end(record: &[u8], file_len: u64) -> Option<(End, &[u8])> {
    let mut fields = Fields(record);
    fields.signature(END_SIGNATURE)?;
    let (disk, directory_disk) = (fields.u16()?, fields.u16()?);
    let (entries_here, entries) = (fields.u16()?, fields.u16()?);
    let (bytes, offset) = (fields.u32()?, fields.u32()?);
    let comment_len = fields.u16()?;
    let comment = match comment_len {
        0 if is_padding(fields.0, file_len) => &[],
        _ if usize::from(comment_len) == fields.0.len() => fields.0,
        _ => return None,
    };
    let end = End {
        disks: [disk, directory_disk],
        entries_here,
        entries,
        bytes,
        offset,
    };
    Some((end, comment))
}

/// Whether these bytes behind the end record fill the file up to whole records of a tape, as bsdtar (20 of them)
/// and bsdcpio (one) do where they write into a pipe. They hold nothing but zeros, so no reader can find
/// another end in them.
fn is_padding(rest: &[u8], file_len: u64) -> bool {
    rest.len() < TAPE_BLOCK_BYTES
        && file_len.is_multiple_of(TAPE_RECORD_BYTES)
        && rest.iter().all(|byte| *byte == 0)
}

/// Where the Zip64 end record begins, if a locator stands here.
fn read_locator(source: &Source, offset: u64) -> Result<Option<u64>, ArchiveError> {
    let mut record = [0; LOCATOR_BYTES];
    source.read_at(&mut record, offset)?;
    let mut fields = Fields(&record);
    if fields.signature(LOCATOR_SIGNATURE).is_none() {
        return Ok(None);
    }
    match (fields.u32(), fields.u64(), fields.u32()) {
        (Some(0), Some(end64_offset), Some(1)) => Ok(Some(end64_offset)),
        _ => Err(framing("it is one part of a split archive")),
    }
}

fn read_end64(
    source: &Source,
    end: &End,
    offset: u64,
    locator_offset: u64,
) -> Result<Directory, ArchiveError> {
    if offset.checked_add(END64_BYTES as u64) != Some(locator_offset) {
        return Err(framing(
            "its Zip64 end record is not where the locator says",
        ));
    }
    let mut record = [0; END64_BYTES];
    source.read_at(&mut record, offset)?;
    parse_end64(&record, end)
        .ok_or_else(|| framing("its Zip64 end record contradicts its end record"))
}

fn parse_end64(record: &[u8], end: &End) -> Option<Directory> {
    let mut fields = Fields(record);
    fields.signature(END64_SIGNATURE)?;
    let own_size = fields.u64()?;
    let _versions = fields.u32()?;
    let (disk, directory_disk) = (fields.u32()?, fields.u32()?);
    let (entries_here, entries) = (fields.u64()?, fields.u64()?);
    let (bytes, offset) = (fields.u64()?, fields.u64()?);
    let agrees = own_size == END64_SIZE_FIELD
        && disk == 0
        && directory_disk == 0
        && entries_here == entries
        && end.disks.iter().all(|disk| matches!(*disk, 0 | u16::MAX))
        && (end.entries_here == u16::MAX || u64::from(end.entries_here) == entries)
        && (end.entries == u16::MAX || u64::from(end.entries) == entries)
        && (end.bytes == u32::MAX || u64::from(end.bytes) == bytes)
        && (end.offset == u32::MAX || u64::from(end.offset) == offset);
    agrees.then_some(Directory {
        offset,
        bytes,
        entries,
    })
}

/// Reads all records; memory grows with the records that are there, not with the announced count.
pub(super) fn read(
    source: &Source,
    directory: &Directory,
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
    // As many as are announced, where there are bytes for them: a vector that grows is there twice for a moment.
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
                "the end record announces more entries than there are",
            ));
        }
        let mut fixed = [0; RECORD_BYTES];
        reader
            .read_exact(&mut fixed)
            .map_err(|error| source.error(error))?;
        let record = Record::parse(&fixed)
            .ok_or_else(|| framing("the central directory holds something else than entries"))?;
        let needed = record.variable_len();
        if left.saturating_sub(RECORD_BYTES as u64) < needed as u64 {
            return Err(framing("an entry passes the end of the central directory"));
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
            "the end record announces fewer entries than there are",
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
        let extra = extra::check(extra, raw)?;
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

pub(super) fn has_descriptor(entry: &Entry) -> bool {
    entry.flags & FLAG_DESCRIPTOR != 0
}

pub(super) fn method_number(method: Method) -> u16 {
    match method {
        Method::Stored => 0,
        Method::Deflated => 8,
    }
}

fn framing(reason: &'static str) -> ArchiveError {
    ArchiveError::Framing { reason }
}
