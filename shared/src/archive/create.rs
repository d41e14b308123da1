//! Archives of directories: sorted, without times and owners, so that equal content gives equal
//! bytes, and always within the rules that extraction checks.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use flate2::{Compress, Compression, FlushCompress, Status};
use rustix::fs::{Mode, OFlags};
use walkdir::WalkDir;

use super::entry::{Kind, Method};
use super::error::{ArchiveError, Problem, shown};
use super::extract::is_full;
use super::limits::{Limits, free_bytes};
use super::name;
use super::open::conflict_error;
use super::tree::Tree;
use super::write::{Header, Writer};

/// Deflate's level. Measured with zlib-rs on 2,000 files of npm packages (14 MB): level 3 gives 4.17 MB,
/// level 2 4.41 MB in nearly the same time, level 6 4.03 MB in about twice the time.
const LEVEL: u32 = 3;

/// Files up to this size are read whole, and deflated before their header is written; of larger ones
/// this much is deflated to see whether it is worth it.
const PROBE_BYTES: usize = 1024 * 1024;

/// Deflated data is kept if it saves at least one part of this many; else it only costs time to read.
const WORTH_PART: usize = 32;

/// Deflated data written at once.
const OUTPUT_BYTES: usize = 128 * 1024;

const FILE_MODE: u32 = 0o100_644;
const EXECUTABLE_MODE: u32 = 0o100_755;
const DIRECTORY_MODE: u32 = 0o040_755;
const LINK_MODE: u32 = 0o120_777;

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
}

/// Archives a directory's contents.
///
/// Equal contents (paths, bytes, whether a file can be run, links) give equal archives.
///
/// # Errors
///
/// [`ArchiveError`] names the file that cannot be archived, such as a link that leaves the directory.
pub fn create(dir: &Path, to: impl Write + Seek) -> Result<Created, ArchiveError> {
    archive(dir, to, Path::new("the archive"))
}

/// Archives a directory's contents into a new file; one that is there already is replaced.
///
/// # Errors
///
/// [`ArchiveError`] names the file that cannot be archived; no part of an archive stays.
pub fn create_file(dir: &Path, to: &Path) -> Result<Created, ArchiveError> {
    let file = File::create(to).map_err(|error| ArchiveError::io("create", to, error))?;
    archive(dir, file, to).inspect_err(|_| {
        // What failed is reported; the half archive is of use to nobody.
        let _gone_or_not = fs::remove_file(to);
    })
}

fn archive(dir: &Path, to: impl Write + Seek, path: &Path) -> Result<Created, ArchiveError> {
    let items = list(dir)?;
    check(&items)?;
    let bytes = items
        .iter()
        .fold(0_u64, |sum, item| sum.saturating_add(item.bytes));
    let full = |entry: &str, source: io::Error| {
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
    let mut writer = Writer::new(to).map_err(|source| full("", source))?;
    let mut deflater = Deflater::new();
    let mut input = vec![0; PROBE_BYTES];
    let mut created = Created::default();
    for item in &items {
        created.bytes = created.bytes.saturating_add(
            match &item.content {
                Content::File => add_file(&mut writer, &mut deflater, &mut input, dir, item),
                Content::Directory => add_small(&mut writer, item, DIRECTORY_MODE, &[]),
                Content::Link(target) => add_small(&mut writer, item, LINK_MODE, target.as_bytes()),
            }
            .map_err(|failure| match failure {
                Failure::Archive(error) => error,
                Failure::Write(source) => full(&item.path, source),
            })?,
        );
        created.entries = created.entries.saturating_add(1);
    }
    created.archive_bytes = writer.finish().map_err(|source| full("", source))?;
    Ok(created)
}

/// Something to be archived.
struct Item {
    /// Relative, with `/` at the end of a directory.
    path: String,
    content: Content,
    bytes: u64,
}

enum Content {
    File,
    Directory,
    Link(String),
}

impl Item {
    fn kind(&self) -> Kind {
        match self.content {
            Content::File => Kind::File { executable: false },
            Content::Directory => Kind::Directory,
            Content::Link(_) => Kind::Link,
        }
    }
}

/// Everything below a directory, sorted by the bytes of the paths. Of directories only those that
/// are empty: the others are implied.
fn list(dir: &Path) -> Result<Vec<Item>, ArchiveError> {
    let mut items: Vec<Item> = Vec::new();
    for found in WalkDir::new(dir).min_depth(1) {
        let found = found.map_err(|error| {
            let path = error.path().unwrap_or(dir).to_owned();
            ArchiveError::Io {
                action: "list",
                path,
                source: error.into(),
            }
        })?;
        let path = found.path();
        let relative = path.strip_prefix(dir).unwrap_or(path);
        let Some(relative) = relative.to_str() else {
            return Err(ArchiveError::entry(
                &relative.to_string_lossy(),
                Problem::NameNotUtf8,
            ));
        };
        let failed = |action| move |source| ArchiveError::io(action, path, source);
        let kind = found.file_type();
        let (content, bytes) = if kind.is_file() {
            let metadata = fs::symlink_metadata(path).map_err(failed("look at"))?;
            (Content::File, metadata.len())
        } else if kind.is_symlink() {
            let target = fs::read_link(path).map_err(failed("read the link"))?;
            let target = target.into_os_string().into_string();
            let unusable = |_| ArchiveError::entry(relative, Problem::LinkTarget);
            (Content::Link(target.map_err(unusable)?), 0)
        } else if kind.is_dir() {
            if fs::read_dir(path).map_err(failed("list"))?.next().is_some() {
                continue;
            }
            (Content::Directory, 0)
        } else {
            return Err(ArchiveError::entry(
                relative,
                Problem::Special(special(kind)),
            ));
        };
        let slash = if matches!(content, Content::Directory) {
            "/"
        } else {
            ""
        };
        items.push(Item {
            path: format!("{relative}{slash}"),
            content,
            bytes,
        });
    }
    items.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(items)
}

fn special(kind: fs::FileType) -> &'static str {
    if kind.is_fifo() {
        "named pipe"
    } else if kind.is_socket() {
        "socket"
    } else if kind.is_block_device() {
        "block device"
    } else if kind.is_char_device() {
        "character device"
    } else {
        "file of an unknown type"
    }
}

