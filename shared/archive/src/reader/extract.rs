//! Extraction of a checked archive by several threads: files and directories first, links last.
//!
//! Problem: extraction is limited by inflating and by system calls, so it needs several threads. But what a link
//! does depends on all other links, and an archive may turn out to be invalid after half of its files were written.
//!
//! Solution:
//!
//! 1. The destination must be empty, and everything is written relative to its open descriptor, without following
//!    links. Until the end no links exist, so no file can be written through one.
//! 2. Threads take coalesced reads from a shared counter, in order. Each entry is checked as it is extracted
//!    (`docs/decisions/0111-headers-are-checked-on-the-way.md`).
//! 3. Links are collected, checked together, and created at the end.
//! 4. If anything fails, the destination is emptied. Callers use nothing before the whole extraction succeeded.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::num::NonZero;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::error::{ArchiveError, shown};
use crate::format::entry::{Entry, Kind};
use crate::limits::{Demand, Limits, free_bytes};
use crate::reader::central_directory::{self, CentralDirectory, Targets};
use crate::reader::coalesce::{
    self, CoalescedRead, FILE_PIECE_BYTES, FromSource, PieceSource, ReadPlan,
};
use crate::reader::destination::{self, Destination, TargetDirectory};
use crate::reader::inflate::{CopyError, Inflater};
use crate::reader::local_header;
use crate::reader::source::Source;

/// What was extracted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extracted {
    /// Files.
    pub files: u64,
    /// Directories with an entry of their own.
    pub directories: u64,
    /// Symbolic links.
    pub links: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Most threads: a function has at most 6 processors, at 10,240 MB (AWS Lambda Developer Guide, "Configure Lambda
/// function memory"). Each thread uses up to 1.5 MiB.
const MAX_THREADS: usize = 6;

/// The number of threads for this process: one per processor, six at most.
#[must_use]
pub fn threads() -> NonZero<usize> {
    let available = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    NonZero::new(MAX_THREADS).map_or(available, |most| available.min(most))
}

/// Extracts all of a local archive into an empty directory.
pub(crate) fn from_source(
    directory: &CentralDirectory,
    source: &Source,
    into: &Path,
    threads: NonZero<usize>,
) -> Result<Extracted, ArchiveError> {
    let plan = ReadPlan::new(directory, None, FILE_PIECE_BYTES);
    let extraction = Extraction {
        directory,
        limits: &directory.limits,
        plan: &plan,
        pieces: &FromSource(source),
        chosen: None,
    };
    extraction.extract(into, threads)
}

/// One extraction: what to extract, and where its bytes come from.
pub struct Extraction<'a> {
    /// The archive.
    pub directory: &'a CentralDirectory,
    /// The space on the disk.
    pub limits: &'a Limits,
    /// Which bytes are read together.
    pub plan: &'a ReadPlan,
    /// Where the bytes come from.
    pub pieces: &'a dyn PieceSource,
    /// Which entries, by index; `None` means all. Links that are not chosen are read and checked as well, because
    /// where a link leads depends on all of them.
    pub chosen: Option<&'a [bool]>,
}

impl fmt::Debug for Extraction<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Extraction")
            .field("plan", self.plan)
            .field("chosen", &self.chosen)
            .finish_non_exhaustive()
    }
}

impl Extraction<'_> {
    /// Extracts into an empty directory with a number of threads.
    ///
    /// # Errors
    ///
    /// [`ArchiveError`] names the entry; nothing of the archive stays in the directory.
    pub fn extract(&self, into: &Path, threads: NonZero<usize>) -> Result<Extracted, ArchiveError> {
        let at_into = |source| ArchiveError::io("extract into", into, source);
        if std::fs::read_dir(into).map_err(at_into)?.next().is_some() {
            return Err(at_into(io::ErrorKind::DirectoryNotEmpty.into()));
        }
        self.limits.check_room(&self.demand(), into)?;
        let outcome = self.write_all(into, threads);
        // Emptied before the error is explained: `explain` reports the free space without this archive's files.
        if outcome.is_err() {
            destination::empty(into)?;
        }
        outcome.map_err(|failure| self.explain(failure, into))
    }

    fn write_all(&self, into: &Path, threads: NonZero<usize>) -> Result<Extracted, Failure> {
        let root = TargetDirectory::open(into).map_err(|error| Failure::at("", error))?;
        if root.folds_case {
            self.directory.check_case()?;
        }
        let Work {
            mut extracted,
            targets,
            ..
        } = self.write_files(&root, threads)?;
        self.directory.check_links(&targets)?;
        let mut destination = Destination::new(&root);
        for (index, entry) in self.directory.entries.iter().enumerate() {
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

    /// Writes files and directories with several threads. Of several failures, the one of the earliest read is
    /// reported, whichever thread was faster: reads are taken in order, and those taken before it are finished, so
    /// the result does not depend on timing.
    fn write_files(
        &self,
        root: &TargetDirectory,
        threads: NonZero<usize>,
    ) -> Result<Work, Failure> {
        // With such a umask a new directory is unusable until its mode is set, which another thread may not wait for.
        let threads = if root.umask.is_hard() {
            1
        } else {
            threads.get()
        };
        let queue = Queue::default();
        let work = || self.work(root, &queue);
        let works: Vec<Work> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads.min(self.plan.runs.len()))
                // If the system allows fewer threads, those that started (at least this one) do all the work.
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

    /// The work of one thread.
    fn work(&self, root: &TargetDirectory, queue: &Queue) -> Work {
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
                // The source must not keep fetching for this read; other threads finish theirs.
                self.pieces.pass_over(self.plan.numbers_of(run));
                worker.work.failure = Some((number, failure));
                break;
            }
        }
        worker.work
    }

    fn is_chosen(&self, index: usize) -> bool {
        coalesce::is_chosen(self.chosen, index)
    }

    fn demand(&self) -> Demand<'_> {
        self.directory.demand(|index| self.is_chosen(index))
    }

    /// Turns a failed write into an error, which says whether the disk was full. Called after the destination was
    /// emptied.
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

