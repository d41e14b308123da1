//! A function's own program, as Lambda runs it: events from a runtime API, results to CodePipeline.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use delivery_testing::runtime::{Ended, Function, KillSwitch};
use serde_json::Value;

use super::Bench;
use super::s3::client::Server;
use super::spent::{self, Spent};

/// The most that Lambda gives.
const TIMEOUT: Duration = Duration::from_mins(15);

/// What Lambda gives two processors for (Lambda Developer Guide, "Configure memory": one for 1,769 MB).
const MEMORY_MIB: &str = "3538";

/// One process of a function.
#[derive(Debug)]
pub struct Running {
    function: Function,
    name: String,
}

/// The program of a function.
///
/// # Errors
///
/// Where it is not built.
pub fn program(bench: &Bench, name: &str) -> io::Result<PathBuf> {
    let path = bench.functions.join(name).join("bootstrap");
    if path.is_file() {
        return Ok(path);
    }
    Err(io::Error::other(format!(
        "there is no `{}`; run without `--no-build`",
        path.display()
    )))
}

/// `PATH` with some folders before those of this process.
#[must_use]
pub fn search_path(first: &[&Path]) -> OsString {
    let usual = delivery_action::env::var_os("PATH").unwrap_or_default();
    let first = first.iter().map(|path| (*path).to_owned());
    std::env::join_paths(first.chain(std::env::split_paths(&usual))).unwrap_or(usual)
}

impl Running {
    /// Starts it; its AWS is `server`.
    ///
    /// # Errors
    ///
    /// Where it is not built.
    pub async fn start(
        bench: &Bench,
        name: &str,
        server: &Server,
        path: OsString,
    ) -> io::Result<Self> {
        let variables = [
            ("PATH", path),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", MEMORY_MIB.into()),
        ];
        let program = program(bench, name)?;
        let kill = KillSwitch::default();
        let function =
            Function::start_with(&program, server.url(), &kill, TIMEOUT, &variables).await;
        Ok(Self {
            function,
            name: name.to_owned(),
        })
    }

    /// Runs one job: from the event handed out until its result is reported and the invocation has ended.
    /// Returns the summary too.
    ///
    /// # Errors
    ///
    /// Where the job fails, with the function's log.
    pub async fn job(&mut self, server: &Server, event: &Value) -> io::Result<(Spent, String)> {
        let process = self.id()?;
        let before = spent::ticks(&process)?;
        let begun = Instant::now();
        let ended = self.function.invoke(event).await;
        let wall = begun.elapsed().as_secs_f64();
        if ended != Ended::Succeeded {
            return Err(self.failed(&format!("{ended:?}")));
        }
        let after = spent::ticks(&process)?;
        let summary = server
            .summary()
            .await
            .map_err(|error| self.failed(&error.to_string()))?;
        let cpu = after.own - before.own + after.children - before.children;
        Ok((Spent { wall, cpu }, summary))
    }

    /// The most memory that the process had at a time, in bytes, without its children's.
    ///
    /// # Errors
    ///
    /// Where it has ended.
    pub fn peak_memory(&self) -> io::Result<u64> {
        spent::peak_memory(&self.id()?)
    }

    fn id(&self) -> io::Result<String> {
        let id = self.function.id();
        id.map(|id| id.to_string())
            .ok_or_else(|| self.failed("its process has ended"))
    }

    fn failed(&self, what: &str) -> io::Error {
        let log = self.function.log();
        let last: Vec<&str> = log.lines().rev().take(10).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        io::Error::other(format!("{}: {what}\n{}", self.name, last.join("\n")))
    }
}