/// Applies the rules that extraction applies: what is written can always be read.
fn check(items: &[Item]) -> Result<(), ArchiveError> {
    let max_entries = Limits::default().max_entries;
    let mut tree = Tree::new(max_entries);
    let item_at = |index: u32| {
        usize::try_from(index)
            .ok()
            .and_then(|index| items.get(index))
    };
    for (index, item) in (0_u32..).zip(items) {
        let path = name::check(item.path.as_bytes())
            .map_err(|problem| ArchiveError::entry(&item.path, problem))?;
        let other = |index| item_at(index).map_or_else(String::new, |item| shown(&item.path));
        tree.insert(path, item.kind(), index)
            .map_err(|conflict| conflict_error(conflict, &item.path, max_entries, other))?;
    }
    let target_of = |index| match item_at(index).map(|item| &item.content) {
        Some(Content::Link(target)) => Some(target.as_str()),
        _ => None,
    };
    for item in items {
        if let Content::Link(target) = &item.content {
            tree.check_link(&item.path, target, target_of)
                .map_err(|problem| ArchiveError::entry(&item.path, problem))?;
        }
    }
    Ok(())
}

/// Why an entry was not written.
enum Failure {
    Archive(ArchiveError),
    Write(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error)
    }
}

/// Adds an entry whose contents are at hand, without deflating them.
fn add_small(
    writer: &mut Writer<impl Write + Seek>,
    item: &Item,
    mode: u32,
    contents: &[u8],
) -> Result<u64, Failure> {
    let size = contents.len() as u64;
    let header = Header {
        name: &item.path,
        method: Method::Stored,
        mode,
        crc: crc32fast::hash(contents),
        size,
        compressed_size: size,
    };
    let begun = writer.begin(&header)?;
    writer.write(contents)?;
    writer.end(&begun, &header);
    Ok(0)
}

/// Adds a file and returns its size.
fn add_file(
    writer: &mut Writer<impl Write + Seek>,
    deflater: &mut Deflater,
    input: &mut [u8],
    dir: &Path,
    item: &Item,
) -> Result<u64, Failure> {
    let (mut reader, executable) = Reader::open(dir.join(&item.path), item)?;
    let first = reader.fill(input)?;
    let whole = reader.left == 0;
    let worth = deflater.probe(first);
    let mut header = Header {
        name: &item.path,
        method: if worth {
            Method::Deflated
        } else {
            Method::Stored
        },
        mode: if executable {
            EXECUTABLE_MODE
        } else {
            FILE_MODE
        },
        crc: crc32fast::hash(first),
        size: item.bytes,
        compressed_size: if worth {
            deflater.probed.len() as u64
        } else {
            item.bytes
        },
    };
    let begun = writer.begin(&header)?;
    if whole {
        writer.write(if worth { &deflater.probed } else { first })?;
    } else {
        let len = first.len();
        let mut crc = crc32fast::Hasher::new();
        deflater.compress.reset();
        let mut piece = input.get(..len).unwrap_or_default();
        while !piece.is_empty() {
            crc.update(piece);
            if worth {
                deflater.deflate(piece, reader.left == 0, |bytes| writer.write(bytes))?;
            } else {
                writer.write(piece)?;
            }
            piece = reader.fill(input)?;
        }
        header.crc = crc.finalize();
        header.compressed_size = writer.written(&begun);
        writer.correct(&begun, &header)?;
    }
    writer.end(&begun, &header);
    Ok(item.bytes)
}

