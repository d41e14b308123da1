//! Keeps one job of a function from affecting the next.
//!
//! Problem: Lambda runs many jobs in one execution environment, and each job runs untrusted programs (a commit's
//! build and tests) as the function's own user.
//!
//! Seen: a commit could leave code in a folder above its own, or a process that outlived its job, and both became
//! part of the next commit's artifact. A child can also lower the function's resource limits, which then fail a
//! later job.
//!
//! Solution (`docs/decisions/0145-one-job-cannot-reach-another.md`):
//!
//! 1. [`enter`] records the clean state once, before anything untrusted runs.
//! 2. [`prepare`] runs before each job: it ends leftover processes, then empties the disk, in this order, because
//!    a running process could write files again. If that fails, the job does not start.
//! 3. [`inspect`] does the same after the job's result is reported, and compares the resource limits.
//! 4. What cannot be undone retires the environment: [`given_up`] tells the runtime loop to exit the process.

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

/// Time kept back for the response to the runtime API, which is one request to the same machine.
const ANSWER_TIME: Duration = Duration::from_secs(2);

/// The state of this process before it ran anything untrusted.
static INITIAL_STATE: OnceLock<InitialState> = OnceLock::new();

/// Why this environment must not run another job; unset while it may.
static GIVEN_UP: OnceLock<String> = OnceLock::new();

#[derive(Debug)]
struct InitialState {
    /// Taken again before each job: Lambda may change them between two jobs, when nothing else runs.
    limits: Mutex<Limits>,
    disk: Option<Disk>,
}

/// Records the limits of this process, and which disk belongs to it.
///
/// # Errors
///
/// [`DiskError`] if the directory configured as the function's own is writable by others.
pub fn enter() -> Result<(), DiskError> {
    let disk = Disk::of_function()?;
    if disk.is_none() {
        tracing::warn!(
            "this function shares its temporary directory, so files that a job leaves outside its own folder are \
             not removed; set {} to a directory of its own",
            env::OWN_DIRECTORY
        );
    }
    INITIAL_STATE.get_or_init(|| InitialState {
        limits: Mutex::new(Limits::of_this_process()),
        disk,
    });
    Ok(())
}

/// Ends the processes that earlier jobs left, and empties the function's disk.
///
/// Does nothing in a process that has not called [`enter`], such as a test.
///
/// # Errors
///
/// [`Unclean`]: the job must not run, and the environment is retired.
pub async fn prepare() -> Result<(), Unclean> {
    clean(&AtomicBool::new(false)).await?;
    if let Some(start) = INITIAL_STATE.get() {
        *start.limits() = Limits::of_this_process();
    }
    Ok(())
}

/// Checks what a job changed and removes what it left, after its result is reported.
///
/// What cannot be undone retires the environment. Removing files may take longer than the function's time: it then
/// continues in the background, and [`prepare`] of the next job waits for it. Processes that are still running
/// at that point retire the environment instead, because Lambda would freeze them and let them continue later.
pub async fn inspect(end: Deadline) {
    // First, because every later step may run into a limit that was lowered.
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
    let Some(start) = INITIAL_STATE.get() else {
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

/// The directory for job folders, if all of it is emptied after each job.
pub(crate) fn own_directory() -> Option<&'static Path> {
    let disk = INITIAL_STATE.get()?.disk.as_ref()?;
    Some(disk.temporary())
}

/// Retires the environment: no other job may run in it. The first reason is kept.
pub(crate) fn give_up(reason: impl std::fmt::Display) {
    let reason = GIVEN_UP.get_or_init(|| reason.to_string());
    tracing::error!(%reason, "this execution environment takes no further jobs");
}

/// Why this process has to exit; `None` if it may run more jobs.
#[must_use]
pub fn given_up() -> Option<&'static str> {
    GIVEN_UP.get().map(String::as_str)
}

/// Restores the resource limits that a child changed.
///
/// # Errors
///
/// What was changed.
pub(crate) fn restore_limits() -> Result<(), String> {
    INITIAL_STATE
        .get()
        .map_or(Ok(()), |start| start.limits().restore())
}

impl InitialState {
    fn limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an earlier job left behind.
#[derive(Debug, thiserror::Error)]
pub enum Unclean {
    /// Files that cannot be removed.
    #[error("the function's disk could not be cleaned: `{}`", .path.display())]
    Disk {
        /// The first of them.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Processes that did not end.
    #[error(transparent)]
    Processes(#[from] Survivors),
    /// A changed setting of the function's own process.
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

impl From<removal::NotRemoved> for Unclean {
    fn from(not_removed: removal::NotRemoved) -> Self {
        Self::Disk {
            path: not_removed.path,
            source: not_removed.source,
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
