//! Hardening of the function's own process, before anything else runs, because its children are not trusted.

use rustix::fs::Mode;
use rustix::process::{
    DumpableBehavior, child_subreaper, geteuid, getpid, set_child_subreaper, set_dumpable_behavior,
    umask,
};

/// Other users get no access to files that the function creates.
const UMASK: u32 = 0o077;

/// Hides this process's memory, environment and open files from its children, and makes it adopt their orphans, so that
/// none outlives its job.
///
/// The first is `PR_SET_DUMPABLE` off: `/proc/PID/{environ,mem,maps,fd,cwd,root,auxv}` then belong to root, and
/// ptrace is refused. Removing variables from the environment is not enough, because `environ` shows the environment
/// that the process was started with. A child that runs as root can still read everything.
///
/// The second is `PR_SET_CHILD_SUBREAPER`. From then on, only [`Command`](super::Command) may start children in this
/// process, because it treats every descendant as belonging to its current child.
///
/// # Errors
///
/// [`HardenError`] if the kernel refuses; the function must not run children then.
pub fn harden() -> Result<(), HardenError> {
    umask(Mode::from_raw_mode(UMASK));
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|source| HardenError {
        call: "PR_SET_DUMPABLE",
        source: source.into(),
    })?;
    set_child_subreaper(Some(getpid())).map_err(|source| HardenError {
        call: "PR_SET_CHILD_SUBREAPER",
        source: source.into(),
    })
}

/// Whether this process adopts orphans.
pub(super) fn adopts_orphans() -> bool {
    child_subreaper().is_ok_and(|reaper| reaper.is_some())
}

/// Whether children can read this process despite hardening.
pub(super) fn runs_as_root() -> bool {
    geteuid().is_root()
}

/// The kernel refused to harden the process.
#[derive(Debug, thiserror::Error)]
#[error("the kernel refused `prctl({call})`")]
pub struct HardenError {
    call: &'static str,
    source: std::io::Error,
}
