//! `delivery serve`: the process behind `run --keep`.

use std::pin::pin;

use crate::args::local::Serve;
use crate::error::CliError;
use crate::exit::Exit;
use crate::home::{Instance, State};
use crate::host::Host;
use crate::interrupt::Interrupt;

/// Hosts the local AWS and the engine until a signal asks for the end. The instance's lock is held
/// for as long: it is how others know that the environment is there.
pub(crate) async fn serve(arguments: &Serve) -> Result<Exit, CliError> {
    let instance = Instance::of_settings(&arguments.instance);
    let settings = instance.settings()?;
    let Some(lock) = instance.lock()? else {
        return Err(CliError::Host {
            what: "is there already".to_owned(),
            log: instance.log_file(),
            tail: String::new(),
        });
    };
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
        endpoints,
    })?;
    interrupt.received().await;
    let stopped = host.stop().await;
    instance.remove();
    drop(lock);
    stopped.map(|()| Exit::Success)
}
