//! `delivery rollout`: how far a rollout is, and a person's word on it.

mod intervene;
mod served;
mod show;
mod state;
mod subject;
mod text;
mod versions;

#[cfg(test)]
pub(crate) use intervene::Intervened;
pub(crate) use served::{ServedEnvironment, ServedFunction, served};
#[cfg(test)]
pub(crate) use state::RolloutDocument;
pub(crate) use state::{RolloutState, VersionTraffic};
pub(crate) use subject::caller;
pub(super) use subject::{Look, changed_meanwhile};

use crate::args::Global;
use crate::args::rollout::{Rollout, RolloutCommand};
use crate::error::CliError;
use crate::exit::Exit;

pub(crate) async fn rollout(global: &Global, arguments: &Rollout) -> Result<Exit, CliError> {
    match &arguments.command {
        RolloutCommand::Show(arguments) => show::show(global, arguments).await,
        RolloutCommand::Finish(arguments) => intervene::finish(global, arguments).await,
        RolloutCommand::Abort(arguments) => intervene::abort(global, arguments).await,
    }
}
