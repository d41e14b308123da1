//! The work of one thread on an archive: reading files, compressing them, and writing their local headers and data
//! into a buffer. The result does not depend on its position in the archive.
//!
//! Small files are taken in batches. Files above one chunk are split, so that several threads compress one file. Their
//! sizes and checksum are known only at the end and follow in a data descriptor.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::error::{ArchiveError, Problem};
use crate::format::entry::Method;
use crate::format::fingerprint::{Fingerprint, Fingerprinting};
use crate::writer::deflate::{CHUNK_BYTES, Deflater};
use crate::writer::listing::{Content, SourceDirectory, SourceItem};
use crate::writer::records::{EntryHeader, put_local};

/// Bytes of small files in a batch: passing a job to another thread costs some microseconds.
const BATCH_BYTES: u64 = 512 * 1024;

/// Files in a batch: header and name of each are held in memory.
const BATCH_ITEMS: usize = 256;

const FILE_MODE: u32 = 0o100_644;
const EXECUTABLE_MODE: u32 = 0o100_755;
const DIRECTORY_MODE: u32 = 0o040_755;
const LINK_MODE: u32 = 0o120_777;

/// Work for one thread.
pub(crate) enum Job<'i> {
    /// Items that are compressed whole.
    Batch(&'i [SourceItem]),
    /// A chunk of a large file.
    Chunk(Chunk<'i>),
}

/// A chunk of a large file.
pub(crate) struct Chunk<'i> {
    pub(crate) item: &'i SourceItem,
    file: Arc<File>,
    range: Range<u64>,
}

impl Chunk<'_> {
    pub(crate) fn is_first(&self) -> bool {
        self.range.start == 0
    }

    pub(crate) fn is_last(&self) -> bool {
        self.range.end == self.item.bytes()
    }
}

/// Divides items into jobs. A large file is opened once, when its first chunk is due, so that all chunks are of the
/// same file even if it is replaced.
pub(crate) struct Jobs<'i> {
    root: &'i SourceDirectory<'i>,
    rest: &'i [SourceItem],
    /// The large file that is being split, and the position of its next chunk.
    large: Option<(&'i SourceItem, Arc<File>, u64)>,
}

impl<'i> Jobs<'i> {
    pub(crate) fn new(root: &'i SourceDirectory<'_>, items: &'i [SourceItem]) -> Self {
        Self {
            root,
            rest: items,
            large: None,
        }
    }

    fn next_chunk(&mut self) -> Option<Job<'i>> {
        let (item, file, start) = self.large.take()?;
        let end = item.bytes().min(start.saturating_add(CHUNK_BYTES as u64));
        if end < item.bytes() {
            self.large = Some((item, Arc::clone(&file), end));
        }
        let range = start..end;
        Some(Job::Chunk(Chunk { item, file, range }))
    }
}

impl<'i> Iterator for Jobs<'i> {
    type Item = Result<Job<'i>, ArchiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(chunk) = self.next_chunk() {
            return Some(Ok(chunk));
        }
        let first = self.rest.first()?;
        let (taken, rest) = self.rest.split_at(batch_len(self.rest).max(1));
        self.rest = rest;
        if !is_large(first) {
            return Some(Ok(Job::Batch(taken)));
        }
        match open_large(self.root, first) {
            Ok(file) => self.large = Some((first, Arc::new(file), 0)),
            Err(error) => return Some(Err(error)),
        }
        self.next_chunk().map(Ok)
    }
}

fn is_large(item: &SourceItem) -> bool {
    item.bytes() > CHUNK_BYTES as u64
}

/// How many items, starting with the first, form a batch.
fn batch_len(items: &[SourceItem]) -> usize {
    let mut bytes = 0_u64;
    let fits = |item: &&SourceItem| {
        let first = bytes == 0;
        bytes = bytes.saturating_add(item.bytes());
        !is_large(item) && (first || bytes <= BATCH_BYTES)
    };
    items.iter().take(BATCH_ITEMS).take_while(fits).count()
}

fn open_large(root: &SourceDirectory<'_>, item: &SourceItem) -> Result<File, ArchiveError> {
    let file = root.open_file(item)?;
    let metadata = file
        .metadata()
        .map_err(|error| root.error("read", item, error))?;
    if metadata.is_file() && metadata.len() == item.bytes() {
        Ok(file)
    } else {
        Err(changed(item))
    }
}

fn changed(item: &SourceItem) -> ArchiveError {
    ArchiveError::entry(&item.name, Problem::Changed)
}

/// The result of a job.
pub(crate) enum Compressed<'i> {
    Batch {
        entries: Vec<CompressedEntry<'i>>,
        /// Local headers and data.
        bytes: Vec<u8>,
    },
    Chunk {
        chunk: Chunk<'i>,
        crc: crc32fast::Hasher,
        /// Data.
        bytes: Vec<u8>,
        /// Of the whole file, with its last chunk.
        fingerprint: Option<Fingerprint>,
    },
}

impl<'i> Compressed<'i> {
    /// An entry to name in error messages.
    pub(crate) fn name(&self) -> &'i str {
        match self {
            Self::Batch { entries, .. } => entries.first().map_or("", |entry| entry.header.name),
            Self::Chunk { chunk, .. } => &chunk.item.name,
        }
    }
}

