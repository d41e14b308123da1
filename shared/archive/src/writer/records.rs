//! Writes zip records: local headers, data descriptors, the central directory, the end records. All are written in one
//! pass, so the output can be a pipe or an upload.

use std::io::{self, Write};

use sha2::{Digest, Sha256};

use crate::format::entry::Method;
use crate::format::fields::Fields;
use crate::format::fingerprint::{self, Fingerprint};

/// Signature of a local header (APPNOTE 4.3.7).
const LOCAL: u32 = 0x0403_4b50;
/// Of a data descriptor (4.3.9).
const DESCRIPTOR: u32 = 0x0807_4b50;
/// Of a record of the directory (4.3.12).
const RECORD: u32 = 0x0201_4b50;
/// Of the Zip64 end record (4.3.14), its locator (4.3.15), and the end record (4.3.16).
const END64: u32 = 0x0606_4b50;
const LOCATOR: u32 = 0x0706_4b50;
const END: u32 = 0x0605_4b50;

const VERSION: u16 = 20;
/// The version that knows Zip64.
const VERSION64: u16 = 45;
/// `versionMadeBy` of a system with Unix modes.
const UNIX: u16 = 3 << 8;
const FLAG_UTF8: u16 = 1 << 11;
/// Sizes and checksum follow the data.
const FLAG_DESCRIPTOR: u16 = 1 << 3;
/// 1980-01-01, the first day that the format knows: content alone decides the bytes.
const DATE: u16 = 0x21;
const TIME: u16 = 0;
/// From this size on, the local header has 64-bit sizes. It is below 4 GiB because the header is written before the
/// compressed size is known, and deflate can make incompressible data slightly larger.
const WIDE_FROM: u64 = 0xF000_0000;
/// The 32-bit value that means "see the Zip64 field".
const SEE_ZIP64: u64 = 0xFFFF_FFFF;
/// The same for the number of entries.
const MANY_ENTRIES: u64 = 0xFFFF;
/// The id of the Zip64 field.
const ZIP64_FIELD: u16 = 1;

/// The fields of an entry's records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryHeader<'a> {
    pub(crate) name: &'a str,
    pub(crate) method: Method,
    /// Unix mode with the file type.
    pub(crate) mode: u32,
    /// Whether a data descriptor with checksum and sizes follows the data. `size` still decides whether the sizes are
    /// 64 bits wide.
    pub(crate) described: bool,
    pub(crate) crc: u32,
    pub(crate) size: u64,
    pub(crate) compressed_size: u64,
    /// Statement about the contents for the directory.
    pub(crate) fingerprint: Option<Fingerprint>,
}

impl EntryHeader<'_> {
    /// Whether the local header has 64-bit sizes.
    fn is_wide(&self) -> bool {
        self.size >= WIDE_FROM
    }

    fn flags(&self) -> u16 {
        let utf8 = if self.name.is_ascii() { 0 } else { FLAG_UTF8 };
        let descriptor = if self.described { FLAG_DESCRIPTOR } else { 0 };
        utf8 | descriptor
    }
}

/// Writes an archive: headers and data at once, and the directory, which is collected, at the end.
pub(crate) struct RecordWriter<W: Write> {
    out: W,
    position: u64,
    /// In segments, because a single growing buffer exists twice while it is reallocated.
    directory: Vec<Vec<u8>>,
    entries: u64,
}

/// Size from which a new segment is started.
const SEGMENT_BYTES: usize = 1024 * 1024;

impl<W: Write> RecordWriter<W> {
    pub(crate) fn new(out: W) -> Self {
        Self {
            out,
            position: 0,
            directory: Vec::new(),
            entries: 0,
        }
    }

    /// Position of the next byte.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Writes local headers, data, descriptors.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.position = self.position.saturating_add(bytes.len() as u64);
        Ok(())
    }

    /// Adds an entry, whose local header is at `offset`, to the directory.
    pub(crate) fn note(&mut self, header: &EntryHeader<'_>, offset: u64) {
        if self
            .directory
            .last()
            .is_none_or(|last| last.len() >= SEGMENT_BYTES)
        {
            self.directory.push(Vec::new());
        }
        if let Some(segment) = self.directory.last_mut() {
            put_record(segment, header, offset);
        }
        self.entries = self.entries.saturating_add(1);
    }

    /// Writes the directory and the end records; returns the archive's length and the directory's SHA-256.
    pub(crate) fn finish(mut self) -> io::Result<(u64, [u8; 32])> {
        let begins = self.position;
        let mut hash = Sha256::new();
        for segment in std::mem::take(&mut self.directory) {
            hash.update(&segment);
            self.write(&segment)?;
        }
        let sha256 = hash.finalize().into();
        let directory_bytes = self.position.saturating_sub(begins);
        let mut end = Vec::new();
        put_end(&mut end, self.entries, directory_bytes, begins);
        self.write(&end)?;
        self.out.flush()?;
        Ok((self.position, sha256))
    }
}

