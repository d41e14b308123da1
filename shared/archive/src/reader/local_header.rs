//! Compares local headers with the central directory.
//!
//! Problem: a zip file describes every entry twice, before its data and in the directory. Readers that trust the
//! first description (streaming ones) and readers that trust the second see different files if they disagree, and
//! bytes between entries can hide a third.
//!
//! Solution: the directory alone decides the extent of each entry, from its local header to the next one or to the
//! directory. Header, data and descriptor must fill the extent exactly, and the header must agree with the
//! directory. Because an extent depends on nothing else, all extents are checked for overlaps and gaps before a byte
//! of them is read, and each entry can then be checked by itself, in any order and by any thread
//! (`docs/decisions/0111-headers-are-checked-on-the-way.md`).

use std::ops::Range;

use crate::error::{ArchiveError, Problem};
use crate::format::entry::{Entry, Method};
use crate::format::extra_fields::{self, Sizes};
use crate::format::fields::Fields;
use crate::reader::directory_record;
use crate::reader::end_record::DirectoryLocation;
use crate::reader::source::Source;

const HEADER_SIGNATURE: u32 = 0x0403_4b50;
const HEADER_BYTES: usize = 30;
const DESCRIPTOR_SIGNATURE: u32 = 0x0807_4b50;
const SIGNATURE_BYTES: usize = 4;
/// Signature, checksum and two sizes of 32 bits.
const DESCRIPTOR_BYTES: usize = 16;
/// The same with sizes of 64 bits.
const DESCRIPTOR64_BYTES: usize = 24;

/// Bytes read for a header at first: nearly every header fits.
const READ_BYTES: usize = 512;

/// Longest header: the fixed part, name and extra fields.
pub(crate) const MAX_HEADER_BYTES: usize = HEADER_BYTES + 2 * 0xFFFF;

/// Sorts the entries by position and sets the extent of each. The extents must cover all bytes before the directory,
/// and each must have room for what the directory states.
pub(crate) fn arrange(
    directory: &DirectoryLocation,
    entries: &mut [Entry],
) -> Result<(), ArchiveError> {
    entries.sort_unstable_by_key(|entry| entry.header);
    match entries.first() {
        Some(first) if first.header > 0 => {
            return Err(ArchiveError::entry(&first.name, Problem::Gap(first.header)));
        }
        None if directory.offset > 0 => {
            return Err(ArchiveError::Framing {
                reason: "bytes precede its central directory",
            });
        }
        _ => {}
    }
    // From back to front: an entry ends where the one after it begins.
    let mut end = directory.offset;
    for entry in entries.iter_mut().rev() {
        let least = (HEADER_BYTES as u64)
            .saturating_add(entry.name.len() as u64)
            .saturating_add(entry.compressed_size);
        match end.checked_sub(entry.header) {
            Some(bytes) if bytes >= least => {}
            _ => return Err(ArchiveError::entry(&entry.name, Problem::Overlap)),
        }
        entry.end = end;
        end = entry.header;
    }
    Ok(())
}

/// Lengths of an entry's header and descriptor within its extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// Bytes of the header: where the data begins.
    pub(crate) header: usize,
    /// Bytes of the descriptor behind the data; 0 where there is none.
    pub(crate) descriptor: usize,
}

impl Parts {
    /// The data, if the whole extent is at hand.
    pub(crate) fn data(&self, extent: usize) -> Range<usize> {
        self.header..extent.saturating_sub(self.descriptor)
    }
}

/// Checks an entry's header, and that header, data and descriptor fill the entry's extent. `head` is
/// the extent's beginning: all of it, or [`MAX_HEADER_BYTES`] or more.
pub(crate) fn check_header(head: &[u8], entry: &Entry) -> Result<Parts, Problem> {
    let header = Header::parse(head).ok_or(Problem::NoHeader(entry.header))?;
    let allowed = header.agrees(head, entry)?;
    let least = (header.len() as u64).saturating_add(entry.compressed_size);
    let behind = entry.extent().checked_sub(least).ok_or(Problem::Overlap)?;
    // The descriptor fills the extent up to the next header, so its length tells which of the allowed forms it has.
    let found = allowed.lengths().find(|len| *len as u64 == behind);
    match found {
        Some(descriptor) => Ok(Parts {
            header: header.len(),
            descriptor,
        }),
        None if allowed.lengths().all(|len| (len as u64) > behind) => Err(Problem::Overlap),
        None => Err(Problem::GapAfter(behind)),
    }
}

/// The forms of a data descriptor that an entry may have.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each form is possible or not, whatever the others are"
)]
struct Descriptors {
    none: bool,
    narrow: bool,
    wide: bool,
    unsigned: bool,
}

impl Descriptors {
    const NONE: Self = Self {
        none: true,
        narrow: false,
        wide: false,
        unsigned: false,
    };

