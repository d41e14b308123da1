//! `delivery env`: the environments, and what is done with them.

mod down;
mod keep;
mod ls;
pub(crate) mod release;
mod repair;
mod undeploy;
mod unlock;
mod up;

use crate::args::Global;
use crate::args::release::{Env, EnvCommand};
use crate::error::CliError;
use crate::exit::Exit;

/// The command.
pub(crate) async fn env(global: &Global, arguments: &Env) -> Result<Exit, CliError> {
    match &arguments.command {
        EnvCommand::Ls(arguments) => ls::ls(global, arguments).await,
        EnvCommand::Up(arguments) => up::up(global, arguments).await,
        EnvCommand::Down(arguments) => down::down(global, arguments).await,
        EnvCommand::Keep(arguments) => keep::keep(global, arguments).await,
        EnvCommand::Repair(arguments) => repair::repair(global, arguments).await,
        EnvCommand::Unlock(arguments) => unlock::unlock(global, arguments).await,
    }
}

/// What is printed as JSON, for the published schema.
#[cfg(test)]
pub(crate) mod printed {
    pub(crate) use super::down::Removed;
    pub(crate) use super::keep::Kept;
    pub(crate) use super::ls::EnvironmentList;
    pub(crate) use super::repair::Repaired;
    pub(crate) use super::unlock::Unlocked;
}
