//! Extraction below a directory that is held open: every step goes by file descriptor from there, no
//! link is ever followed, and links are made last.
//!
//! Several threads extract at the same time, each a run of entries after the other. What an entry says
//! of itself is checked as it is extracted (`docs/decisions/0111-headers-are-checked-on-the-way.md`):
//! nothing is used before all has passed, and where anything fails the directory is emptied.

use std::fs::File;
use std::io::{self, Write};
use std::num::NonZero;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags};

use super::contents::{CopyError, Inflater};
use super::entry::{Entry, Kind};
use super::error::{ArchiveError, shown};
use super::layout;
use super::limits::{Demand, Limits, free_bytes};
use super::outline::{self, Outline, Targets};
use super::runs::{self, FILE_PIECE_BYTES, FromSource, Pieces, Plan, Run};
use super::source::Source;

/// Modes are not taken from the archive, apart from whether a file can be run.
const FILE_MODE: u32 = 0o644;
const EXECUTABLE_MODE: u32 = 0o755;
const DIRECTORY_MODE: u32 = 0o755;

/// What was extracted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extracted {
    /// Files.
    pub files: u64,
    /// Directories that the archive names.
    pub directories: u64,
    /// Symbolic links.
    pub links: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Most threads: what a function has at most, 6 processors at 10,240 MB (AWS Lambda Developer Guide,
/// "Configure Lambda function memory"). Each takes up to 1.5 MiB.
const MAX_THREADS: usize = 6;

/// As many threads as this process has processors.
pub(crate) fn threads() -> NonZero<usize> {
    let available = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    NonZero::new(MAX_THREADS).map_or(available, |most| available.min(most))
}

/// Extracts all of an archive that is at hand into an empty directory.
pub(super) fn from_source(
    outline: &Outline,
    source: &Source,
    into: &Path,
    threads: NonZero<usize>,
) -> Result<Extracted, ArchiveError> {
    let plan = Plan::new(outline, None, FILE_PIECE_BYTES);
    let extraction = Extraction {
        outline,
        limits: &outline.limits,
        plan: &plan,
        pieces: &FromSource(source),
        chosen: None,
    };
    extraction.extract(into, threads)
}

/// What is to be extracted, and where its bytes come from.
pub(crate) struct Extraction<'a> {
    pub(crate) outline: &'a Outline,
    /// What the disk has room for.
    pub(crate) limits: &'a Limits,
    pub(crate) plan: &'a Plan,
    pub(crate) pieces: &'a dyn Pieces,
    /// Which entries, by their place among all; `None` means all. Links that are not chosen are read
    /// and checked with the others, because where a link leads depends on all of them.
    pub(crate) chosen: Option<&'a [bool]>,
}

