//! Archives for tests: good ones from lists of files, and hostile ones of every known class.
//!
//! All are made here, byte by byte and always the same, so that a failing case has a name. The
//! classes follow those of the published collections (zip-slip samples, `incons-*` archives,
//! parser-confusion sets); none of their files is carried along.

use std::io::Write as _;

mod hostile;

pub use hostile::{Expected, Hostile, for_each_hostile};

/// Unix mode of a plain file.
pub const FILE: u32 = 0o100_644;
/// Unix mode of a file that can be run.
pub const EXECUTABLE: u32 = 0o100_755;
/// Unix mode of a directory.
pub const DIRECTORY: u32 = 0o040_755;
/// Unix mode of a symbolic link.
pub const LINK: u32 = 0o120_777;

/// A zip of these files, deflated.
#[must_use]
pub fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let parts: Vec<Part> = files
        .iter()
        .map(|(name, bytes)| Part::new(name, bytes))
        .collect();
    Zip::new(parts).bytes()
}

/// A zip of these entries, with the Unix mode of each, file type included.
#[must_use]
pub fn zip_with_modes(entries: &[(&str, &[u8], u32)]) -> Vec<u8> {
    let parts = entries
        .iter()
        .map(|(name, bytes, mode)| Part::new(name, bytes).mode(*mode));
    Zip::new(parts.collect()).bytes()
}

/// One entry, every field of which can be made to lie.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) name: Vec<u8>,
    pub(crate) local_name: Option<Vec<u8>>,
    /// As it stands in the archive.
    pub(crate) data: Vec<u8>,
    pub(crate) method: u16,
    pub(crate) local_method: Option<u16>,
    pub(crate) flags: u16,
    pub(crate) local_flags: Option<u16>,
    pub(crate) system: u8,
    pub(crate) attributes: u32,
    pub(crate) crc: u32,
    pub(crate) size: u32,
    pub(crate) compressed_size: u32,
    /// Checksum, compressed size and size of the local header where they differ.
    pub(crate) local_sizes: Option<(u32, u32, u32)>,
    pub(crate) extra: Vec<u8>,
    pub(crate) local_extra: Vec<u8>,
    pub(crate) comment: Vec<u8>,
    /// Written after the data.
    pub(crate) descriptor: Vec<u8>,
    pub(crate) disk: u16,
    /// The offset in the directory where it is not the true one.
    pub(crate) offset: Option<u32>,
    /// Whether the local header, and the directory's record, are written.
    pub(crate) in_body: bool,
    pub(crate) in_directory: bool,
}

impl Part {
    /// A deflated file.
    pub(crate) fn new(name: impl AsRef<[u8]>, contents: &[u8]) -> Self {
        Self::with(name, contents, true)
    }

    pub(crate) fn with(name: impl AsRef<[u8]>, contents: &[u8], deflated: bool) -> Self {
        let data = if deflated {
            deflate(contents)
        } else {
            contents.to_vec()
        };
        Self {
            name: name.as_ref().to_vec(),
            local_name: None,
            method: if deflated { 8 } else { 0 },
            local_method: None,
            flags: 0,
            local_flags: None,
            system: 3,
            attributes: FILE << 16,
            crc: crc32fast::hash(contents),
            size: narrow(contents.len()),
            compressed_size: narrow(data.len()),
            data,
            local_sizes: None,
            extra: Vec::new(),
            local_extra: Vec::new(),
            comment: Vec::new(),
            descriptor: Vec::new(),
            disk: 0,
            offset: None,
            in_body: true,
            in_directory: true,
        }
    }

    pub(crate) fn mode(mut self, mode: u32) -> Self {
        self.attributes = mode << 16;
        self
    }

    /// Leaves both sizes of the directory's record to its Zip64 field.
    pub(crate) fn size_says_zip64(&mut self) {
        let (compressed_size, size) = (self.compressed_size, self.size);
        self.local_sizes
            .get_or_insert((self.crc, compressed_size, size));
        (self.size, self.compressed_size) = (u32::MAX, u32::MAX);
    }

    pub(crate) fn change(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn local_header(&self) -> Vec<u8> {
        let (crc, compressed_size, size) =
            self.local_sizes
                .unwrap_or((self.crc, self.compressed_size, self.size));
        let name = self.local_name.as_ref().unwrap_or(&self.name);
        let mut out = b"PK\x03\x04".to_vec();
        put16(&mut out, 20);
        put16(&mut out, self.local_flags.unwrap_or(self.flags));
        put16(&mut out, self.local_method.unwrap_or(self.method));
        put32(&mut out, 0x0021_0000);
        for value in [crc, compressed_size, size] {
            put32(&mut out, value);
        }
        put16(&mut out, narrow16(name.len()));
        put16(&mut out, narrow16(self.local_extra.len()));
        out.extend_from_slice(name);
        out.extend_from_slice(&self.local_extra);
        out
    }

    fn record(&self, offset: u32) -> Vec<u8> {
        let mut out = b"PK\x01\x02".to_vec();
        out.extend_from_slice(&[20, self.system]);
        put16(&mut out, 20);
        put16(&mut out, self.flags);
        put16(&mut out, self.method);
        put32(&mut out, 0x0021_0000);
        for value in [self.crc, self.compressed_size, self.size] {
            put32(&mut out, value);
        }
        for len in [self.name.len(), self.extra.len(), self.comment.len()] {
            put16(&mut out, narrow16(len));
        }
        put16(&mut out, self.disk);
        put16(&mut out, 0);
        put32(&mut out, self.attributes);
        put32(&mut out, self.offset.unwrap_or(offset));
        for bytes in [&self.name, &self.extra, &self.comment] {
            out.extend_from_slice(bytes);
        }
        out
    }
}

/// What the end record says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) disk: u16,
    pub(crate) directory_disk: u16,
    pub(crate) entries_here: u16,
    pub(crate) entries: u16,
    pub(crate) bytes: u32,
    pub(crate) offset: u32,
    pub(crate) comment_len: u16,
}

