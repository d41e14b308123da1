//! The folders of runs: `.delivery/runs/ID/`.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use uuid::Uuid;

use super::event::Recorded;
use super::page;
use super::run::{RunRecord, State, file_name};
use crate::message::TestReport;
use crate::state_folder::lock::{self, Lock};

/// Where runs are recorded, below the application's directory.
const RUNS: &str = ".delivery/runs";

/// How many runs are kept: some days of work. A run of `examples/greeter` takes about 200 kB.
pub(super) const MOST_RUNS: usize = 30;

/// How many lines of one log are on the page: enough to see what failed. The file beside it has all.
const MOST_LOG_LINES: usize = 300;

/// How long a line of a log is on the page, in characters: bundlers write a whole program as one line.
const MOST_LOG_LINE_CHARS: usize = 2_000;

/// Where the reports of tests are, in the folder of a run.
const REPORTS: &str = "junit";

/// Most reports that are kept of a run: one per test file is usual.
const MOST_REPORTS: usize = 1_000;

/// Longest part of a report's own name in that of its file: file systems allow 255 bytes in all.
const MAX_REPORT_NAME: usize = 100;

/// Tells runs that begin in the same second apart; others are drawn where one has them.
const RANDOM_CHARS: usize = 4;

/// The runs of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunsFolder {
    path: PathBuf,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunFolder {
    path: PathBuf,
    id: String,
}

/// The end of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogTail {
    /// The file's name, without its extension.
    pub(super) name: String,
    pub(super) lines: Vec<String>,
    /// How many lines are before these.
    pub(super) left_out: usize,
}

impl RunsFolder {
    /// The one of an application's directory.
    pub(crate) fn of(application: &Path) -> Self {
        Self {
            path: application.join(RUNS),
        }
    }

    /// The nearest one, in this directory or above.
    pub(crate) fn nearest(directory: &Path) -> Option<Self> {
        let mut above = directory.ancestors().map(Self::of);
        above.find(|runs| runs.path.is_dir())
    }

    /// Makes the folder of a run that begins now, and takes its lock.
    pub(super) fn create(&self, now: Timestamp) -> io::Result<(RunFolder, Lock)> {
        fs::create_dir_all(&self.path)?;
        // Neither Git nor the revision of a plain folder sees the runs, whatever the application's own file says.
        let ignore = self.path.join(".gitignore");
        if !ignore.exists() {
            fs::write(ignore, "*\n")?;
        }
        let folder = loop {
            let random = Uuid::new_v4().simple().to_string();
            let random = &random[..RANDOM_CHARS];
            let folder = self.run(&format!("{}-{random}", now.strftime("%Y%m%d-%H%M%S")));
            match fs::create_dir(&folder.path) {
                Ok(()) => break folder,
                // Another run of this second has these characters.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        };
        let lock = lock::take(&folder.lock_file()).map_err(io::Error::other)?;
        let lock = lock.ok_or_else(|| io::Error::other("another process has the run's lock"))?;
        Ok((folder, lock))
    }

    /// The runs, the newest first.
    pub(crate) fn all(&self) -> Vec<RunFolder> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let runs = names.map(|name| self.run(&name));
        let mut runs: Vec<_> = runs.filter(|run| run.events_file().is_file()).collect();
        runs.sort_by(|a, b| b.id.cmp(&a.id));
        runs
    }

    /// Removes the oldest runs, but none that goes on.
    pub(super) fn prune(&self, own: &RunFolder) {
        // Its lock would be lost by looking at it.
        let others = self.all().into_iter().filter(|run| run != own);
        for run in others.skip(MOST_RUNS - 1).filter(|run| !run.is_live()) {
            let _what_stays_is_removed_by_the_next_run = fs::remove_dir_all(&run.path);
        }
    }

    fn run(&self, id: &str) -> RunFolder {
        RunFolder {
            path: self.path.join(id),
            id: id.to_owned(),
        }
    }
}

impl RunFolder {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The page.
    pub(crate) fn page(&self) -> PathBuf {
        self.path.join("report.html")
    }