impl Extraction<'_> {
    /// Extracts into an empty directory, by this many threads.
    pub(crate) fn extract(
        &self,
        into: &Path,
        threads: NonZero<usize>,
    ) -> Result<Extracted, ArchiveError> {
        let at_into = |source| ArchiveError::io("extract into", into, source);
        if std::fs::read_dir(into).map_err(at_into)?.next().is_some() {
            return Err(at_into(io::ErrorKind::DirectoryNotEmpty.into()));
        }
        self.limits.check_room(&self.demand(), into)?;
        let outcome = self.write_all(into, threads);
        if outcome.is_err() {
            empty(into)?;
        }
        outcome.map_err(|failure| self.explain(failure, into))
    }

    fn write_all(&self, into: &Path, threads: NonZero<usize>) -> Result<Extracted, Failure> {
        let root = Root::open(into).map_err(|error| Failure::at("", error))?;
        let Work {
            mut extracted,
            targets,
            ..
        } = self.write_files(&root, threads)?;
        self.outline.check_links(&targets)?;
        let mut destination = Destination::new(&root);
        for (index, entry) in self.outline.entries.iter().enumerate() {
            let target = u32::try_from(index)
                .ok()
                .and_then(|index| targets.get(&index));
            if let Some(target) = target
                && self.is_chosen(index)
            {
                destination
                    .create_link(entry.path(), target)
                    .map_err(|error| Failure::at(entry.path(), error))?;
                extracted.links = extracted.links.saturating_add(1);
            }
        }
        Ok(extracted)
    }

    /// Writes files and directories, by several threads that take run after run. Of several failures
    /// that of the first run is told, whichever thread was faster: all runs before it were taken
    /// before it, and are finished.
    fn write_files(&self, root: &Root, threads: NonZero<usize>) -> Result<Work, Failure> {
        let threads = if root.umask.is_hard() {
            1
        } else {
            threads.get()
        };
        let queue = Queue::default();
        let work = || self.work(root, &queue);
        let works: Vec<Work> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads.min(self.plan.runs.len()))
                .map_while(|_| std::thread::Builder::new().spawn_scoped(scope, work).ok())
                .collect();
            let first = work();
            std::iter::once(first)
                .chain(others.into_iter().map(|other| {
                    other
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                }))
                .collect()
        });
        let mut all = Work::default();
        for work in works {
            all.add(work);
        }
        match all.failure.take() {
            None => Ok(all),
            Some((_, failure)) => Err(failure),
        }
    }

    /// One thread's share.
    fn work(&self, root: &Root, queue: &Queue) -> Work {
        let mut worker = Worker {
            extraction: self,
            destination: Destination::new(root),
            inflater: Inflater::new(),
            work: Work::default(),
        };
        while let Some((number, run)) = queue.next(&self.plan.runs) {
            let outcome = if self.plan.is_small(run) {
                worker.small(run)
            } else {
                worker.large(run)
            };
            if let Err(failure) = outcome {
                queue.stop();
                self.pieces.pass_over(self.plan.numbers_of(run));
                worker.work.failure = Some((number, failure));
                break;
            }
        }
        worker.work
    }

    fn is_chosen(&self, index: usize) -> bool {
        runs::is_chosen(self.chosen, index)
    }

    fn demand(&self) -> Demand<'_> {
        self.outline.demand(|index| self.is_chosen(index))
    }

    /// Says of a failed write whether the disk was full; called when its room is free again.
    fn explain(&self, failure: Failure, into: &Path) -> ArchiveError {
        let (path, source) = match failure {
            Failure::Archive(error) => return error,
            Failure::Write { path, source } => (path, source),
        };
        if is_full(&source) {
            return ArchiveError::NoRoom {
                entry: shown(&path),
                path: into.to_owned(),
                needed_bytes: self.demand().disk_bytes,
                free_bytes: free_bytes(into).unwrap_or(0),
            };
        }
        ArchiveError::Io {
            action: "write",
            path: into.join(path),
            source,
        }
    }
}

/// Runs that are still to be taken.
#[derive(Default)]
struct Queue {
    next: AtomicUsize,
    stopped: AtomicBool,
}

