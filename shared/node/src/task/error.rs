//! Why a task could not be run, or failed.

use std::fmt::Write as _;

use super::{Runner, TaskFailure};
use crate::junit::Report;
use delivery_action::failure::{ActionError, FailureType, chain};
use delivery_action::process::ProcessError;

/// How many failed tests a message names; the log and the report have all.
const MAX_NAMED: usize = 10;

/// Most characters of these names, so that what the first of them says has room in the message.
const MAX_NAMES_CHARS: usize = 600;

/// Stands between advice on a failure and the command that reproduces it, in a hint.
pub const REPRODUCE: &str = "; to reproduce it, ";

/// How many tasks a message lists.
const MAX_LISTED: usize = 40;

/// A task that could not be run, or that failed.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// Not a valid task name.
    #[error("`{task}` is not a task name")]
    Name {
        /// What was given.
        task: String,
    },
    /// The runner has no such task.
    #[error("`{file}` has no {} `{task}` ({})", .runner.noun(), listed(.tasks))]
    Unknown {
        /// What was given.
        task: String,
        /// What was to run it.
        runner: Runner,
        /// The file below the source that it was looked for in.
        file: String,
        /// The existing tasks.
        tasks: Vec<String>,
    },
    /// gulp is configured as runner, but the project has no gulpfile.
    #[error("`{directory}` has no gulpfile")]
    NoGulpfile {
        /// The directory below the source.
        directory: String,
    },
    /// There is a gulpfile, and gulp is not installed.
    #[error("gulp is not installed for `{directory}`: no `node_modules/.bin/gulp` there or above")]
    NoGulp {
        /// The directory below the source.
        directory: String,
    },
    /// There is no `package.json`.
    #[error("`{directory}` has neither a gulpfile nor a `package.json`")]
    NoManifest {
        /// The directory below the source.
        directory: String,
    },
    /// `package.json` cannot be read.
    #[error("`{path}` cannot be read: {reason}")]
    Manifest {
        /// The file below the source.
        path: String,
        /// Why.
        reason: String,
    },
    /// The task ran and failed.
    #[error("the {runner} task `{task}` failed{}: {}{failure}", counted(.report.as_deref()), chain(.ended))]
    Failed {
        /// The task.
        task: String,
        /// What ran it.
        runner: Runner,
        /// Where, below the source: `.` is the source itself.
        directory: String,
        /// What its reports say, if there are any.
        report: Option<Box<Report>>,
        /// What the first failed test says, and where.
        failure: Box<TaskFailure>,
        /// Advice for a known cause.
        advice: Option<String>,
        /// How it ended. Not a source of this error, whose own words it is among: what a test says comes last.
        ended: ProcessError,
    },
    /// The runner cannot be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

impl TaskError {
    /// Whether gulp cannot run the task because the task, or gulp itself, is missing.
    pub(super) fn is_missing_in_gulp(&self) -> bool {
        matches!(
            self,
            Self::NoGulp { .. }
                | Self::Unknown {
                    runner: Runner::Gulp,
                    ..
                }
        )
    }
}

impl ActionError for TaskError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::Name { .. }
            | Self::Unknown { .. }
            | Self::NoGulpfile { .. }
            | Self::NoGulp { .. }
            | Self::NoManifest { .. } => FailureType::ConfigurationError,
            Self::Manifest { .. } => FailureType::JobFailed,
            Self::Failed { ended, .. } | Self::Process(ended) => ended.failure_type(),
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Name { .. } => {
                "set `task` to the name of a gulp task or an npm script".to_owned()
            }
            Self::Unknown {
                runner: Runner::Gulp,
                ..
            } => "correct the name, or export a task of that name from the gulpfile".to_owned(),
            Self::Unknown {
                runner: Runner::Npm,
                ..
            } => "correct the name, or add a script of that name to `package.json`".to_owned(),
            Self::NoGulpfile { .. } => "correct `directory`, or set `runner=npm`".to_owned(),
            Self::NoGulp { .. } => {
                "add `gulp` to the project's dependencies and use the artifact of npm-install as this action's \
                 input; with `omit=dev` it has no development dependencies"
                    .to_owned()
            }
            Self::NoManifest { .. } => "correct `directory`".to_owned(),
            Self::Manifest { path, .. } => format!("correct `{path}` in the source"),
            Self::Failed {
                task,
                runner,
                directory,
                advice,
                ended,
                ..
            } => {
                let by_hand = format!(
                    "run `{}` in {}",
                    runner.command_line(task),
                    shown_directory(directory)
                );
                match advice.clone().or_else(|| ended.hint()) {
                    Some(hint) => format!("{hint}{REPRODUCE}{by_hand}"),
                    None => by_hand,
                }
            }
            Self::Process(source) => return source.hint(),
        })
    }

    fn output(&self) -> Option<&str> {
        match self {
            // The test's own words say what the output would say again.
            Self::Failed { failure, .. } if !failure.test_says.is_empty() => None,
            Self::Failed { ended, .. } | Self::Process(ended) => ended.output(),
            _ => None,
        }
    }
}

/// How a message names a directory below the source.
#[must_use]
pub fn shown_directory(directory: &str) -> String {
    match directory {
        "." => "the project's directory".to_owned(),
        folder => format!("`{folder}`"),
    }
}

fn listed(tasks: &[String]) -> String {
    if tasks.is_empty() {
        return "it has none".to_owned();
    }
    let mut text = quoted(tasks.iter().take(MAX_LISTED).cloned());
    if tasks.len() > MAX_LISTED {
        let _infallible = write!(text, " and {} more", tasks.len() - MAX_LISTED);
    }
    format!("it has: {text}")
}

/// `: 2 of 14 tests failed: ...`, or how many passed.
fn counted(report: Option<&Report>) -> String {
    match report {
        None => String::new(),
        Some(report) if report.failed == 0 => format!(" ({report})"),
        Some(report) => format!(": {}", failed_tests(report)),
    }
}

/// `2 of 14 tests failed: ...`. Backticks end a name where the message is read again, and a name may have some of its own.
#[must_use]
pub fn failed_tests(report: &Report) -> String {
    let mut room = MAX_NAMES_CHARS;
    let has_room = |name: &&String| {
        let length = name.chars().count();
        let has_room = length <= room;
        room = room.saturating_sub(length);
        has_room
    };
    let first = report.failed_names.iter().take(MAX_NAMED);
    let named: Vec<_> = first.take_while(has_room).collect();
    let more = report.failed - named.len();
    let mut text = format!(
        "{} of {} tests failed: {}",
        report.failed,
        report.tests,
        quoted(named.into_iter().map(|name| name.replace('`', "'")))
    );
    if more > 0 {
        let _infallible = write!(text, " and {more} more");
    }
    text
}

fn quoted(names: impl Iterator<Item = String>) -> String {
    names
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
