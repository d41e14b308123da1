//! `delivery console`: what `status`, `env ls`, `rollout show` and `releases` print, on a page of this machine, with buttons
//! that run the commands a person would type.
//!
//! - [`look`]: what is read from AWS, kept for some seconds
//! - [`offer`]: the commands that can be chosen for what was read
//! - [`command`]: runs one of them, as a process of its own
//! - [`guard`]: who may ask
//! - [`view`], [`page`]: what is shown
//! - [`server`]: the addresses

mod command;
mod guard;
mod look;
mod offer;
mod page;
#[cfg(test)]
mod samples;
mod server;
mod view;

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::net::Ipv4Addr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use tempfile::NamedTempFile;
use tokio::net::TcpListener;

use crate::args::Global;
use crate::args::console::Console;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::output::answer::{self, CommandAnswer};
use crate::output::write_stderr;
use crate::record;

use command::Commands;
use guard::Guard;
use look::Looks;
use server::Server;

/// Where the console is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConsoleAddress {
    /// The address, with the token that lets a browser in.
    url: String,
}

impl CommandAnswer for ConsoleAddress {
    const TYPE: &'static str = "console";

    fn text(&self) -> String {
        format!("{}\n", self.url)
    }
}

/// The command.
pub(crate) async fn console(global: &Global, arguments: &Console) -> Result<Exit, CliError> {
    let mut interrupt = Interrupt::listen().map_err(ConsoleError::Signals)?;
    let looks = Looks::new(global);
    // Without a pipeline or credentials it ends as `delivery status` does.
    looks.fresh().await?;
    let listener = listen(arguments.port).await?;
    let port = listener.local_addr().map_err(ConsoleError::Listen)?.port();
    let guard = Guard::new(port);
    let url = guard.entrance();
    let commands = Arc::new(Commands::new(global));
    let router = Server::new(guard, looks, Arc::clone(&commands)).router();
    let served = tokio::spawn(async move { axum::serve(listener, router).await });
    answer::print(global.json, &ConsoleAddress { url: url.clone() });
    let _until_the_end = show(global, arguments, &url);
    if !global.quiet {
        write_stderr(
            "The console is served on this machine only, to browsers that know this address. Ctrl-C ends it.",
        );
    }
    interrupt.received().await;
    served.abort();
    if commands.is_running() {
        write_stderr("waiting for the command that is running; it is not interrupted");
    }
    commands.wait().await;
    Ok(Exit::Success)
}

async fn listen(port: Option<u16>) -> Result<TcpListener, ConsoleError> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(0))).await;
    bound.map_err(|source| match (source.kind(), port) {
        (ErrorKind::AddrInUse, Some(port)) => ConsoleError::PortInUse { port },
        (ErrorKind::PermissionDenied, Some(port)) => ConsoleError::PortDenied { port },
        _ => ConsoleError::Listen(source),
    })
}

/// Opens the console in a browser, where there is one, and returns the file that leads there.
///
/// The browser is given a file that only its owner can read: others can see the arguments of a program, and the address has
/// the token in it.
fn show(global: &Global, arguments: &Console, url: &str) -> Option<NamedTempFile> {
    if arguments.no_open || global.json || !std::io::stderr().is_terminal() {
        return None;
    }
    let file = tempfile::Builder::new()
        .prefix("delivery-console-")
        .suffix(".html")
        .tempfile();
    let mut file = file.ok()?;
    file.write_all(page::way_to(url).as_bytes()).ok()?;
    record::shows(file.path()).then_some(file)
}

/// Why the console is not served.
#[derive(Debug, thiserror::Error)]
enum ConsoleError {
    /// Another program has the port.
    #[error("another program listens on port {port}")]
    PortInUse { port: u16 },
    /// The port is one of the system's.
    #[error("the system does not let you listen on port {port}")]
    PortDenied { port: u16 },
    /// There is no port.
    #[error("cannot listen on 127.0.0.1: {0}")]
    Listen(std::io::Error),
    /// Ctrl-C cannot be waited for.
    #[error("cannot wait for signals: {0}")]
    Signals(std::io::Error),
}

impl Explained for ConsoleError {
    fn exit(&self) -> Exit {
        Exit::Failed
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::PortInUse { .. } | Self::PortDenied { .. } | Self::Listen(_) => "port",
            Self::Signals(_) => "signals",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::PortInUse { .. } => Some(
                "without `--port` a free one is taken; or end the other program, perhaps another `delivery console`"
                    .to_owned(),
            ),
            Self::PortDenied { .. } => {
                Some("without `--port` a free one is taken; those from 1024 on are for everybody".to_owned())
            }
            Self::Listen(_) | Self::Signals(_) => None,
        }
    }
}
