//! Resource limits and scheduling of this process, which its children can change.
//!
//! `prlimit(2)` and `setpriority(2)` work on any process of the same user. A child that sets the function's limit on
//! open files to 3 makes the next job fail, and a low priority makes it run out of time. Only soft limits can be
//! raised again without privileges; a lowered hard limit or priority is undone by exiting.

use std::fs;
use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// All limits that Linux has, with their names for people.
const RESOURCES: [(Resource, &str); 16] = [
    (Resource::Cpu, "limit on CPU time"),
    (Resource::Fsize, "limit on the size of files"),
    (Resource::Data, "limit on data"),
    (Resource::Stack, "limit on the stack"),
    (Resource::Core, "limit on core files"),
    (Resource::Rss, "limit on resident memory"),
    (Resource::Nproc, "limit on processes"),
    (Resource::Nofile, "limit on open files"),
    (Resource::Memlock, "limit on locked memory"),
    (Resource::As, "limit on memory"),
    (Resource::Locks, "limit on locks"),
    (Resource::Sigpending, "limit on pending signals"),
    (Resource::Msgqueue, "limit on message queues"),
    (Resource::Nice, "limit on priority"),
    (Resource::Rtprio, "limit on real-time priority"),
    (Resource::Rttime, "limit on real-time CPU time"),
];

/// Positions of the nice value and the scheduling policy in `/proc/PID/stat`, counted from the field after the name
/// (`proc_pid_stat(5)`: fields 19 and 41; the state, directly after the name, is field 3).
const NICE: usize = 16;
const POLICY: usize = 38;

/// The limits of a process, and how its threads are scheduled.
#[derive(Debug)]
pub(super) struct Limits {
    limits: [Rlimit; 16],
    scheduling: Option<Scheduling>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Scheduling {
    nice: String,
    policy: String,
}

impl Limits {
    pub(super) fn of_this_process() -> Self {
        Self {
            limits: RESOURCES.map(|(resource, _)| getrlimit(resource)),
            scheduling: Scheduling::of("self").ok(),
        }
    }

    /// Restores the limits, and returns the name of one that had changed.
    pub(super) fn restore(&self) -> Result<(), String> {
        let mut changed = None;
        for ((resource, name), limit) in RESOURCES.into_iter().zip(&self.limits) {
            if getrlimit(resource) != *limit {
                changed = Some(name.to_owned());
                if let Err(error) = setrlimit(resource, *limit) {
                    tracing::warn!(%error, "cannot restore the {name}");
                }
            }
        }
        match changed {
            None => self.check_threads(),
            Some(name) => Err(name),
        }
    }

    fn check_threads(&self) -> Result<(), String> {
        let Some(before) = &self.scheduling else {
            return Ok(());
        };
        let threads =
            fs::read_dir("/proc/self/task").map_err(|error| format!("threads ({error})"))?;
        for thread in threads.flatten() {
            let thread = format!("self/task/{}", thread.file_name().display());
            match Scheduling::of(&thread) {
                Ok(now) if now == *before => {}
                Ok(_) => return Err("priority".to_owned()),
                // The thread has ended since it was listed.
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(format!("threads ({error})")),
            }
        }
        Ok(())
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

impl Scheduling {
    fn of(process: &str) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .map(|(_, fields)| fields.split_ascii_whitespace().collect())
            .unwrap_or_default();
        let field = |index: usize| fields.get(index).copied().unwrap_or_default().to_owned();
        Ok(Self {
            nice: field(NICE),
            policy: field(POLICY),
        })
    }
}
