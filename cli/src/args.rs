//! The command line, with one file for each group of commands.
//!
//! A value that may also come from `delivery.toml` is an `Option` here; [`crate::settings`] merges them.

pub(crate) mod advice;
pub(crate) mod console;
pub(crate) mod definition;
pub(crate) mod deploy;
pub(crate) mod help;
pub(crate) mod local;
pub(crate) mod new_action;
pub(crate) mod pipeline;
pub(crate) mod record;
pub(crate) mod release;
pub(crate) mod rollout;
pub(crate) mod run;
pub(crate) mod stack;
mod values;

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use console::Console;
use definition::{Init, Render};
use deploy::{Deploy, Plan};
use help::{Completions, Help, Man};
use local::Local;
use new_action::NewAction;
use pipeline::{Answer, Log, Retry, Start, Status, Stop};
use record::{History, Open};
use release::{Diff, Env, Promote, Releases};
use rollout::{Resume, Rollback, Rollout};
use run::Run;
use stack::{Down, Publish, Up, Validate, Wait};
use values::boolean;

/// Takes a commit from source to production: through AWS CodePipeline, or on this machine.
///
/// A flag overrides its environment variable (`DELIVERY_<FLAG>`), which overrides `delivery.toml`, which
/// overrides the default. Variables of flags without a value accept 1, 0, yes, no, true and false. Data goes
/// to standard output, messages for people to standard error. No telemetry is collected.
#[derive(Debug, Parser)]
#[command(
    name = "delivery",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
