//! Runs a command that was chosen on the page: `delivery` itself, as a process of its own. So it has every guard that it has in
//! a terminal, and what it says there is shown.

use std::process::Stdio;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::process::Command;
use tokio::sync::{Mutex, OwnedMutexGuard, RwLock};

use crate::args::Global;
use crate::output::foreign;

/// Results that are kept: a screen of them.
const KEPT: usize = 20;

/// The most characters of a reason: as many as `delivery promote` can send with a release.
const MAX_REASON_CHARS: usize = 200;

/// Variables that would change what is printed, or how long a command waits.
const OWN_VARIABLES: [&str; 3] = ["DELIVERY_JSON", "DELIVERY_COLOR", "FORCE_COLOR"];

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) number: usize,
    pub(super) at: Timestamp,
    /// As a person would have typed it.
    pub(super) line: String,
    /// `None` where it could not be started, or was killed.
    pub(super) code: Option<i32>,
    pub(super) printed: String,
}

/// The right to run a command: there is one at a time.
pub(super) type Turn = OwnedMutexGuard<()>;

/// Runs commands, and keeps how they ended.
pub(super) struct Commands {
    options: Vec<String>,
    running: Arc<Mutex<()>>,
    ended: RwLock<Vec<Arc<Ended>>>,
}

impl Commands {
    pub(super) fn new(global: &Global) -> Self {
        Self {
            options: options(global),
            running: Arc::default(),
            ended: RwLock::default(),
        }
    }

    /// The right to run a command; `None` while another one is running.
    pub(super) fn turn(&self) -> Option<Turn> {
        Arc::clone(&self.running).try_lock_owned().ok()
    }

    /// Whether one is running.
    pub(super) fn is_running(&self) -> bool {
        self.running.try_lock().is_err()
    }

    /// Waits until none is running.
    pub(super) async fn wait(&self) {
        drop(self.running.lock().await);
    }

    /// How commands ended, the newest first.
    pub(super) async fn ended(&self) -> Vec<Arc<Ended>> {
        self.ended.read().await.iter().rev().cloned().collect()
    }

    /// Runs a command that changes something to its end. It goes on when the browser goes away: a rollback that is half done
    /// would be worse than either.
    pub(super) async fn run(self: &Arc<Self>, turn: Turn, arguments: Vec<String>) -> Arc<Ended> {
        let this = Arc::clone(self);
        let task = tokio::spawn(async move {
            let (code, printed) = this.call(&arguments).await;
            let ended = this.keep(&arguments, code, printed).await;
            drop(turn);
            ended
        });
        task.await.expect("the task has no panic of its own")
    }

    /// Runs a command that only shows something.
    pub(super) async fn show(&self, arguments: &[String]) -> String {
        self.call(arguments).await.1
    }

    async fn call(&self, arguments: &[String]) -> (Option<i32>, String) {
        let program = match std::env::current_exe() {
            Ok(program) => program,
            Err(error) => {
                return (
                    None,
                    format!("cannot find the program of `delivery`: {error}"),
                );
            }
        };
        let mut command = Command::new(program);
        for name in OWN_VARIABLES {
            command.env_remove(name);
        }
        command
            .args(&self.options)
            .args(arguments)
            .stdin(Stdio::null())
            // A Ctrl-C in the terminal ends the console, not what it has begun.
            .process_group(0);
        match command.output().await {
            Ok(output) => {
                let said = [output.stderr, output.stdout].concat();
                let said = foreign::text(&String::from_utf8_lossy(&said));
                (output.status.code(), said.trim_end().to_owned())
            }
            Err(error) => (None, format!("cannot start `delivery`: {error}")),
        }
    }

    async fn keep(&self, arguments: &[String], code: Option<i32>, printed: String) -> Arc<Ended> {
        let mut all = self.ended.write().await;
        let ended = Arc::new(Ended {
            number: all.last().map_or(1, |last| last.number + 1),
            at: delivery_action::clock::timestamp(),
            line: typed(arguments),
            code,
            printed,
        });
        all.push(Arc::clone(&ended));
        if all.len() > KEPT {
            all.remove(0);
        }
        ended
    }
}