/// Appends a local header. The caller appends the data, and then the descriptor if `described`.
pub(crate) fn put_local(out: &mut Vec<u8>, header: &EntryHeader<'_>) {
    let known = if header.described {
        EntryHeader {
            crc: 0,
            size: 0,
            compressed_size: 0,
            ..*header
        }
    } else {
        *header
    };
    let mut extra = Vec::new();
    let (size, compressed_size) = if header.is_wide() {
        put64(&mut extra, known.size);
        put64(&mut extra, known.compressed_size);
        (u32::MAX, u32::MAX)
    } else {
        let mut narrow = |value| narrow(value, &mut extra);
        (narrow(known.size), narrow(known.compressed_size))
    };
    put32(out, LOCAL);
    let version = if extra.is_empty() { VERSION } else { VERSION64 };
    put_common(out, version, &known, compressed_size, size);
    put16(out, zip64_len(&extra));
    out.extend_from_slice(header.name.as_bytes());
    put_zip64(out, &extra);
}

/// Appends a data descriptor, with sizes as wide as in the local header.
pub(crate) fn put_descriptor(out: &mut Vec<u8>, header: &EntryHeader<'_>) {
    put32(out, DESCRIPTOR);
    put32(out, header.crc);
    if header.is_wide() {
        put64(out, header.compressed_size);
        put64(out, header.size);
    } else {
        // Below the limit both fit: see `WIDE_FROM`.
        put32(
            out,
            u32::try_from(header.compressed_size).unwrap_or(u32::MAX),
        );
        put32(out, u32::try_from(header.size).unwrap_or(u32::MAX));
    }
}

/// Appends an entry's directory record.
pub(crate) fn put_record(out: &mut Vec<u8>, header: &EntryHeader<'_>, offset: u64) {
    let mut extra = Vec::new();
    let mut narrow = |value: u64| narrow(value, &mut extra);
    let [size, compressed_size, offset] =
        [header.size, header.compressed_size, offset].map(&mut narrow);
    let version = if extra.is_empty() && !header.is_wide() {
        VERSION
    } else {
        VERSION64
    };
    let directory_bit = u32::from(header.name.ends_with('/')) << 4;
    let fingerprint_len = match header.fingerprint {
        Some(_) => fingerprint::FIELD_BYTES.saturating_add(4),
        None => 0,
    };
    put32(out, RECORD);
    put16(out, UNIX | version);
    put_common(out, version, header, compressed_size, size);
    put16(out, zip64_len(&extra).saturating_add(fingerprint_len));
    out.extend_from_slice(&[0; 6]); // comment, disk, internal attributes
    put32(out, header.mode << 16 | directory_bit);
    put32(out, offset);
    out.extend_from_slice(header.name.as_bytes());
    put_zip64(out, &extra);
    if let Some(fingerprint) = &header.fingerprint {
        put16(out, fingerprint::FIELD);
        put16(out, fingerprint::FIELD_BYTES);
        fingerprint.put(out);
    }
}

/// Appends the end records after the directory: Zip64 records if a number needs them, and the end record.
pub(crate) fn put_end(
    out: &mut Vec<u8>,
    entries: u64,
    directory_bytes: u64,
    directory_offset: u64,
) {
    if entries >= MANY_ENTRIES || directory_bytes >= SEE_ZIP64 || directory_offset >= SEE_ZIP64 {
        put_end64(out, entries, directory_bytes, directory_offset);
    }
    put32(out, END);
    put32(out, 0); // disks
    let count = u16::try_from(entries).unwrap_or(u16::MAX);
    put16(out, count);
    put16(out, count);
    put32(out, u32::try_from(directory_bytes).unwrap_or(u32::MAX));
    put32(out, u32::try_from(directory_offset).unwrap_or(u32::MAX));
    put16(out, 0); // no comment
}

/// Appends a copy of a directory record with a new Zip64 field for the values that do not fit into 32 bits; the caller
/// appends the comment. `values` are size, compressed size, and offset of the local header, in the order in which the
/// Zip64 field has them.
pub(crate) fn widen_record(
    fixed: &[u8],
    values: [u64; 3],
    name: &[u8],
    extra: &[u8],
    out: &mut Vec<u8>,
) -> Option<()> {
    let mut zip64 = Vec::new();
    let [size, compressed_size, header] = values.map(|value| narrow(value, &mut zip64));
    let mut others = Vec::new();
    let mut fields = Fields(extra);
    while !fields.0.is_empty() {
        let (id, len) = (fields.u16()?, fields.u16()?);
        let data = fields.take(len.into())?;
        if id != ZIP64_FIELD {
            put16(&mut others, id);
            put16(&mut others, len);
            others.extend_from_slice(data);
        }
    }
    put_zip64(&mut others, &zip64);
    let extra_len = u16::try_from(others.len()).ok()?;

    out.extend_from_slice(fixed.get(..6)?);
    put16(out, VERSION64);
    out.extend_from_slice(fixed.get(8..20)?);
    put32(out, compressed_size);
    put32(out, size);
    out.extend_from_slice(fixed.get(28..30)?);
    put16(out, extra_len);
    out.extend_from_slice(fixed.get(32..34)?);
    put16(out, 0); // disk
    out.extend_from_slice(fixed.get(36..42)?);
    put32(out, header);
    out.extend_from_slice(name);
    out.extend_from_slice(&others);
    Some(())
}

