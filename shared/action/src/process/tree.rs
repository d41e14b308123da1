//! A child process together with all its descendants, killed and reaped as one.
//!
//! Problem: a build starts processes that start processes. One that survives its job can change the next job's
//! files, and Lambda freezes and reuses it with the environment.
//!
//! Seen: killing the process group is not enough. A daemon calls `setsid` or forks twice, leaves the group, and
//! its parent becomes init. A process that forks quickly is no longer the one that was listed a moment ago.
//!
//! Solution:
//!
//! 1. The function is a child subreaper ([`harden`](super::harden())), so orphans become its children instead
//!    of init's, and it runs one child at a time ([`SpawnPermit`]). Every process below the function therefore
//!    belongs to the running child, whatever session or group it has moved to.
//! 2. [`Termination`] repeats "kill everything, then reap" until `wait` reports that this process has no children
//!    left (`ECHILD`). That answer comes from the kernel; `/proc` is only used to find whom to signal.
//! 3. If processes are still there after [`KILL_LIMIT`], the execution environment is given up
//!    ([`sandbox::give_up`]).
//!
//! In a process that is not a subreaper (tests, tools), orphans cannot be attributed. There, only the process group
//! and processes still linked to the child through their parents are ended.

use std::collections::{HashMap, HashSet};
use std::io;
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, kill_process_group, wait, waitpid};
use tokio::process::Child;
use tokio::sync::{Mutex, MutexGuard};

use super::harden::adopts_orphans;
use crate::sandbox;

/// How long a child has between SIGTERM and SIGKILL: enough for a test runner to write its report,
/// and a quarter of the 20 s (`DEADLINE_MARGIN`) that the host keeps back before Lambda's timeout.
pub const TERMINATION_GRACE: Duration = Duration::from_secs(5);

/// How long killed processes may take to disappear. SIGKILL cannot be blocked, but a process in an
/// uninterruptible system call ends only when that call returns.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// Polling interval while waiting for processes to disappear.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Most surviving processes that a message names.
const MAX_LISTED: usize = 10;

/// One tree at a time in a process that adopts orphans: two could not be told apart.
static ONE_TREE: Mutex<()> = Mutex::const_new(());

/// Waits until this process may start another child.
pub(super) async fn spawn_permit() -> SpawnPermit {
    SpawnPermit {
        alone: if adopts_orphans() {
            Some(ONE_TREE.lock().await)
        } else {
            None
        },
    }
}

/// The permission to have a child; one at a time in a process that adopts orphans.
#[derive(Debug)]
pub(super) struct SpawnPermit {
    alone: Option<MutexGuard<'static, ()>>,
}

