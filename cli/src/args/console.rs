//! `delivery console`.

use clap::Args;

/// `delivery console`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Console {
    /// The port on 127.0.0.1 [default: a free one].
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,

    /// Print the address and open no browser.
    #[arg(long)]
    pub(crate) no_open: bool,
}
