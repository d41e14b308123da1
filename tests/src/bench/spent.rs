//! What a process took: time on the wall, time of processors, memory.

use std::fs;
use std::io;
use std::ops::Add;
use std::time::Instant;

use tokio::process::Command;

/// Clock ticks of a second in `/proc` (`sysconf(_SC_CLK_TCK)`, which is 100 on every Linux of today).
const TICKS: f64 = 100.0;

/// The fields of `/proc/PID/stat` after the name in parentheses, from 0: a process's own time, then that of
/// its children that were waited for (`proc_pid_stat(5)`: fields 14 to 17).
const OWN_TIME: usize = 11;

/// Seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// From start to end.
    pub wall: f64,
    /// Of all processors, in the program and in the kernel.
    pub cpu: f64,
}

impl Add for Spent {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            wall: self.wall + other.wall,
            cpu: self.cpu + other.cpu,
        }
    }
}

/// Runs a program to its end.
///
/// # Errors
///
/// Where it cannot start, or does not end with 0: then with the last of what it said.
pub async fn run(command: &mut Command) -> io::Result<Spent> {
    run_and_read(command).await.map(|(spent, _)| spent)
}

/// Runs a program to its end, and returns what it printed, too.
///
/// # Errors
///
/// As [`run`].
pub async fn run_and_read(command: &mut Command) -> io::Result<(Spent, String)> {
    let before = ticks("self")?;
    let begun = Instant::now();
    let output = command.output().await?;
    let wall = begun.elapsed().as_secs_f64();
    let after = ticks("self")?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let last: Vec<&str> = said.lines().rev().take(5).collect();
        return Err(io::Error::other(format!(
            "{command:?} ended with {}: {last:?}",
            output.status
        )));
    }
    let spent = Spent {
        wall,
        cpu: after.children - before.children,
    };
    let printed = [output.stdout, output.stderr].concat();
    Ok((spent, String::from_utf8_lossy(&printed).into_owned()))
}

/// Processor time so far, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Ticks {
    /// Of the process itself.
    pub own: f64,
    /// Of its children that have ended, and theirs.
    pub children: f64,
}

/// Reads a process's processor time; `self` is this one.
///
/// # Errors
///
/// Where there is no such process.
pub fn ticks(process: &str) -> io::Result<Ticks> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
    let mut times = fields
        .split_whitespace()
        .skip(OWN_TIME)
        .map(|field| field.parse::<f64>().unwrap_or_default() / TICKS);
    let mut two = || times.next().unwrap_or_default() + times.next().unwrap_or_default();
    Ok(Ticks {
        own: two(),
        children: two(),
    })
}

/// The most memory that a process had at a time, in bytes.
///
/// # Errors
///
/// Where there is no such process.
pub fn peak_memory(process: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kibibytes.unwrap_or_default() * 1024)
}
