//! The program that a user gets, run in the world of a test.

use std::process::Stdio;

use delivery_testing::events::TEST_KEYS;
use delivery_testing::terminal::Terminal;
use serde_json::Value;
use tokio::process::{Child, Command};

use super::World;

/// A call of the program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    /// Its standard output.
    pub(crate) data: String,
    /// The same as JSON, a document a line; each satisfies the published schema.
    pub(crate) documents: Vec<Value>,
    /// Its standard error.
    pub(crate) printed: String,
}

impl Ended {
    pub(crate) async fn of(child: Child) -> Self {
        let output = child.wait_with_output().await.unwrap();
        let data = String::from_utf8(output.stdout).unwrap();
        let lines: Result<Vec<Value>, _> = data.lines().map(serde_json::from_str).collect();
        Self {
            code: output.status.code().unwrap_or(-1),
            documents: lines.unwrap_or_default(),
            data,
            printed: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl World {
    /// Runs the program with `--json`; every line has to satisfy the published schema.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Ended {
        let ended = self.run(&[arguments, &["--json"]].concat()).await;
        assert!(!ended.documents.is_empty(), "{arguments:?}: {}", ended.data);
        for document in &ended.documents {
            assert!(self.schema.is_valid(document), "{arguments:?}: {document}");
        }
        ended
    }

    /// Runs the program to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.spawn(arguments)).await
    }

    /// Starts the program, for the stack `shop` unless another one is named.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(env!("CARGO_BIN_EXE_delivery"));
        command.args(arguments);
        if !arguments.contains(&"--stack-name") {
            command.args(["--stack-name", "shop"]);
        }
        command.spawn().unwrap()
    }

    /// Runs a line of a shell, in which `$DELIVERY` is the program.
    pub(crate) async fn shell(&self, line: &str) -> Ended {
        let mut command = self.command("sh");
        command.arg("-c").arg(line);
        Ended::of(command.spawn().unwrap()).await
    }

    /// Runs the program in a terminal of this size.
    pub(crate) fn in_terminal(&self, arguments: &[&str], columns: u16, rows: u16) -> Terminal {
        let mut command = self.command(env!("CARGO_BIN_EXE_delivery"));
        command.args(arguments);
        command.args(["--stack-name", "shop"]);
        Terminal::run(command, columns, rows)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env(
                "PATH",
                delivery_action::env::var_os("PATH").unwrap_or_default(),
            )
            .env("DELIVERY", env!("CARGO_BIN_EXE_delivery"))
            .env("AWS_ENDPOINT_URL", &self.services)
            .env("AWS_ENDPOINT_URL_CODEPIPELINE", self.engine.endpoint())
            .envs(self.endpoints.iter().map(|(name, url)| (name, url)))
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", TEST_KEYS.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", TEST_KEYS.secret_access_key)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}
