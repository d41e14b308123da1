//! Creates archives of directories: sorted, without times and owners, so that equal contents give equal bytes, and
//! always within the rules that the reader checks.
//!
//! Several threads read and compress files; the calling thread writes their results in the order of the names. A
//! local header does not contain its own position, so the threads' buffers do not depend on each other, and the
//! archive is the same with any number of threads. Memory is bounded whatever the directory contains: about 5 MiB per
//! thread (input, output, state, and results that wait to be written), plus the names.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::error::{ArchiveError, shown};
use crate::format::entry::{Kind, Method};
use crate::format::fingerprint::Fingerprint;
use crate::limits::{Demand, Limits, free_bytes};
use crate::reader::extract::is_full;
use crate::writer::compress::{Chunk, CompressWorker, Compressed, Jobs, mode};
use crate::writer::listing::{SourceDirectory, SourceItem, check};
use crate::writer::parallel;
use crate::writer::records::{EntryHeader, RecordWriter, put_descriptor, put_local};

/// Most threads by default: Lambda has at most six processors (Lambda Developer Guide, "Configure Lambda function
/// memory"), and each thread costs memory.
const MAX_THREADS: usize = 6;

/// What was archived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Created {
    /// Entries: files, links and empty directories.
    pub entries: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Bytes of the archive.
    pub archive_bytes: u64,
    /// SHA-256 of the central directory, if that tells the contents of all entries: all files have a
    /// fingerprint, and there are no links, whose targets have none.
    pub directory_sha256: Option<[u8; 32]>,
}

/// Archives a directory's contents.
///
/// Equal contents (paths, bytes, executable bits, links) give equal archives.
///
/// # Errors
///
/// [`ArchiveError`] names the file that cannot be archived, such as a link that leaves the directory.
pub fn create(dir: &Path, to: impl Write) -> Result<Created, ArchiveError> {
    Creation::of(dir).write(to)
}

/// Archives a directory's contents into a file, which is replaced if it exists.
///
/// # Errors
///
/// [`ArchiveError`] names the file that cannot be archived; no part of an archive stays.
pub fn create_file(dir: &Path, to: &Path) -> Result<Created, ArchiveError> {
    Creation::of(dir).write_file(to)
}

/// Options for creating an archive; [`create`] uses the defaults.
///
/// ```no_run
/// # fn main() -> Result<(), delivery_archive::ArchiveError> {
/// use delivery_archive::Creation;
///
/// let modules = Creation::of("source/web/node_modules".as_ref()).below("web/node_modules");
/// modules.write_file("modules.zip".as_ref())?;
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Creation<'a> {
    directory: &'a Path,
    below: &'a str,
    threads: usize,
    fingerprints: bool,
    only: Option<&'a [String]>,
    without: &'a [&'a str],
}

impl<'a> Creation<'a> {
    /// An archive of a directory's contents.
    pub fn of(directory: &'a Path) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            directory,
            below: "",
            threads: processors.min(MAX_THREADS),
            fingerprints: false,
            only: None,
            without: &[],
        }
    }

    /// Archives these files and links of the directory and no others; paths are relative to it.
    pub fn only(mut self, paths: &'a [String]) -> Self {
        self.only = Some(paths);
        self
    }

    /// Leaves out the files, links and directories of these names, at any depth, such as `.git`.
    pub fn without(mut self, names: &'a [&'a str]) -> Self {
        self.without = names;
        self
    }

    /// Whether the directory says of each file what its contents' SHA-256 is, in 50 bytes: see
    /// [`crate::Fingerprint`]. Without, it does not.
    pub fn fingerprints(mut self, are_there: bool) -> Self {
        self.fingerprints = are_there;
        self
    }

    /// Puts the contents at a path in the archive, such as `web/node_modules`; links may then lead to
    /// anywhere in the archive. A directory without contents is an entry itself.
    pub fn below(mut self, path: &'a str) -> Self {
        self.below = path;
        self
    }

    /// Sets the number of threads; by default, one per processor, but at most six. The archive is the same with any
    /// number.
    pub fn threads(mut self, count: usize) -> Self {
        self.threads = count.max(1);
        self
    }

    /// Writes the archive in one pass, without seeking.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] names the file that cannot be archived.
    pub fn write(self, to: impl Write) -> Result<Created, ArchiveError> {
        self.write_to(to, Path::new("the archive"))
    }

    /// Writes the archive into a file, which is replaced if it exists.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] names the file that cannot be archived; no part of an archive stays.
    pub fn write_file(self, to: &Path) -> Result<Created, ArchiveError> {
        let file = File::create(to).map_err(|error| ArchiveError::io("create", to, error))?;
        self.write_to(file, to).inspect_err(|_| {
            // Best effort: the error that is returned is the one that matters.
            let _gone_or_not = fs::remove_file(to);
        })
    }

    fn write_to(self, to: impl Write, path: &Path) -> Result<Created, ArchiveError> {
        let root = SourceDirectory::open(self.directory, self.below)?;
        let items = match self.only {
            Some(paths) => root.list_only(paths)?,
            None => root.list(self.without)?,
        };
        check(&items)?;
        let bytes = items
            .iter()
            .fold(0_u64, |sum, item| sum.saturating_add(item.bytes()));
        let failed = |entry: &str, source: io::Error| {
            if !is_full(&source) {
                return ArchiveError::io("write", path, source);
            }
            ArchiveError::NoRoom {
                entry: shown(entry),
                path: path.to_owned(),
                needed_bytes: bytes,
                free_bytes: path
                    .parent()
                    .and_then(|parent| free_bytes(parent).ok())
                    .unwrap_or(0),
            }
        };
        let spare = Mutex::new(Vec::new());
        let mut assembly = Assembly::new(to);
        parallel::in_order(
            self.threads,
            Jobs::new(&root, &items),
            || {
                let mut worker = CompressWorker::new(&root, self.fingerprints);
                let spare = &spare;
                move |job| worker.compress(job, taken(spare))
            },
            |compressed| {
                let compressed = compressed?;
                let entry = compressed.name();
                let buffer = assembly
                    .add(compressed)
                    .map_err(|source| failed(entry, source))?;
                give_back(&spare, buffer);
                Ok(())
            },
        )?;
        let (archive_bytes, sha256) = assembly
            .writer
            .finish()
            .map_err(|source| failed("", source))?;
        check_ratio(&items, bytes, archive_bytes)?;
        let has_links = items.iter().any(|item| item.kind() == Kind::Link);
        Ok(Created {
            entries: items.len() as u64,
            bytes,
            archive_bytes,
            directory_sha256: (self.fingerprints && !has_links).then_some(sha256),
        })
    }
}