    fn events_file(&self) -> PathBuf {
        self.path.join("events.jsonl")
    }

    fn lock_file(&self) -> PathBuf {
        self.path.join("lock")
    }

    /// Whether its process lives. Only for other processes: the look would release the own lock.
    pub(crate) fn is_live(&self) -> bool {
        lock::holder(&self.lock_file()).is_some()
    }

    /// What is recorded of it.
    pub(crate) fn read(&self) -> io::Result<RunRecord> {
        let text = fs::read(self.events_file())?;
        let text = String::from_utf8_lossy(&text);
        let mut record = RunRecord::default();
        for recorded in text.lines().filter_map(Recorded::read) {
            record.apply(recorded);
        }
        Ok(record)
    }

    /// Appends an event: a whole line in one call, so that other readers and a killed process leave no mixture.
    pub(super) fn append(&self, recorded: &Recorded) -> io::Result<()> {
        append(&self.events_file(), recorded.line().as_bytes())
    }

    /// Appends lines to a log.
    pub(super) fn append_log(&self, name: &str, lines: &[String]) -> io::Result<()> {
        let folder = self.logs();
        fs::create_dir_all(&folder)?;
        let text = lines.join("\n") + "\n";
        append(&folder.join(format!("{name}.log")), text.as_bytes())
    }

    /// Keeps the reports of an action's tests beside those that it has: of a retry there is another one.
    pub(super) fn keep_reports(&self, name: &str, reports: &[TestReport]) -> io::Result<()> {
        let folder = self.path.join(REPORTS);
        if !reports.is_empty() {
            fs::create_dir_all(&folder)?;
        }
        for report in reports {
            let there = fs::read_dir(&folder)?.count();
            if there >= MOST_REPORTS {
                break;
            }
            let own = report.path.rsplit('/').next().unwrap_or_default();
            let own = own.strip_suffix(".xml").unwrap_or(own);
            let own: String = file_name(own).chars().take(MAX_REPORT_NAME).collect();
            let file = format!("{name}-{}-{own}.xml", there + 1);
            fs::write(folder.join(file), &report.xml)?;
        }
        Ok(())
    }

    /// The names of the reports that are kept.
    fn reports(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path.join(REPORTS));
        let entries = entries.into_iter().flatten().flatten();
        let mut names: Vec<_> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// Writes the page; readers see the old one or the new one, and no half of one.
    pub(crate) fn write_page(&self, record: &RunRecord, state: State) -> io::Result<()> {
        // `delivery open` writes it, too, while the run goes on.
        let new = self
            .path
            .join(format!("report.html.{}", std::process::id()));
        let page = page::page(record, state, self.log_tails(), self.reports())
            .map_err(io::Error::other)?;
        fs::write(&new, page)?;
        fs::rename(new, self.page())
    }

    fn log_tails(&self) -> Vec<LogTail> {
        let entries = fs::read_dir(self.logs()).into_iter().flatten().flatten();
        let tails = entries.filter_map(|entry| {
            let path = entry.path();
            let name = path.file_stem()?.to_string_lossy().into_owned();
            Some(tail(name, &fs::read(&path).ok()?))
        });
        let mut tails: Vec<_> = tails.collect();
        tails.sort_by(|a, b| a.name.cmp(&b.name));
        tails
    }
}

fn append(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().create(true).append(true).open(file)?;
    file.write_all(bytes)
}

fn tail(name: String, log: &[u8]) -> LogTail {
    let text = String::from_utf8_lossy(log);
    let lines: Vec<&str> = text.lines().collect();
    let left_out = lines.len().saturating_sub(MOST_LOG_LINES);
    let cut = |line: &&str| {
        let mut cut: String = line.chars().take(MOST_LOG_LINE_CHARS).collect();
        if cut.len() < line.len() {
            cut.push('…');
        }
        cut
    };
    LogTail {
        name,
        lines: lines[left_out..].iter().map(cut).collect(),
        left_out,
    }
}
