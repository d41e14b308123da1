//! `delivery help`, `delivery completions` and `delivery man`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

use crate::exit;

/// `delivery help`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Help {
    /// A command, or `exit-codes`.
    #[arg(value_name = "TOPIC")]
    pub(crate) topic: Option<String>,
}

/// `delivery completions`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Completions {
    /// Which shell.
    pub(crate) shell: Shell,
}

/// `delivery man`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Man {
    /// The folder to write them into, such as `~/.local/share/man/man1`; created if it does not exist.
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
}

/// The text of a topic that is not a command; `None` where there is no such topic.
pub(crate) fn topic(name: &str) -> Option<String> {
    (name == "exit-codes").then(exit::help)
}
