//! The local AWS that a run uses: its own, or one that outlives it.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep};

use crate::endpoints::Endpoints;
use crate::error::CliError;
use crate::home::{Instance, Settings, State, Status};
use crate::host::Host;
use crate::kept;
use crate::message::RunMessage;
use crate::output::Reporter;
use crate::serve;

/// How long the process that keeps an environment up may take to announce it: a first start installs
/// the local AWS from `PyPI`, which takes a minute on a slow line.
const READY_WITHIN: Duration = Duration::from_mins(5);

/// How often its announcement is looked for.
const READY_INTERVAL: Duration = Duration::from_millis(50);

/// How long its host may take to end once it is told so; the local AWS itself may take 20 s.
const END_WITHIN: Duration = Duration::from_secs(30);

/// How many of the host's last lines an error carries.
const TAIL_LINES: usize = 10;

/// What the host's environment consists of: what it needs to install the local AWS and to find programs,
/// and how people have set up this program. Whoever else runs as this user can read it for as long as the
/// host lives, so nobody's credentials are in it.
const HOST_VARIABLES: [&str; 19] = [
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
    "PIP_CERT",
    "PIP_CONFIG_FILE",
    "PIP_INDEX_URL",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "DELIVERY_FUNCTION_PATH",
    // Where tests have the calls of functions written down.
    "DELIVERY_RECORD_CALLS",
];

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

/// The environment of a run, from nothing to ready.
#[derive(Debug, Default)]
pub(crate) enum Environment {
    /// Nothing was started yet.
    #[default]
    None,
    /// In this process, starting: dropped halfway, it would end only after this process.
    Beginning(JoinHandle<Result<Host, CliError>>),
    /// In this process; ends with it.
    Own(Box<Host>),
    /// In a process that is starting.
    Starting(Instance, Child),
    /// In a process that goes on after this one.
    Kept(Kept),
}

/// An environment that outlives the run.
#[derive(Debug)]
pub(crate) struct Kept {
    instance: Instance,
    state: State,
    /// Whether this run started it: an earlier run's is never ended here.
    ours: bool,
    /// Whether there is something in it to keep.
    ready: bool,
}

impl Environment {
    /// Starts an environment of this process's own. Never finds one.
    pub(crate) async fn host(&mut self, settings: &Settings) -> Result<bool, CliError> {
        let settings = settings.clone();
        *self = Self::Beginning(tokio::spawn(async move { Host::start(&settings).await }));
        let Self::Beginning(task) = self else {
            unreachable!("set above")
        };
        let started = task.await;
        *self = Self::None;
        *self = Self::Own(Box::new(joined(started)?));
        Ok(false)
    }

