//! `delivery local`: a local AWS that stays, whether `run --keep` left it up or `local start` began it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::time::{Instant, sleep};

use crate::args::Global;
use crate::args::local::{Kept, LocalStart};
use crate::endpoints::Endpoints;
use crate::error::CliError;
use crate::exit::Exit;
use crate::home::{Home, Instance, Settings, Status};
use crate::interrupt::Interrupt;
use crate::message::RunMessage;
use crate::output::ending::Ending;
use crate::output::{Reporter, json, write_stderr, write_stdout};
use crate::preflight;
use crate::run::environment::Environment;

/// How long a host may take to end, and one that starts to answer or give up; the local AWS itself may
/// take 20 s to end.
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
    let home = Home::find(global.home.as_deref());
    let settings = Settings {
        application: canonical(&arguments.application)?,
        repository: arguments.repository.clone(),
        whole_repository: preflight::knows_folders(),
        home: home.path().to_owned(),
        continuation_delay_ms: u64::try_from(CONTINUATION_DELAY.as_millis()).unwrap_or(u64::MAX),
    };
    let instance = home.instance(&settings.application);
    let found = environment.keep(instance, &settings).await?;
    environment.is_worth_keeping();
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

/// Prints the variables with which `aws` and any SDK reach what is kept.
pub(crate) async fn env(global: &Global, arguments: &Kept) -> Result<Exit, CliError> {
    let (home, application, instance) = find(global, &arguments.application)?;
    let deadline = Instant::now() + END_WITHIN;
    loop {
        match instance.status()? {
            Status::Up(state) => {
                tell(global, &state.endpoints);
                return Ok(Exit::Success);
            }
            Status::Down => return Err(nothing_kept(&home, application)),
            Status::Changing(pid) if Instant::now() >= deadline => {
                return Err(CliError::DoesNotAnswer {
                    pid,
                    seconds: END_WITHIN.as_secs(),
                });
            }
            Status::Changing(_) => sleep(END_INTERVAL).await,
        }
    }
}

fn tell(global: &Global, endpoints: &Endpoints) {
    if global.json {
        let variables = endpoints.variables();
        write_stdout(&json::line(None, &RunMessage::Environment { variables }));
    } else {
        write_stdout(&endpoints.exports());
    }
}

/// Ends what is kept.
pub(crate) async fn stop(global: &Global, arguments: &Kept) -> Result<Exit, CliError> {
    let (home, application, instance) = find(global, &arguments.application)?;
    let Some(pid) = instance.host() else {
        return Err(nothing_kept(&home, application));
    };
    end(&instance, pid).await?;
    if let Some(remains) = instance.remains() {
        return Err(CliError::Host {
            what: "ended, but not all that it had started".to_owned(),
            log: instance.log_file(),
            tail: remains,
        });
    }
    if global.json {
        Ending::of(&Ok(Exit::Success)).print();
    } else if !global.quiet {
        write_stderr("stopped; everything in it was deleted");
    }
    Ok(Exit::Success)
}

fn find(global: &Global, application: &Path) -> Result<(Home, PathBuf, Instance), CliError> {
    let directory = canonical(application)?;
    let home = Home::find(global.home.as_deref());
    let instance = home.instance(&directory);
    Ok((home, directory, instance))
}

fn nothing_kept(home: &Home, application: PathBuf) -> CliError {
    let kept = home.kept().into_iter();
    CliError::NothingKept {
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

/// Ends a host and waits until it is gone, with everything that it started.
pub(crate) async fn end(instance: &Instance, pid: u32) -> Result<(), CliError> {
    terminate(pid);
    let deadline = Instant::now() + END_WITHIN;
    loop {
        let holds = instance.host() == Some(pid);
        if !holds && !is_running(pid) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            // Without the lock it is another process by now, which has the id by chance.
            return if holds {
                Err(CliError::DoesNotEnd {
                    pid,
                    seconds: END_WITHIN.as_secs(),
                })
            } else {
                Ok(())
            };
        }
        sleep(END_INTERVAL).await;
    }
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
