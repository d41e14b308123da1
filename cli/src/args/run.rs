//! `delivery run`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values::{boolean, duration, parameter};

/// How long an action pauses on this machine before its next job; AWS waits 30 s.
const DEFAULT_CONTINUATION_DELAY: &str = "1s";

/// How long a run may take: longer than any pipeline needs, and a run that nobody watches still ends.
const DEFAULT_TIMEOUT: &str = "1h";

/// `delivery run`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Run {
    /// The application: a Git repository (its checked-out commit is delivered) or a plain folder.
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) application: PathBuf,

    /// Leave everything running, and print the variables with which `aws` and SDKs reach it.
    ///
    /// A later run of the same DIR with --keep updates the stack instead of starting over;
    /// `delivery local stop` stops it.
    #[arg(long, env = "DELIVERY_KEEP", value_parser = boolean)]
    pub(crate) keep: bool,

    /// Also run each new commit of the branch until Ctrl-C; for a plain folder, each saved change.
    ///
    /// At a terminal it takes keys: o opens the page of the run, l shows the log of the action that failed or ran last, r runs the same commit again, q
    /// quits.
    #[arg(long)]
    pub(crate) watch: bool,

    /// How long the whole run may take (for example 90s, 20m); with --watch, each execution.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = DEFAULT_TIMEOUT, env = "DELIVERY_TIMEOUT")]
    pub(crate) timeout: Duration,

    /// A parameter of the template; can be repeated.
    #[arg(short, long = "parameter", value_name = "KEY=VALUE", value_parser = parameter)]
    pub(crate) parameters: Vec<(String, String)>,

    /// Delay before a continued action's next job; AWS waits 30s.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = DEFAULT_CONTINUATION_DELAY, env = "DELIVERY_CONTINUATION_DELAY")]
    pub(crate) continuation_delay: Duration,

    /// Take the functions from here (each NAME.zip, NAME/bootstrap or NAME) and build nothing.
    ///
    /// A `node-layer.zip` next to them is their layer with Node.js and npm.
    #[arg(long, value_name = "DIR", env = "DELIVERY_FUNCTIONS")]
    pub(crate) functions: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    #[test]
    fn run_delivers_the_current_directory_unless_told_otherwise() {
        let cli = Cli::parse_from(["delivery", "run"]);
        assert!(!cli.global.json);
        let Command::Run(run) = cli.command else {
            panic!("not `run`");
        };
        assert_eq!(run.application, PathBuf::from("."));
        assert_eq!(run.timeout, Duration::from_hours(1));
        assert_eq!(run.continuation_delay, Duration::from_secs(1));
        assert!(!run.keep && !run.watch);
    }
}
