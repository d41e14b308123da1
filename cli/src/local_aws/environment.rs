//! The local AWS that a command uses: in its own process, or in a background process that outlives it.
//!
//! A command can be interrupted at any moment, so each step of a start is a state of [`Environment`] that
//! [`Environment::close`] can end.

use std::path::Path;
use std::time::Duration;

use tokio::process::Child;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep};

use crate::error::CliError;
use crate::message::RunMessage;
use crate::output::Reporter;
use crate::state_folder::{EnvironmentFolder, EnvironmentSettings, RunningEnvironment, Status};

use super::background::{self, STOP_WITHIN};
use super::endpoints::Endpoints;
use super::services::LocalServices;

/// How long a background process may take to start: the first start installs the local AWS from `PyPI`, which
/// takes a minute on a slow line.
const READY_WITHIN: Duration = Duration::from_mins(5);

/// How often its state file is looked for.
const READY_INTERVAL: Duration = Duration::from_millis(50);

/// How many of the last lines of its log an error shows.
const TAIL_LINES: usize = 10;

/// The environment of a run, from nothing to ready.
#[derive(Debug, Default)]
pub(crate) enum Environment {
    /// Nothing was started yet.
    #[default]
    None,
    /// In this process, starting. It is a task, not a future: what is dropped halfway would outlive this process.
    StartingHere(JoinHandle<Result<LocalServices, CliError>>),
    /// In this process; ends with it.
    Here(Box<LocalServices>),
    /// In a process that is starting.
    StartingInBackground(EnvironmentFolder, Child),
    /// In a background process.
    InBackground(Background),
}

/// An environment in a background process.
#[derive(Debug)]
pub(crate) struct Background {
    folder: EnvironmentFolder,
    state: RunningEnvironment,
    /// Whether this command started the process: only then may it stop it.
    started_here: bool,
    /// Whether a stack was launched into it, so that it stays.
    in_use: bool,
}

impl Background {
    fn is_up(&self) -> bool {
        self.folder.process() == Some(self.state.pid)
    }
}

impl Environment {
    /// Starts an environment in this process; answers `false`, as none was found.
    pub(crate) async fn start_here(
        &mut self,
        settings: &EnvironmentSettings,
    ) -> Result<bool, CliError> {
        let settings = settings.clone();
        *self = Self::StartingHere(tokio::spawn(async move {
            LocalServices::start(&settings).await
        }));
        let Self::StartingHere(task) = self else {
            unreachable!("set above")
        };
        let started = task.await;
        *self = Self::None;
        *self = Self::Here(Box::new(joined(started)?));
        Ok(false)
    }

