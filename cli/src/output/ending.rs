//! The last line of `--json` of every command that reports messages, or that failed.

use schemars::JsonSchema;
use serde::Serialize;

use super::{foreign, json, write_stdout};
use crate::error::CliError;
use crate::exit::Exit;
use crate::message::ResultError;

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ending {
    /// `success`, `failure`, `pending`, `refused`, `superseded`, `timeout` or `interrupted`.
    status: &'static str,
    /// The exit code that follows.
    exit_code: u8,
    /// What went wrong, if something did.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ResultError>,
}

impl Ending {
    /// How a command ended, without and with an error.
    pub(crate) fn of(ended: &Result<Exit, CliError>) -> Self {
        let (exit, error) = match ended {
            Ok(exit) => (*exit, None),
            Err(error) => (error.exit(), Some(error)),
        };
        Self {
            status: exit.status(),
            exit_code: exit.code(),
            error: error.map(|error| ResultError {
                kind: error.kind().to_owned(),
                message: error.message(),
            }),
        }
    }

    /// How a command ended whose command line was not understood.
    pub(crate) fn of_wrong_line(message: &str) -> Self {
        let exit = Exit::Usage;
        Self {
            status: exit.status(),
            exit_code: exit.code(),
            error: Some(ResultError {
                kind: "usage".to_owned(),
                message: foreign::text(message),
            }),
        }
    }

    /// Prints it as the last line.
    pub(crate) fn print(&self) {
        write_stdout(&json::line(Some("result"), self));
    }
}
