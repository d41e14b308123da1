//! `delivery local`: starts and stops a local AWS that outlives the command.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::args::Global;
use crate::args::local::{LocalStart, LocalTarget};
use crate::error::CliError;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::message::RunMessage;
use crate::output::ending::Ending;
use crate::output::{Reporter, json, write_stderr, write_stdout};
use crate::settings::Settings;
use crate::state_folder::{EnvironmentFolder, EnvironmentSettings, StateFolder, Status};
use crate::templates::Templates;

use super::background::{self, STOP_INTERVAL, STOP_WITHIN};
use super::endpoints::Endpoints;
use super::environment::Environment;

/// How long an action that continues rests before its next job, as in a run; AWS waits 30 s.
const CONTINUATION_DELAY: Duration = Duration::from_secs(1);

/// Starts a local AWS without a stack, or finds the running one, and prints how to reach it.
pub(crate) async fn start(global: &Global, arguments: &LocalStart) -> Result<Exit, CliError> {
    let mut environment = Environment::default();
    let mut interrupt = Interrupt::listen().map_err(|source| CliError::LocalAws {
        source: source.into(),
    })?;
    let begun = tokio::select! {
        begun = begin(global, arguments, &mut environment) => Some(begun),
        () = interrupt.received() => None,
    };
    match begun {
        Some(Ok(())) => {
            print_variables(global, environment.endpoints());
            Ok(Exit::Success)
        }
        Some(Err(error)) => {
            environment.close(&Reporter::new(global)).await;
            Err(error)
        }
        None => {
            environment.close(&Reporter::new(global)).await;
            Ok(Exit::Interrupted)
        }
    }
}

async fn begin(
    global: &Global,
    arguments: &LocalStart,
    environment: &mut Environment,
) -> Result<(), CliError> {
    let home = StateFolder::find(global.home.as_deref());
    let application = canonical(&arguments.application)?;
    let of_application = Settings::load_from(global, &application)?;
    let templates = Templates::of_folder(&of_application, &application)?;
    let settings = EnvironmentSettings {
        application,
        repository: arguments.repository.clone(),
        whole_repository: templates.is_one_app,
        home: home.path().to_owned(),
        continuation_delay_ms: u64::try_from(CONTINUATION_DELAY.as_millis()).unwrap_or(u64::MAX),
    };
    let folder = home.environment(&settings.application);
    if !global.quiet
        && !global.json
        && let Some(why) = super::installation(&home)
    {
        write_stderr(&format!("local AWS: {why}"));
    }
    let found = environment
        .find_or_start_in_background(folder, &settings)
        .await?;
    environment.keep();
    let kept = &environment.settings().repository;
    if *kept != settings.repository {
        return Err(CliError::OtherRepository {
            application: settings.application,
            kept: kept.clone(),
        });
    }
    if !global.quiet && !global.json {
        let verb = if found { "is up already" } else { "is up" };
        let (application, repository) = (settings.application.display(), &settings.repository);
        write_stderr(&format!(
            "the local AWS {verb}: it delivers `{application}` as the repository `{repository}`; \
             `delivery local stop` stops it"
        ));
    }
    Ok(())
}

/// Prints the variables with which `aws` and SDKs reach the local AWS.
pub(crate) async fn env(global: &Global, arguments: &LocalTarget) -> Result<Exit, CliError> {
    let (home, application, folder) = find(global, &arguments.application)?;
    let deadline = Instant::now() + STOP_WITHIN;
    loop {
        match folder.status()? {
            Status::Up(state) => {
                print_variables(global, &state.endpoints);
                return Ok(Exit::Success);
            }
            Status::Down => return Err(nothing_runs(&home, application)),
            Status::Changing(pid) if Instant::now() >= deadline => {
                return Err(CliError::DoesNotAnswer {
                    pid,
                    seconds: STOP_WITHIN.as_secs(),
                });
            }
            Status::Changing(_) => sleep(STOP_INTERVAL).await,
        }
    }
}

fn print_variables(global: &Global, endpoints: &Endpoints) {
    if global.json {
        let variables = endpoints.variables();
        write_stdout(&json::line(None, &RunMessage::Environment { variables }));
    } else {
        write_stdout(&endpoints.exports());
    }
}

/// Stops the local AWS.
pub(crate) async fn stop(global: &Global, arguments: &LocalTarget) -> Result<Exit, CliError> {
    let (home, application, folder) = find(global, &arguments.application)?;
    let Some(pid) = folder.process() else {
        return Err(nothing_runs(&home, application));
    };
    background::stop(&folder, pid).await?;
    if let Some(leftovers) = folder.leftovers() {
        return Err(CliError::BackgroundProcess {
            what: "ended, but something that it started is still running".to_owned(),
            log: folder.log_file(),
            tail: leftovers,
        });
    }
    if global.json {
        Ending::of(&Ok(Exit::Success)).print();
    } else if !global.quiet {
        write_stderr("stopped; everything in it was deleted");
    }
    Ok(Exit::Success)
}

fn find(
    global: &Global,
    application: &Path,
) -> Result<(StateFolder, PathBuf, EnvironmentFolder), CliError> {
    let directory = canonical(application)?;
    let home = StateFolder::find(global.home.as_deref());
    let folder = home.environment(&directory);
    Ok((home, directory, folder))
}

fn nothing_runs(home: &StateFolder, application: PathBuf) -> CliError {
    let kept = home.running().into_iter();
    CliError::NoEnvironment {
        application,
        elsewhere: kept.map(|state| state.settings.application).collect(),
    }
}

fn canonical(application: &Path) -> Result<PathBuf, CliError> {
    application
        .canonicalize()
        .map_err(|error| CliError::Application {
            path: application.to_owned(),
            source: error.into(),
        })
}
