//! The commands about releases and what environments have of them.
//!
//! They read the repository of releases, and change environments only through pipelines and functions of the stack: who
//! promotes needs the right to start one pipeline, and no right to deploy.

pub(crate) mod apply;
mod choose;
mod configuration;
mod deployments;
mod diff;
mod environment;
mod error;
pub(crate) mod list;
mod place;
mod promote;
mod prune;
mod refusal;

pub(crate) use choose::Release;
pub(crate) use diff::diff;
pub(crate) use environment::env;
pub(crate) use environment::release::EnvironmentRelease;
pub(crate) use place::{application_of, find_repository};
pub(crate) use promote::promote;
pub(crate) use refusal::agree;

use crate::args::Global;
use crate::args::release::{Releases as Arguments, ReleasesCommand};
use crate::error::CliError;
use crate::exit::Exit;

/// `delivery releases`.
pub(crate) async fn releases(global: &Global, arguments: &Arguments) -> Result<Exit, CliError> {
    match (&arguments.command, &arguments.environment) {
        (Some(ReleasesCommand::Prune(prune)), _) => prune::prune(global, prune).await,
        (None, Some(environment)) => {
            deployments::deployments(global, environment, arguments.limit).await
        }
        (None, None) => list::list(global, arguments.limit).await,
    }
}

/// What is printed as JSON, for the published schema.
#[cfg(test)]
pub(crate) mod printed {
    pub(crate) use super::deployments::DeploymentList;
    pub(crate) use super::diff::Difference;
    pub(crate) use super::environment::printed::*;
    pub(crate) use super::list::ReleaseList;
    pub(crate) use super::promote::Promoted;
    pub(crate) use super::prune::Pruned;
}
