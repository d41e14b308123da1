//! The machine that the times were measured on.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What stands at the top of the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// When the run began, UTC.
    pub date: String,
    /// The commit that was measured.
    pub commit: String,
    /// Model of the processor.
    pub processor: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// Version of the kernel.
    pub kernel: String,
    /// Load before the run: what others did on the machine.
    pub load: String,
    /// Where files were read and written.
    pub files: String,
}

impl Machine {
    /// This machine, whose inputs are below `directory`.
    #[must_use]
    pub fn this(date: String, directory: &Path) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            let value = line
                .and_then(|line| line.split_once(':'))
                .map(|(_, value)| value.trim());
            value.unwrap_or_default().to_owned()
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let memory = memory
            .split_whitespace()
            .next()
            .and_then(|number| number.parse::<u64>().ok());
        let on_memory = directory.starts_with("/dev/shm");
        Self {
            date,
            commit: commit(),
            processor: field(&read("/proc/cpuinfo"), "model name"),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: memory.unwrap_or_default() / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: read("/proc/loadavg").split_whitespace().take(1).collect(),
            files: if on_memory {
                "in memory (tmpfs)"
            } else {
                "on a disk"
            }
            .to_owned(),
        }
    }
}

fn commit() -> String {
    let root = crate::checkout::root();
    let output = Command::new("git")
        .args(["rev-parse", "--short", "HEAD"])
        .current_dir(root)
        .output();
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| | |\n|---|---|")?;
        writeln!(f, "| date | {} UTC |", self.date)?;
        writeln!(f, "| commit | {} |", self.commit)?;
        writeln!(
            f,
            "| processor | {}, {} cores |",
            self.processor, self.cores
        )?;
        writeln!(f, "| memory | {} MiB |", self.memory_mib)?;
        writeln!(f, "| kernel | Linux {} |", self.kernel)?;
        writeln!(f, "| load before the run | {} |", self.load)?;
        writeln!(f, "| files | {} |", self.files)
    }
}
