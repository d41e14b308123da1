//! Lists what goes into an archive, and checks it by the rules that the reader checks.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, DirEntry, FileType, Mode, OFlags, Stat};

use crate::error::{ArchiveError, Problem, shown};
use crate::format::entry::Kind;
use crate::format::name;
use crate::format::path_tree::Tree;
use crate::limits::Limits;
use crate::reader::central_directory::conflict_error;

/// A file, directory or link to archive.
pub(crate) struct SourceItem {
    /// Its name in the archive; directories end with `/`.
    pub(crate) name: String,
    pub(crate) content: Content,
}

pub(crate) enum Content {
    File { bytes: u64, executable: bool },
    Directory,
    Link(String),
}

impl SourceItem {
    /// Size of a file; 0 for others.
    pub(crate) fn bytes(&self) -> u64 {
        match self.content {
            Content::File { bytes, .. } => bytes,
            Content::Directory | Content::Link(_) => 0,
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.content {
            Content::File { executable, .. } => Kind::File { executable },
            Content::Directory => Kind::Directory,
            Content::Link(_) => Kind::Link,
        }
    }
}

/// The directory to archive, held open: files are opened relative to it.
pub(crate) struct SourceDirectory<'a> {
    directory: OwnedFd,
    path: &'a Path,
    /// Prefix of all names: empty, or a path that ends with `/`.
    prefix: String,
}

impl<'a> SourceDirectory<'a> {
    /// Opens a directory whose contents go to the path `below` in the archive.
    pub(crate) fn open(path: &'a Path, below: &str) -> Result<Self, ArchiveError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|error| ArchiveError::io("list", path, error.into()))?;
        let prefix = match below.trim_end_matches('/') {
            "" => String::new(),
            below => format!("{below}/"),
        };
        Ok(Self {
            directory,
            path,
            prefix,
        })
    }

    /// Opens a file. It may have been replaced since it was listed, so links are not followed, and a pipe does not
    /// block.
    pub(crate) fn open_file(&self, item: &SourceItem) -> Result<File, ArchiveError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        rustix::fs::openat(&self.directory, self.relative(item), flags, Mode::empty())
            .map(File::from)
            .map_err(|error| self.error("open", item, error.into()))
    }

    /// An error about a listed file.
    pub(crate) fn error(
        &self,
        action: &'static str,
        item: &SourceItem,
        source: io::Error,
    ) -> ArchiveError {
        ArchiveError::io(action, &self.path.join(self.relative(item)), source)
    }

    fn relative<'i>(&self, item: &'i SourceItem) -> &'i str {
        item.name.strip_prefix(&self.prefix).unwrap_or(&item.name)
    }

    /// Everything below the directory, sorted by the bytes of the names. Directories are listed only if they are
    /// empty; the others are implied by their contents.
    /// What is called `without` is left out, at any depth.
    pub(crate) fn list(&self, without: &[&str]) -> Result<Vec<SourceItem>, ArchiveError> {
        let mut listing = Listing {
            root: self,
            without,
            items: Vec::new(),
            directories: vec![String::new()],
        };
        while let Some(directory) = listing.directories.pop() {
            listing.add(&directory)?;
        }
        let mut items = listing.items;
        items.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(items)
    }

    /// The files and links at these paths, sorted by the bytes of the names.
    pub(crate) fn list_only(&self, paths: &[String]) -> Result<Vec<SourceItem>, ArchiveError> {
        let item = |path: &String| {
            let failed = |error: rustix::io::Errno| {
                ArchiveError::io("inspect", &self.path.join(path), error.into())
            };
            let stat =
                rustix::fs::statat(&self.directory, path.as_str(), AtFlags::SYMLINK_NOFOLLOW)
                    .map_err(failed)?;
            let content = match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => file(&stat),
                FileType::Symlink => link(&self.directory, path.as_str(), path, failed)?,
                kind => return Err(ArchiveError::entry(path, Problem::Special(special(kind)))),
            };
            let name = format!("{}{path}", self.prefix);
            Ok(SourceItem { name, content })
        };
        let mut items = paths.iter().map(item).collect::<Result<Vec<_>, _>>()?;
        items.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(items)
    }
}

fn file(stat: &Stat) -> Content {
    Content::File {
        bytes: u64::try_from(stat.st_size).unwrap_or(0),
        executable: stat.st_mode & 0o111 != 0,
    }
}

/// A link's target; messages call the link `shown`.
fn link(
    directory: impl AsFd,
    name: impl rustix::path::Arg,
    shown: &str,
    failed: impl FnOnce(rustix::io::Errno) -> ArchiveError,
) -> Result<Content, ArchiveError> {
    let target = rustix::fs::readlinkat(directory, name, Vec::new()).map_err(failed)?;
    let unusable = |_| ArchiveError::entry(shown, Problem::LinkTarget);
    Ok(Content::Link(target.into_string().map_err(unusable)?))
}

