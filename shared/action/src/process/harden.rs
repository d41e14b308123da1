//! What a function does to itself before anything else, because its children are not to be trusted.

use rustix::fs::Mode;
use rustix::process::{
    DumpableBehavior, child_subreaper, geteuid, getpid, set_child_subreaper, set_dumpable_behavior,
    umask,
};

/// What others may not do with files that the function makes: nothing.
const UMASK: u32 = 0o077;

/// Hides this process's memory, environment and open files from its children, and adopts the
/// orphans among them, so that none outlives its job.
///
/// The first is `PR_SET_DUMPABLE` off: `/proc/PID/{environ,mem,maps,fd,cwd,root,auxv}` then belong to
/// root, and ptrace is refused. Removing variables would not do: `environ` shows the environment that
/// the process was started with. A child that runs as root still reads everything. The second is
/// `PR_SET_CHILD_SUBREAPER`: from now on the whole process is [`Command`](super::Command)'s, nothing
/// else in it may start children.
///
/// # Errors
///
/// [`HardenError`] where the kernel refuses; the function must not run children then.
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

/// Whether orphans come to this process.
pub(super) fn adopts_orphans() -> bool {
    child_subreaper().is_ok_and(|reaper| reaper.is_some())
}

/// Whether children can read this process whatever it does.
pub(super) fn runs_as_root() -> bool {
    geteuid().is_root()
}

/// The kernel does not let the process protect itself.
#[derive(Debug, thiserror::Error)]
#[error("the kernel refused `prctl({call})`")]
pub struct HardenError {
    call: &'static str,
    source: std::io::Error,
}
