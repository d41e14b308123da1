//! The end records of an archive, which say where its central directory is.
//!
//! Problem: readers look for the end record in different ways (the first one, the last one, the one whose
//! comment length fits), so one file can show different contents to a scanner and to the program that
//! extracts it. Seen: archives with two end records, with an end record inside the comment, and with bytes
//! between the records, each read differently by common tools.
//!
//! Solution: accept an archive only if there is a single way to read it. Exactly one end record, whose comment
//! ends with the file; the Zip64 records, if any, directly before it; the central directory directly before
//! those; nothing in between.

use crate::error::ArchiveError;
use crate::format::fields::Fields;
use crate::reader::source::Source;

const END_SIGNATURE: u32 = 0x0605_4b50;
const END_BYTES: usize = 22;
const MAX_COMMENT_BYTES: usize = 0xFFFF;
const LOCATOR_SIGNATURE: u32 = 0x0706_4b50;
const LOCATOR_BYTES: usize = 20;
const END64_SIGNATURE: u32 = 0x0606_4b50;
const END64_BYTES: usize = 56;
/// What the Zip64 end record says of its own length: without signature and this field.
const END64_SIZE_FIELD: u64 = 44;

/// The record size of tapes, and the largest block of records that libarchive's programs pad to.
const TAPE_RECORD_BYTES: u64 = 512;
const TAPE_BLOCK_BYTES: usize = 10_240;

/// Where the central directory is, and how many records it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DirectoryLocation {
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
}

/// The fields of an end record; all ones mean that the value is in the Zip64 end record.
struct End {
    /// This disk, that of the directory, and the entries of this disk.
    disks: [u16; 2],
    entries_here: u16,
    entries: u16,
    bytes: u32,
    offset: u32,
}

/// Finds the one central directory.
pub(crate) fn find(source: &Source) -> Result<DirectoryLocation, ArchiveError> {
    let (end, end_offset) = find_end(source)?;
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
            DirectoryLocation {
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
    Ok(directory)
}

/// The only end record whose comment ends with the file, and its position.
fn find_end(source: &Source) -> Result<(End, u64), ArchiveError> {
    let tail_len = source.len().min((END_BYTES + MAX_COMMENT_BYTES) as u64);
    let tail_offset = source.len().saturating_sub(tail_len);
    let mut tail = vec![0; usize::try_from(tail_len).unwrap_or(0)];
    source.read_at(&mut tail, tail_offset)?;

    let mut found = None;
    let mut signatures = 0_usize;
    let mut rest = tail.as_slice();
    // Every signature in the tail is tried, not just the last one, because other readers may start from either end:
    // a second record that could be read is an error even if it is not the one that this reader would use.
    while let Some(position) = find_signature(rest) {
        let (skipped, record) = rest.split_at(position);
        signatures = signatures.saturating_add(1);
        if let Some((end, comment)) = parse_end(record, source.len()) {
            if found.is_some() {
                return Err(framing("it has two end records"));
            }
            if find_signature(comment).is_some() {
                return Err(framing("its comment contains another end record"));
            }
            let before = tail.len().saturating_sub(record.len());
            found = Some((end, tail_offset.saturating_add(before as u64)));
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
            reason: "it has no end record",
        }),
    }
}

fn find_signature(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|window| window == END_SIGNATURE.to_le_bytes())
}

/// An end record and its comment, if the comment ends with the file, which these are the last bytes of.
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

/// Whether the bytes after the end record are padding to whole tape records, which bsdtar (20 records) and bsdcpio
/// (one) write when their output is a pipe. They must all be zero, so that no reader can find another end record
/// there.
fn is_padding(rest: &[u8], file_len: u64) -> bool {
    rest.len() < TAPE_BLOCK_BYTES
        && file_len.is_multiple_of(TAPE_RECORD_BYTES)
        && rest.iter().all(|byte| *byte == 0)
}

/// Where the Zip64 end record begins, if there is a locator at this position.
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
) -> Result<DirectoryLocation, ArchiveError> {
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

fn parse_end64(record: &[u8], end: &End) -> Option<DirectoryLocation> {
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
    agrees.then_some(DirectoryLocation {
        offset,
        bytes,
        entries,
    })
}

pub(crate) fn framing(reason: &'static str) -> ArchiveError {
    ArchiveError::Framing { reason }
}
