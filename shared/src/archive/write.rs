//! Writes zip records: local headers with their sizes, the directory, the end.

use std::io::{self, BufWriter, Seek, SeekFrom, Write};

use super::entry::Method;

/// Written at once.
const BUFFER_BYTES: usize = 256 * 1024;

const VERSION: u16 = 20;
/// The version that knows Zip64.
const VERSION64: u16 = 45;
/// `versionMadeBy` of a system with Unix modes.
const UNIX: u16 = 3 << 8;
const FLAG_UTF8: u16 = 1 << 11;
/// 1980-01-01, the first day that the format knows: content alone decides the bytes.
const DATE: u16 = 0x21;
const TIME: u16 = 0;
/// From this size on the local header has 64-bit sizes: deflate may add to what it cannot compress,
/// and the header is written before.
const WIDE_FROM: u64 = 0xF000_0000;
/// The 32-bit value that means "see the Zip64 field".
const SEE_ZIP64: u64 = 0xFFFF_FFFF;
/// The same for the number of entries.
const MANY_ENTRIES: u64 = 0xFFFF;

/// What a header says of an entry.
pub(super) struct Header<'a> {
    pub(super) name: &'a str,
    pub(super) method: Method,
    /// Unix mode with the file type.
    pub(super) mode: u32,
    pub(super) crc: u32,
    pub(super) size: u64,
    pub(super) compressed_size: u64,
}

/// An archive that is being written.
pub(super) struct Writer<W: Write + Seek> {
    out: BufWriter<W>,
    /// Where the archive begins in the file.
    base: u64,
    position: u64,
    directory: Vec<u8>,
    entries: u64,
}

/// A local header that is written; the entry's data follows.
pub(super) struct Begun {
    offset: u64,
    data: u64,
    wide: bool,
}

impl<W: Write + Seek> Writer<W> {
    pub(super) fn new(mut out: W) -> io::Result<Self> {
        let base = out.stream_position()?;
        let out = BufWriter::with_capacity(BUFFER_BYTES, out);
        Ok(Self {
            out,
            base,
            position: 0,
            directory: Vec::new(),
            entries: 0,
        })
    }

    /// Writes the local header. Sizes and checksum may still be unknown, then [`Self::correct`] has
    /// to follow; the size is at least right about being beyond 32 bits.
    pub(super) fn begin(&mut self, header: &Header<'_>) -> io::Result<Begun> {
        let offset = self.position;
        let wide = header.size >= WIDE_FROM;
        let bytes = local_header(header, wide);
        self.write(&bytes)?;
        Ok(Begun {
            offset,
            data: self.position,
            wide,
        })
    }

    /// Writes some of an entry's data.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.position = self.position.saturating_add(bytes.len() as u64);
        Ok(())
    }

    /// How many bytes of data were written since the header.
    pub(super) fn written(&self, begun: &Begun) -> u64 {
        self.position.saturating_sub(begun.data)
    }

    /// Writes the local header again, now that all is known.
    pub(super) fn correct(&mut self, begun: &Begun, header: &Header<'_>) -> io::Result<()> {
        let bytes = local_header(header, begun.wide);
        self.seek(begun.offset)?;
        self.out.write_all(&bytes)?;
        self.seek(self.position)
    }

    /// Notes the entry for the directory.
    pub(super) fn end(&mut self, begun: &Begun, header: &Header<'_>) {
        let mut extra = Vec::new();
        let mut narrow = |value: u64| narrow(value, &mut extra);
        let sizes = [header.size, header.compressed_size, begun.offset].map(&mut narrow);
        let [size, compressed_size, offset] = sizes;
        let version = if extra.is_empty() && !begun.wide {
            VERSION
        } else {
            VERSION64
        };
        let directory_bit = u32::from(header.name.ends_with('/')) << 4;

        let out = &mut self.directory;
        put32(out, 0x0201_4b50);
        put16(out, UNIX | version);
        put_common(out, version, header, compressed_size, size);
        put16(out, zip64_len(&extra));
        out.extend_from_slice(&[0; 6]); // comment, disk, internal attributes
        put32(out, header.mode << 16 | directory_bit);
        put32(out, offset);
        out.extend_from_slice(header.name.as_bytes());
        put_zip64(out, &extra);
        self.entries = self.entries.saturating_add(1);
    }

    /// Writes the directory and the end; returns the archive's length.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        let offset = self.position;
        let directory = std::mem::take(&mut self.directory);
        self.write(&directory)?;
        let bytes = directory.len() as u64;
        let mut end = Vec::new();
        if self.entries >= MANY_ENTRIES || bytes >= SEE_ZIP64 || offset >= SEE_ZIP64 {
            put_end64(&mut end, self.entries, bytes, offset, self.position);
        }
        put32(&mut end, 0x0605_4b50);
        put32(&mut end, 0); // disks
        let count = u16::try_from(self.entries).unwrap_or(u16::MAX);
        put16(&mut end, count);
        put16(&mut end, count);
        put32(&mut end, u32::try_from(bytes).unwrap_or(u32::MAX));
        put32(&mut end, u32::try_from(offset).unwrap_or(u32::MAX));
        put16(&mut end, 0); // comment
        self.write(&end)?;
        self.out.flush()?;
        Ok(self.position)
    }

    fn seek(&mut self, position: u64) -> io::Result<()> {
        self.out
            .seek(SeekFrom::Start(self.base.saturating_add(position)))
            .map(drop)
    }
}