/// Refuses an archive that no reader would accept.
fn check_ratio(items: &[SourceItem], bytes: u64, archive_bytes: u64) -> Result<(), ArchiveError> {
    let largest = items.iter().max_by_key(|item| item.bytes());
    let demand = Demand {
        archive_bytes,
        bytes,
        disk_bytes: bytes,
        largest: largest.map_or("", |item| &item.name),
    };
    match Limits::default().check(&demand) {
        Err(ArchiveError::Ratio {
            entry,
            compressed,
            bytes,
            limit,
        }) => Err(ArchiveError::TooCompressible {
            entry,
            compressed,
            bytes,
            limit,
        }),
        checked => checked,
    }
}

/// Buffers to reuse after they were written: allocating new ones costs page faults.
type Spare = Mutex<Vec<Vec<u8>>>;

fn taken(spare: &Spare) -> Vec<u8> {
    let mut spare = spare.lock().unwrap_or_else(PoisonError::into_inner);
    spare.pop().unwrap_or_default()
}

fn give_back(spare: &Spare, mut buffer: Vec<u8>) {
    buffer.clear();
    let mut spare = spare.lock().unwrap_or_else(PoisonError::into_inner);
    spare.push(buffer);
}

/// The archive that is assembled from the threads' results.
struct Assembly<'i, W: Write> {
    writer: RecordWriter<W>,
    /// The large file whose chunks are being added.
    large: Option<Large<'i>>,
}

struct Large<'i> {
    header: EntryHeader<'i>,
    offset: u64,
    crc: crc32fast::Hasher,
}

impl<'i, W: Write> Assembly<'i, W> {
    fn new(to: W) -> Self {
        Self {
            writer: RecordWriter::new(to),
            large: None,
        }
    }

    /// Adds the next result, and returns its buffer for reuse.
    fn add(&mut self, compressed: Compressed<'i>) -> io::Result<Vec<u8>> {
        match compressed {
            Compressed::Batch { entries, bytes } => {
                let begin = self.writer.position();
                self.writer.write(&bytes)?;
                for entry in entries {
                    let offset = begin.saturating_add(entry.offset);
                    self.writer.note(&entry.header, offset);
                }
                Ok(bytes)
            }
            Compressed::Chunk {
                chunk,
                crc,
                bytes,
                fingerprint,
            } => {
                self.add_chunk(&chunk, &crc, &bytes, fingerprint)?;
                Ok(bytes)
            }
        }
    }

    fn add_chunk(
        &mut self,
        chunk: &Chunk<'i>,
        crc: &crc32fast::Hasher,
        bytes: &[u8],
        fingerprint: Option<Fingerprint>,
    ) -> io::Result<()> {
        if chunk.is_first() {
            self.large = Some(self.begin(chunk.item)?);
        }
        self.writer.write(bytes)?;
        let Some(large) = &mut self.large else {
            return Ok(());
        };
        large.crc.combine(crc);
        let written = large.header.compressed_size;
        large.header.compressed_size = written.saturating_add(bytes.len() as u64);
        if chunk.is_last() {
            large.header.crc = large.crc.clone().finalize();
            large.header.fingerprint = fingerprint;
            let mut descriptor = Vec::new();
            put_descriptor(&mut descriptor, &large.header);
            self.writer.write(&descriptor)?;
            self.writer.note(&large.header, large.offset);
        }
        Ok(())
    }

    fn begin(&mut self, item: &'i SourceItem) -> io::Result<Large<'i>> {
        let header = EntryHeader {
            name: &item.name,
            method: Method::Deflated,
            mode: mode(item),
            described: true,
            crc: 0,
            size: item.bytes(),
            compressed_size: 0,
            fingerprint: None,
        };
        let offset = self.writer.position();
        let mut local = Vec::new();
        put_local(&mut local, &header);
        self.writer.write(&local)?;
        Ok(Large {
            header,
            offset,
            crc: crc32fast::Hasher::new(),
        })
    }
}
