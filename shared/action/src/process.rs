//! Child processes: without a shell, with a clean environment, and with a deadline.
//!
//! A child gets arguments rather than a command line, an [`Environment`] without credentials and without the address
//! of the Lambda runtime API, and time until a [`Deadline`]. Its output is logged line by line. When it ends, times
//! out, or its future is dropped, all its descendants are killed, including daemons.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use futures_util::future::join;

use crate::clock::Deadline;
use crate::sandbox;

mod environment;
mod error;
mod find;
mod harden;
mod output;
mod tree;

pub use environment::{Environment, EnvironmentError};
pub use error::ProcessError;
pub use find::{require, search_path};
pub use harden::{HardenError, harden};
pub use tree::{Survivors, TERMINATION_GRACE, sweep};

use output::{Output, Stream};
use tree::Tree;

/// How long reading the output of an ended child may take; no process can write to it any more.
const OUTPUT_GRACE: Duration = Duration::from_secs(2);

/// The grace is at most one in this many parts of the child's time, so that short jobs end in time.
const LARGEST_GRACE_PART: u32 = 8;

/// The kernel's out-of-memory killer chooses the process with the highest score. It should be the child, so that the
/// function survives to report (`proc_pid_oom_score_adj(5)`, the highest value).
const CHILD_OOM_SCORE: &str = "1000";

/// A program to run.
#[derive(Clone, Debug)]
pub struct Command {
    program: OsString,
    args: Vec<OsString>,
    directory: PathBuf,
    environment: Environment,
    logs: bool,
    shown_below: Option<String>,
}

/// A child that ended with exit code 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Its standard output without terminal codes; the middle of a long output is left out.
    pub stdout: String,
    /// How long it ran.
    pub elapsed: Duration,
}

impl Command {
    /// A program to run in a directory. It is looked up on the environment's `PATH` unless its name contains a `/`.
    pub fn new(program: impl Into<OsString>, directory: &Path, environment: &Environment) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            directory: directory.to_owned(),
            environment: environment.clone(),
            logs: true,
            shown_below: None,
        }
    }

    /// Shows paths in the output relative to this directory: readers can find `gulpfile.js:46`, but not a path in the
    /// job's temporary directory.
    #[must_use]
    pub fn shown_below(mut self, directory: &Path) -> Self {
        self.shown_below = Some(directory.to_string_lossy().into_owned());
        self
    }

    /// Adds an argument. Everyone on the machine can read arguments, so they must not contain secrets.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Does not log the output, which is data for the action.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.logs = false;
        self
    }

    /// Runs the program, and ends its whole process tree with it.
    ///
    /// At the deadline the tree gets SIGTERM, and SIGKILL after [`TERMINATION_GRACE`], or earlier if the child had
    /// little time. Processes that a child left running when it ended are killed at once. Dropping the future kills
    /// the tree.
    ///
    /// # Errors
    ///
    /// [`ProcessError`] if it cannot start, ends with a nonzero exit code or by a signal, runs out of time, or
    /// changes this process or leaves processes behind, in which case the environment is retired.
    pub async fn run(&self, deadline: Deadline) -> Result<Finished, ProcessError> {
        warn_if_root();
        let permit = tree::spawn_permit().await;
        let started = Instant::now();
        let child = self.spawn()?;
        let unreadable = |source| ProcessError::Wait {
            command: self.to_string(),
            source,
        };
        let mut tree = Tree::new(child, permit)
            .ok_or_else(|| unreadable(std::io::Error::other("the child has no process id")))?;
        let output = Output::new(self.logs, self.shown_below.clone());
        let (stdout, stderr) = tree.streams();
        let mut reading = Box::pin(join(
            read(&output, Stream::Stdout, stdout),
            read(&output, Stream::Stderr, stderr),
        ));

        let mut streams_ended = false;
        let grace = TERMINATION_GRACE.min(deadline.remaining() / LARGEST_GRACE_PART);
        let status = loop {
            tokio::select! {
                status = tree.wait() => break Some(status.map_err(unreadable)?),
                _ = &mut reading, if !streams_ended => streams_ended = true,
                () = tokio::time::sleep_until(deadline.instant()) => break None,
            }
        };
        let elapsed = started.elapsed();
        let ending = async {
            match status {
                Some(_) => tree.kill().await,
                None => tree.terminate(grace).await,
            }
        };
        let ended = if streams_ended {
            ending.await
        } else {
            // Keep reading while the child is being ended: it may be blocked on a full pipe and could not handle
            // SIGTERM otherwise.
            let reading = tokio::time::timeout(grace + OUTPUT_GRACE, reading);
            let (ended, _read_as_far_as_it_goes) = join(ending, reading).await;
            ended
        };
        if let Err(survivors) = ended {
            sandbox::give_up(&survivors);
            return Err(ProcessError::Uncontained {
                command: self.to_string(),
                source: survivors,
            });
        }
        self.conclude(status, &output, elapsed)
    }

    fn spawn(&self) -> Result<tokio::process::Child, ProcessError> {
        let path = self.environment.path();
        let file = find::find(&self.program, path).ok_or_else(|| ProcessError::NotFound {
            program: display(&self.program),
            searched: display(path),
        })?;
        let child = tokio::process::Command::new(&file)
            .args(&self.args)
            .current_dir(&self.directory)
            .env_clear()
            .envs(self.environment.iter())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| ProcessError::Start {
                command: self.to_string(),
                directory: self.directory.clone(),
                source,
            })?;
        if let Some(id) = child.id() {
            // Best effort: without it the kernel chooses by memory use, which is usually the child as well.
            let _kernel_chooses =
                std::fs::write(format!("/proc/{id}/oom_score_adj"), CHILD_OOM_SCORE);
        }
        Ok(child)
    }

    fn conclude(
        &self,
        status: Option<ExitStatus>,
        output: &Output,
        elapsed: Duration,
    ) -> Result<Finished, ProcessError> {
        use std::os::unix::process::ExitStatusExt;

        let text = output.finish();
        let command = self.to_string();
        let output = text.both;
        let Some(status) = status else {
            return Err(ProcessError::Deadline {
                command,
                elapsed,
                output,
            });
        };
        match (status.code(), status.signal()) {
            (Some(0), _) => Ok(Finished {
                stdout: text.stdout,
                elapsed,
            }),
            (Some(code), _) => Err(ProcessError::Exit {
                command,
                code,
                output,
            }),
            (None, signal) => Err(ProcessError::Signal {
                command,
                signal: signal.unwrap_or_default(),
                output,
            }),
        }
    }
}

impl std::fmt::Display for Command {
    /// The command line as a person would type it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&display(&self.program))?;
        for arg in &self.args {
            let arg = display(arg);
            if arg.is_empty()
                || arg.contains(|character: char| {
                    character.is_whitespace() || "'\"".contains(character)
                })
            {
                write!(f, " {arg:?}")?;
            } else {
                write!(f, " {arg}")?;
            }
        }
        Ok(())
    }
}

async fn read(output: &Output, stream: Stream, from: Option<impl tokio::io::AsyncRead + Unpin>) {
    if let Some(from) = from {
        output.clone().read(stream, from).await;
    }
}

fn display(text: &OsStr) -> String {
    text.to_string_lossy().into_owned()
}

/// Warns once that children of a root process can read its memory.
fn warn_if_root() {
    static SAID: Once = Once::new();
    if harden::runs_as_root() {
        SAID.call_once(|| {
            tracing::warn!(
                "this function runs as root, so the programs that it starts can read its memory and \
                 credentials; run it as another user"
            );
        });
    }
}