#[command(after_help = "`delivery help exit-codes` explains the exit codes.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    #[command(flatten)]
    pub(crate) global: Global,
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// Work as if started in this directory.
    #[arg(short = 'C', long, global = true, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,

    /// The settings file [default: the nearest `delivery.toml`, in this directory or above].
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        env = "DELIVERY_CONFIG"
    )]
    pub(crate) config: Option<PathBuf>,

    /// The stack name [default: the name of the directory with `delivery.toml`, else of the current one].
    #[arg(long, global = true, value_name = "NAME", env = "DELIVERY_STACK_NAME")]
    pub(crate) stack_name: Option<String>,

    /// The AWS region [default: `AWS_REGION`, else `AWS_DEFAULT_REGION`, else the profile's].
    #[arg(long, global = true, value_name = "REGION", env = "AWS_REGION")]
    pub(crate) region: Option<String>,

    /// The AWS profile to sign in with, even if `AWS_ACCESS_KEY_ID` is set. Without it `AWS_PROFILE` is used,
    /// unless `AWS_ACCESS_KEY_ID` is set.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,

    /// Print JSON to standard output: one object, or for long-running commands one object a line, the last
    /// of which is the result.
    #[arg(long, global = true, env = "DELIVERY_JSON", value_parser = boolean)]
    pub(crate) json: bool,

    /// When to colour messages; `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE` and `FORCE_COLOR` are
    /// honoured.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "DELIVERY_COLOR"
    )]
    pub(crate) color: Color,

    /// Print more: once for what is done, twice for the details.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Print only results and failures.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Where the local AWS is installed and running environments are recorded.
    ///
    /// By default `~/.cache/delivery`; of a program that lies in a checkout, as cargo built it, `.delivery` there.
    #[arg(long, global = true, value_name = "DIR", env = "DELIVERY_HOME")]
    pub(crate) home: Option<PathBuf>,
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the pipeline on this machine, from the current commit to production.
    ///
    /// Starts a local AWS, launches the same template that AWS would
    /// get, and takes the application in DIR through every stage.
    Run(Run),

    /// Open the page that a run on this machine has left.
    ///
    /// Prints the page's path where no browser can be started.
    Open(Open),

    /// List the runs on this machine that left a page.
    History(History),

    /// Serve a page on this machine that shows pipelines, environments, rollouts and releases, with buttons for the commands.
    ///
    /// It shows the stack that `delivery status` shows: on AWS, or in a local AWS that is kept. The buttons approve, reject, retry,
    /// promote, roll back, and end rollouts, each by the command of that name. Ctrl-C ends it.
    Console(Console),

    /// Keep a local AWS running that every other command can work with.
    Local(Local),

    /// Upload packages, layer and templates to a bucket, and print the root template's URL.
    ///
    /// Everything goes under prefixes derived from its content: what already exists is verified and not
    /// uploaded again.
    Publish(Publish),

    /// Create or update the stack with a change set that is shown first.
    Up(Up),

    /// Wait until the operation on the stack has ended, and with --execution an execution too.
    Wait(Wait),

    /// Show the stack, its outputs, and what each stage of the pipeline is doing.
    Status(Status),

    /// Show the stack's events, or the logs of actions: of a pipeline, a stage, an action or an execution that is named.
    Log(Log),

    /// Start an execution of the pipeline.
    Start(Start),

    /// Approve the execution that is waiting.
    Approve(Answer),

    /// Reject the execution that is waiting.
    Reject(Answer),

    /// Retry the failed actions of a stage, or all of its actions.
    Retry(Retry),

    /// Stop an execution of the pipeline.
    Stop(Stop),

    /// Show a rollout that is under way, finish it, or take it back.
    Rollout(Rollout),

    /// Bring back what an environment had before, and hold its pipeline.
    ///
    /// Aborts a rollout that is under way. Else the function's alias goes back in one call. Then the rest goes back: where the
    /// environment has releases, the pipeline that applies them brings the earlier one; else the stage runs again with the
    /// artifacts of the earlier execution. Nothing is delivered to the environment until `delivery resume`.
    Rollback(Rollback),

    /// Let the pipeline deliver to an environment again after a rollback.
    Resume(Resume),

    /// Delete the stack and the contents of its buckets, and verify that nothing is left.
    ///
    /// It refuses while the stack of an environment works with the stack's role, and names the commands that delete it first.
    Down(Down),

    /// Deploy the folder as it is, before any commit, to an environment of your own.
    ///
    /// Builds each service, packages it and brings its stack or site to it, in the order of their references.
    Deploy(Deploy),

    /// Show what a deployment of the folder as it is would change in an environment, and change nothing there.
    ///
    /// Builds and packages are made and uploaded as for a deployment; CloudFormation reads them to compute the changes.
    Plan(Plan),

    /// List the releases: what was built from which commit, where it is, and where it passed the tests.
    Releases(Releases),

    /// Show what another release would change in an environment.
    ///
    /// Compares what both consist of, by digest, and the settings of `delivery.toml` that apply there. Nothing is deployed, and
    /// CloudFormation is not asked.
    Diff(Diff),

    /// Bring what one environment has to another one.
    ///
    /// Shows the difference, asks, and starts the pipeline that applies releases to the other environment. Nothing is built
    /// again.
    Promote(Promote),

    /// List, make, remove, keep and repair environments.
    Env(Env),

    /// Check what a pipeline needs: credentials, region, permissions, connection, quotas, versions.
    Doctor,

    /// Check `delivery.toml`, the templates that it is rendered to, and the files that services name.
    Validate(Validate),

    /// Write the smallest `delivery.toml` for the services that are found in a repository.
    Init(Init),

    /// Write the templates that `delivery.toml` is rendered to.
    Render(Render),

    /// Write a folder with an action of your own: code, tests, and its function's template.
    NewAction(NewAction),

    /// Print completions for a shell.
    Completions(Completions),

    /// Write the manual pages: `delivery.1`, and one of each command.
    Man(Man),

    /// Explain a command or a topic (`exit-codes`).
    Help(Help),
}

impl Command {
    /// Whether it reports messages while it works, so that with `--json` a result has to come last.
    pub(crate) fn reports_messages(&self) -> bool {
        matches!(
            self,
            Self::Publish(_)
                | Self::Up(_)
                | Self::Wait(_)
                | Self::Log(_)
                | Self::Down(_)
                | Self::Deploy(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