/// A file of which a known number of bytes is to come.
struct Reader<'i> {
    file: File,
    path: PathBuf,
    item: &'i Item,
    left: u64,
}

impl<'i> Reader<'i> {
    /// Opens a file, and says whether it can be run.
    fn open(path: PathBuf, item: &'i Item) -> Result<(Self, bool), ArchiveError> {
        // What was a file when it was listed may be something else by now: a link is not followed,
        // and a pipe does not block.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::open(&path, flags, Mode::empty())
            .map_err(|error| ArchiveError::io("open", &path, error.into()))?;
        let reader = Self {
            file: File::from(file),
            path,
            item,
            left: item.bytes,
        };
        let metadata = reader
            .file
            .metadata()
            .map_err(|error| reader.unreadable(error))?;
        if !metadata.is_file() || metadata.len() != item.bytes {
            return Err(reader.changed());
        }
        Ok((reader, metadata.permissions().mode() & 0o111 != 0))
    }

    /// Fills the buffer as far as bytes are left; a file that is shorter or longer has changed.
    fn fill<'b>(&mut self, buffer: &'b mut [u8]) -> Result<&'b [u8], ArchiveError> {
        let wanted = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let (wanted, _) = buffer.split_at_mut(wanted);
        match self.file.read_exact(wanted) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(self.changed());
            }
            Err(error) => return Err(self.unreadable(error)),
        }
        self.left = self.left.saturating_sub(wanted.len() as u64);
        if self.left == 0
            && self
                .file
                .read(&mut [0])
                .map_err(|error| self.unreadable(error))?
                > 0
        {
            return Err(self.changed());
        }
        Ok(wanted)
    }

    fn unreadable(&self, source: io::Error) -> ArchiveError {
        ArchiveError::io("read", &self.path, source)
    }

    fn changed(&self) -> ArchiveError {
        ArchiveError::entry(&self.item.path, Problem::Changed)
    }
}

/// Deflate's state and buffers, which all files use in turn.
struct Deflater {
    compress: Compress,
    output: Vec<u8>,
    /// The deflated data of the last probe.
    probed: Vec<u8>,
}

impl Deflater {
    fn new() -> Self {
        Self {
            compress: Compress::new(Compression::new(LEVEL), false),
            output: vec![0; OUTPUT_BYTES],
            probed: Vec::new(),
        }
    }

    /// Deflates into memory, and says whether that saves enough.
    fn probe(&mut self, bytes: &[u8]) -> bool {
        let mut probed = std::mem::take(&mut self.probed);
        probed.clear();
        self.compress.reset();
        let kept = self.deflate(bytes, true, |piece| {
            probed.extend_from_slice(piece);
            Ok(())
        });
        self.probed = probed;
        let saved = bytes.len().saturating_sub(self.probed.len());
        kept.is_ok() && saved > bytes.len() / WORTH_PART
    }

    fn deflate(
        &mut self,
        mut bytes: &[u8],
        last: bool,
        mut write: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let flush = if last {
            FlushCompress::Finish
        } else {
            FlushCompress::None
        };
        loop {
            let (read, written) = (self.compress.total_in(), self.compress.total_out());
            let status = self.compress.compress(bytes, &mut self.output, flush)?;
            let read = usize::try_from(self.compress.total_in().saturating_sub(read));
            let written = usize::try_from(self.compress.total_out().saturating_sub(written));
            bytes = read
                .ok()
                .and_then(|read| bytes.get(read..))
                .unwrap_or_default();
            write(
                written
                    .ok()
                    .and_then(|end| self.output.get(..end))
                    .unwrap_or_default(),
            )?;
            if status == Status::StreamEnd || (!last && bytes.is_empty()) {
                return Ok(());
            }
        }
    }
}
