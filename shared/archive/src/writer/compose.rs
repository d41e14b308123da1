//! Composes one archive from two: the data of the first, the data of the second, and one directory for both.
//!
//! Problem: an npm project's output is its source plus a `node_modules` that rarely changes. Compressing and
//! uploading the same hundreds of MB again is most of the time of a build.
//!
//! Solution: zip entries do not depend on their position, except for the offsets in the central directory. So the data
//! of both archives is concatenated as it is, nothing is inflated or compressed, and only the directory is written
//! anew, with the second archive's offsets shifted by the length of the first one's data. The first archive's data
//! need not even be on this machine: its directory and end records ([`ArchiveEnd`]) are enough, and S3 copies the
//! data itself (`docs/decisions/0118-outputs-composed-of-a-kept-tree.md`).
//!
//! The two are checked together like any archive. The targets of the first archive's links are part of its data and
//! therefore unknown here. So its links must be confined to paths of its own ([`check_confined`], checked when it was
//! created), and a link of the second archive that leads through one of them is refused.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use ::bytes::Bytes;

use crate::error::{ArchiveError, Problem, shown};
use crate::format::entry::Entry;
use crate::format::extra_fields::{self, Sizes};
use crate::format::fields::Fields;
use crate::format::path_tree::Tree;
use crate::limits::{Demand, Limits, MAX_NAME_BYTES, on_disk};
use crate::reader::archive::Archive;
use crate::reader::central_directory;
use crate::reader::directory_record;
use crate::reader::end_record::{self, DirectoryLocation};
use crate::reader::local_header;
use crate::reader::source::{ReadAt, Source};
use crate::writer::records;

/// Bytes at an archive's end among which the end record lies: the record and its longest comment.
pub const MAX_END_BYTES: u64 = 22 + 0xFFFF;

/// Length of the fixed part of a directory record, and offsets of some fields in it (APPNOTE.TXT 4.3.12): the sizes,
/// the lengths of the variable parts, the disk number, the offset of the local header.
const RECORD_BYTES: usize = 46;
const SIZES_AT: usize = 20;
const LENGTHS_AT: usize = 28;
const DISK_AT: usize = 34;
const OFFSET_AT: usize = 42;

/// Stands for the unknown target of a link in the first archive. An absolute target is always refused, and so is every
/// link that leads through one.
const UNKNOWN_TARGET: &str = "/";

/// The end of an archive: its central directory and end records. They are checked like those of a whole archive; of the
/// data before them, only the lengths.
#[derive(Debug)]
pub struct ArchiveEnd {
    source: Source,
    directory: DirectoryLocation,
    /// In the order of their bytes.
    entries: Vec<Entry>,
}

impl ArchiveEnd {
    /// Checks the end of an archive of `len` bytes. `end` is its last bytes: at least from the directory on, and at
    /// least [`MAX_END_BYTES`] if the archive has that many.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] names the rule that is broken, and the entry.
    pub fn new(end: Bytes, len: u64) -> Result<Self, ArchiveError> {
        let from = len.saturating_sub(u64::try_from(end.len()).unwrap_or(u64::MAX));
        let window = Window { bytes: end, from };
        let source = Source::from_bytes(Box::new(window), len, Path::new("the archive"));
        let directory = end_record::find(&source)?;
        let mut entries = directory_record::read(&source, &directory, &Limits::default())?;
        local_header::arrange(&directory, &mut entries)?;
        Ok(Self {
            source,
            directory,
            entries,
        })
    }

    /// Reads the end of a checked archive.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Io`] if it cannot be read any more.
    pub fn of(archive: &Archive) -> Result<Self, ArchiveError> {
        let offset = data_bytes(archive)?;
        let len = archive.source.len();
        let from = offset.min(len.saturating_sub(MAX_END_BYTES));
        let mut end = vec![0; usize::try_from(len.saturating_sub(from)).unwrap_or(0)];
        archive.source.read_at(&mut end, from)?;
        Self::new(end.into(), len)
    }

