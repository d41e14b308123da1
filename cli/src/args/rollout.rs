//! The commands about what an environment's function serves: `rollout`, `rollback`, `resume`.

use clap::{Args, Subcommand};

/// `delivery rollout`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Rollout {
    #[command(subcommand)]
    pub(crate) command: RolloutCommand,
}

/// What is done with a rollout.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum RolloutCommand {
    /// Show a rollout: its step, the traffic and errors of both versions, its alarms; and all versions with what became
    /// of them.
    Show(Show),

    /// Give the new version of a rollout all traffic now, and end the watching.
    Finish(Finish),

    /// Give the version before a rollout all traffic back.
    ///
    /// It takes one call of Lambda: it works while the action runs, when its function is dead, and when the pipeline is
    /// stopped.
    Abort(Abort),
}

/// Which function a command is about.
#[derive(Args, Clone, Debug)]
pub(crate) struct Subject {
    /// The environment; the alias has its name.
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    /// The service, where several of the environment have a function.
    #[arg(long, value_name = "NAME", conflicts_with = "function")]
    pub(crate) service: Option<String>,

    /// The function, by name or ARN. The stack and the pipeline are not asked then.
    #[arg(long, value_name = "FUNCTION")]
    pub(crate) function: Option<String>,
}

/// `delivery rollout show`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Show {
    #[command(flatten)]
    pub(crate) subject: Subject,

    /// Keep showing until the rollout has ended.
    #[arg(short, long)]
    pub(crate) follow: bool,
}

/// `delivery rollout finish`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Finish {
    #[command(flatten)]
    pub(crate) subject: Subject,

    /// Do not ask.
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// `delivery rollout abort`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Abort {
    #[command(flatten)]
    pub(crate) subject: Subject,

    /// The reason; the action fails with it.
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) message: Option<String>,

    /// Do not ask.
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// `delivery rollback`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Rollback {
    #[command(flatten)]
    pub(crate) choice: super::pipeline::PipelineChoice,

    /// The environment.
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    /// The release, the commit, or the beginning of either, or the version of a function [default: what the environment had
    /// before].
    #[arg(value_name = "RELEASE|COMMIT|VERSION")]
    pub(crate) to: Option<String>,

    /// The reason; it is shown to whoever asks why nothing is delivered to the environment.
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) message: Option<String>,

    /// Also to a version of the function that was never delivered here with success; for environments without releases.
    #[arg(long)]
    pub(crate) force: bool,

    /// Do not ask.
    #[arg(short, long)]
    pub(crate) yes: bool,

    #[command(flatten)]
    pub(crate) waiting: super::pipeline::Waiting,
}

/// `delivery resume`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Resume {
    #[command(flatten)]
    pub(crate) choice: super::pipeline::PipelineChoice,

    /// The environment.
    #[arg(value_name = "ENV")]
    pub(crate) environment: String,

    /// Do not ask where a release waits, which is delivered then: it may be the one that was rolled back.
    #[arg(short, long)]
    pub(crate) yes: bool,
}
