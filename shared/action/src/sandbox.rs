//! What keeps one job of a function from the next: no process, no file and no changed limit is left
//! (`docs/decisions/0145-one-job-cannot-reach-another.md`).
//!
//! [`enter`] is called once, before anything untrusted runs; [`prepare`] before each job and [`inspect`]
//! after its result is reported. What cannot be undone gives the environment up: [`given_up`] says to
//! the runtime's loop that the process has to exit.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::blocking;
use crate::clock::Deadline;
use crate::env;
use crate::failure::{ActionError, FailureType};
use crate::process::{self, Survivors};
use crate::removal;

mod disk;
mod limits;

pub use disk::DiskError;

use disk::Disk;
use limits::Limits;

/// What is kept of Lambda's time for the answer to the runtime API: one request on one machine.
const ANSWER_TIME: Duration = Duration::from_secs(2);

/// What this process was before it ran anything untrusted.
static START: OnceLock<Start> = OnceLock::new();

/// Why the environment is given up.
static GIVEN_UP: OnceLock<String> = OnceLock::new();

#[derive(Debug)]
struct Start {
    /// As they were before the job: Lambda may change them between two jobs, and nobody else can then.
    limits: Mutex<Limits>,
    disk: Option<Disk>,
}

/// Notes the limits of this process, and which disk is its own.
///
/// # Errors
///
/// [`DiskError`] where a directory is named as the function's own that others may write to.
pub fn enter() -> Result<(), DiskError> {
    let disk = Disk::of_function()?;
    if disk.is_none() {
        tracing::warn!(
            "this function shares its temporary directory, so files that a job leaves outside its own folder are \
             not removed; set {} to a directory of its own",
            env::OWN_DIRECTORY
        );
    }
    START.get_or_init(|| Start {
        limits: Mutex::new(Limits::of_this_process()),
        disk,
    });
    Ok(())
}

/// Ends the processes that are left of earlier jobs, and empties the function's disk.
///
/// Does nothing in a process that has not called [`enter`], such as a test.
///
/// # Errors
///
/// [`Unclean`]: the job must not be run, and the environment is given up.
pub async fn prepare() -> Result<(), Unclean> {
    clean(&AtomicBool::new(false)).await?;
    if let Some(start) = START.get() {
        *start.limits() = Limits::of_this_process();
    }
    Ok(())
}

/// Looks at what a job changed and removes what it left, after its result is reported. What cannot be undone
/// gives the environment up; what takes too long goes on in the background, and the next job waits for it.
pub async fn inspect(end: Deadline) {
    if let Err(what) = restore_limits() {
        give_up(Unclean::Changed(what));
    }
    let limit = end.earlier_by(ANSWER_TIME).instant();
    let is_swept = AtomicBool::new(false);
    match tokio::time::timeout_at(limit, clean(&is_swept)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "the job could not be cleaned up"),
        Err(_) if is_swept.load(Ordering::Relaxed) => {
            tracing::warn!("the job left so many files that they are still being removed");
        }
        Err(_) => give_up("the job's processes did not end in time"),
    }
}

async fn clean(is_swept: &AtomicBool) -> Result<(), Unclean> {
    let Some(start) = START.get() else {
        return Ok(());
    };
    let cleaned = match process::sweep().await {
        Ok(()) => {
            is_swept.store(true, Ordering::Relaxed);
            blocking(|| start.disk.as_ref().map_or(Ok(()), Disk::empty)).await
        }
        Err(survivors) => Err(survivors.into()),
    };
    if let Err(unclean) = &cleaned {
        give_up(unclean);
    }
    cleaned
}

/// The directory that jobs are made in, where all that is in it goes with the job.
pub(crate) fn own_directory() -> Option<&'static Path> {
    let disk = START.get()?.disk.as_ref()?;
    Some(disk.temporary())
}

/// Gives the environment up: another job must not run in it. The first reason is kept.
pub(crate) fn give_up(reason: impl std::fmt::Display) {
    let reason = GIVEN_UP.get_or_init(|| reason.to_string());
    tracing::error!(%reason, "this execution environment takes no further jobs");
}

/// Why this process has to exit, where it has to.
#[must_use]
pub fn given_up() -> Option<&'static str> {
    GIVEN_UP.get().map(String::as_str)
}

/// Sets the limits back that a child changed.
///
/// # Errors
///
/// What was changed.
pub(crate) fn restore_limits() -> Result<(), String> {
    START.get().map_or(Ok(()), |start| start.limits().restore())
}

impl Start {
    fn limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something of an earlier job is left.
#[derive(Debug, thiserror::Error)]
pub enum Unclean {
    /// Files stay.
    #[error("the function's disk could not be cleaned: `{}`", .path.display())]
    Disk {
        /// What stays.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Processes stay.
    #[error(transparent)]
    Processes(#[from] Survivors),
    /// The function itself is not as it was.
    #[error("a program changed the function's {0}")]
    Changed(String),
}

impl Unclean {
    fn disk(path: &Path, source: std::io::Error) -> Self {
        Self::Disk {
            path: path.to_owned(),
            source,
        }
    }
}

impl From<removal::Left> for Unclean {
    fn from(left: removal::Left) -> Self {
        Self::Disk {
            path: left.path,
            source: left.source,
        }
    }
}

impl ActionError for Unclean {
    fn failure_type(&self) -> FailureType {
        FailureType::JobFailed
    }

    fn hint(&self) -> Option<String> {
        Some(
            "retry the stage: this execution environment will not be used again; see the log of the job before \
             this one"
                .to_owned(),
        )
    }
}
