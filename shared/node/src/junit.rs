//! JUnit XML reports: how many tests there were, and which of them failed.
//!
//! There is no common schema: mocha, jest, Node's own runner, pytest and Maven differ in attributes, nesting and time
//! formats. So only what all share is read (`testcase` with `failure`, `error` or `skipped` inside), and tests are
//! counted rather than taken from summary attributes. An unreadable report is only a warning, because the exit code
//! decides whether the tests passed.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde::{Deserialize, Deserializer};

use delivery_action::failure::{ActionError, FailureType, cut_end};
use delivery_action::glob::Glob;
use delivery_action::text::one_line;

mod failed_test;

pub use failed_test::FailedTest;

/// Largest report that is read. Ten thousand tests with their output stay below it.
const MAX_REPORT_BYTES: u64 = 32 * 1024 * 1024;

/// Largest report that is logged whole, in bytes: an event of CloudWatch Logs has at most 262,144 (`PutLogEvents`), and JSON makes
/// two of each quote and line break.
const MAX_LOGGED_BYTES: u64 = 100_000;

/// Most bytes of the reports of one task that are logged: what is logged is paid for.
const MAX_LOGGED_IN_ALL: u64 = 1_000_000;

/// Most reports that are read; one per test file is usual.
const MAX_REPORTS: usize = 1_000;

/// Most files that are compared with the pattern.
const MAX_FILES: usize = 500_000;

/// Most names of failed tests that are kept; all are counted.
pub(crate) const MAX_NAMES: usize = 50;

/// Longest name of a failed test, in characters.
const MAX_NAME_CHARS: usize = 200;

/// Folders that are not searched unless the pattern names them.
const SKIPPED_FOLDERS: [&str; 2] = ["node_modules", ".git"];

/// Where reports are: a glob below the project's directory, such as `reports/**/*.xml`.
#[derive(Clone, Debug)]
pub struct ReportGlob {
    pattern: String,
    glob: Glob,
}

/// Reports that existed before the tests ran.
#[derive(Debug, Default)]
pub struct EarlierReports(HashSet<(Stamp, PathBuf)>);

/// Changes when a file is written again: inode, and seconds and nanoseconds of the last change.
type Stamp = (u64, i64, i64);

/// The results in the reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many files were read.
    pub files: usize,
    /// How many tests there are.
    pub tests: usize,
    /// How many of them failed, by an assertion or an error.
    pub failed: usize,
    /// How many were not run.
    pub skipped: usize,
    /// The names of those that failed, as many as are kept.
    pub failed_names: Vec<String>,
    /// What is said of the first of them.
    pub first_failed: Option<FailedTest>,
}

/// The results, and the problems with reading them.
#[derive(Debug, Default)]
pub struct Reading {
    /// What was read.
    pub report: Report,
    /// One line for each report that could not be read.
    pub warnings: Vec<String>,
}

impl ReportGlob {
    /// Parses a pattern. `*` does not match `/`; `**` does.
    ///
    /// # Errors
    ///
    /// [`ReportGlobError`] if the pattern is invalid, absolute, or contains `..`.
    pub fn new(pattern: &str) -> Result<Self, ReportGlobError> {
        let refused = |reason: String| ReportGlobError {
            pattern: pattern.to_owned(),
            reason,
        };
        let relative = pattern.strip_prefix("./").unwrap_or(pattern);
        if relative.starts_with('/') || relative.split('/').any(|part| part == "..") {
            return Err(refused("it leaves the source".to_owned()));
        }
        Ok(Self {
            pattern: pattern.to_owned(),
            glob: Glob::new(relative).map_err(refused)?,
        })
    }

    /// The pattern as it was given.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The reports that exist before the tests run, which are from an earlier run.
    #[must_use]
    pub fn earlier(&self, root: &Path) -> EarlierReports {
        EarlierReports(
            self.files(root)
                .into_iter()
                .filter_map(|file| Some((stamp(&file)?, file)))
                .collect(),
        )
    }

    /// Reads all reports below a directory that were written since, without following symbolic links.
    #[must_use]
    pub fn read(&self, root: &Path, earlier: &EarlierReports) -> Reading {
        let mut reading = Reading::default();
        let mut loggable = MAX_LOGGED_IN_ALL;
        for file in self.files(root) {
            if stamp(&file).is_some_and(|stamp| earlier.0.contains(&(stamp, file.clone()))) {
                continue;
            }
            let name = file
                .strip_prefix(root)
                .unwrap_or(&file)
                .display()
                .to_string();
            match read_file(&file) {
                Ok(report) => {
                    reading.report.add(report);
                    loggable = loggable.saturating_sub(log(&file, &name, loggable));
                }
                Err(reason) => {
                    let warning = format!("the report `{name}` cannot be read: {reason}");
                    tracing::warn!("{warning}");
                    reading.warnings.push(warning);
                }
            }
        }
        reading
    }

