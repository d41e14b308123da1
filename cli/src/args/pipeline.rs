//! The commands about the running pipeline: `status`, `log`, `start`, `approve`, `reject`, `retry`,
//! `stop`.

use std::time::Duration;

use clap::Args;

use super::values::duration;

/// How long `--wait` waits: more than a whole pipeline takes, and short enough that a job of
/// another CI system that nobody approves ends the same day.
const DEFAULT_WAIT: &str = "1h";

/// Which of several pipelines a command is about.
#[derive(Args, Clone, Debug)]
pub(crate) struct PipelineChoice {
    /// The pipeline: its name in `[pipelines]`, `apply-ENV` for the one that applies releases to an environment, or its
    /// whole name [default: the only one that delivers and can be meant].
    #[arg(long, value_name = "NAME")]
    pub(crate) pipeline: Option<String>,
}

/// `delivery status`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Status {
    /// Exit with 3 if the stack or a stage failed, and with 8 if an approval or the connection is pending.
    #[arg(long)]
    pub(crate) exit_status: bool,
}

/// `delivery log`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Log {
    #[command(flatten)]
    pub(crate) choice: PipelineChoice,

    /// Show the function logs of this stage's actions instead of the stack's events.
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: Option<String>,

    /// Show the function log of this action instead of the stack's events.
    #[arg(long, value_name = "ACTION")]
    pub(crate) action: Option<String>,

    /// Show only failures: the stack's failed events, or the logs of the latest execution's failed actions.
    #[arg(long)]
    pub(crate) failed: bool,

    /// An execution of the pipeline [default: the latest].
    #[arg(long, value_name = "ID")]
    pub(crate) execution: Option<String>,

    /// Keep printing new lines until interrupted.
    #[arg(short, long)]
    pub(crate) follow: bool,
}

/// `delivery start`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Start {
    #[command(flatten)]
    pub(crate) choice: PipelineChoice,

    /// Deliver this commit instead of the newest commit of the branch.
    #[arg(long, value_name = "COMMIT")]
    pub(crate) revision: Option<String>,

    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

/// Whether a command waits for the execution that it starts or goes on with.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Waiting {
    /// Wait until the execution has ended, and exit with its result.
    #[arg(long)]
    pub(crate) wait: bool,

    /// With `--wait`: how long, including approvals (for example 90s, 20m). The execution continues afterwards.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = DEFAULT_WAIT, env = "DELIVERY_TIMEOUT")]
    pub(crate) timeout: Duration,
}

/// `delivery approve` and `delivery reject`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Answer {
    #[command(flatten)]
    pub(crate) choice: PipelineChoice,

    /// The commit that you mean, or the beginning of its id: refused if another one is waiting. Without a
    /// terminal, either this or `--yes` is required.
    #[arg(value_name = "COMMIT")]
    pub(crate) commit: Option<String>,

    /// The stage, if more than one is waiting.
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: Option<String>,

    /// The reason; it is kept in the pipeline's history.
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) message: Option<String>,

    /// Do not ask: answer for whichever commit is waiting.
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// `delivery retry`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Retry {
    #[command(flatten)]
    pub(crate) choice: PipelineChoice,

    /// The stage [default: the one that failed].
    #[arg(value_name = "STAGE")]
    pub(crate) stage: Option<String>,

    /// Retry all of its actions, not only the failed ones; the stage qa always is, since its environment is removed.
    #[arg(long)]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) waiting: Waiting,
}

/// `delivery stop`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Stop {
    #[command(flatten)]
    pub(crate) choice: PipelineChoice,

    /// The execution [default: the one in progress, if there is only one].
    #[arg(value_name = "ID")]
    pub(crate) execution: Option<String>,

    /// Do not wait for the actions in progress; their results are ignored.
    #[arg(long)]
    pub(crate) abandon: bool,

    /// The reason; it is kept in the pipeline's history.
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) message: Option<String>,
}