    /// Bytes of data before the directory.
    #[must_use]
    pub fn data_bytes(&self) -> u64 {
        self.directory.offset
    }

    /// The entries, in the order of their bytes.
    #[must_use]
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }
}

/// Bytes of data before an archive's directory.
///
/// # Errors
///
/// [`ArchiveError::Io`] if it cannot be read any more.
pub fn data_bytes(archive: &Archive) -> Result<u64, ArchiveError> {
    end_record::find(&archive.source).map(|directory| directory.offset)
}

/// Checks that all entries are below a directory, and that all links stay in it.
///
/// # Errors
///
/// [`ArchiveError`] names the first link that does not, or an entry that is not below the directory.
pub fn check_confined(archive: &Archive, root: &str) -> Result<(), ArchiveError> {
    let mut tree = Tree::new(archive.directory.limits.max_entries);
    let below = |entry: &Entry| {
        let rest = entry.path().strip_prefix(root)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/').to_owned())
    };
    let target_of = |index: u32| archive.targets.get(&index).map(|target| &**target);
    let outside = |entry: &Entry| ArchiveError::entry(&entry.name, Problem::LinkTarget);
    for (index, entry) in (0_u32..).zip(&archive.directory.entries) {
        let path = below(entry).ok_or_else(|| outside(entry))?;
        tree.insert(&path, entry.kind, index)
            .map_err(|_| outside(entry))?;
    }
    for (index, entry) in (0_u32..).zip(&archive.directory.entries) {
        if let Some(target) = target_of(index) {
            let path = below(entry).ok_or_else(|| outside(entry))?;
            tree.check_link(&path, target, target_of)
                .map_err(|problem| ArchiveError::entry(&entry.name, problem))?;
        }
    }
    Ok(())
}

/// The directory and end records of the archive composed of the data of `front` followed by the data of `back`.
///
/// The two together must obey the rules of any archive. The links of `front` must be confined to directories that only
/// `front` contains ([`check_confined`]); a link of `back` that leads through one of them is refused.
///
/// # Errors
///
/// [`ArchiveError`] names the entry that conflicts, or the limit that is exceeded.
pub fn compose(front: &ArchiveEnd, back: &Archive) -> Result<Vec<u8>, ArchiveError> {
    let directory = end_record::find(&back.source)?;
    check_together(front, back)?;
    let shift = front.directory.offset;
    let mut records = read_directory(&front.source, &front.directory)?;
    let own = read_directory(&back.source, &directory)?;
    shift_records(&own, shift, &mut records).ok_or(ArchiveError::Framing {
        reason: "its directory changed while it was read",
    })?;
    let bytes = records.len() as u64;
    records::put_end(
        &mut records,
        front.directory.entries.saturating_add(directory.entries),
        bytes,
        shift.saturating_add(directory.offset),
    );
    Ok(records)
}

/// The last bytes of an archive.
#[derive(Debug)]
struct Window {
    bytes: Bytes,
    /// Position of the first of them in the archive.
    from: u64,
}

impl ReadAt for Window {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let rest = position
            .checked_sub(self.from)
            .and_then(|at| self.bytes.get(usize::try_from(at).ok()?..))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        Ok(count)
    }
}

