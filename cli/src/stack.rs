//! The commands about the stack.

pub(crate) mod description;
pub(crate) mod events;
pub(crate) mod resources;
pub(crate) mod state;

use crate::args::Global;
use crate::args::stack::{Down, Publish, Up, Validate, Wait};
use crate::error::CliError;
use crate::exit::Exit;
use crate::pipeline::NotYet;

pub(crate) async fn publish(_: &Global, _: &Publish) -> Result<Exit, CliError> {
    Err(NotYet.into())
}

pub(crate) async fn up(_: &Global, _: &Up) -> Result<Exit, CliError> {
    Err(NotYet.into())
}

pub(crate) async fn wait(_: &Global, _: &Wait) -> Result<Exit, CliError> {
    Err(NotYet.into())
}

pub(crate) async fn down(_: &Global, _: &Down) -> Result<Exit, CliError> {
    Err(NotYet.into())
}

pub(crate) async fn validate(_: &Global, _: &Validate) -> Result<Exit, CliError> {
    Err(NotYet.into())
}