/// A listing in progress.
struct Listing<'r> {
    root: &'r SourceDirectory<'r>,
    /// Names that are left out.
    without: &'r [&'r str],
    items: Vec<SourceItem>,
    /// Directories still to list: paths below the root that end with `/`.
    directories: Vec<String>,
}

impl Listing<'_> {
    /// Lists one directory.
    fn add(&mut self, directory: &str) -> Result<(), ArchiveError> {
        let failed = |error: rustix::io::Errno| {
            ArchiveError::io("list", &self.root.path.join(directory), error.into())
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let path = if directory.is_empty() { "." } else { directory };
        let opened =
            rustix::fs::openat(&self.root.directory, path, flags, Mode::empty()).map_err(failed)?;
        let mut entries = Dir::new(opened).map_err(failed)?;
        let mut empty = true;
        while let Some(entry) = entries.read() {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_bytes();
            let is_left_out = || self.without.iter().any(|one| one.as_bytes() == name);
            if !matches!(name, b"." | b"..") && !is_left_out() {
                empty = false;
                self.add_entry(directory, &entries, &entry)?;
            }
        }
        let name = format!("{}{directory}", self.root.prefix);
        if empty && !name.is_empty() {
            self.items.push(SourceItem {
                name,
                content: Content::Directory,
            });
        }
        Ok(())
    }

    fn add_entry(
        &mut self,
        directory: &str,
        opened: &Dir,
        entry: &DirEntry,
    ) -> Result<(), ArchiveError> {
        let raw = OsStr::from_bytes(entry.file_name().to_bytes());
        let Some(name) = raw.to_str() else {
            let name = format!("{directory}{}", raw.to_string_lossy());
            return Err(ArchiveError::entry(&name, Problem::NameNotUtf8));
        };
        let path = || -> PathBuf { self.root.path.join(directory).join(name) };
        let failed = |action| {
            move |error: rustix::io::Errno| ArchiveError::io(action, &path(), error.into())
        };
        let opened = opened.fd().map_err(failed("inspect"))?;
        let mut kind = entry.file_type();
        let mut stat = None;
        if matches!(kind, FileType::RegularFile | FileType::Unknown) {
            let found = rustix::fs::statat(opened, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(failed("inspect"))?;
            kind = FileType::from_raw_mode(found.st_mode);
            stat = Some(found);
        }
        let content = match (kind, stat) {
            (FileType::RegularFile, Some(stat)) => file(&stat),
            (FileType::Symlink, _) => {
                let shown = format!("{directory}{name}");
                link(opened, entry.file_name(), &shown, failed("read the link"))?
            }
            (FileType::Directory, _) => {
                self.directories.push(format!("{directory}{name}/"));
                return Ok(());
            }
            (kind, _) => {
                return Err(ArchiveError::entry(
                    &format!("{directory}{name}"),
                    Problem::Special(special(kind)),
                ));
            }
        };
        self.items.push(SourceItem {
            name: format!("{}{directory}{name}", self.root.prefix),
            content,
        });
        Ok(())
    }
}

fn special(kind: FileType) -> &'static str {
    match kind {
        FileType::Fifo => "named pipe",
        FileType::Socket => "socket",
        FileType::BlockDevice => "block device",
        FileType::CharacterDevice => "character device",
        _ => "file of an unknown type",
    }
}

/// Applies the reader's rules, so that what is written can always be read.
pub(crate) fn check(items: &[SourceItem]) -> Result<(), ArchiveError> {
    let max_entries = Limits::default().max_entries;
    let mut tree = Tree::new(max_entries);
    let item_at = |index: u32| {
        usize::try_from(index)
            .ok()
            .and_then(|index| items.get(index))
    };
    for (index, item) in (0_u32..).zip(items) {
        let path = name::check(item.name.as_bytes())
            .map_err(|problem| ArchiveError::entry(&item.name, problem))?;
        let other = |index| item_at(index).map_or_else(String::new, |item| shown(&item.name));
        tree.insert(path, item.kind(), index)
            .map_err(|conflict| conflict_error(conflict, &item.name, max_entries, other))?;
    }
    let target_of = |index| match item_at(index).map(|item| &item.content) {
        Some(Content::Link(target)) => Some(target.as_str()),
        _ => None,
    };
    for item in items {
        if let Content::Link(target) = &item.content {
            tree.check_link(&item.name, target, target_of)
                .map_err(|problem| ArchiveError::entry(&item.name, problem))?;
        }
    }
    Ok(())
}
