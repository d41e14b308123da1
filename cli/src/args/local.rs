//! `delivery local`: a local AWS that stays.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `delivery local`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Local {
    #[command(subcommand)]
    pub(crate) command: LocalCommand,
}

/// What can be done with a local AWS that stays.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum LocalCommand {
    /// Start it, without a stack, and print the variables with which it is reached.
    ///
    /// eval "$(delivery local start)"
    Start(LocalStart),

    /// Print the variables with which `aws`, any SDK and `delivery` itself reach it.
    ///
    /// eval "$(delivery local env)"
    Env(LocalTarget),

    /// End it, and everything in it.
    Stop(LocalTarget),
}

/// `delivery local start`.
#[derive(Args, Clone, Debug)]
pub(crate) struct LocalStart {
    /// The application: a Git repository or a plain folder.
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) application: PathBuf,

    /// What the connection calls the application's repository: the template's `FullRepositoryId`.
    #[arg(long, value_name = "OWNER/NAME", default_value = crate::local_aws::services::REPOSITORY, env = "DELIVERY_REPOSITORY")]
    pub(crate) repository: String,
}

/// A command about a local AWS that was kept.
#[derive(Args, Clone, Debug)]
pub(crate) struct LocalTarget {
    /// The application that it was started for.
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) application: PathBuf,
}