    fn files(&self, root: &Path) -> Vec<PathBuf> {
        walkdir::WalkDir::new(root)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| {
                let name = entry.file_name().to_string_lossy();
                !SKIPPED_FOLDERS.contains(&&*name) || self.pattern.contains(&*name)
            })
            .take(MAX_FILES)
            .flatten()
            .filter(|entry| entry.file_type().is_file())
            .filter(|entry| {
                entry
                    .path()
                    .strip_prefix(root)
                    .is_ok_and(|path| self.glob.is_match(path))
            })
            .map(walkdir::DirEntry::into_path)
            .take(MAX_REPORTS)
            .collect()
    }
}

impl<'de> Deserialize<'de> for ReportGlob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(|_| {
            serde::de::Error::custom(
                "a pattern of files below the project, such as `reports/**/*.xml`",
            )
        })
    }
}

impl Report {
    /// How many tests ran and did not fail.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.tests - self.failed - self.skipped
    }

    /// With short names, and those of files as they are below a directory: Node.js names a test file that cannot be loaded by its
    /// path, and what is read of a runner's output has names of any length.
    #[must_use]
    pub fn below(mut self, directory: &Path) -> Self {
        let directory = format!("{}/", directory.display());
        for name in &mut self.failed_names {
            *name = cut_end(&one_line(&name.replace(&directory, "")), MAX_NAME_CHARS);
        }
        self
    }

    fn add(&mut self, other: Self) {
        self.files += other.files;
        self.tests += other.tests;
        self.failed += other.failed;
        self.skipped += other.skipped;
        let room = MAX_NAMES.saturating_sub(self.failed_names.len());
        self.failed_names
            .extend(other.failed_names.into_iter().take(room));
        self.first_failed = self.first_failed.take().or(other.first_failed);
    }

    fn count(&mut self, case: Case) {
        self.tests += 1;
        match case.end {
            CaseEnd::Passed => {}
            CaseEnd::Skipped => self.skipped += 1,
            CaseEnd::Failed => {
                self.failed += 1;
                if self.failed_names.len() < MAX_NAMES {
                    self.failed_names.push(case.name);
                }
                self.first_failed = self.first_failed.take().or(case.failure);
            }
        }
    }
}

impl std::fmt::Display for Report {
    /// `12 tests: 10 passed, 1 failed, 1 skipped`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = if self.tests == 1 { "" } else { "s" };
        write!(f, "{} test{plural}: {} passed", self.tests, self.passed())?;
        if self.failed > 0 {
            write!(f, ", {} failed", self.failed)?;
        }
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// A `testcase` while it is read.
#[derive(Debug)]
struct Case {
    name: String,
    end: CaseEnd,
    /// What is said of its first failure.
    failure: Option<FailedTest>,
    /// Whether that is being read.
    in_failure: bool,
}

impl Case {
    fn new(name: String) -> Self {
        Self {
            name,
            end: CaseEnd::Passed,
            failure: None,
            in_failure: false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CaseEnd {
    Passed,
    Skipped,
    Failed,
}

fn stamp(file: &Path) -> Option<Stamp> {
    let meta = file.symlink_metadata().ok()?;
    Some((meta.ino(), meta.ctime(), meta.ctime_nsec()))
}

/// Writes a report into the function's log, from which `delivery run` takes it; returns its bytes, or 0 where it is too large.
fn log(file: &Path, name: &str, room: u64) -> u64 {
    let size = file.metadata().map_or(u64::MAX, |file| file.len());
    if size > room.min(MAX_LOGGED_BYTES) {
        return 0;
    }
    let Ok(xml) = std::fs::read_to_string(file) else {
        return 0; // It is not UTF-8.
    };
    tracing::info!(path = name, junit = xml, "read the report `{name}`");
    size
}

fn read_file(path: &Path) -> Result<Report, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let size = file.metadata().map_err(|error| error.to_string())?.len();
    if size > MAX_REPORT_BYTES {
        return Err(format!(
            "it has {size} bytes; the limit is {MAX_REPORT_BYTES}"
        ));
    }
    let mut reader = BufReader::new(file.take(MAX_REPORT_BYTES));
    let beginning = reader.fill_buf().map_err(|error| error.to_string())?;
    match utf16_order(beginning) {
        Some(order) => read_xml(utf16(reader, order)?.as_bytes()),
        None => read_xml(reader),
    }
}

/// The byte order of UTF-16, which PowerShell and reporters for .NET write.
type ByteOrder = fn([u8; 2]) -> u16;

/// The byte order by the byte order mark, or else by the `<` that every report starts with.
fn utf16_order(beginning: &[u8]) -> Option<ByteOrder> {
    match beginning {
        [0xff, 0xfe, ..] | [b'<', 0, ..] => Some(u16::from_le_bytes),
        [0xfe, 0xff, ..] | [0, b'<', ..] => Some(u16::from_be_bytes),
        _ => None,
    }
}

fn utf16(mut reader: impl Read, order: ByteOrder) -> Result<String, String> {
    let mut bytes = Vec::new();
    reader
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    let units = bytes.chunks_exact(2).map(|unit| order([unit[0], unit[1]]));
    let text = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER));
    Ok(text.filter(|character| *character != '\u{feff}').collect())
}

fn read_xml(xml: impl std::io::BufRead) -> Result<Report, String> {
    let mut reader = Reader::from_reader(xml);
    let mut report = Report {
        files: 1,
        ..Report::default()
    };
    let mut case: Option<Case> = None;
    let mut known_root = false;
    let mut open = 0_usize;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match reader
            .read_event_into(&mut buffer)
            .map_err(|error| error.to_string())?
        {
            Event::Start(element) => {
                open += 1;
                known_root |= is_report_root(&element);
                begin(&element, &mut case, true);
            }
            Event::Empty(element) => {
                known_root |= is_report_root(&element);
                begin(&element, &mut case, false);
                if element.local_name().as_ref() == b"testcase" {
                    report.count(case.take().expect("`begin` made it of this element"));
                }
            }
            Event::End(element) => {
                open = open.saturating_sub(1);
                match (element.local_name().as_ref(), &mut case) {
                    (b"testcase", _) => case.take().into_iter().for_each(|case| report.count(case)),
                    (b"failure" | b"error", Some(case)) => case.in_failure = false,
                    _ => {}
                }
            }
            Event::Text(text) => said(&mut case, |failure| failure.push(&text)),
            Event::CData(text) => said(&mut case, |failure| failure.push(&text)),
            Event::GeneralRef(entity) => said(&mut case, |failure| failure.push_entity(&entity)),
            Event::Eof if open > 0 => return Err("it is truncated".to_owned()),
            Event::Eof if !known_root => return Err("it is not a JUnit report".to_owned()),
            Event::Eof => return Ok(report),
            _ => {}
        }
    }
}