/// Ends the processes that earlier jobs left behind. Does nothing in a process that does not adopt orphans.
///
/// # Errors
///
/// [`Survivors`]: some are still running.
pub async fn sweep() -> Result<(), Survivors> {
    let permit = spawn_permit().await;
    if permit.alone.is_none() {
        return Ok(());
    }
    let descendants = Descendants {
        root: None,
        adopts: true,
    };
    let mut termination = Termination::start(descendants);
    while !termination.is_done(|| {})? {
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

/// A running child. Dropping it kills the whole tree.
#[derive(Debug)]
pub(super) struct Tree {
    child: Child,
    descendants: Descendants,
    ended: bool,
    _permit: SpawnPermit,
}

impl Tree {
    /// Takes over a child that leads its own process group; `None` if it is already reaped.
    pub(super) fn new(child: Child, permit: SpawnPermit) -> Option<Self> {
        let root = Pid::from_raw(i32::try_from(child.id()?).ok()?)?;
        Some(Self {
            child,
            descendants: Descendants {
                root: Some(root),
                adopts: permit.alone.is_some(),
            },
            ended: false,
            _permit: permit,
        })
    }

    /// Waits for the child itself.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// The output streams; `None` after the first call.
    pub(super) fn streams(
        &mut self,
    ) -> (
        Option<tokio::process::ChildStdout>,
        Option<tokio::process::ChildStderr>,
    ) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// Sends SIGTERM to all, and kills after `grace` those that are still running.
    pub(super) async fn terminate(&mut self, grace: Duration) -> Result<(), Survivors> {
        self.descendants.signal(Signal::TERM);
        let end = tokio::time::Instant::now() + grace;
        while tokio::time::Instant::now() < end && !self.is_gone() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        self.kill().await
    }

    /// Kills and reaps whatever is left.
    pub(super) async fn kill(&mut self) -> Result<(), Survivors> {
        let mut termination = Termination::start(self.descendants);
        let ended = loop {
            match termination.is_done(|| reap(&mut self.child)) {
                Ok(false) => tokio::time::sleep(POLL_INTERVAL).await,
                ended => break ended.map(drop),
            }
        };
        self.ended = true;
        ended
    }

    /// [`Tree::kill`] from `Drop`, where nothing can be awaited: blocks this thread instead.
    fn kill_now(&mut self) -> Result<(), Survivors> {
        let mut termination = Termination::start(self.descendants);
        while !termination.is_done(|| reap(&mut self.child))? {
            thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    fn is_gone(&mut self) -> bool {
        reap(&mut self.child);
        matches!(self.descendants.reap(), Ok(true))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if !self.ended
            && let Err(survivors) = self.kill_now()
        {
            sandbox::give_up(survivors);
        }
    }
}

/// Lets tokio reap its own child. This has to happen before `wait` reaps any child of this process: otherwise
/// `wait` takes the exit status away from tokio, and [`Tree::wait`] fails with `ECHILD`.
fn reap(child: &mut Child) {
    let _status_is_known_or_not_wanted = child.try_wait();
}

/// Killing and reaping a set of processes, pass by pass.
struct Termination {
    descendants: Descendants,
    started: Instant,
    tampered: Option<String>,
}

impl Termination {
    fn start(descendants: Descendants) -> Self {
        Self {
            descendants,
            started: Instant::now(),
            tampered: None,
        }
    }

    /// One pass: kills, reaps, and returns whether nothing is left.
    ///
    /// The clock is read after the signals are sent. Lambda may freeze the function between two passes for longer
    /// than the limit; even then, one more round of SIGKILL goes out before the environment is given up.
    fn is_done(&mut self, reap_child: impl FnOnce()) -> Result<bool, Survivors> {
        if self.descendants.adopts
            // Before the signals: a child may have lowered a limit that the pass itself needs, such as the
            // number of open files for reading `/proc`.
            && let Err(what) = sandbox::restore_limits()
        {
            self.tampered = Some(what);
        }
        self.descendants.signal(Signal::KILL);
        reap_child();
        let gone = self.descendants.reap();
        let took = self.started.elapsed();
        if took > KILL_LIMIT {
            return Err(match gone {
                Ok(true) => Survivors::Late { took },
                Ok(false) => Survivors::Alive {
                    processes: self.descendants.ids_for_message(),
                },
                Err(source) => Survivors::Unknown { source },
            });
        }
        match (gone, self.tampered.take()) {
            (Ok(true), Some(what)) => Err(Survivors::Tampered { what }),
            (gone, tampered) => {
                self.tampered = tampered;
                Ok(gone.unwrap_or(false))
            }
        }
    }
}

/// Which processes belong to the running child.
#[derive(Clone, Copy, Debug)]
struct Descendants {
    /// The child that started all others; `None` for everything below this process.
    root: Option<Pid>,
    /// Whether that is all descendants of this process.
    adopts: bool,
}

impl Descendants {
    /// Reaps what has ended, and returns whether nothing is left.
    fn reap(self) -> io::Result<bool> {
        if self.adopts {
            // Every descendant has a chain of parents up to this process, because it adopts those whose parents
            // end. So no children (`ECHILD`) means no descendants, whatever `/proc` shows or hides.
            return loop {
                match wait(WaitOptions::NOHANG) {
                    Ok(Some(_)) | Err(Errno::INTR) => {}
                    Ok(None) => break Ok(false),
                    Err(Errno::CHILD) => break Ok(true),
                    Err(error) => break Err(error.into()),
                }
            };
        }
        for pid in self.members()?.into_keys() {
            if Some(pid) != self.root {
                // It may be a grandchild, which only its own parent can reap.
                let _reaped_or_not_a_child = waitpid(Some(pid), WaitOptions::NOHANG);
            }
        }
        Ok(self.members()?.is_empty())
    }

    fn signal(self, signal: Signal) {
        let Ok(members) = self.members() else {
            // The next pass tries again. If listing fails until the limit, that is an error (`is_done`).
            return;
        };
        // The group first: it is one system call, so a process that forks meanwhile cannot escape it. Only if
        // the listing shows a member, because the kernel may reuse the number of an empty group.
        if let Some(root) = self.root
            && members.values().any(|member| member.group == root)
        {
            let _already_gone = kill_process_group(root, signal);
        }
        for pid in members.into_keys() {
            let _already_gone = kill_process(pid, signal);
        }
    }

    /// All of these processes that have not been reaped, by their id.
    fn members(self) -> io::Result<HashMap<Pid, Process>> {
        let me = rustix::process::getpid();
        let processes = processes()?;
        let top = match self.root {
            Some(root) if !self.adopts => root,
            _ => me,
        };
        Ok(processes
            .iter()
            .filter(|(pid, process)| {
                **pid != me
                    && (Some(process.group) == self.root
                        || Some(**pid) == self.root
                        || descends(**pid, top, &processes))
            })
            .map(|(pid, process)| (*pid, *process))
            .collect())
    }

    fn ids_for_message(self) -> String {
        let Ok(members) = self.members() else {
            return "some".to_owned();
        };
        let mut pids: Vec<String> = members.into_keys().map(|pid| pid.to_string()).collect();
        pids.sort();
        let more = pids.len().saturating_sub(MAX_LISTED);
        pids.truncate(MAX_LISTED);
        match more {
            0 => pids.join(", "),
            more => format!("{} and {more} more", pids.join(", ")),
        }
    }
}

/// The job's processes could not be ended cleanly, so no other job may run in this environment.
#[derive(Debug, thiserror::Error)]
pub enum Survivors {
    /// Some are still running.
    #[error("the job's processes did not end within {} s: {processes}", KILL_LIMIT.as_secs())]
    Alive {
        /// Their process ids.
        processes: String,
    },
    /// They ended too late to be explained by anything but a suspended function.
    #[error("the job's processes were killed only after {} s: the function was suspended in between", .took.as_secs())]
    Late {
        /// How long it took.
        took: Duration,
    },
    /// It is unknown whether some are still running.
    #[error("cannot list the job's processes")]
    Unknown {
        /// Why.
        source: io::Error,
    },
    /// They ended, but had changed this process.
    #[error("a program that the job ran changed the function's {what}")]
    Tampered {
        /// What was changed.
        what: String,
    },
}

fn descends(pid: Pid, top: Pid, processes: &HashMap<Pid, Process>) -> bool {
    // `/proc` is not read atomically: if a process ends and its id is reused meanwhile, the table can contain
    // a circle of parents.
    let mut seen = HashSet::new();
    let mut current = pid;
    while let Some(process) = processes.get(&current) {
        match process.parent {
            Some(parent) if parent == top => return true,
            Some(parent) if seen.insert(parent) => current = parent,
            _ => return false,
        }
    }
    false
}

/// The fields of `/proc/PID/stat` that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process {
    parent: Option<Pid>,
    group: Pid,
}

/// All processes of this machine. `stat` is readable by everyone; if it is not, that is an error, because an
/// incomplete table would look as if processes had ended.
fn processes() -> io::Result<HashMap<Pid, Process>> {
    let mut table = HashMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let number = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let Some(pid) = number.and_then(pid) else {
            continue;
        };
        match std::fs::read(entry.path().join("stat")) {
            Ok(stat) => table.extend(parse_stat(&stat).map(|process| (pid, process))),
            Err(error) if has_ended(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(table)
}

fn has_ended(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(Errno::SRCH.raw_os_error())
}

/// `PID (NAME) STATE PARENT GROUP ...`; the name may hold spaces and parentheses (`proc_pid_stat(5)`). The
/// group of a process that is just being reaped is -1: there is nothing left to end.
fn parse_stat(stat: &[u8]) -> Option<Process> {
    let name_end = stat.iter().rposition(|&byte| byte == b')')?;
    let fields = std::str::from_utf8(&stat[name_end + 1..]).ok()?;
    let mut fields = fields.split_ascii_whitespace().skip(1);
    let parent = pid(fields.next()?.parse().ok()?);
    let group = pid(fields.next()?.parse().ok()?)?;
    Some(Process { parent, group })
}

/// A process id; `None` for 0 and negative numbers.
fn pid(raw: i32) -> Option<Pid> {
    if raw > 0 { Pid::from_raw(raw) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_cannot_hide_behind_its_name() {
        let stat = b"42 (a) S 1 1 (b) R 7 8 9 0\n";
        assert_eq!(
            parse_stat(stat),
            Some(Process {
                parent: Pid::from_raw(7),
                group: Pid::from_raw(8).unwrap()
            })
        );
    }

    #[test]
    fn a_process_that_is_being_reaped_is_none() {
        assert_eq!(parse_stat(b"42 (sh) Z 0 -1 -1 0 -1"), None);
    }

    #[test]
    fn a_function_that_was_stopped_past_the_limit_kills_first_and_is_late() {
        use std::os::unix::process::{CommandExt, ExitStatusExt};

        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .process_group(0)
            .spawn()
            .unwrap();
        let mut termination = Termination::start(Descendants {
            root: Pid::from_raw(i32::try_from(child.id()).unwrap()),
            adopts: false,
        });
        termination.started = Instant::now().checked_sub(KILL_LIMIT * 2).unwrap();
        termination.is_done(|| {}).unwrap_err();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }

    #[test]
    fn a_circle_of_parents_ends() {
        let pid = |raw| Pid::from_raw(raw).unwrap();
        let process = |parent| Process {
            parent: Some(pid(parent)),
            group: pid(99),
        };
        let processes = [(pid(2), process(3)), (pid(3), process(2))].into();
        assert!(!descends(pid(2), pid(1), &processes));
    }
}