/// What the Zip64 records say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End64 {
    pub(crate) own_size: u64,
    pub(crate) entries_here: u64,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    pub(crate) offset: u64,
    /// Where the locator says that the Zip64 end record is.
    pub(crate) located: u64,
    pub(crate) disks: u32,
}

/// An archive of parts, its end records still open to change.
#[derive(Clone, Debug)]
pub(crate) struct Zip {
    pub(crate) body: Vec<u8>,
    pub(crate) directory: Vec<u8>,
    pub(crate) end: End,
    pub(crate) comment: Vec<u8>,
    pub(crate) end64: Option<End64>,
}

impl Zip {
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers build the list in place"
    )]
    pub(crate) fn new(parts: Vec<Part>) -> Self {
        let (mut body, mut directory, mut entries) = (Vec::new(), Vec::new(), 0_usize);
        for part in &parts {
            let offset = narrow(body.len());
            if part.in_body {
                body.extend(part.local_header());
                body.extend_from_slice(&part.data);
                body.extend_from_slice(&part.descriptor);
            }
            if part.in_directory {
                directory.extend(part.record(offset));
                entries += 1;
            }
        }
        let entries = u16::try_from(entries).unwrap_or(u16::MAX);
        let end = End {
            disk: 0,
            directory_disk: 0,
            entries_here: entries,
            entries,
            bytes: narrow(directory.len()),
            offset: narrow(body.len()),
            comment_len: 0,
        };
        Self {
            body,
            directory,
            end,
            comment: Vec::new(),
            end64: None,
        }
    }

    pub(crate) fn comment(mut self, comment: &[u8]) -> Self {
        self.comment = comment.to_vec();
        self.end.comment_len = narrow16(comment.len());
        self
    }

    pub(crate) fn end(mut self, change: impl FnOnce(&mut End)) -> Self {
        change(&mut self.end);
        self
    }

    /// Adds right Zip64 records, then changes them.
    pub(crate) fn end64(mut self, change: impl FnOnce(&mut End64)) -> Self {
        let mut end64 = End64 {
            own_size: 44,
            entries_here: self.end.entries.into(),
            entries: self.end.entries.into(),
            bytes: self.directory.len() as u64,
            offset: self.body.len() as u64,
            located: (self.body.len() + self.directory.len()) as u64,
            disks: 1,
        };
        change(&mut end64);
        self.end64 = Some(end64);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = self.body.clone();
        out.extend_from_slice(&self.directory);
        if let Some(end64) = &self.end64 {
            out.extend(end64_record(end64));
            out.extend(locator(end64.located, end64.disks));
        }
        out.extend_from_slice(b"PK\x05\x06");
        let End {
            disk,
            directory_disk,
            entries_here,
            entries,
            ..
        } = self.end;
        for value in [disk, directory_disk, entries_here, entries] {
            put16(&mut out, value);
        }
        put32(&mut out, self.end.bytes);
        put32(&mut out, self.end.offset);
        put16(&mut out, self.end.comment_len);
        out.extend_from_slice(&self.comment);
        out
    }
}

pub(crate) fn end64_record(end64: &End64) -> Vec<u8> {
    let mut out = b"PK\x06\x06".to_vec();
    put64(&mut out, end64.own_size);
    put16(&mut out, 45);
    put16(&mut out, 45);
    put64(&mut out, 0);
    for value in [end64.entries_here, end64.entries, end64.bytes, end64.offset] {
        put64(&mut out, value);
    }
    out
}

pub(crate) fn locator(located: u64, disks: u32) -> Vec<u8> {
    let mut out = b"PK\x06\x07".to_vec();
    put32(&mut out, 0);
    put64(&mut out, located);
    put32(&mut out, disks);
    out
}

/// A data descriptor with its signature and 32-bit sizes.
pub(crate) fn descriptor(crc: u32, compressed_size: u32, size: u32) -> Vec<u8> {
    let mut out = b"PK\x07\x08".to_vec();
    for value in [crc, compressed_size, size] {
        put32(&mut out, value);
    }
    out
}

/// An extra field.
pub(crate) fn extra(id: u16, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put16(&mut out, id);
    put16(&mut out, narrow16(data.len()));
    out.extend_from_slice(data);
    out
}

pub(crate) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let level = flate2::Compression::new(6);
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("writing into memory does not fail")
}

pub(crate) fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn put64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn narrow(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn narrow16(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}