/// An entry of a batch.
pub(crate) struct CompressedEntry<'i> {
    pub(crate) header: EntryHeader<'i>,
    /// Where its local header begins in the batch's bytes.
    pub(crate) offset: u64,
}

/// The state of one thread.
pub(crate) struct CompressWorker<'r> {
    root: &'r SourceDirectory<'r>,
    /// Whether files get fingerprints.
    fingerprints: bool,
    deflater: Deflater,
    input: Vec<u8>,
}

impl<'r> CompressWorker<'r> {
    pub(crate) fn new(root: &'r SourceDirectory<'_>, fingerprints: bool) -> Self {
        Self {
            root,
            fingerprints,
            deflater: Deflater::new(),
            // One byte more than a chunk: reading it shows that a file has grown, without another system call.
            input: vec![0; CHUNK_BYTES.saturating_add(1)],
        }
    }

    /// Does a job; `bytes` is an empty buffer for the result.
    pub(crate) fn compress<'i>(
        &mut self,
        job: Job<'i>,
        mut bytes: Vec<u8>,
    ) -> Result<Compressed<'i>, ArchiveError> {
        match job {
            Job::Batch(items) => {
                let mut entries = Vec::with_capacity(items.len());
                for item in items {
                    let offset = bytes.len() as u64;
                    let header = self.add(item, &mut bytes)?;
                    entries.push(CompressedEntry { header, offset });
                }
                Ok(Compressed::Batch { entries, bytes })
            }
            Job::Chunk(chunk) => {
                let data = read_chunk(self.root, &chunk, &mut self.input)?;
                let mut crc = crc32fast::Hasher::new();
                crc.update(data);
                self.deflater.chunk(data, chunk.is_last(), &mut bytes);
                let fingerprint = if self.fingerprints && chunk.is_last() {
                    Some(fingerprint(self.root, &chunk, &mut self.input)?)
                } else {
                    None
                };
                Ok(Compressed::Chunk {
                    chunk,
                    crc,
                    bytes,
                    fingerprint,
                })
            }
        }
    }

    /// Appends an item's local header and data.
    fn add<'i>(
        &mut self,
        item: &'i SourceItem,
        bytes: &mut Vec<u8>,
    ) -> Result<EntryHeader<'i>, ArchiveError> {
        let (contents, deflated) = match &item.content {
            Content::File { .. } => {
                let contents = read_whole(self.root, item, &mut self.input)?;
                (contents, self.deflater.whole(contents))
            }
            Content::Directory => (&[][..], None),
            Content::Link(target) => (target.as_bytes(), None),
        };
        let (method, data) = match deflated {
            Some(data) => (Method::Deflated, data),
            None => (Method::Stored, contents),
        };
        let is_file = matches!(item.content, Content::File { .. });
        let header = EntryHeader {
            name: &item.name,
            method,
            mode: mode(item),
            described: false,
            crc: crc32fast::hash(contents),
            size: contents.len() as u64,
            compressed_size: data.len() as u64,
            fingerprint: (self.fingerprints && is_file).then(|| Fingerprint::of(contents)),
        };
        put_local(bytes, &header);
        bytes.extend_from_slice(data);
        Ok(header)
    }
}

pub(crate) fn mode(item: &SourceItem) -> u32 {
    match item.content {
        Content::File { executable, .. } if executable => EXECUTABLE_MODE,
        Content::File { .. } => FILE_MODE,
        Content::Directory => DIRECTORY_MODE,
        Content::Link(_) => LINK_MODE,
    }
}

/// Reads a file of at most [`CHUNK_BYTES`]. If its length differs from when it was listed, it has changed.
fn read_whole<'b>(
    root: &SourceDirectory<'_>,
    item: &SourceItem,
    buffer: &'b mut [u8],
) -> Result<&'b [u8], ArchiveError> {
    let mut file = root.open_file(item)?;
    let expected = usize::try_from(item.bytes()).map_err(|_| changed(item))?;
    let mut length = 0_usize;
    loop {
        let rest = buffer.get_mut(length..=expected).unwrap_or_default();
        match file.read(rest) {
            Ok(0) => break,
            Ok(count) => length = length.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(root.error("read", item, error)),
        }
        if length >= expected {
            break;
        }
    }
    match buffer.get(..length) {
        Some(contents) if length == expected => Ok(contents),
        _ => Err(changed(item)),
    }
}

/// Reads a chunk. If the file is shorter or longer than when it was listed, it has changed.
fn read_chunk<'b>(
    root: &SourceDirectory<'_>,
    chunk: &Chunk<'_>,
    buffer: &'b mut [u8],
) -> Result<&'b [u8], ArchiveError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => changed(chunk.item),
        _ => root.error("read", chunk.item, error),
    };
    let Range { start, end } = chunk.range;
    let length = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
    let data = buffer
        .get_mut(..length)
        .ok_or_else(|| changed(chunk.item))?;
    chunk.file.read_exact_at(data, start).map_err(failed)?;
    if chunk.is_last() && chunk.file.read_at(&mut [0], end).map_err(failed)? > 0 {
        return Err(changed(chunk.item));
    }
    Ok(data)
}

