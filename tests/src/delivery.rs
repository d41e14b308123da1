//! The `delivery` program, run as a user runs it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use delivery_testing::terminal::Terminal;
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::checkout;
use crate::packages::Packages;

/// What functions find instead of this machine's programs (`local::ministack::FUNCTION_PATH`).
const FUNCTION_PATH: &str = "DELIVERY_FUNCTION_PATH";

/// How `delivery` is run for one application.
#[derive(Clone, Debug)]
pub struct Delivery {
    application: PathBuf,
    home: Option<PathBuf>,
    functions: PathBuf,
    function_path: Option<PathBuf>,
    silent: bool,
}

/// What is kept as long as this value lives.
#[derive(Debug)]
pub struct Kept(Delivery);

impl Drop for Kept {
    fn drop(&mut self) {
        let mut command = self.0.command(&["local", "stop"]);
        let _nothing_kept_is_good_too = command
            .as_std_mut()
            .arg("--quiet")
            .stderr(Stdio::null())
            .status();
    }
}

/// A run that is over.
#[derive(Clone, Debug)]
pub struct Run {
    /// What the program ended with.
    pub exit_code: i32,
    /// Every line of its standard output.
    pub events: Vec<Value>,
    /// Its standard error, if it was captured.
    pub printed: String,
}

/// A run that goes on.
#[derive(Debug)]
pub struct Running(Child);

impl Delivery {
    /// Runs that people watch: what `delivery` tells them goes to standard error.
    #[must_use]
    pub fn of(application: &Path) -> Self {
        Self {
            application: application.to_owned(),
            home: None,
            functions: checkout::programs(),
            function_path: None,
            silent: false,
        }
    }

    /// Runs without a terminal, with their state in the caller's folder.
    #[must_use]
    pub fn silently(application: &Path, home: &Path) -> Self {
        Self {
            application: application.to_owned(),
            home: Some(home.to_owned()),
            functions: checkout::programs(),
            function_path: None,
            silent: true,
        }
    }

    /// Runs packages instead of the built programs, with only the programs that Lambda has.
    #[must_use]
    pub fn on(mut self, packages: &Packages) -> Self {
        packages.directory().clone_into(&mut self.functions);
        self.function_path = Some(packages.programs().to_owned());
        self
    }

    /// Starts `delivery run --json` with these arguments.
    ///
    /// # Errors
    ///
    /// Where the program cannot be started.
    pub fn start(&self, arguments: &[&str]) -> io::Result<Running> {
        let mut command = self.command(&["run"]);
        command
            .arg("--json")
            .arg("--functions")
            .arg(&self.functions)
            .args(arguments);
        if let Some(path) = &self.function_path {
            command.env(FUNCTION_PATH, path);
        }
        command.stdout(Stdio::piped());
        if self.silent {
            command.stderr(Stdio::piped());
        }
        command.spawn().map(Running)
    }

    /// Starts `delivery run` in a terminal of this size.
    #[must_use]
    pub fn in_terminal(&self, arguments: &[&str], columns: u16, rows: u16) -> Terminal {
        let mut command = self.command(&["run"]);
        command.arg("--functions").arg(&self.functions);
        // A terminal of a person, also where the tests run in CI.
        command.args(arguments).env_remove("CI");
        Terminal::run(command, columns, rows)
    }

    /// Runs `delivery run --json` to its end.
    ///
    /// # Errors
    ///
    /// Where the program cannot be started, or prints something that is not JSON.
    pub async fn run(&self, arguments: &[&str]) -> io::Result<Run> {
        self.start(arguments)?.end().await
    }

    /// The variables with which `aws` and any SDK reach what is kept.
    ///
    /// # Errors
    ///
    /// Where nothing is kept.
    pub async fn variables(&self) -> io::Result<BTreeMap<String, String>> {
        let output = self
            .command(&["local", "env"])
            .arg("--json")
            .output()
            .await?;
        serde_json::from_slice(&output.stdout)
            .and_then(|mut line: serde_json::Value| {
                serde_json::from_value(line["variables"].take())
            })
            .map_err(|_| io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    /// Ends what is kept; nothing is also good.
    ///
    /// # Errors
    ///
    /// Where the program cannot be started.
    pub async fn stop(&self) -> io::Result<()> {
        self.command(&["local", "stop"])
            .arg("--quiet")
            .stderr(Stdio::null())
            .status()
            .await?;
        Ok(())
    }

    /// Ends what is kept when the returned value goes, also where a test fails before it ends it.
    #[must_use]
    pub fn ends_with_this(&self) -> Kept {
        Kept(self.clone())
    }

    fn command(&self, verbs: &[&str]) -> Command {
        let mut command = Command::new(checkout::programs().join("delivery"));
        command
            .args(verbs)
            .arg(&self.application)
            .stdin(Stdio::null());
        if let Some(home) = &self.home {
            command.arg("--home").arg(home);
        }
        command
    }
}

impl Running {
    /// The process.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.0.id()
    }

    /// Waits for the end.
    ///
    /// # Errors
    ///
    /// Where the program prints something that is not JSON.
    pub async fn end(self) -> io::Result<Run> {
        let output = self.0.wait_with_output().await?;
        let events = String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .map_err(io::Error::other)?;
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(Run {
            exit_code: output.status.code().unwrap_or(-1),
            events,
            printed,
        })
    }
}

impl Run {
    /// The result object, the last line.
    #[must_use]
    pub fn result(&self) -> &Value {
        self.events.last().unwrap_or(&Value::Null)
    }

    /// What every action did: stage, action and status.
    #[must_use]
    pub fn actions(&self) -> Vec<(String, String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let actions = self.result()["actions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        actions
            .iter()
            .map(|action| {
                (
                    text(&action["stage"]),
                    text(&action["action"]),
                    text(&action["status"]),
                )
            })
            .collect()
    }

    /// What an action said of its work.
    #[must_use]
    pub fn summary(&self, action: &str) -> Option<String> {
        let actions = self.result()["actions"].as_array()?;
        let found = actions.iter().find(|found| found["action"] == action)?;
        found["summary"].as_str().map(str::to_owned)
    }

    /// What an action in a stage reported of its failure; `None` where it did not fail.
    #[must_use]
    pub fn failure(&self, stage: &str, action: &str) -> Option<String> {
        let actions = self.result()["actions"].as_array()?;
        let is_it = |found: &&Value| found["stage"] == stage && found["action"] == action;
        let found = actions.iter().find(is_it)?;
        found["failure"]["message"].as_str().map(str::to_owned)
    }

    /// Where a stage answers: its API and its site.
    ///
    /// # Errors
    ///
    /// Where the result does not say.
    pub fn urls(&self, stage: &str) -> io::Result<(String, String)> {
        let urls = &self.result()["urls"][stage];
        match (urls["api"].as_str(), urls["site"].as_str()) {
            (Some(api), Some(site)) => Ok((below(api), below(site))),
            _ => Err(io::Error::other(format!(
                "the result has no URLs of {stage}"
            ))),
        }
    }
}

/// A URL that paths can be put after.
fn below(url: &str) -> String {
    format!("{}/", url.trim_end_matches('/'))
}