    /// The forms allowed after an entry's data.
    ///
    /// Sizes are 64 bits wide if there is a Zip64 field (APPNOTE 4.3.9.2). A Zip64 field in the directory alone may be
    /// there only for the offset, so both widths occur after such an entry: yazl writes wide ones, Info-ZIP
    /// narrow ones.
    ///
    /// A descriptor without signature is allowed only where a streaming reader can find it: the data marks its own
    /// end, and the checksum, which comes first, does not look like the signature.
    fn of(entry: &Entry, zip64_in_header: bool) -> Self {
        let large = entry.size.max(entry.compressed_size) > u64::from(u32::MAX);
        let must_be_wide = zip64_in_header || large;
        let ends_itself = entry.method == Method::Deflated || entry.compressed_size == 0;
        Self {
            none: false,
            narrow: !must_be_wide,
            wide: must_be_wide || entry.zip64,
            unsigned: ends_itself && entry.crc != DESCRIPTOR_SIGNATURE,
        }
    }

    fn lengths(self) -> impl Iterator<Item = usize> {
        let signed = [
            (self.none, 0),
            (self.narrow, DESCRIPTOR_BYTES),
            (self.wide, DESCRIPTOR64_BYTES),
        ];
        let unsigned = [
            (self.narrow, DESCRIPTOR_BYTES - SIGNATURE_BYTES),
            (self.wide, DESCRIPTOR64_BYTES - SIGNATURE_BYTES),
        ];
        let unsigned = unsigned.map(|(allowed, len)| (allowed && self.unsigned, len));
        signed
            .into_iter()
            .chain(unsigned)
            .filter_map(|(allowed, len)| allowed.then_some(len))
    }
}

/// Checks the descriptor after an entry's data; `bytes` is empty if it has none.
pub(crate) fn check_descriptor(bytes: &[u8], entry: &Entry) -> Result<(), Problem> {
    if bytes.is_empty() || descriptor_agrees(bytes, entry).is_some() {
        Ok(())
    } else {
        Err(Problem::Descriptor)
    }
}

/// Checks the headers and descriptors of arranged entries, and sets where their data begins.
pub(crate) fn check<'e>(
    source: &Source,
    entries: impl IntoIterator<Item = &'e mut Entry>,
) -> Result<(), ArchiveError> {
    let mut buffer = vec![0; MAX_HEADER_BYTES];
    for entry in entries {
        let broken = |problem| ArchiveError::entry(&entry.name, problem);
        let likely = buffer.get_mut(..READ_BYTES).unwrap_or_default();
        let mut head = source.read_before(likely, entry.header, entry.end)?;
        if Header::parse(head).is_some_and(|header| header.len() > head.len()) {
            head = source.read_before(&mut buffer, entry.header, entry.end)?;
        }
        let parts = check_header(head, entry).map_err(broken)?;
        let mut descriptor = [0; DESCRIPTOR64_BYTES];
        let begins = entry.end.saturating_sub(parts.descriptor as u64);
        let descriptor = source.read_before(&mut descriptor, begins, entry.end)?;
        check_descriptor(descriptor, entry).map_err(broken)?;
        entry.data = entry.header.saturating_add(parts.header as u64);
    }
    Ok(())
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

    /// Compares the header with the directory's record, and returns which descriptors may follow the data.
    fn agrees(&self, bytes: &[u8], entry: &Entry) -> Result<Descriptors, Problem> {
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
        if self.method != directory_record::method_number(entry.method) {
            return Err(Problem::HeaderDiffers("compression method"));
        }
        let extra = extra_fields::check(extra, name)?;
        let narrow = Sizes {
            size: self.size,
            compressed_size: self.compressed_size,
            header: None,
            disk: None,
        };
        let sizes = extra.sizes(&narrow)?;
        // With a descriptor, the header may leave a value at 0. Each value by itself: some writers know the size
        // in advance, but not the checksum.
        let described = directory_record::has_descriptor(entry);
        let agrees = |here: u64, there: u64| here == there || (described && here == 0);
        if !agrees(self.crc.into(), entry.crc.into()) {
            return Err(Problem::HeaderDiffers("checksum"));
        }
        if !agrees(sizes.size, entry.size) || !agrees(sizes.compressed_size, entry.compressed_size)
        {
            return Err(Problem::HeaderDiffers("size"));
        }
        Ok(if described {
            Descriptors::of(entry, extra.has_zip64())
        } else {
            Descriptors::NONE
        })
    }
}

fn descriptor_agrees(bytes: &[u8], entry: &Entry) -> Option<()> {
    let mut fields = Fields(bytes);
    if matches!(bytes.len(), DESCRIPTOR_BYTES | DESCRIPTOR64_BYTES) {
        fields.signature(DESCRIPTOR_SIGNATURE)?;
    }
    let crc = fields.u32()?;
    let (compressed_size, size) = match fields.0.len() {
        8 => (fields.u32()?.into(), fields.u32()?.into()),
        _ => (fields.u64()?, fields.u64()?),
    };
    (crc == entry.crc && compressed_size == entry.compressed_size && size == entry.size)
        .then_some(())
}
