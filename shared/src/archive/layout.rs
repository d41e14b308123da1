//! Local headers against the central directory: every byte before the directory belongs to exactly
//! one entry, and both descriptions of an entry say the same.

use super::bytes::Fields;
use super::directory::{self, Directory};
use super::entry::Entry;
use super::error::{ArchiveError, Problem};
use super::extra::{self, Sizes};
use super::source::Source;

const HEADER_SIGNATURE: u32 = 0x0403_4b50;
const HEADER_BYTES: usize = 30;
const DESCRIPTOR_SIGNATURE: u32 = 0x0807_4b50;
/// Signature, checksum and two sizes of 32 bits.
const DESCRIPTOR_BYTES: usize = 16;
/// The same with sizes of 64 bits.
const DESCRIPTOR64_BYTES: usize = 24;

/// Read at once for a header: it holds all of nearly every one.
const READ_BYTES: usize = 512;

/// Longest header: the fixed part, name and extra fields.
const MAX_HEADER_BYTES: usize = HEADER_BYTES + 2 * 0xFFFF;

/// Sorts the entries by their place, checks that they follow each other without gap or overlap from
/// the first byte to the directory, and sets where their data begins.
pub(super) fn check(
    source: &Source,
    directory: &Directory,
    entries: &mut [Entry],
) -> Result<(), ArchiveError> {
    entries.sort_unstable_by_key(|entry| entry.header);
    let mut position = 0_u64;
    let mut buffer = vec![0; MAX_HEADER_BYTES];
    for entry in &mut *entries {
        match entry.header.checked_sub(position) {
            Some(0) => {}
            Some(gap) => return Err(ArchiveError::entry(&entry.name, Problem::Gap(gap))),
            None => return Err(ArchiveError::entry(&entry.name, Problem::Overlap)),
        }
        (entry.data, position) = check_entry(source, directory.offset, entry, &mut buffer)?;
    }
    match (directory.offset.checked_sub(position), entries.last()) {
        (Some(0), _) => Ok(()),
        (Some(gap), Some(entry)) => Err(ArchiveError::entry(&entry.name, Problem::GapAfter(gap))),
        _ => Err(ArchiveError::Framing {
            reason: "bytes precede its central directory",
        }),
    }
}

/// Checks one local header and returns where the entry's data begins and where the entry ends.
fn check_entry(
    source: &Source,
    limit: u64,
    entry: &Entry,
    buffer: &mut [u8],
) -> Result<(u64, u64), ArchiveError> {
    let broken = |problem| ArchiveError::entry(&entry.name, problem);
    let (likely, _) = buffer.split_at_mut(READ_BYTES.min(buffer.len()));
    let mut bytes = source.read_before(likely, entry.header, limit)?;
    let no_header = || broken(Problem::NoHeader(entry.header));
    let header = Header::parse(bytes).ok_or_else(no_header)?;
    if header.len() > READ_BYTES {
        bytes = source.read_before(buffer, entry.header, limit)?;
    }
    let descriptor_len = header.agrees(bytes, entry).map_err(broken)?;
    let data = entry.header.saturating_add(header.len() as u64);
    let data_end = data.saturating_add(entry.compressed_size);
    let end = data_end.saturating_add(descriptor_len);
    if end > limit {
        return Err(broken(Problem::Overlap));
    }
    if descriptor_len > 0 {
        let mut descriptor = [0; DESCRIPTOR64_BYTES];
        let descriptor = source.read_before(&mut descriptor, data_end, end)?;
        descriptor_agrees(descriptor, entry).ok_or_else(|| broken(Problem::Descriptor))?;
    }
    Ok((data, end))
}

/// The fixed part of a local header.
struct Header {
    flags: u16,
    method: u16,
    crc: u32,
    compressed_size: u32,
    size: u32,
    name_len: u16,
    extra_len: u16,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        fields.signature(HEADER_SIGNATURE)?;
        let _version_needed = fields.u16()?;
        let (flags, method) = (fields.u16()?, fields.u16()?);
        let _time_and_date = fields.u32()?;
        let (crc, compressed_size, size) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let (name_len, extra_len) = (fields.u16()?, fields.u16()?);
        Some(Self {
            flags,
            method,
            crc,
            compressed_size,
            size,
            name_len,
            extra_len,
        })
    }

    fn len(&self) -> usize {
        [self.name_len, self.extra_len]
            .map(usize::from)
            .iter()
            .fold(HEADER_BYTES, |sum, len| sum.saturating_add(*len))
    }

    /// Compares the header with the directory's record, and returns the length of the descriptor
    /// that has to follow the data.
    fn agrees(&self, bytes: &[u8], entry: &Entry) -> Result<u64, Problem> {
        let mut fields = Fields(bytes);
        let (_, name, extra) = (
            fields.take(HEADER_BYTES).ok_or(Problem::Overlap)?,
            fields.take(self.name_len.into()).ok_or(Problem::Overlap)?,
            fields.take(self.extra_len.into()).ok_or(Problem::Overlap)?,
        );
        if name != entry.name.as_bytes() {
            return Err(Problem::HeaderDiffers("name"));
        }
        if self.flags != entry.flags {
            return Err(Problem::HeaderDiffers("flags"));
        }
        if self.method != directory::method_number(entry.method) {
            return Err(Problem::HeaderDiffers("compression method"));
        }
        let extra = extra::check(extra, name)?;
        let narrow = Sizes {
            size: self.size,
            compressed_size: self.compressed_size,
            header: None,
            disk: None,
        };
        let sizes = extra.sizes(&narrow)?;
        let descriptor = directory::has_descriptor(entry);
        let unknown = sizes.size == 0 && sizes.compressed_size == 0 && self.crc == 0;
        if !(descriptor && unknown) {
            if self.crc != entry.crc {
                return Err(Problem::HeaderDiffers("checksum"));
            }
            if (sizes.size, sizes.compressed_size) != (entry.size, entry.compressed_size) {
                return Err(Problem::HeaderDiffers("size"));
            }
        }
        let large = entry.size.max(entry.compressed_size) > u64::from(u32::MAX);
        Ok(match (descriptor, extra.has_zip64() || large) {
            (false, _) => 0,
            (true, false) => DESCRIPTOR_BYTES as u64,
            (true, true) => DESCRIPTOR64_BYTES as u64,
        })
    }
}

/// A descriptor has to have its signature: without one, its checksum could be taken for it.
fn descriptor_agrees(bytes: &[u8], entry: &Entry) -> Option<()> {
    let mut fields = Fields(bytes);
    fields.signature(DESCRIPTOR_SIGNATURE)?;
    let crc = fields.u32()?;
    let (compressed_size, size) = match bytes.len() {
        DESCRIPTOR_BYTES => (fields.u32()?.into(), fields.u32()?.into()),
        _ => (fields.u64()?, fields.u64()?),
    };
    (crc == entry.crc && compressed_size == entry.compressed_size && size == entry.size)
        .then_some(())
}
