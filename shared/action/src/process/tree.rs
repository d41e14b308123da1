//! A child with all its descendants, daemons among them: ended together and reaped.
//!
//! In a process that adopts orphans ([`harden`](super::harden())) every descendant of it is the
//! running child's, so that nothing can slip away by a double fork or a new session. That nothing is left is
//! then the kernel's word, not a look at `/proc`: whoever has no child has no descendant. In another
//! process (tests, tools) only what is still linked to the child by parents, or in its process group,
//! can be told to be its.

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
/// little beside the 30 s that an action keeps back before Lambda's end.
pub const TERMINATION_GRACE: Duration = Duration::from_secs(5);

/// How long killed processes may take to be gone. SIGKILL needs no consent; only a process in an
/// uninterruptible system call takes its time.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// How often it is looked whether all are gone.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Survivors that a message names.
const MAX_TOLD: usize = 10;

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

/// Ends what earlier jobs left in a process that adopts orphans; nothing in it runs children at the moment.
///
/// # Errors
///
/// [`Survivors`]: something lives on.
pub async fn sweep() -> Result<(), Survivors> {
    let turn = turn().await;
    if turn.alone.is_none() {
        return Ok(());
    }
    let family = Family {
        root: None,
        adopts: true,
    };
    let mut ending = Ending::begin(family);
    while !ending.is_done(|| {})? {
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

/// A running child. Dropping it kills the whole tree.
#[derive(Debug)]
pub(super) struct Tree {
    child: Child,
    family: Family,
    ended: bool,
    _turn: Turn,
}

impl Tree {
    /// Takes charge of a child that leads its own process group; `None` if it is already reaped.
    pub(super) fn new(child: Child, turn: Turn) -> Option<Self> {
        let root = Pid::from_raw(i32::try_from(child.id()?).ok()?)?;
        Some(Self {
            child,
            family: Family {
                root: Some(root),
                adopts: turn.alone.is_some(),
            },
            ended: false,
            _turn: turn,
        })
    }

    /// Waits for the child itself.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
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
    pub(super) async fn terminate(&mut self, grace: Duration) -> Result<(), Survivors> {
        self.family.signal(Signal::TERM);
        let end = tokio::time::Instant::now() + grace;
        while tokio::time::Instant::now() < end && !self.is_gone() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        self.kill().await
    }

    /// Kills and reaps whatever is left.
    pub(super) async fn kill(&mut self) -> Result<(), Survivors> {
        let mut ending = Ending::begin(self.family);
        let ended = loop {
            match ending.is_done(|| reap(&mut self.child)) {
                Ok(false) => tokio::time::sleep(POLL_INTERVAL).await,
                ended => break ended.map(drop),
            }
        };
        self.ended = true;
        ended
    }

    /// The same without waiting for the runtime: the future that held the tree is being dropped.
    fn kill_now(&mut self) -> Result<(), Survivors> {
        let mut ending = Ending::begin(self.family);
        while !ending.is_done(|| reap(&mut self.child))? {
            thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    fn is_gone(&mut self) -> bool {
        reap(&mut self.child);
        matches!(self.family.reap(), Ok(true))
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

/// The runtime's own record of the child, before anybody else reaps it.
fn reap(child: &mut Child) {
    let _status_is_known_or_not_wanted = child.try_wait();
}

/// The end of a family, pass by pass.
struct Ending {
    family: Family,
    begun: Instant,
    tampered: Option<String>,
}

impl Ending {
    fn begin(family: Family) -> Self {
        Self {
            family,
            begun: Instant::now(),
            tampered: None,
        }
    }

    /// Kills and reaps once; whether nothing is left. The clock is looked at after the signals: a function that
    /// was stopped in between has sent them nevertheless.
    fn is_done(&mut self, reap_child: impl FnOnce()) -> Result<bool, Survivors> {
        if self.family.adopts
            && let Err(what) = sandbox::restore_limits()
        {
            self.tampered = Some(what);
        }
        self.family.signal(Signal::KILL);
        reap_child();
        let gone = self.family.reap();
        let took = self.begun.elapsed();
        if took > KILL_LIMIT {
            return Err(match gone {
                Ok(true) => Survivors::Late { took },
                Ok(false) => Survivors::Alive {
                    processes: self.family.told(),
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

/// Processes that belong together.
#[derive(Clone, Copy, Debug)]
struct Family {
    /// The child that all others came from; `None` for whatever is below this process.
    root: Option<Pid>,
    /// Whether all descendants of this process are the family.
    adopts: bool,
}

impl Family {
    /// Reaps what has ended; whether nothing is left.
    fn reap(self) -> io::Result<bool> {
        if self.adopts {
            // Every descendant has a chain of parents up to this process, which adopts those whose parents end. So
            // without a child there is no descendant, whatever `/proc` shows or hides.
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
                // Not our child: its own parent, or whoever adopts it, reaps it.
                let _reaped_or_not_ours = waitpid(Some(pid), WaitOptions::NOHANG);
            }
        }
        Ok(self.members()?.is_empty())
    }

    fn signal(self, signal: Signal) {
        let Ok(members) = self.members() else {
            // The next pass looks again; what cannot be listed until the limit is an error.
            return;
        };
        // The group first: one call that no fork can outrun. While it has a member that is not reaped
        // the kernel gives its number to no other.
        if let Some(root) = self.root
            && members.values().any(|member| member.group == root)
        {
            let _already_gone = kill_process_group(root, signal);
        }
        for pid in members.into_keys() {
            let _already_gone = kill_process(pid, signal);
        }
    }

    /// All processes of the family that have not been reaped.
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

    fn told(self) -> String {
        let Ok(members) = self.members() else {
            return "some".to_owned();
        };
        let mut pids: Vec<String> = members.into_keys().map(|pid| pid.to_string()).collect();
        pids.sort();
        let more = pids.len().saturating_sub(MAX_TOLD);
        pids.truncate(MAX_TOLD);
        match more {
            0 => pids.join(", "),
            more => format!("{} and {more} more", pids.join(", ")),
        }
    }
}

/// A job's processes did not all end as they have to: no other job may run here.
#[derive(Debug, thiserror::Error)]
pub enum Survivors {
    /// Some live.
    #[error("the job's processes did not end within {} s: {processes}", KILL_LIMIT.as_secs())]
    Alive {
        /// Their numbers.
        processes: String,
    },
    /// They are gone, but later than they can be without this process having been stopped.
    #[error("the job's processes were killed only after {} s: the function was suspended in between", .took.as_secs())]
    Late {
        /// How long it took.
        took: Duration,
    },
    /// Whether some live cannot be told.
    #[error("cannot list the job's processes")]
    Unknown {
        /// Why.
        source: io::Error,
    },
    /// They are gone, and have changed this process.
    #[error("a program that the job ran changed the function's {what}")]
    Tampered {
        /// What was changed.
        what: String,
    },
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

/// All processes that there are. `stat` stays readable for everyone, whatever is hidden otherwise; where it is
/// not, that is an error and not an empty table.
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
    fn a_function_that_was_stopped_past_the_limit_kills_first_and_is_late() {
        use std::os::unix::process::{CommandExt, ExitStatusExt};

        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .process_group(0)
            .spawn()
            .unwrap();
        let mut ending = Ending::begin(Family {
            root: Pid::from_raw(i32::try_from(child.id()).unwrap()),
            adopts: false,
        });
        ending.begun = Instant::now().checked_sub(KILL_LIMIT * 2).unwrap();
        ending.is_done(|| {}).unwrap_err();
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