    /// Finds the environment that an earlier run kept, or starts one that is kept; tells whether it
    /// was found.
    pub(crate) async fn keep(
        &mut self,
        instance: Instance,
        settings: &Settings,
    ) -> Result<bool, CliError> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            match instance.status()? {
                Status::Up(state) => {
                    self.found(instance, *state);
                    return Ok(true);
                }
                Status::Down => break,
                // Another command is starting it, or ending it: either is over soon.
                Status::Changing(pid) if Instant::now() >= deadline => {
                    return Err(CliError::DoesNotAnswer {
                        pid,
                        seconds: READY_WITHIN.as_secs(),
                    });
                }
                Status::Changing(_) => sleep(READY_INTERVAL).await,
            }
        }
        instance.prepare(settings)?;
        let child = spawn(&instance)?;
        *self = Self::Starting(instance.clone(), child);
        self.announced().await
    }

    fn found(&mut self, instance: Instance, state: State) {
        *self = Self::Kept(Kept {
            instance,
            state,
            ours: false,
            ready: true,
        });
    }

    /// Waits until the process that is starting says where its environment answers; tells whether it was
    /// another command's process that was quicker.
    async fn announced(&mut self) -> Result<bool, CliError> {
        let Self::Starting(instance, child) = self else {
            unreachable!("called while starting")
        };
        let pid = child.id();
        let deadline = Instant::now() + READY_WITHIN;
        let what = loop {
            // Asked before the status: the last thing that a process does is not missed.
            let ended = child.try_wait().ok().flatten();
            match (instance.status()?, ended) {
                (Status::Up(state), None) if Some(state.pid) == pid => {
                    let instance = instance.clone();
                    *self = Self::Kept(Kept {
                        instance,
                        state: *state,
                        ours: true,
                        ready: false,
                    });
                    return Ok(false);
                }
                (Status::Up(state), Some(_)) if Some(state.pid) != pid => {
                    let instance = instance.clone();
                    self.found(instance, *state);
                    return Ok(true);
                }
                (Status::Down, Some(status)) => break format!("ended while starting ({status})"),
                _ if Instant::now() >= deadline => {
                    break format!("did not answer within {} s", READY_WITHIN.as_secs());
                }
                _ => sleep(READY_INTERVAL).await,
            }
        };
        let log = instance.log_file();
        let tail = tail(&log);
        Err(CliError::Host { what, log, tail })
    }

    /// From now on a kept environment stays, also when the run is interrupted.
    pub(crate) fn is_worth_keeping(&mut self) {
        if let Self::Kept(kept) = self {
            kept.ready = true;
        }
    }

    /// What it was asked to be when it was started, which may have been by an earlier command.
    pub(crate) fn settings(&self) -> &Settings {
        match self {
            Self::Kept(kept) => &kept.state.settings,
            _ => unreachable!("asked only of what is kept"),
        }
    }

    /// Whether it goes on after this command.
    pub(crate) fn stays(&self) -> bool {
        matches!(self, Self::Kept(kept) if !kept.ours || kept.ready)
    }

    /// Where it answers.
    pub(crate) fn endpoints(&self) -> &Endpoints {
        match self {
            Self::Own(host) => host.endpoints(),
            Self::Kept(kept) => &kept.state.endpoints,
            Self::None | Self::Beginning(_) | Self::Starting(..) => {
                unreachable!("asked only once it is started")
            }
        }
    }

    /// Ends what ends with the run, and says how to reach what does not.
    pub(crate) async fn close(self, reporter: &Reporter) {
        let ended = match self {
            Self::None => Ok(()),
            Self::Beginning(task) => end_beginning(task).await,
            Self::Own(host) => host.stop().await,
            Self::Starting(instance, child) => end_starting(&instance, child).await,
            Self::Kept(kept) if kept.ours && !kept.ready => {
                kept::end(&kept.instance, kept.state.pid).await
            }
            Self::Kept(kept) => {
                let variables = kept.state.endpoints.variables();
                reporter.report(RunMessage::Environment { variables });
                Ok(())
            }
        };
        if let Err(error) = ended {
            reporter.report(RunMessage::Notice {
                message: error.message(),
            });
        }
    }
}

/// The last lines of a host's log.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// Starts this very program as the host, in a session of its own: a Ctrl-C in the terminal does not
/// reach it.
fn spawn(instance: &Instance) -> Result<Child, CliError> {
    let failed = |source| CliError::Program {
        program: "delivery",
        source,
    };
    let log = instance.log_file();
    // Appended to: where two commands start a host at once, both have the file open.
    let mut options = File::options();
    let output = options.create(true).append(true).open(&log);
    let output = output.map_err(|source| CliError::File {
        verb: "write",
        path: log,
        source,
    })?;
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.env_clear();
    for name in HOST_VARIABLES.iter().chain(&PROXY_VARIABLES) {
        if let Some(value) = delivery_action::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .arg(serve::VERB)
        .arg(instance.settings_file())
        .stdin(Stdio::null())
        .stdout(output.try_clone().map_err(failed)?)
        .stderr(output)
        .process_group(0)
        .spawn()
        .map_err(failed)
}

fn joined(started: Result<Result<Host, CliError>, JoinError>) -> Result<Host, CliError> {
    started.unwrap_or_else(|error| {
        Err(CliError::LocalAws {
            source: error.into(),
        })
    })
}

async fn end_beginning(task: JoinHandle<Result<Host, CliError>>) -> Result<(), CliError> {
    match joined(task.await) {
        Ok(host) => host.stop().await,
        // It ended itself; the run was interrupted anyway.
        Err(_) => Ok(()),
    }
}

async fn end_starting(instance: &Instance, mut child: Child) -> Result<(), CliError> {
    let Some(pid) = child.id() else { return Ok(()) };
    kept::terminate(pid);
    let ended = tokio::time::timeout(END_WITHIN, child.wait()).await;
    match ended {
        // Another command may have been quicker: what its host keeps is not ours to remove.
        Ok(_) => {
            if instance.host().is_none() {
                instance.remove();
            }
            Ok(())
        }
        Err(_) => Err(CliError::DoesNotEnd {
            pid,
            seconds: END_WITHIN.as_secs(),
        }),
    }
}
