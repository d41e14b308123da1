//! The command line: what can be asked of `delivery`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::exit;

/// How long locally an action rests before CodePipeline sends its next job; AWS waits 30 s.
const DEFAULT_CONTINUATION_DELAY: &str = "1s";

/// How long a run may take: no application's pipeline is faster by waiting longer than this, and a
/// run that nobody watches has to end.
const DEFAULT_TIMEOUT: &str = "1h";

/// Takes a commit from source to production: through AWS CodePipeline, or on this machine.
///
/// A flag wins over its environment variable (`DELIVERY_<FLAG>`), and that over the default. Data goes
/// to standard output, everything for people to standard error. No telemetry is collected.
#[derive(Debug, Parser)]
#[command(
    name = "delivery",
    version,
    propagate_version = true,
    disable_help_subcommand = true
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

    /// When to colour what is for people; `NO_COLOR` and `CLICOLOR` are honoured.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "DELIVERY_COLOR"
    )]
    pub(crate) color: Color,

    /// Say more: once for what the local AWS and the engine do, twice for their details.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Say nothing but results and failures.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Where the local AWS is installed and kept environments are recorded.
    ///
    /// By default `.delivery` in the checkout that this program was built from, else
    /// `~/.cache/delivery`.
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

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the pipeline on this machine, from the current commit to production.
    ///
    /// Builds the action functions if they are not there, starts a local AWS, launches the very
    /// template that AWS would get, and takes the application in DIR through every stage.
    Run(Run),

    /// Print the variables with which `aws` and any SDK reach what `run --keep` left up.
    ///
    /// eval "$(delivery env)"
    Env(Kept),

    /// End what `run --keep` left up.
    Stop(Kept),

    /// Explain a command or a topic (`exit-codes`).
    Help(Help),

    /// Host the local AWS and the engine until it is told to end.
    #[command(hide = true)]
    Serve(Serve),
}

/// `delivery run`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Run {
    /// The application: a Git repository (its checked-out commit is delivered) or a plain folder.
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) application: PathBuf,

    /// Print one JSON object a line to standard output; the last is the result.
    #[arg(long, env = "DELIVERY_JSON")]
    pub(crate) json: bool,

    /// Leave everything up, and print the variables with which `aws` and any SDK reach it.
    ///
    /// A later run of the same DIR with --keep updates the stack rather than starting over;
    /// `delivery stop` ends it.
    #[arg(long, env = "DELIVERY_KEEP")]
    pub(crate) keep: bool,

    /// Also run each new commit, until interrupted.
    #[arg(long)]
    pub(crate) watch: bool,

    /// How long the run may take (for example 90s, 20m); with --watch, each execution.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = DEFAULT_TIMEOUT, env = "DELIVERY_TIMEOUT")]
    pub(crate) timeout: Duration,

    /// The stack's name [default: the directory's name].
    #[arg(long, value_name = "NAME", env = "DELIVERY_STACK_NAME")]
    pub(crate) stack_name: Option<String>,

    /// A parameter of the template; may be given more than once.
    #[arg(short, long = "parameter", value_name = "KEY=VALUE", value_parser = parameter)]
    pub(crate) parameters: Vec<(String, String)>,

    /// How long an action that continues rests before its next job; AWS waits 30s.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = DEFAULT_CONTINUATION_DELAY, env = "DELIVERY_CONTINUATION_DELAY")]
    pub(crate) continuation_delay: Duration,

    /// Take the functions from here (NAME/bootstrap or NAME each) and build nothing.
    #[arg(long, value_name = "DIR", env = "DELIVERY_FUNCTIONS")]
    pub(crate) functions: Option<PathBuf>,
}

/// A command about a kept environment.
#[derive(Args, Clone, Debug)]
pub(crate) struct Kept {
    /// The application that was run.
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) application: PathBuf,

    /// Print one JSON object instead of shell commands or sentences.
    #[arg(long, env = "DELIVERY_JSON")]
    pub(crate) json: bool,
}

/// `delivery help`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Help {
    /// A command, or `exit-codes`.
    #[arg(value_name = "TOPIC")]
    pub(crate) topic: Option<String>,
}

/// `delivery serve`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Serve {
    /// The file of the instance's settings; its state is written beside it.
    pub(crate) instance: PathBuf,
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write it as `90s` or `20m`"))
}

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as `KEY=VALUE`".to_owned()),
    }
}

/// The text of a topic that is not a command; `None` where there is no such topic.
pub(crate) fn topic(name: &str) -> Option<String> {
    (name == "exit-codes").then(exit::help)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_delivers_the_current_directory_unless_told_otherwise() {
        let Command::Run(run) = Cli::parse_from(["delivery", "run"]).command else {
            panic!("not `run`");
        };
        assert_eq!(run.application, PathBuf::from("."));
        assert_eq!(run.timeout, Duration::from_hours(1));
        assert_eq!(run.continuation_delay, Duration::from_secs(1));
        assert!(!run.keep && !run.watch && !run.json);
    }

    #[test]
    fn parameters_are_keys_and_values() {
        assert_eq!(parameter("A=b=c"), Ok(("A".to_owned(), "b=c".to_owned())));
        assert_eq!(parameter("A"), Err("write it as `KEY=VALUE`".to_owned()));
        assert_eq!(parameter("=b"), Err("write it as `KEY=VALUE`".to_owned()));
    }

    #[test]
    fn a_wrong_duration_is_told_the_form() {
        assert_eq!(
            duration("soon").unwrap_err(),
            "expected number at 0; write it as `90s` or `20m`"
        );
    }
}