fn put_end64(out: &mut Vec<u8>, entries: u64, directory_bytes: u64, directory_offset: u64) {
    put32(out, END64);
    put64(out, 44); // what follows of this record
    put16(out, UNIX | VERSION64);
    put16(out, VERSION64);
    put64(out, 0); // disks
    put64(out, entries);
    put64(out, entries);
    put64(out, directory_bytes);
    put64(out, directory_offset);
    put32(out, LOCATOR);
    put32(out, 0); // disk
    put64(out, directory_offset.saturating_add(directory_bytes));
    put32(out, 1); // disks
}

/// The fields that both headers share, from the version needed to the length of the name.
fn put_common(
    out: &mut Vec<u8>,
    version: u16,
    header: &EntryHeader<'_>,
    compressed_size: u32,
    size: u32,
) {
    put16(out, version);
    put16(out, header.flags());
    put16(
        out,
        crate::reader::directory_record::method_number(header.method),
    );
    put16(out, TIME);
    put16(out, DATE);
    put32(out, header.crc);
    put32(out, compressed_size);
    put32(out, size);
    // Names were checked: they have at most 1,024 bytes.
    put16(out, u16::try_from(header.name.len()).unwrap_or(u16::MAX));
}

/// A value for a 32-bit field; one that does not fit is appended to the Zip64 data instead.
fn narrow(value: u64, extra: &mut Vec<u8>) -> u32 {
    match u32::try_from(value) {
        Ok(narrow) if narrow != u32::MAX => narrow,
        _ => {
            put64(extra, value);
            u32::MAX
        }
    }
}

/// Length of the extra field for this Zip64 data: four bytes and at most three values.
fn zip64_len(data: &[u8]) -> u16 {
    let len = u16::try_from(data.len()).unwrap_or(u16::MAX);
    if data.is_empty() {
        0
    } else {
        len.saturating_add(4)
    }
}

fn put_zip64(out: &mut Vec<u8>, data: &[u8]) {
    if !data.is_empty() {
        put16(out, ZIP64_FIELD);
        put16(out, zip64_len(data).saturating_sub(4));
        out.extend_from_slice(data);
    }
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use test_case::test_matrix;

    use super::*;
    use crate::{Archive, Limits};

    fn reopened(zip: &[u8]) -> Archive {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(zip).unwrap();
        let limits = Limits {
            max_ratio: u64::MAX,
            ..Limits::default()
        };
        Archive::from_file(&file, limits).unwrap()
    }

    fn written(headers: &[(String, u64)], described: bool) -> Vec<u8> {
        let mut zip = Vec::new();
        let mut writer = RecordWriter::new(&mut zip);
        for (name, size) in headers {
            let header = EntryHeader {
                name,
                method: Method::Deflated,
                mode: 0o100_644,
                described,
                crc: 0,
                size: *size,
                compressed_size: 2,
                fingerprint: Some(Fingerprint::of(name.as_bytes())),
            };
            let offset = writer.position();
            let mut bytes = Vec::new();
            put_local(&mut bytes, &header);
            bytes.extend_from_slice(&[3, 0]);
            if described {
                put_descriptor(&mut bytes, &header);
            }
            writer.write(&bytes).unwrap();
            writer.note(&header, offset);
        }
        let (len, _) = writer.finish().unwrap();
        assert_eq!(len, zip.len() as u64);
        zip
    }

    #[test]
    fn more_entries_than_16_bits_count_are_written_and_read() {
        let headers: Vec<_> = (0..70_000)
            .map(|number| (format!("f{number}"), 0))
            .collect();
        let zip = written(&headers, false);
        assert_eq!(reopened(&zip).entries().len(), 70_000);
    }

    #[test_matrix(
        [u64::from(u32::MAX) - 1, u64::from(u32::MAX), 5 << 30, WIDE_FROM, WIDE_FROM - 1],
        [false, true]
    )]
    fn sizes_beyond_32_bits_are_written_and_read(size: u64, described: bool) {
        let headers = [("small".to_owned(), 0), ("big".to_owned(), size)];
        let archive = reopened(&written(&headers, described));
        let sizes: Vec<u64> = archive.entries().map(crate::Entry::size).collect();
        assert_eq!(sizes, [0, size]);
        // Those are of other contents.
        assert!(archive.entries().all(|entry| entry.fingerprint().is_none()));
    }
}
