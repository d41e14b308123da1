//! The commands about the running pipeline.

use crate::args::Global;
use crate::args::pipeline::{Answer, Log, Retry, Start, Status, Stop};
use crate::error::{CliError, Explained};
use crate::exit::Exit;

/// A command that is being written.
#[derive(Debug, thiserror::Error)]
#[error("this command is being written")]
pub(crate) struct NotYet;

impl Explained for NotYet {
    fn exit(&self) -> Exit {
        Exit::Failed
    }

    fn kind(&self) -> &'static str {
        "not-yet"
    }

    fn hint(&self) -> Option<String> {
        None
    }
}

pub(crate) async fn status(_: &Global, _: &Status) -> Result<Exit, CliError> {
    Err(NotYet.into())
}

pub(crate) async fn log(_: &Global, _: &Log) -> Result<Exit, CliError> {
    Err(NotYet.into())
}

pub(crate) async fn start(_: &Global, _: &Start) -> Result<Exit, CliError> {
    Err(NotYet.into())
}

pub(crate) async fn approve(_: &Global, _: &Answer) -> Result<Exit, CliError> {
    Err(NotYet.into())
}

pub(crate) async fn reject(_: &Global, _: &Answer) -> Result<Exit, CliError> {
    Err(NotYet.into())
}

pub(crate) async fn retry(_: &Global, _: &Retry) -> Result<Exit, CliError> {
    Err(NotYet.into())
}

pub(crate) async fn stop(_: &Global, _: &Stop) -> Result<Exit, CliError> {
    Err(NotYet.into())
}

pub(crate) async fn doctor(_: &Global) -> Result<Exit, CliError> {
    Err(NotYet.into())
}