/// Hands out the reads in order.
#[derive(Default)]
struct Queue {
    next: AtomicUsize,
    stopped: AtomicBool,
}

impl Queue {
    fn next<'r>(&self, runs: &'r [CoalescedRead]) -> Option<(usize, &'r CoalescedRead)> {
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

/// The result of one thread, or of all.
#[derive(Default)]
struct Work {
    extracted: Extracted,
    targets: Targets,
    /// With the number of its read.
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

/// The state of one thread.
struct Worker<'a> {
    extraction: &'a Extraction<'a>,
    destination: Destination<'a>,
    inflater: Inflater,
    work: Work,
}

impl<'a> Worker<'a> {
    fn entries(&self, run: &CoalescedRead) -> impl Iterator<Item = (usize, &'a Entry)> + use<'a> {
        let extraction = self.extraction;
        run.entries.clone().filter_map(|index| {
            let entry = extraction.directory.entries.get(index)?;
            let wanted = extraction.is_chosen(index) || entry.kind == Kind::Link;
            wanted.then_some((index, entry))
        })
    }

    /// Extracts the entries of a read that fits into one piece.
    fn small(&mut self, run: &CoalescedRead) -> Result<(), Failure> {
        let mut piece = self.extraction.pieces.take(run.piece, run.bytes.clone())?;
        for (index, entry) in self.entries(run) {
            let broken = |problem| ArchiveError::entry(&entry.name, problem);
            let start = length(&(run.bytes.start..entry.header));
            let len = length(&(entry.header..entry.end));
            let extent = piece.as_mut().as_mut().get_mut(start..).unwrap_or_default();
            let whole = extent.get(..len).unwrap_or_default();
            let parts = local_header::check_header(whole, entry).map_err(broken)?;
            let data = parts.data(len);
            let descriptor = whole.get(data.end..).unwrap_or_default();
            local_header::check_descriptor(descriptor, entry).map_err(broken)?;
            let mut output = EntryOutput::begin(&mut self.destination, entry)?;
            self.inflater
                .write(extent, data, entry, &mut |contents| output.write(contents))
                .map_err(|error| Failure::copy(entry, error))?;
            output.end(&mut self.work, index, entry)?;
        }
        Ok(())
    }

    /// Extracts the single entry of a read of several pieces.
    fn large(&mut self, run: &CoalescedRead) -> Result<(), Failure> {
        let Some((index, entry)) = self.entries(run).next() else {
            return Ok(());
        };
        let broken = |problem| ArchiveError::entry(&entry.name, problem);
        let mut output = None;
        let mut contents = self.inflater.begin(entry);
        let mut data_left = entry.compressed_size;
        let mut descriptor = Vec::new();
        for (number, range) in self.extraction.plan.pieces_of(run) {
            let len = length(&range);
            let mut piece = self.extraction.pieces.take(number, range)?;
            let mut bytes = piece.as_mut().as_mut().get(..len).unwrap_or_default();
            let output = match &mut output {
                Some(output) => output,
                none => {
                    let parts = local_header::check_header(bytes, entry).map_err(broken)?;
                    bytes = bytes.get(parts.header..).unwrap_or_default();
                    none.insert(EntryOutput::begin(&mut self.destination, entry)?)
                }
            };
            let data = usize::try_from(data_left).unwrap_or(usize::MAX);
            let (data, rest) = bytes.split_at(data.min(bytes.len()));
            data_left = data_left.saturating_sub(data.len() as u64);
            contents
                .push(data, &mut |contents| output.write(contents))
                .map_err(|error| Failure::copy(entry, error))?;
            // The descriptor follows the data, and may be split between the last two pieces.
            descriptor.extend_from_slice(rest);
        }
        contents
            .finish()
            .map_err(|error| Failure::copy(entry, error))?;
        local_header::check_descriptor(&descriptor, entry).map_err(broken)?;
        output.map_or(Ok(()), |output| output.end(&mut self.work, index, entry))
    }
}

/// The length of a range of bytes that are in memory.
fn length(range: &Range<u64>) -> usize {
    usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX)
}

/// The destination of an entry's contents.
enum EntryOutput {
    File(File),
    /// Has no contents, which is checked by reading them.
    Directory,
    Link(Vec<u8>),
}

impl EntryOutput {
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

    /// Counts the entry after its contents were checked.
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
                    .insert(index, central_directory::target(entry, &contents)?);
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

/// Whether a write failed because the disk is full (bytes, inodes or quota).
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
