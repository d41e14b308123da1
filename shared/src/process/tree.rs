//! A child with all its descendants, daemons among them: ended together and reaped.
//!
//! In a process that adopts orphans ([`harden`](super::harden())) every descendant of it is the
//! running child's, so that nothing can slip away by a double fork or a new session. In another
//! process (tests, tools) only what is still linked to the child by parents, or in its process group,
//! can be told to be its.

use std::collections::{HashMap, HashSet};
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, kill_process_group, waitpid};
use tokio::process::Child;
use tokio::sync::{Mutex, MutexGuard};

use super::harden::adopts_orphans;

/// How long a child has between SIGTERM and SIGKILL: enough for a test runner to write its report,
/// little beside the 30 s that an action keeps back before Lambda's end.
pub const TERMINATION_GRACE: Duration = Duration::from_secs(5);

/// How long killed processes may take to be gone. SIGKILL needs no consent; only a process in an
/// uninterruptible system call takes its time.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// How often it is looked whether all are gone.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// One tree at a time in a process that adopts orphans: two could not be told apart.
static ONE_TREE: Mutex<()> = Mutex::const_new(());

/// Waits until this process may have another child.
pub(super) async fn turn() -> Turn {
    Turn {
        alone: if adopts_orphans() {
            Some(ONE_TREE.lock().await)
        } else {
            None
        },
    }
}

/// The right to have a child.
#[derive(Debug)]
pub(super) struct Turn {
    alone: Option<MutexGuard<'static, ()>>,
}

/// A running child. Dropping it kills the whole tree.
#[derive(Debug)]
pub(super) struct Tree {
    child: Child,
    root: Pid,
    ended: bool,
    turn: Turn,
}

impl Tree {
    /// Takes charge of a child that leads its own process group; `None` if it is already reaped.
    pub(super) fn new(child: Child, turn: Turn) -> Option<Self> {
        let root = Pid::from_raw(i32::try_from(child.id()?).ok()?)?;
        Some(Self {
            child,
            root,
            ended: false,
            turn,
        })
    }

    /// Waits for the child itself.
    pub(super) async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// The streams, once.
    pub(super) fn streams(
        &mut self,
    ) -> (
        Option<tokio::process::ChildStdout>,
        Option<tokio::process::ChildStderr>,
    ) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// Asks all to end, and kills after `grace` those that did not.
    pub(super) async fn terminate(&mut self, grace: Duration) {
        self.signal(Signal::TERM);
        let end = tokio::time::Instant::now() + grace;
        while tokio::time::Instant::now() < end && !self.is_gone() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        self.kill().await;
    }

    /// Kills and reaps whatever is left.
    pub(super) async fn kill(&mut self) {
        let limit = Instant::now() + KILL_LIMIT;
        while !self.is_gone() && Instant::now() < limit {
            self.signal(Signal::KILL);
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        self.end();
    }

    /// The same without waiting for the runtime: the future that held the tree is being dropped.
    fn kill_now(&mut self) {
        let limit = Instant::now() + KILL_LIMIT;
        while !self.is_gone() && Instant::now() < limit {
            self.signal(Signal::KILL);
            thread::sleep(POLL_INTERVAL);
        }
        self.end();
    }

    fn end(&mut self) {
        self.ended = true;
        let left = self.members();
        if !left.is_empty() {
            tracing::error!(processes = ?left.keys(), "killed processes did not end");
        }
    }

    /// Reaps what has ended; whether nothing is left.
    fn is_gone(&mut self) -> bool {
        let root_is_gone = !matches!(self.child.try_wait(), Ok(None));
        for pid in self.members().into_keys() {
            if pid != self.root {
                // Not our child: its own parent, or whoever adopts it, reaps it.
                let _reaped_or_not_ours = waitpid(Some(pid), WaitOptions::NOHANG);
            }
        }
        root_is_gone && self.members().is_empty()
    }

    fn signal(&self, signal: Signal) {
        let members = self.members();
        // The group first: one call that no fork can outrun. While it has a member that is not reaped
        // the kernel gives its number to no other.
        if members.values().any(|member| member.group == self.root) {
            let _already_gone = kill_process_group(self.root, signal);
        }
        for pid in members.into_keys() {
            let _already_gone = kill_process(pid, signal);
        }
    }

    /// All processes of the tree that have not been reaped.
    fn members(&self) -> HashMap<Pid, Process> {
        let me = rustix::process::getpid();
        let processes = processes();
        let top = if self.turn.alone.is_some() {
            me
        } else {
            self.root
        };
        processes
            .iter()
            .filter(|(pid, process)| {
                **pid != me
                    && (process.group == self.root
                        || **pid == self.root
                        || descends(**pid, top, &processes))
            })
            .map(|(pid, process)| (*pid, *process))
            .collect()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if !self.ended {
            self.kill_now();
        }
    }
}

fn descends(pid: Pid, top: Pid, processes: &HashMap<Pid, Process>) -> bool {
    // A parent that ends while the table is read can make a circle of numbers used again.
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

/// What `/proc/PID/stat` says that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process {
    parent: Option<Pid>,
    group: Pid,
}

/// All processes that there are. `stat` stays readable for everyone, whatever is hidden otherwise.
fn processes() -> HashMap<Pid, Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return HashMap::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid = pid(entry.file_name().to_str()?.parse().ok()?)?;
            let stat = std::fs::read(entry.path().join("stat")).ok()?;
            Some((pid, parse_stat(&stat)?))
        })
        .collect()
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

/// A process's number; `None` for what is none.
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