impl Queue {
    fn next<'r>(&self, runs: &'r [Run]) -> Option<(usize, &'r Run)> {
        if self.stopped.load(Ordering::Relaxed) {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        runs.get(number).map(|run| (number, run))
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// What one thread, or all, did.
#[derive(Default)]
struct Work {
    extracted: Extracted,
    targets: Targets,
    /// With the number of its run.
    failure: Option<(usize, Failure)>,
}

impl Work {
    fn add(&mut self, other: Self) {
        let (all, one) = (&mut self.extracted, other.extracted);
        all.files = all.files.saturating_add(one.files);
        all.directories = all.directories.saturating_add(one.directories);
        all.bytes = all.bytes.saturating_add(one.bytes);
        self.targets.extend(other.targets);
        let failures = self.failure.take().into_iter().chain(other.failure);
        self.failure = failures.min_by_key(|(number, _)| *number);
    }
}

/// One thread's places, buffers and state.
struct Worker<'a> {
    extraction: &'a Extraction<'a>,
    destination: Destination<'a>,
    inflater: Inflater,
    work: Work,
}

impl<'a> Worker<'a> {
    fn entries(&self, run: &Run) -> impl Iterator<Item = (usize, &'a Entry)> + use<'a> {
        let extraction = self.extraction;
        run.entries.clone().filter_map(|index| {
            let entry = extraction.outline.entries.get(index)?;
            let wanted = extraction.is_chosen(index) || entry.kind == Kind::Link;
            wanted.then_some((index, entry))
        })
    }

    /// Extracts the entries of a run that is one piece.
    fn small(&mut self, run: &Run) -> Result<(), Failure> {
        let mut piece = self.extraction.pieces.take(run.piece, run.bytes.clone())?;
        for (index, entry) in self.entries(run) {
            let broken = |problem| ArchiveError::entry(&entry.name, problem);
            let start = length(&(run.bytes.start..entry.header));
            let len = length(&(entry.header..entry.end));
            let extent = piece.as_mut().as_mut().get_mut(start..).unwrap_or_default();
            let whole = extent.get(..len).unwrap_or_default();
            let parts = layout::check_header(whole, entry).map_err(broken)?;
            let data = parts.data(len);
            let descriptor = whole.get(data.end..).unwrap_or_default();
            layout::check_descriptor(descriptor, entry).map_err(broken)?;
            let mut place = Place::begin(&mut self.destination, entry)?;
            self.inflater
                .write(extent, data, entry, &mut |contents| place.write(contents))
                .map_err(|error| Failure::copy(entry, error))?;
            place.end(&mut self.work, index, entry)?;
        }
        Ok(())
    }

    /// Extracts the one entry of a run of several pieces.
    fn large(&mut self, run: &Run) -> Result<(), Failure> {
        let Some((index, entry)) = self.entries(run).next() else {
            return Ok(());
        };
        let broken = |problem| ArchiveError::entry(&entry.name, problem);
        let mut place = None;
        let mut contents = self.inflater.begin(entry);
        let mut data_left = entry.compressed_size;
        let mut descriptor = Vec::new();
        for (number, range) in self.extraction.plan.pieces_of(run) {
            let len = length(&range);
            let mut piece = self.extraction.pieces.take(number, range)?;
            let mut bytes = piece.as_mut().as_mut().get(..len).unwrap_or_default();
            let place = match &mut place {
                Some(place) => place,
                none => {
                    let parts = layout::check_header(bytes, entry).map_err(broken)?;
                    bytes = bytes.get(parts.header..).unwrap_or_default();
                    none.insert(Place::begin(&mut self.destination, entry)?)
                }
            };
            let data = usize::try_from(data_left).unwrap_or(usize::MAX);
            let (data, rest) = bytes.split_at(data.min(bytes.len()));
            data_left = data_left.saturating_sub(data.len() as u64);
            contents
                .push(data, &mut |contents| place.write(contents))
                .map_err(|error| Failure::copy(entry, error))?;
            descriptor.extend_from_slice(rest);
        }
        contents
            .finish()
            .map_err(|error| Failure::copy(entry, error))?;
        layout::check_descriptor(&descriptor, entry).map_err(broken)?;
        place.map_or(Ok(()), |place| place.end(&mut self.work, index, entry))
    }
}

/// Bytes of a range, and of a place in a run: pieces fit into memory.
fn length(range: &Range<u64>) -> usize {
    usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX)
}

/// Where the contents of an entry go.
enum Place {
    File(File),
    /// Its contents are nothing, but are read for that.
    Directory,
    Link(Vec<u8>),
}

impl Place {
    fn begin(destination: &mut Destination<'_>, entry: &Entry) -> Result<Self, Failure> {
        let path = entry.path();
        match entry.kind {
            Kind::File { executable } => destination.create_file(path, executable).map(Self::File),
            Kind::Directory => destination.enter(path).map(|_| Self::Directory),
            Kind::Link => Ok(Self::Link(Vec::new())),
        }
        .map_err(|error| Failure::at(path, error))
    }

    fn write(&mut self, contents: &[u8]) -> io::Result<()> {
        match self {
            Self::File(file) => file.write_all(contents),
            Self::Directory => Ok(()),
            Self::Link(target) => {
                target.extend_from_slice(contents);
                Ok(())
            }
        }
    }

    /// Counts the entry, whose contents are as they should be.
    fn end(self, work: &mut Work, index: usize, entry: &Entry) -> Result<(), Failure> {
        let extracted = &mut work.extracted;
        match self {
            Self::File(_) => {
                extracted.files = extracted.files.saturating_add(1);
                extracted.bytes = extracted.bytes.saturating_add(entry.size);
            }
            Self::Directory => extracted.directories = extracted.directories.saturating_add(1),
            Self::Link(contents) => {
                let index = u32::try_from(index).unwrap_or(u32::MAX);
                work.targets
                    .insert(index, outline::target(entry, &contents)?);
            }
        }
        Ok(())
    }
}

/// Why extraction stopped.
enum Failure {
    Archive(ArchiveError),
    Write { path: String, source: io::Error },
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(error)
    }
}

impl Failure {
    fn copy(entry: &Entry, error: CopyError) -> Self {
        match error {
            CopyError::Archive(error) => Self::Archive(error),
            CopyError::Write(error) => Self::at(entry.path(), error),
        }
    }

    fn at(path: &str, source: io::Error) -> Self {
        Self::Write {
            path: path.to_owned(),
            source,
        }
    }
}

/// Whether a write failed for want of room (bytes, inodes or quota).
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Removes all that is in a directory; links are removed, not followed.
fn empty(directory: &Path) -> Result<(), ArchiveError> {
    let failed = |source| ArchiveError::io("remove what was extracted into", directory, source);
    for found in std::fs::read_dir(directory).map_err(failed)? {
        let found = found.map_err(failed)?;
        if found.file_type().map_err(failed)?.is_dir() {
            std::fs::remove_dir_all(found.path()).map_err(failed)?;
        } else {
            std::fs::remove_file(found.path()).map_err(failed)?;
        }
    }
    Ok(())
}