    /// Finds the environment that an earlier command left running, or starts one in the background; answers
    /// whether it was found.
    pub(crate) async fn find_or_start_in_background(
        &mut self,
        folder: EnvironmentFolder,
        settings: &EnvironmentSettings,
    ) -> Result<bool, CliError> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            match folder.status()? {
                Status::Up(state) => {
                    self.found(folder, *state);
                    return Ok(true);
                }
                Status::Down => break,
                // Another command is starting or stopping it, which does not take long.
                Status::Changing(pid) if Instant::now() >= deadline => {
                    return Err(CliError::DoesNotAnswer {
                        pid,
                        seconds: READY_WITHIN.as_secs(),
                    });
                }
                Status::Changing(_) => sleep(READY_INTERVAL).await,
            }
        }
        folder.prepare(settings)?;
        let child = background::spawn(&folder)?;
        *self = Self::StartingInBackground(folder.clone(), child);
        self.announced().await
    }

    fn found(&mut self, folder: EnvironmentFolder, state: RunningEnvironment) {
        *self = Self::InBackground(Background {
            folder,
            state,
            started_here: false,
            in_use: true,
        });
    }

    /// Waits for the state file of the process that is starting. Where another command started a process at the
    /// same time, only one of the two gets the lock; answers whether it was the other one.
    async fn announced(&mut self) -> Result<bool, CliError> {
        let Self::StartingInBackground(folder, child) = self else {
            unreachable!("called while starting")
        };
        let pid = child.id();
        let deadline = Instant::now() + READY_WITHIN;
        let what = loop {
            // Asked before the status: where our process ended because another one has the lock, the status
            // shows that lock. The other way round, the lock might be taken in between.
            let ended = child.try_wait().ok().flatten();
            match (folder.status()?, ended) {
                (Status::Up(state), None) if Some(state.pid) == pid => {
                    let folder = folder.clone();
                    *self = Self::InBackground(Background {
                        folder,
                        state: *state,
                        started_here: true,
                        in_use: false,
                    });
                    return Ok(false);
                }
                (Status::Up(state), Some(_)) if Some(state.pid) != pid => {
                    let folder = folder.clone();
                    self.found(folder, *state);
                    return Ok(true);
                }
                (Status::Down, Some(status)) => break format!("ended while starting ({status})"),
                _ if Instant::now() >= deadline => {
                    break format!("did not answer within {} s", READY_WITHIN.as_secs());
                }
                _ => sleep(READY_INTERVAL).await,
            }
        };
        let log = folder.log_file();
        let tail = tail(&log);
        Err(CliError::BackgroundProcess { what, log, tail })
    }

    /// From now on an environment in the background stays up, also when the command is interrupted.
    pub(crate) fn keep(&mut self) {
        if let Self::InBackground(running) = self {
            running.in_use = true;
        }
    }

    /// The settings that it was started with, maybe by an earlier command.
    pub(crate) fn settings(&self) -> &EnvironmentSettings {
        match self {
            Self::InBackground(running) => &running.state.settings,
            _ => unreachable!("asked only of an environment in the background"),
        }
    }

    /// Whether it stays up after this command.
    pub(crate) fn stays(&self) -> bool {
        let Self::InBackground(running) = self else {
            return false;
        };
        running.is_up() && (!running.started_here || running.in_use)
    }

    /// Where it answers.
    pub(crate) fn endpoints(&self) -> &Endpoints {
        match self {
            Self::Here(services) => services.endpoints(),
            Self::InBackground(running) => &running.state.endpoints,
            Self::None | Self::StartingHere(_) | Self::StartingInBackground(..) => {
                unreachable!("asked only once it is started")
            }
        }
    }

    /// As [`close`](Self::close), after a run that is over: what ran in this process is not waited for.
    pub(crate) async fn leave(self, reporter: &Reporter) -> bool {
        match self {
            Self::Here(services) => {
                services.leave().await;
                true
            }
            other => other.close(reporter).await,
        }
    }

    /// Ends what ends with the run, and says how to reach what does not; answers whether all ended that should.
    pub(crate) async fn close(self, reporter: &Reporter) -> bool {
        let ended = match self {
            Self::None => Ok(()),
            Self::StartingHere(task) => stop_starting_here(task).await,
            Self::Here(services) => services.stop().await,
            Self::StartingInBackground(folder, child) => {
                stop_starting_in_background(&folder, child).await
            }
            Self::InBackground(running) if running.started_here && !running.in_use => {
                background::stop(&running.folder, running.state.pid).await
            }
            // Another command stopped it.
            Self::InBackground(running) if !running.is_up() => Ok(()),
            Self::InBackground(running) => {
                let variables = running.state.endpoints.variables();
                reporter.report(RunMessage::Environment { variables });
                Ok(())
            }
        };
        if let Err(error) = &ended {
            reporter.report(RunMessage::Notice {
                message: error.message(),
            });
        }
        ended.is_ok()
    }
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

fn joined(
    started: Result<Result<LocalServices, CliError>, JoinError>,
) -> Result<LocalServices, CliError> {
    started.unwrap_or_else(|error| {
        Err(CliError::LocalAws {
            source: error.into(),
        })
    })
}

async fn stop_starting_here(
    task: JoinHandle<Result<LocalServices, CliError>>,
) -> Result<(), CliError> {
    match joined(task.await) {
        Ok(services) => services.stop().await,
        // A start that failed has stopped everything; the command was interrupted anyway.
        Err(_) => Ok(()),
    }
}

async fn stop_starting_in_background(
    folder: &EnvironmentFolder,
    mut child: Child,
) -> Result<(), CliError> {
    let Some(pid) = child.id() else { return Ok(()) };
    background::terminate(pid);
    let ended = tokio::time::timeout(STOP_WITHIN, child.wait()).await;
    match ended {
        // The folder is in use where another command's process has the lock.
        Ok(_) => {
            if folder.process().is_none() {
                folder.remove();
            }
            Ok(())
        }
        Err(_) => Err(CliError::DoesNotEnd {
            pid,
            seconds: STOP_WITHIN.as_secs(),
        }),
    }
}