/// The options that every command is run with: those that the console was started with, as far as they say what it is about.
/// The folder of `-C` is the console's own by now.
fn options(global: &Global) -> Vec<String> {
    let path =
        |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let named = [
        ("--config", path(&global.config)),
        ("--stack-name", global.stack_name.clone()),
        ("--region", global.region.clone()),
        ("--profile", global.profile.clone()),
        ("--home", path(&global.home)),
    ];
    let named = named
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", value?)));
    named.chain(["--color=never".to_owned()]).collect()
}

/// The option with a reason; none where there is no text.
pub(super) fn reason(text: &str) -> Option<String> {
    let text: String = foreign::line(text)
        .trim()
        .chars()
        .take(MAX_REASON_CHARS)
        .collect();
    (!text.is_empty()).then(|| format!("--message={text}"))
}

/// Adds an option, before the `--` where there is one.
pub(super) fn with_option(mut arguments: Vec<String>, option: Option<String>) -> Vec<String> {
    if let Some(option) = option {
        let end = arguments.iter().position(|one| one == "--");
        arguments.insert(end.unwrap_or(arguments.len()), option);
    }
    arguments
}

/// A command as a person would type it in a shell.
pub(super) fn typed(arguments: &[String]) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_=./:@,".contains(c);
    let words = arguments.iter().map(|word| {
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    let words: Vec<_> = words.collect();
    foreign::line(&format!("delivery {}", words.join(" ")))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Cli;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_command_is_about_what_the_console_is_about() {
        let cli = Cli::parse_from([
            "delivery",
            "status",
            "--stack-name=shop",
            "--region=eu-west-1",
            "--json",
            "-q",
        ]);
        let options = options(&cli.global);
        let given: Vec<_> = options
            .iter()
            .filter(|one| !one.starts_with("--home") && !one.starts_with("--config"))
            .collect();
        assert_eq!(
            given,
            ["--stack-name=shop", "--region=eu-west-1", "--color=never"]
        );
    }

    #[test]
    fn a_reason_is_one_option_whatever_it_is() {
        assert_eq!(reason(" \n"), None);
        let hostile = reason("--yes\n\u{1b}[2J it's $(bad)").unwrap();
        assert_eq!(hostile, "--message=--yes it's $(bad)");
        assert_eq!(
            reason(&"é".repeat(500)).unwrap().chars().count(),
            "--message=".len() + MAX_REASON_CHARS
        );
        let arguments = with_option(
            strings(&["approve", "--stage=qa", "--", "8130db3d"]),
            Some(hostile),
        );
        assert_eq!(
            typed(&arguments),
            r"delivery approve --stage=qa '--message=--yes it'\''s $(bad)' -- 8130db3d"
        );
        let retry = with_option(strings(&["retry"]), reason("x"));
        assert_eq!(retry, ["retry", "--message=x"]);
    }

    #[tokio::test]
    async fn one_command_runs_at_a_time() {
        let cli = Cli::parse_from(["delivery", "status"]);
        let commands = Commands::new(&cli.global);
        let turn = commands.turn();
        assert!(turn.is_some() && commands.is_running() && commands.turn().is_none());
        drop(turn);
        assert!(!commands.is_running() && commands.turn().is_some());
    }

    #[tokio::test]
    async fn the_newest_results_are_kept() {
        let cli = Cli::parse_from(["delivery", "status"]);
        let commands = Commands::new(&cli.global);
        for code in 0..25 {
            commands
                .keep(&strings(&["retry"]), Some(code), String::new())
                .await;
        }
        let ended = commands.ended().await;
        assert_eq!(ended.len(), KEPT);
        assert_eq!((ended[0].number, ended[0].code), (25, Some(24)));
    }
}
