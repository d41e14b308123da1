//! The built `delivery`, with an environment of its own and every line of `--json` held against the
//! published schema.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use jsonschema::Validator;
use pipeline_tests::checkout;
use serde_json::Value;
use tokio::process::Command;

/// Longer than any call may take: one that does not end is a failure, not a test that hangs.
const PATIENCE: Duration = Duration::from_mins(5);

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let text = std::fs::read_to_string(checkout::root().join("docs/output.schema.json")).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
});

/// How `delivery` is called.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    directory: PathBuf,
    variables: BTreeMap<String, String>,
}

/// A call that is over.
#[derive(Debug)]
pub(crate) struct Called {
    /// What it ended with; 130 also where a signal ended it.
    pub(crate) exit_code: i32,
    /// Its standard output.
    pub(crate) stdout: String,
    /// Its standard error.
    pub(crate) stderr: String,
}

impl Program {
    /// Calls in a directory, where nothing of the caller's environment is seen but the path.
    pub(crate) fn new(directory: &Path, home: &Path) -> Self {
        let mut variables = BTreeMap::new();
        let mut set = |name: &str, value: String| variables.insert(name.to_owned(), value);
        let path = delivery_action::env::var("PATH").unwrap_or_default();
        set("PATH", path);
        set("HOME", home.display().to_string());
        set("DELIVERY_HOME", home.display().to_string());
        set(
            "DELIVERY_PACKAGES",
            home.join("packages").display().to_string(),
        );
        Self {
            directory: directory.to_owned(),
            variables,
        }
    }

    /// The same with further variables.
    pub(crate) fn with(&self, variables: &BTreeMap<String, String>) -> Self {
        let mut program = self.clone();
        program.variables.extend(variables.clone());
        program
    }

    /// The same with one variable set.
    pub(crate) fn set(&self, name: &str, value: &str) -> Self {
        self.with(&[(name.to_owned(), value.to_owned())].into())
    }

    /// The process that is about to start.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(checkout::programs().join("delivery"));
        command
            .args(arguments)
            .current_dir(&self.directory)
            .env_clear()
            .envs(&self.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Calls and waits for the end.
    pub(crate) async fn call(&self, arguments: &[&str]) -> Called {
        let called = self.command(arguments).output();
        let Ok(output) = tokio::time::timeout(PATIENCE, called).await else {
            panic!("`delivery {}` does not end", arguments.join(" "))
        };
        Called::of(&output.unwrap())
    }

    /// Calls with `--json`, and holds every line against the schema.
    pub(crate) async fn json(&self, arguments: &[&str]) -> (Called, Vec<Value>) {
        let mut arguments = arguments.to_vec();
        arguments.push("--json");
        let called = self.call(&arguments).await;
        let lines = called.lines();
        (called, lines)
    }
}

impl Called {
    /// What a process left.
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            exit_code: output.status.code().unwrap_or(130),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The lines of `--json`, each of which the schema allows.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let lines: Vec<Value> = self
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
            .collect();
        for line in &lines {
            if let Err(error) = SCHEMA.validate(line) {
                panic!("the schema does not allow {line}: {error}");
            }
        }
        lines
    }

    /// Fails the test unless the call ended so.
    #[track_caller]
    pub(crate) fn expect(&self, exit_code: i32) -> &Self {
        assert_eq!(
            self.exit_code, exit_code,
            "stdout:\n{}\nstderr:\n{}",
            self.stdout, self.stderr
        );
        self
    }
}
