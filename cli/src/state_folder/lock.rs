//! The lock by which commands know whether an environment's process lives, and which one it is.
//!
//! A file with the process's id would survive a process that is killed, and name another process once the id
//! is used again. The kernel releases a lock with its process. It is a POSIX lock (`fcntl`), not `flock`
//! (decision 0184): children do not inherit it, so nothing that the process started keeps it alive, and
//! the kernel tells who holds it.
//!
//! The price: a process loses the lock as soon as it closes *any* descriptor of the file. So the process that
//! holds it opens the file only once, in [`take`]; [`holder`] is for other processes.

use std::fs::File;
use std::path::Path;

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::process::{Flock, FlockType, Pid, fcntl_getlk};

use crate::error::CliError;

/// A lock that is held until this is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// The process that holds the lock. This asks the kernel and takes nothing, so that a look never stands in the
/// way of a process that is about to take it.
pub(crate) fn holder(path: &Path) -> Option<u32> {
    let file = File::open(path).ok()?;
    let held = fcntl_getlk(&file, &Flock::from(FlockType::WriteLock)).ok()??;
    let pid = held.pid.map_or(0, Pid::as_raw_pid);
    u32::try_from(pid).ok()
}

/// Takes the lock; `None` where another process has it.
pub(crate) fn take(path: &Path) -> Result<Option<Lock>, CliError> {
    let mut options = File::options();
    let file = options.create(true).truncate(false).write(true).open(path);
    let file = file.map_err(|source| CliError::File {
        verb: "write",
        path: path.to_owned(),
        source,
    })?;
    let taken = fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
    Ok(taken.then_some(Lock { _file: file }))
}