fn local_header(header: &Header<'_>, wide: bool) -> Vec<u8> {
    let mut extra = Vec::new();
    let (size, compressed_size) = if wide {
        put64(&mut extra, header.size);
        put64(&mut extra, header.compressed_size);
        (u32::MAX, u32::MAX)
    } else {
        let mut narrow = |value| narrow(value, &mut extra);
        (narrow(header.size), narrow(header.compressed_size))
    };
    let mut out = Vec::new();
    put32(&mut out, 0x0403_4b50);
    let version = if extra.is_empty() { VERSION } else { VERSION64 };
    put_common(&mut out, version, header, compressed_size, size);
    put16(&mut out, zip64_len(&extra));
    out.extend_from_slice(header.name.as_bytes());
    put_zip64(&mut out, &extra);
    out
}

/// The fields that both headers have, from the needed version to the name's length.
fn put_common(
    out: &mut Vec<u8>,
    version: u16,
    header: &Header<'_>,
    compressed_size: u32,
    size: u32,
) {
    put16(out, version);
    put16(out, if header.name.is_ascii() { 0 } else { FLAG_UTF8 });
    put16(out, super::directory::method_number(header.method));
    put16(out, TIME);
    put16(out, DATE);
    put32(out, header.crc);
    put32(out, compressed_size);
    put32(out, size);
    // Names were checked: they have at most 1,024 bytes.
    put16(out, u16::try_from(header.name.len()).unwrap_or(u16::MAX));
}

fn put_end64(out: &mut Vec<u8>, entries: u64, bytes: u64, offset: u64, position: u64) {
    put32(out, 0x0606_4b50);
    put64(out, 44); // what follows of this record
    put16(out, UNIX | VERSION64);
    put16(out, VERSION64);
    put64(out, 0); // disks
    put64(out, entries);
    put64(out, entries);
    put64(out, bytes);
    put64(out, offset);
    put32(out, 0x0706_4b50);
    put32(out, 0); // disk
    put64(out, position);
    put32(out, 1); // disks
}

/// A value as a 32-bit field; one that does not fit goes into the Zip64 field.
fn narrow(value: u64, extra: &mut Vec<u8>) -> u32 {
    match u32::try_from(value) {
        Ok(narrow) if narrow != u32::MAX => narrow,
        _ => {
            put64(extra, value);
            u32::MAX
        }
    }
}

/// Length of the extra field with this Zip64 data: at most three values and four bytes before them.
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
        put16(out, 1);
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
    use std::io::Cursor;

    use super::*;
    use crate::archive::{Archive, Limits};

    fn reopened(zip: &[u8]) -> Archive {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(zip).unwrap();
        let limits = Limits {
            max_ratio: u64::MAX,
            ..Limits::default()
        };
        Archive::from_file(&file, limits).unwrap()
    }

    fn written(headers: &[(String, u64)]) -> Vec<u8> {
        let mut zip = Cursor::new(Vec::new());
        let mut writer = Writer::new(&mut zip).unwrap();
        for (name, size) in headers {
            let header = Header {
                name,
                method: Method::Deflated,
                mode: 0o100_644,
                crc: 0,
                size: *size,
                compressed_size: 2,
            };
            let begun = writer.begin(&header).unwrap();
            writer.write(&[3, 0]).unwrap();
            assert_eq!(writer.written(&begun), 2);
            writer.correct(&begun, &header).unwrap();
            writer.end(&begun, &header);
        }
        let len = writer.finish().unwrap();
        assert_eq!(len, zip.get_ref().len() as u64);
        zip.into_inner()
    }

    #[test]
    fn more_entries_than_16_bits_count_are_written_and_read() {
        let headers: Vec<_> = (0..70_000)
            .map(|number| (format!("f{number}"), 0))
            .collect();
        assert_eq!(reopened(&written(&headers)).entries().len(), 70_000);
    }

    #[test]
    fn sizes_beyond_32_bits_are_written_and_read() {
        for size in [
            u64::from(u32::MAX) - 1,
            u32::MAX.into(),
            5 << 30,
            WIDE_FROM,
            WIDE_FROM - 1,
        ] {
            let archive = reopened(&written(&[("small".into(), 0), ("big".into(), size)]));
            let sizes: Vec<u64> = archive.entries().map(super::super::Entry::size).collect();
            assert_eq!(sizes, [0, size]);
        }
    }
}
