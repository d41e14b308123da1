//! The process behind `run --keep` and `local start`: `delivery` itself, started by `delivery` with a verb
//! that people are not told of, as it is nothing for them.

use std::path::PathBuf;
use std::pin::pin;

use clap::Parser;

use crate::error::CliError;
use crate::exit::Exit;
use crate::home::{Instance, State};
use crate::host::Host;
use crate::interrupt::Interrupt;

/// What the first argument is where `delivery` is to be a host.
pub(crate) const VERB: &str = "__host";

/// The arguments behind [`VERB`].
#[derive(Clone, Debug, Parser)]
pub(crate) struct Serve {
    /// The file of the instance's settings; its state is written beside it.
    instance: PathBuf,
}

/// Hosts the local AWS and the engine until a signal asks for the end. The instance's lock is held
/// for as long: it is how others know that the environment is there.
pub(crate) async fn serve(arguments: &Serve) -> Result<Exit, CliError> {
    let instance = Instance::of_settings(&arguments.instance);
    let Some(lock) = instance.lock()? else {
        tracing::info!("another process hosts this environment already");
        return Ok(Exit::Failed);
    };
    let settings = instance.settings()?;
    // What a host that was killed has announced; others do not believe it, and nobody needs it.
    instance.retract();
    // A session of its own: no terminal's Ctrl-C or hangup reaches it.
    let _is_leader_already = rustix::process::setsid();
    let mut interrupt = Interrupt::listen().map_err(|source| CliError::LocalAws {
        source: source.into(),
    })?;
    let mut start = pin!(Host::start(&settings));
    let started = tokio::select! {
        host = &mut start => Some(host),
        () = interrupt.received() => None,
    };
    let Some(host) = started else {
        // Dropped halfway, it would end only after this process.
        start.await?.stop().await?;
        return Ok(Exit::Interrupted);
    };
    let host = host?;
    let endpoints = host.endpoints().clone();
    tracing::info!(aws = %endpoints.aws, codepipeline = %endpoints.codepipeline, "the environment is up");
    instance.announce(&State {
        pid: std::process::id(),
        settings: settings.clone(),
        endpoints,
    })?;
    interrupt.received().await;
    instance.retract();
    let stopped = host.stop().await;
    match &stopped {
        Ok(()) => instance.remove(),
        Err(error) => instance.remember(&error.message()),
    }
    drop(lock);
    stopped.map(|()| Exit::Success)
}