/// Reads a large file once more for its fingerprint, mostly from the system's cache: SHA-256 needs the file from
/// front to back, while its chunks are compressed by several threads. If the file changed in between, the
/// fingerprint's CRC-32 differs from the entry's, and readers ignore it.
fn fingerprint(
    root: &SourceDirectory<'_>,
    last: &Chunk<'_>,
    buffer: &mut [u8],
) -> Result<Fingerprint, ArchiveError> {
    let mut fingerprinting = Fingerprinting::default();
    let mut start = 0;
    while start < last.item.bytes() {
        let end = last.range.end.min(start.saturating_add(CHUNK_BYTES as u64));
        let chunk = Chunk {
            item: last.item,
            file: Arc::clone(&last.file),
            range: start..end,
        };
        fingerprinting.update(read_chunk(root, &chunk, buffer)?);
        start = end;
    }
    Ok(fingerprinting.finish())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use test_case::test_case;

    use super::*;

    /// Packs what was listed before `change` did something to the file `f`.
    fn compressed(length: usize, change: impl FnOnce(&Path)) -> Result<(), ArchiveError> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        fs::write(&file, vec![7; length]).unwrap();
        let root = SourceDirectory::open(directory.path(), "").unwrap();
        let items = root.list(&[]).unwrap();
        change(&file);
        let mut worker = CompressWorker::new(&root, true);
        for job in Jobs::new(&root, &items) {
            worker.compress(job?, Vec::new())?;
        }
        Ok(())
    }

    #[test_case(0, 1; "an empty one longer")]
    #[test_case(10, 9; "a small one shorter")]
    #[test_case(10, 0; "a small one empty")]
    #[test_case(10, 11; "a small one longer")]
    #[test_case(CHUNK_BYTES, CHUNK_BYTES + 1; "one of a chunk longer")]
    #[test_case(CHUNK_BYTES + 1, CHUNK_BYTES; "a large one shorter")]
    #[test_case(CHUNK_BYTES + 1, CHUNK_BYTES + 2; "a large one longer")]
    fn a_file_of_another_length_has_changed(before: usize, after: usize) {
        let error =
            compressed(before, |file| fs::write(file, vec![7; after]).unwrap()).unwrap_err();
        let changed = ArchiveError::entry("f", Problem::Changed).to_string();
        assert_eq!(error.to_string(), changed);
        compressed(before, |_| ()).unwrap();
    }

    #[test]
    fn a_large_file_that_changes_between_chunks_is_refused() {
        for after in [CHUNK_BYTES * 2, CHUNK_BYTES * 3 + 1] {
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join("f");
            fs::write(&file, vec![7; CHUNK_BYTES * 3]).unwrap();
            let root = SourceDirectory::open(directory.path(), "").unwrap();
            let items = root.list(&[]).unwrap();
            let mut worker = CompressWorker::new(&root, true);
            let mut jobs = Jobs::new(&root, &items);
            worker
                .compress(jobs.next().unwrap().unwrap(), Vec::new())
                .unwrap();
            fs::File::options()
                .write(true)
                .open(&file)
                .unwrap()
                .set_len(after as u64)
                .unwrap();
            let error = jobs
                .map(|job| worker.compress(job.unwrap(), Vec::new()))
                .find_map(Result::err)
                .unwrap();
            let changed = ArchiveError::entry("f", Problem::Changed).to_string();
            assert_eq!(error.to_string(), changed);
        }
    }

    #[test]
    fn what_became_something_else_is_not_read() {
        let link = |file: &Path| {
            fs::remove_file(file).unwrap();
            std::os::unix::fs::symlink("/etc/passwd", file).unwrap();
        };
        let directory = |file: &Path| {
            fs::remove_file(file).unwrap();
            fs::create_dir(file).unwrap();
        };
        for length in [10, CHUNK_BYTES + 1] {
            let error = compressed(length, link).unwrap_err();
            assert!(
                matches!(error, ArchiveError::Io { action: "open", .. }),
                "{error:?}"
            );
            compressed(length, directory).unwrap_err();
            compressed(length, |file| fs::remove_file(file).unwrap()).unwrap_err();
        }
    }

    #[test]
    fn batches_are_bounded() {
        let item = |bytes| SourceItem {
            name: String::new(),
            content: Content::File {
                bytes,
                executable: false,
            },
        };
        let lengths = |sizes: &[u64]| {
            let items: Vec<SourceItem> = sizes.iter().copied().map(item).collect();
            batch_len(&items)
        };
        let chunk = CHUNK_BYTES as u64;
        assert_eq!(lengths(&[0; 1000]), BATCH_ITEMS);
        assert_eq!(lengths(&[BATCH_BYTES, 1]), 1);
        assert_eq!(lengths(&[1, chunk]), 1);
        assert_eq!(lengths(&[chunk, 0, 1]), 1);
        assert_eq!(lengths(&[1, chunk + 1]), 1);
        assert_eq!(lengths(&[chunk + 1, 1]), 0);
    }
}
