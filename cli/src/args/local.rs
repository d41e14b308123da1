//! `delivery local`: a local AWS that outlives the command.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `delivery local`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Local {
    #[command(subcommand)]
    pub(crate) command: LocalCommand,
}

/// The commands of `delivery local`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum LocalCommand {
    /// Start it without a stack, and print the variables for reaching it.
    ///
    /// eval "$(delivery local start)"
    Start(LocalStart),

    /// Print the variables with which `aws`, SDKs and `delivery` itself reach it.
    ///
    /// eval "$(delivery local env)"
    Env(LocalTarget),

    /// Stop it and delete everything in it.
    Stop(LocalTarget),
}

/// `delivery local start`.
#[derive(Args, Clone, Debug)]
pub(crate) struct LocalStart {
    /// The application: a Git repository or a plain folder.
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) application: PathBuf,

    /// The repository name in the connection: the template's `FullRepositoryId`.
    #[arg(long, value_name = "OWNER/NAME", default_value = crate::local_aws::services::REPOSITORY, env = "DELIVERY_REPOSITORY")]
    pub(crate) repository: String,
}

/// `delivery local env` and `delivery local stop`.
#[derive(Args, Clone, Debug)]
pub(crate) struct LocalTarget {
    /// The application for which it was started.
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) application: PathBuf,
}
