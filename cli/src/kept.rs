//! `delivery local env` and `delivery local stop`: what `run --keep` left up.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use crate::args::Global;
use crate::args::local::Kept;
use crate::error::CliError;
use crate::event::Event;
use crate::exit::Exit;
use crate::home::{Home, Instance, State};
use crate::output::ending::Ending;
use crate::output::json;
use crate::output::{write_stderr, write_stdout};

/// How long a host may take to end; the local AWS itself may take 20 s.
const END_WITHIN: Duration = Duration::from_secs(30);

/// How often its end is looked for.
const END_INTERVAL: Duration = Duration::from_millis(50);

/// Prints the variables with which `aws` and any SDK reach what is kept.
pub(crate) fn env(global: &Global, arguments: &Kept) -> Result<Exit, CliError> {
    let (_, state) = find(global, &arguments.application)?;
    if global.json {
        let variables = state.endpoints.variables();
        write_stdout(&json::line(&Event::Environment { variables }));
    } else {
        write_stdout(&state.endpoints.exports());
    }
    Ok(Exit::Success)
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
    let directory = application
        .canonicalize()
        .map_err(|error| CliError::Application {
            path: application.to_owned(),
            source: error.into(),
        })?;
    let instance = Home::find(global.home.as_deref()).instance(&directory);
    let state = instance.state()?.ok_or_else(nothing)?;
    Ok((instance, state))
}

/// Ends a host and waits until it is gone, with everything that it started.
pub(crate) async fn end(instance: &Instance, state: &State) -> Result<(), CliError> {
    terminate(state.pid);
    let deadline = Instant::now() + END_WITHIN;
    while instance.is_locked() {
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

/// Asks a process to end.
pub(crate) fn terminate(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _already_gone = kill_process(pid, Signal::TERM);
    }
}
