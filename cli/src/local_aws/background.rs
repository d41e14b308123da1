//! The process behind `run --keep` and `local start`: this program itself, started with a verb that no help
//! text names.
//!
//! [`spawn`] and [`stop`] are what other commands do with it, [`run`] is what it does itself. It holds the lock
//! of its folder as long as it lives. Commands that look for it rely on the order of the steps in `run`: first the
//! lock, then the local AWS, then the state file; and backwards at the end.

use std::fs::File;
use std::path::PathBuf;
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use clap::Parser;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::error::CliError;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::local_aws::services::LocalServices;
use crate::state_folder::{EnvironmentFolder, RunningEnvironment};

/// The first argument of the background process.
pub(crate) const VERB: &str = "__host";

/// The variables that the process inherits: those that install the local AWS and find programs, and the
/// settings of this program. Not the others: every process of this user can read them as long as the
/// process lives, and the developer's credentials may be among them.
const PASSED_VARIABLES: [&str; 18] = [
    "HOME",
    "LANG",
    "LC_ALL",
    "PATH",
    "TMPDIR",
    "TZ",
    "USER",
    "XDG_CACHE_HOME",
    // Programs of version managers and of Nix.
    "ASDF_DATA_DIR",
    "LD_LIBRARY_PATH",
    "NODE_EXTRA_CA_CERTS",
    "VOLTA_HOME",
    // How pip gets at the packages of the local AWS.
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "DELIVERY_FUNCTION_PATH",
    "DELIVERY_CODEDEPLOY_MINUTE",
    "DELIVERY_ROUTING_SEED",
    // Where tests have the calls of functions written down.
    "DELIVERY_RECORD_CALLS",
];

/// What begins the variables with pip's settings, all of which count in the background, too.
const PIP_VARIABLES: &str = "PIP_";

/// The same in both spellings; a password in them is what pip needs, too.
const PROXY_VARIABLES: [&str; 8] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
];

/// How long the process may take to stop once it is asked to; the local AWS itself may take 20 s.
pub(super) const STOP_WITHIN: Duration = Duration::from_secs(30);

/// How often a process that is starting or stopping is looked at.
pub(super) const STOP_INTERVAL: Duration = Duration::from_millis(50);

/// The arguments behind [`VERB`].
#[derive(Clone, Debug, Parser)]
pub(crate) struct BackgroundArguments {
    /// The settings file of the environment's folder.
    settings: PathBuf,
}

/// Runs the local AWS and the engine until a signal asks the process to end.
pub(crate) async fn run(arguments: &BackgroundArguments) -> Result<Exit, CliError> {
    let folder = EnvironmentFolder::of_settings(&arguments.settings);
    let Some(lock) = folder.lock()? else {
        tracing::info!("another process runs this environment already");
        return Ok(Exit::Failed);
    };
    let settings = folder.settings()?;
    // A process that was killed may have left its state file.
    folder.withdraw();
    // A session of its own: no terminal's Ctrl-C or hangup reaches it.
    let _is_leader_already = rustix::process::setsid();
    let mut interrupt = Interrupt::listen().map_err(|source| CliError::LocalAws {
        source: source.into(),
    })?;
    let mut start = pin!(LocalServices::start(&settings));
    let started = tokio::select! {
        started = &mut start => Some(started),
        () = interrupt.received() => None,
    };
    let Some(services) = started else {
        // What is dropped halfway would outlive this process: finish the start, then stop.
        start.await?.stop().await?;
        return Ok(Exit::Interrupted);
    };
    let services = services?;
    let endpoints = services.endpoints().clone();
    tracing::info!(aws = %endpoints.aws, codepipeline = %endpoints.codepipeline, "the environment is up");
    folder.announce(&RunningEnvironment {
        pid: std::process::id(),
        settings: settings.clone(),
        endpoints,
    })?;
    interrupt.received().await;
    // Before anything stops, so that no command finds an environment that no longer answers.
    folder.withdraw();
    let stopped = services.stop().await;
    match &stopped {
        Ok(()) => folder.remove(),
        Err(error) => folder.write_leftovers(&error.message()),
    }
    drop(lock);
    stopped.map(|()| Exit::Success)
}

/// Starts the process in a process group of its own, so that a Ctrl-C in the terminal does not reach it.
pub(super) fn spawn(folder: &EnvironmentFolder) -> Result<Child, CliError> {
    let failed = |source| CliError::Program {
        program: "delivery",
        source,
    };
    let log = folder.log_file();
    // Appended to: two commands may start a process at the same time, and both have the file open.
    let mut options = File::options();
    let output = options.create(true).append(true).open(&log);
    let output = output.map_err(|source| CliError::File {
        verb: "write",
        path: log,
        source,
    })?;
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.env_clear();
    for name in PASSED_VARIABLES.iter().chain(&PROXY_VARIABLES) {
        if let Some(value) = delivery_action::env::var_os(name) {
            command.env(name, value);
        }
    }
    for (setting, value) in delivery_action::env::with_prefix(PIP_VARIABLES) {
        command.env(format!("{PIP_VARIABLES}{setting}"), value);
    }
    command
        .arg(VERB)
        .arg(folder.settings_file())
        .stdin(Stdio::null())
        .stdout(output.try_clone().map_err(failed)?)
        .stderr(output)
        .process_group(0)
        .spawn()
        .map_err(failed)
}

/// Stops a background process and waits until it is gone, with everything that it started.
pub(crate) async fn stop(folder: &EnvironmentFolder, pid: u32) -> Result<(), CliError> {
    terminate(pid);
    let deadline = Instant::now() + STOP_WITHIN;
    loop {
        let holds = folder.process() == Some(pid);
        if !holds && !is_running(pid) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            // A process without the lock is another one that got the id since.
            return if holds {
                Err(CliError::DoesNotEnd {
                    pid,
                    seconds: STOP_WITHIN.as_secs(),
                })
            } else {
                Ok(())
            };
        }
        sleep(STOP_INTERVAL).await;
    }
}

/// Whether a process exists and is not a zombie, which only waits to be collected.
fn is_running(pid: u32) -> bool {
    let found = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if found.is_none_or(|pid| test_kill_process(pid).is_err()) {
        return false;
    }
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').map(|(_, rest)| rest.trim_start());
    state.is_none_or(|state| !state.starts_with('Z'))
}

/// Asks a process to end.
pub(crate) fn terminate(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _already_gone = kill_process(pid, Signal::TERM);
    }
}
