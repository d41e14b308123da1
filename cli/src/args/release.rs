//! The commands about releases and what environments have of them: `releases`, `diff`, `promote`, `env`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::values::{count, duration};

/// How long `promote` and `env up` follow the pipeline: more than a deployment with its tests takes.
const DEFAULT_WAIT: &str = "1h";

/// How many releases or deployments are listed: a screen of them.
const DEFAULT_LIMIT: &str = "20";

/// `delivery releases`.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Releases {
    #[command(subcommand)]
    pub(crate) command: Option<ReleasesCommand>,

    /// Show what was deployed to this environment instead.
    #[arg(value_name = "ENV")]
    pub(crate) environment: Option<String>,

    /// How many to show, the newest first.
    #[arg(short = 'n', long, value_name = "COUNT", default_value = DEFAULT_LIMIT, value_parser = count)]
    pub(crate) limit: usize,
}

/// What else is done with the releases.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ReleasesCommand {
    /// Show which releases nobody needs any more, and delete them with `--delete`.
    ///
    /// The newest 50 releases stay, those younger than 30 days, and those that an environment has, is getting, was getting
    /// last, or would go back to.
    Prune(Prune),
}

/// `delivery releases prune`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Prune {
    /// Delete them. The bucket keeps what was deleted as earlier versions.
    #[arg(long)]
    pub(crate) delete: bool,
}

/// `delivery diff`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Diff {
    /// The environment that would change.
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    /// What it would get: a release or a commit, or the beginning of its id, or what another environment has [default: what
    /// the environment before it has, else the newest release].
    #[arg(value_name = "RELEASE|ENV")]
    pub(crate) to: Option<String>,
}

/// `delivery promote`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Promote {
    /// The environment whose release is taken.
    #[arg(value_name = "FROM")]
    pub(crate) from: String,

    /// The environment that gets it.
    #[arg(value_name = "TO")]
    pub(crate) to: String,

    /// This release instead of the one that FROM has: its id or its commit, or the beginning of it.
    #[arg(long, value_name = "RELEASE")]
    pub(crate) release: Option<String>,

    /// Also a release that has not passed the tests of the environment before. It needs a reason: `--message`.
    #[arg(long, requires = "message")]
    pub(crate) unverified: bool,

    /// The reason; it is kept in the record of the deployment.
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) message: Option<String>,

    #[command(flatten)]
    pub(crate) following: Following,

    /// Do not ask.
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// How long a command follows the pipeline that it started.
#[derive(Args, Clone, Debug)]
pub(crate) struct Following {
    /// Only start the pipeline.
    #[arg(long)]
    pub(crate) no_wait: bool,

    /// How long to follow it (for example 90s, 20m). The execution continues afterwards.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = DEFAULT_WAIT, env = "DELIVERY_TIMEOUT")]
    pub(crate) timeout: Duration,
}

/// `delivery env`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Env {
    #[command(subcommand)]
    pub(crate) command: EnvCommand,
}

/// What is done with an environment.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum EnvCommand {
    /// List the environments: what each has, since when, who is deploying, and when it is removed.
    Ls(Ls),

    /// Make an environment of your own from a release, or bring another release to it.
    Up(EnvUp),

    /// Remove an environment of a family (`dev-anna`, `qa-1f09ab3c`) with everything that was deployed to it.
    Down(EnvDown),

    /// Keep an environment of a family until a time, or until somebody removes it.
    Keep(Keep),

    /// Finish the rollback of stacks in which it failed (`UPDATE_ROLLBACK_FAILED`), and try a removal that failed again.
    Repair(Repair),

    /// Release the lease of a deployment that nobody is working on any more.
    ///
    /// A lease runs out by itself 20 minutes after the last sign of its deployment.
    Unlock(Unlock),
}

/// `delivery env ls`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Ls {
    /// Also those that were removed.
    #[arg(long)]
    pub(crate) all: bool,
}

/// `delivery env up`.
#[derive(Args, Clone, Debug)]
pub(crate) struct EnvUp {
    /// The environment: `dev-` and a name, such as `dev-anna`.
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    /// The release: its id or its commit, or the beginning of it [default: the newest release that is verified somewhere].
    #[arg(long, value_name = "RELEASE")]
    pub(crate) release: Option<String>,

    /// The reason; it is kept in the record of the deployment.
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) message: Option<String>,

    #[command(flatten)]
    pub(crate) following: Following,
}

/// `delivery env down`.
#[derive(Args, Clone, Debug)]
pub(crate) struct EnvDown {
    /// The environment.
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    /// Only begin the removal.
    #[arg(long)]
    pub(crate) no_wait: bool,

    /// How long to follow it (for example 90s, 20m). The removal continues afterwards.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = DEFAULT_WAIT, env = "DELIVERY_TIMEOUT")]
    pub(crate) timeout: Duration,

    /// Do not ask.
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// `delivery env keep`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Keep {
    /// The environment.
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    /// How long from now (`4h`, `2d`), or `until` and a time (`until 20:00`, `until 2026-11-29T08:00`) [default: until it is
    /// removed by hand].
    #[arg(value_name = "DURATION|until TIME", num_args = 0..=2)]
    pub(crate) until: Vec<String>,
}

/// `delivery env repair`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Repair {
    /// The environment.
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    /// How long it may take (for example 90s, 20m). CloudFormation goes on afterwards.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = DEFAULT_WAIT, env = "DELIVERY_TIMEOUT")]
    pub(crate) timeout: Duration,

    /// Do not ask.
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// `delivery env unlock`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Unlock {
    /// The environment.
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    /// Do not ask.
    #[arg(short, long)]
    pub(crate) yes: bool,
}
