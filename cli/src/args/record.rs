//! `delivery open` and `delivery history`.

use clap::Args;

/// `delivery open`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Open {
    /// The run: its id, or the beginning of it, or that of its commit [default: the newest].
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,

    /// Print the page's path and open nothing.
    #[arg(long)]
    pub(crate) print: bool,
}

/// `delivery history`.
#[derive(Args, Clone, Debug)]
pub(crate) struct History {}
