//! Errors of child processes.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::Survivors;
use crate::failure::{ActionError, FailureType};

/// The signal of the kernel's out-of-memory killer.
const SIGKILL: i32 = 9;

/// Programs that come with Node.js, or with this project's Lambda layer.
const NODE_PROGRAMS: [&str; 3] = ["node", "npm", "npx"];

/// Why a child process failed.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program is not there.
    #[error("program `{program}` is not in any directory of `PATH` ({searched})")]
    NotFound {
        /// Its name.
        program: String,
        /// The `PATH` that was searched.
        searched: String,
    },
    /// The program is there and does not start.
    #[error("cannot start `{command}` in `{}`", .directory.display())]
    Start {
        /// What was run.
        command: String,
        /// Where.
        directory: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It ended with an exit code other than 0.
    #[error("`{command}` ended with exit code {code}")]
    Exit {
        /// What was run.
        command: String,
        /// The code.
        code: i32,
        /// What it wrote.
        output: String,
    },
    /// A signal ended it.
    #[error("`{command}` was terminated by signal {signal}{}", signal_name(*.signal))]
    Signal {
        /// What was run.
        command: String,
        /// The signal.
        signal: i32,
        /// What it wrote.
        output: String,
    },
    /// It was stopped because it ran out of time.
    #[error("`{command}` was stopped after {}: it ran out of time", seconds(*.elapsed))]
    Deadline {
        /// What was run.
        command: String,
        /// How long it ran.
        elapsed: Duration,
        /// What it wrote.
        output: String,
    },
    /// Waiting for it failed.
    #[error("cannot wait for `{command}`")]
    Wait {
        /// What was run.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// It left processes behind, or changed the function's process.
    #[error("`{command}` could not be contained")]
    Uncontained {
        /// What was run.
        command: String,
        /// How.
        source: Survivors,
    },
}

impl ActionError for ProcessError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::NotFound { .. } => FailureType::ConfigurationError,
            Self::Start { .. }
            | Self::Exit { .. }
            | Self::Signal { .. }
            | Self::Deadline { .. }
            | Self::Wait { .. }
            | Self::Uncontained { .. } => FailureType::JobFailed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotFound { program, .. } if NODE_PROGRAMS.contains(&program.as_str()) => Some(
                "add the Lambda layer with Node.js and npm to the function, or install Node.js 20 or later"
                    .to_owned(),
            ),
            Self::NotFound { program, .. } => {
                Some(format!("add a Lambda layer that has `{program}` in its `bin` to the function"))
            }
            Self::Start { .. } | Self::Wait { .. } => {
                Some("check the function's limits on memory and processes".to_owned())
            }
            Self::Signal { signal: SIGKILL, .. } => {
                Some("it most likely ran out of memory: raise the function's `MemorySize`".to_owned())
            }
            Self::Exit { .. } | Self::Signal { .. } => None,
            Self::Uncontained { .. } => Some(
                "check what this program, or a package that it uses, does to its parent process; this execution \
                 environment will not be used again"
                    .to_owned(),
            ),
            Self::Deadline { .. } => {
                Some("make it faster, split it, or raise the function's `Timeout`".to_owned())
            }
        }
    }

    fn output(&self) -> Option<&str> {
        match self {
            Self::Exit { output, .. }
            | Self::Signal { output, .. }
            | Self::Deadline { output, .. } => Some(output),
            Self::NotFound { .. }
            | Self::Start { .. }
            | Self::Wait { .. }
            | Self::Uncontained { .. } => None,
        }
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        SIGKILL => " (SIGKILL)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    }
}

/// To the nearest second: a timeout of two seconds that leaves the program 1.9 is said as `2s`.
fn seconds(elapsed: Duration) -> String {
    let nearest = (elapsed + Duration::from_millis(500)).as_secs();
    humantime::format_duration(Duration::from_secs(nearest.max(1))).to_string()
}