/// The directory that is extracted into.
struct Root {
    directory: OwnedFd,
    umask: Umask,
}

impl Root {
    fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self {
            umask: Umask::of(&directory)?,
            directory,
        })
    }
}

/// The bits that the process's umask takes from the modes; asking once saves a call a file.
struct Umask(Mode);

impl Umask {
    /// Tries the umask out on a directory: it can be read only by changing it, for all threads.
    fn of(root: &OwnedFd) -> io::Result<Self> {
        const PROBE: &str = ".umask";
        let mode = Mode::from_raw_mode(DIRECTORY_MODE);
        rustix::fs::mkdirat(root, PROBE, mode)?;
        let stat = rustix::fs::statat(root, PROBE, AtFlags::SYMLINK_NOFOLLOW);
        rustix::fs::unlinkat(root, PROBE, AtFlags::REMOVEDIR)?;
        Ok(Self(mode.difference(Mode::from_raw_mode(stat?.st_mode))))
    }

    fn cuts(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether a directory that was just made cannot be used by another thread.
    fn is_hard(&self) -> bool {
        self.0.intersects(Mode::RWXU)
    }
}

/// The directories that lead to the place of the last entry: entries of one directory mostly follow
/// each other.
struct Destination<'r> {
    root: &'r Root,
    /// The last directory's path.
    path: String,
    /// It and those above it, each with the length of its path.
    open: Vec<(usize, OwnedFd)>,
}

impl<'r> Destination<'r> {
    fn new(root: &'r Root) -> Self {
        Self {
            root,
            path: String::new(),
            open: Vec::new(),
        }
    }

    fn create_file(&mut self, path: &str, executable: bool) -> io::Result<File> {
        let (parent, name) = self.enter_parent(path)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(if executable {
            EXECUTABLE_MODE
        } else {
            FILE_MODE
        });
        let file = rustix::fs::openat(parent, name, flags, mode)?;
        if self.root.umask.cuts() {
            // By descriptor, so that no link can stand in between.
            rustix::fs::fchmod(&file, mode)?;
        }
        Ok(File::from(file))
    }

    fn create_link(&mut self, path: &str, target: &str) -> io::Result<()> {
        let (parent, name) = self.enter_parent(path)?;
        Ok(rustix::fs::symlinkat(target, parent, name)?)
    }

    fn enter_parent<'p>(&mut self, path: &'p str) -> io::Result<(BorrowedFd<'_>, &'p str)> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok((self.enter(parent)?, name))
    }

    /// Opens a directory, which is made where it is not there yet.
    fn enter(&mut self, path: &str) -> io::Result<BorrowedFd<'_>> {
        if self.path != path {
            self.leave(path);
            let rest = path.get(self.path.len()..).unwrap_or_default();
            for component in rest.split('/').filter(|component| !component.is_empty()) {
                let directory = self.open_or_make(component)?;
                if !self.path.is_empty() {
                    self.path.push('/');
                }
                self.path.push_str(component);
                self.open.push((self.path.len(), directory));
            }
        }
        Ok(self.last())
    }

    /// Closes the directories that do not lead to this path.
    fn leave(&mut self, path: &str) {
        let leads = |len: usize| {
            let (left, right) = (self.path.get(..len), path.get(..len));
            left == right && matches!(path.as_bytes().get(len), None | Some(b'/'))
        };
        let kept = self.open.iter().take_while(|(len, _)| leads(*len)).count();
        self.open.truncate(kept);
        self.path
            .truncate(self.open.last().map_or(0, |(len, _)| *len));
    }

    fn last(&self) -> BorrowedFd<'_> {
        self.open
            .last()
            .map_or(self.root.directory.as_fd(), |(_, directory)| {
                directory.as_fd()
            })
    }

    fn open_or_make(&self, name: &str) -> io::Result<OwnedFd> {
        let (parent, mode) = (self.last(), Mode::from_raw_mode(DIRECTORY_MODE));
        let is_new = match rustix::fs::mkdirat(parent, name, mode) {
            Ok(()) => true,
            Err(rustix::io::Errno::EXIST) => false,
            Err(error) => return Err(error.into()),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(parent, name, flags, Mode::empty())?;
        if is_new && self.root.umask.cuts() {
            rustix::fs::fchmod(&directory, mode)?;
        }
        Ok(directory)
    }
}
