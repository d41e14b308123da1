//! `delivery help` and `delivery completions`.

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

/// The text of a topic that is not a command; `None` where there is no such topic.
pub(crate) fn topic(name: &str) -> Option<String> {
    (name == "exit-codes").then(exit::help)
}