/// Applies the rules for one archive to the entries of both.
fn check_together(front: &ArchiveEnd, back: &Archive) -> Result<(), ArchiveError> {
    let limits = &back.directory.limits;
    let entries: Vec<Entry> = front
        .entries
        .iter()
        .chain(&back.directory.entries)
        .cloned()
        .collect();
    let sum = |size: fn(&Entry) -> u64| {
        entries
            .iter()
            .fold(0_u64, |sum, entry| sum.saturating_add(size(entry)))
    };
    if sum(|entry| entry.name.len() as u64) > MAX_NAME_BYTES {
        return Err(ArchiveError::NamesTooLong {
            entry: back
                .directory
                .entries
                .first()
                .map_or_else(String::new, |entry| shown(&entry.name)),
            limit: MAX_NAME_BYTES,
        });
    }
    limits.check(&Demand {
        archive_bytes: front.source.len().saturating_add(back.source.len()),
        bytes: sum(|entry| entry.size),
        disk_bytes: sum(|entry| on_disk(entry.size)),
        largest: entries
            .iter()
            .max_by_key(|entry| entry.size)
            .map_or("", |entry| &entry.name),
    })?;
    let tree = central_directory::plant(&entries, limits)?;
    // In the combined list, the entries of `back` follow those of `front`, so the indexes of its links shift.
    let first = u32::try_from(front.entries.len()).unwrap_or(u32::MAX);
    let targets: HashMap<u32, &str> = back
        .targets
        .iter()
        .map(|(index, target)| (index.saturating_add(first), &**target))
        .collect();
    let target_of = |index: u32| {
        if index < first {
            Some(UNKNOWN_TARGET)
        } else {
            targets.get(&index).copied()
        }
    };
    for (index, entry) in (0_u32..).zip(&entries) {
        if let (Some(target), true) = (target_of(index), index >= first) {
            tree.check_link(entry.path(), target, target_of)
                .map_err(|problem| ArchiveError::entry(&entry.name, problem))?;
        }
    }
    Ok(())
}

fn read_directory(source: &Source, directory: &DirectoryLocation) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = vec![0; usize::try_from(directory.bytes).unwrap_or(0)];
    source.read_at(&mut bytes, directory.offset)?;
    Ok(bytes)
}

/// Appends checked directory records with their offsets increased by `shift`.
fn shift_records(mut records: &[u8], shift: u64, out: &mut Vec<u8>) -> Option<()> {
    while !records.is_empty() {
        let mut lengths = Fields(records.get(LENGTHS_AT..)?);
        let [name, extra, comment] =
            [lengths.u16()?, lengths.u16()?, lengths.u16()?].map(usize::from);
        let (fixed, rest) = records.split_at_checked(RECORD_BYTES)?;
        let (name, rest) = rest.split_at_checked(name)?;
        let (extra, rest) = rest.split_at_checked(extra)?;
        let (comment, rest) = rest.split_at_checked(comment)?;
        shift_record(fixed, name, extra, shift, out)?;
        out.extend_from_slice(comment);
        records = rest;
    }
    Some(())
}

/// Appends the fixed part, name and extra fields of one record.
fn shift_record(
    fixed: &[u8],
    name: &[u8],
    extra: &[u8],
    shift: u64,
    out: &mut Vec<u8>,
) -> Option<()> {
    let mut sizes = Fields(fixed.get(SIZES_AT..)?);
    let (compressed_size, size) = (sizes.u32()?, sizes.u32()?);
    let disk = Fields(fixed.get(DISK_AT..)?).u16()?;
    let header = Fields(fixed.get(OFFSET_AT..)?).u32()?;
    let shifted = u64::from(header).checked_add(shift)?;
    // The usual case: the offset is in its 32-bit field, and still fits after the shift. `u32::MAX` does not count as
    // fitting, because it means "see the Zip64 field". Everything else is written with a Zip64 field.
    if header != u32::MAX
        && let Ok(shifted) = u32::try_from(shifted)
        && shifted != u32::MAX
    {
        out.extend_from_slice(fixed.get(..OFFSET_AT)?);
        out.extend_from_slice(&shifted.to_le_bytes());
        out.extend_from_slice(name);
        out.extend_from_slice(extra);
        return Some(());
    }
    let narrow = Sizes {
        size,
        compressed_size,
        header: Some(header),
        disk: Some(disk),
    };
    let wide = extra_fields::check(extra, name).ok()?.sizes(&narrow).ok()?;
    let header = wide.header.checked_add(shift)?;
    records::widen_record(
        fixed,
        [wide.size, wide.compressed_size, header],
        name,
        extra,
        out,
    )
}