fn is_report_root(element: &BytesStart<'_>) -> bool {
    matches!(element.local_name().as_ref(), b"testsuites" | b"testsuite")
}

/// `is_open`: more of the element follows.
fn begin(element: &BytesStart<'_>, case: &mut Option<Case>, is_open: bool) {
    match (element.local_name().as_ref(), case) {
        (b"testcase", case) => *case = Some(Case::new(case_name(element))),
        (b"failure" | b"error", Some(case)) => {
            case.end = CaseEnd::Failed;
            if case.failure.is_none() {
                case.failure = Some(FailedTest::begin(element));
                case.in_failure = is_open;
            }
        }
        (b"skipped", Some(case)) if case.end == CaseEnd::Passed => case.end = CaseEnd::Skipped,
        _ => {}
    }
}

/// Keeps what is said inside of a failure.
fn said(case: &mut Option<Case>, keep: impl FnOnce(&mut FailedTest)) {
    if let Some(case) = case
        && case.in_failure
        && let Some(failure) = &mut case.failure
    {
        keep(failure);
    }
}

/// `name`, after `classname` if that says more. Many reporters put the whole title into both.
fn case_name(element: &BytesStart<'_>) -> String {
    let attribute = |wanted: &str| {
        element
            .attributes()
            .with_checks(false)
            .flatten()
            .find_map(|attribute| {
                if attribute.key.local_name().as_ref() != wanted.as_bytes() {
                    return None;
                }
                let raw = String::from_utf8_lossy(&attribute.value).into_owned();
                let text =
                    quick_xml::escape::unescape(&raw).map_or_else(|_| raw.clone(), Into::into);
                Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
            })
    };
    let name = attribute("name").unwrap_or_default();
    let class = attribute("classname").unwrap_or_default();
    let full = match (name.as_str(), class.as_str()) {
        ("", "") => "a test without a name".to_owned(),
        ("", class) => class.to_owned(),
        (name, "") => name.to_owned(),
        (name, class) if name.contains(class) => name.to_owned(),
        (name, class) if class.contains(name) => class.to_owned(),
        (name, class) => format!("{class} › {name}"),
    };
    cut_end(&one_line(&full), MAX_NAME_CHARS)
}

/// An invalid `report` pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`report` has the pattern `{pattern}`, which cannot be used: {reason}")]
pub struct ReportGlobError {
    pattern: String,
    reason: String,
}

impl ActionError for ReportGlobError {
    fn failure_type(&self) -> FailureType {
        FailureType::ConfigurationError
    }

    fn hint(&self) -> Option<String> {
        Some(
            "give `report` a pattern below the project's directory, such as `reports/**/*.xml`"
                .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests;
