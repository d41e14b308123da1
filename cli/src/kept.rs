//! `delivery local`: a local AWS that stays, whether `run --keep` left it up or `local start` began it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::time::{Instant, sleep};

use crate::args::Global;
use crate::args::local::{Kept, LocalStart};
use crate::endpoints::Endpoints;
use crate::error::CliError;
use crate::event::Event;
use crate::exit::Exit;
use crate::home::{Home, Instance, Settings, State};
use crate::interrupt::Interrupt;
use crate::output::ending::Ending;
use crate::output::{Output, json, write_stderr, write_stdout};
use crate::run::environment::Environment;

/// How long a host may take to end; the local AWS itself may take 20 s.
const END_WITHIN: Duration = Duration::from_secs(30);

/// How often its end is looked for.
const END_INTERVAL: Duration = Duration::from_millis(50);

/// How long an action that continues rests before its next job, as in a run; AWS waits 30 s.
const CONTINUATION_DELAY: Duration = Duration::from_secs(1);

/// Starts a local AWS without a stack, or finds the one that is kept, and prints how to reach it.
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
            tell(global, environment.endpoints());
            Ok(Exit::Success)
        }
        Some(Err(error)) => {
            environment.close(&mut Output::new(global)).await;
            Err(error)
        }
        None => {
            environment.close(&mut Output::new(global)).await;
            Ok(Exit::Interrupted)
        }
    }
}

async fn begin(
    global: &Global,
    arguments: &LocalStart,
    environment: &mut Environment,
) -> Result<(), CliError> {
    let home = Home::find(global.home.as_deref());
    let settings = Settings {
        application: canonical(&arguments.application)?,
        repository: arguments.repository.clone(),
        home: home.path().to_owned(),
        continuation_delay_ms: u64::try_from(CONTINUATION_DELAY.as_millis()).unwrap_or(u64::MAX),
    };
    let instance = home.instance(&settings.application);
    let found = environment.keep(instance.clone(), &settings).await?;
    environment.is_worth_keeping();
    if found {
        let kept = instance.settings()?.repository;
        if kept != settings.repository {
            return Err(CliError::OtherRepository {
                application: settings.application,
                kept,
            });
        }
    }
    if !global.quiet && !global.json {
        let verb = if found { "is up already" } else { "is up" };
        let (application, repository) = (settings.application.display(), &settings.repository);
        write_stderr(&format!(
            "the local AWS {verb}: it delivers `{application}` as the repository `{repository}`; \
             `delivery local stop` ends it"
        ));
    }
    Ok(())
}

/// Prints the variables with which `aws` and any SDK reach what is kept.
pub(crate) fn env(global: &Global, arguments: &Kept) -> Result<Exit, CliError> {
    let (_, state) = find(global, &arguments.application)?;
    tell(global, &state.endpoints);
    Ok(Exit::Success)
}

fn tell(global: &Global, endpoints: &Endpoints) {
    if global.json {
        let variables = endpoints.variables();
        write_stdout(&json::line(&Event::Environment { variables }));
    } else {
        write_stdout(&endpoints.exports());
    }
}

/// Ends what is kept.
pub(crate) async fn stop(global: &Global, arguments: &Kept) -> Result<Exit, CliError> {
    let (instance, state) = find(global, &arguments.application)?;
    end(&instance, &state).await?;
    if global.json {
        Ending::of(&Ok(Exit::Success)).print();
    } else if !global.quiet {
        write_stderr("ended: nothing is kept any more");
    }
    Ok(Exit::Success)
}

fn find(global: &Global, application: &Path) -> Result<(Instance, State), CliError> {
    let nothing = || CliError::NothingKept {
        application: application.to_owned(),
    };
    let directory = canonical(application)?;
    let instance = Home::find(global.home.as_deref()).instance(&directory);
    let state = instance.state()?.ok_or_else(nothing)?;
    Ok((instance, state))
}

fn canonical(application: &Path) -> Result<PathBuf, CliError> {
    application
        .canonicalize()
        .map_err(|error| CliError::Application {
            path: application.to_owned(),
            source: error.into(),
        })
}

/// Ends a host and waits until it is gone, with everything that it started.
pub(crate) async fn end(instance: &Instance, state: &State) -> Result<(), CliError> {
    terminate(state.pid);
    let deadline = Instant::now() + END_WITHIN;
    while instance.is_locked() || is_running(state.pid) {
        if Instant::now() >= deadline {
            return Err(CliError::DoesNotEnd {
                pid: state.pid,
                seconds: END_WITHIN.as_secs(),
            });
        }
        sleep(END_INTERVAL).await;
    }
    Ok(())
}

/// Whether a process is there, and more than what nobody has collected yet.
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
