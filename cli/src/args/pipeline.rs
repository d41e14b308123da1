//! The commands about the running pipeline: `status`, `log`, `start`, `approve`, `reject`, `retry`,
//! `stop`.

use std::time::Duration;

use clap::Args;

use super::values::duration;

/// How long `start --wait` waits: more than a whole pipeline takes, and short enough that a job of
/// another CI system that nobody approves ends the same day.
const DEFAULT_WAIT: &str = "1h";

/// `delivery status`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Status {
    /// Exit by what is shown: 3 where the stack or a stage failed, 8 where an approval or the connection
    /// waits.
    #[arg(long)]
    pub(crate) exit_status: bool,
}

/// `delivery log`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Log {
    /// The functions' logs of this stage's actions, instead of the stack's events.
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: Option<String>,

    /// The function's log of this action, instead of the stack's events.
    #[arg(long, value_name = "ACTION")]
    pub(crate) action: Option<String>,

    /// Only what failed: the stack's failed events, or the logs of the latest execution's failed actions.
    #[arg(long)]
    pub(crate) failed: bool,

    /// An execution of the pipeline [default: the latest].
    #[arg(long, value_name = "ID")]
    pub(crate) execution: Option<String>,

    /// Go on with what comes, until interrupted.
    #[arg(short, long)]
    pub(crate) follow: bool,
}

/// `delivery start`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Start {
    /// Deliver this commit instead of the branch's newest.
    #[arg(long, value_name = "COMMIT")]
    pub(crate) revision: Option<String>,

    /// Stay until the execution has ended, and end as it did.
    #[arg(long)]
    pub(crate) wait: bool,

    /// With `--wait`: how long, approvals included (for example 90s, 20m). The execution goes on afterwards.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = DEFAULT_WAIT, env = "DELIVERY_TIMEOUT")]
    pub(crate) timeout: Duration,
}

/// `delivery approve` and `delivery reject`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Answer {
    /// The commit that you mean, or its beginning: refused where another one waits. Without a terminal to ask
    /// at, either this or `--yes` is needed.
    #[arg(value_name = "COMMIT")]
    pub(crate) commit: Option<String>,

    /// The stage, where more than one waits.
    #[arg(long, value_name = "STAGE")]
    pub(crate) stage: Option<String>,

    /// Why; the pipeline's history keeps it.
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) message: Option<String>,

    /// Do not ask: answer for whichever commit waits.
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// `delivery retry`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Retry {
    /// The stage [default: the one that failed].
    #[arg(value_name = "STAGE")]
    pub(crate) stage: Option<String>,

    /// All of its actions, not only those that failed.
    #[arg(long)]
    pub(crate) all: bool,
}

/// `delivery stop`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Stop {
    /// The execution [default: the one in progress, where there is one only].
    #[arg(value_name = "ID")]
    pub(crate) execution: Option<String>,

    /// Do not wait for the actions in progress; what they do is ignored.
    #[arg(long)]
    pub(crate) abandon: bool,

    /// Why; the pipeline's history keeps it.
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) message: Option<String>,
}
