//! `Commands` actions on one machine: a shell in a folder of its own, with the action's artifacts.
//!
//! On AWS a `Commands` action is a build of CodeBuild. [`runner`] does the same here: it extracts the input
//! artifacts, runs all commands in one shell, writes their output to CloudWatch Logs of the local AWS, and packs
//! the output artifact. What ends the processes, however deep they hide, is [`shell`]'s supervisor.

mod environment;
mod log;
mod output;
mod runner;
mod script;
mod shell;

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::change::ArtifactLocation;
use super::identity::ActionExecutionId;
use super::ports::{PortError, PortFuture};

pub(super) use environment::{Role, log_group};
pub(super) use runner::Runner;

/// Runs the commands of an action.
pub trait CommandRunner: Send + Sync {
    /// Runs all commands in one shell, and returns the output variables.
    ///
    /// Returns only when all processes of the commands are gone, also after `end`: then the result does not matter.
    fn run<'a>(
        &'a self,
        request: &'a CommandsRequest,
        end: CancellationToken,
    ) -> PortFuture<'a, Result<BTreeMap<String, String>, PortError>>;
}

/// The work of a `Commands` action, its variables resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandsRequest {
    /// The action's run; names the log stream.
    pub action: ActionExecutionId,
    /// The pipeline; names the log group.
    pub pipeline: String,
    /// What to run, in this order.
    pub commands: Vec<String>,
    /// Variables that the action declares.
    pub environment: BTreeMap<String, String>,
    /// Variables to read after the last command.
    pub output_variables: Vec<String>,
    /// The first one is the folder that the commands start in.
    pub inputs: Vec<InputArtifact>,
    /// What to pack after the last command.
    pub output: Option<OutputArtifact>,
    /// The key of the artifact store; `None` means the service's default key.
    pub encryption_key: Option<String>,
    /// When the action started.
    pub start_time: Timestamp,
}

/// An artifact that the commands need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputArtifact {
    /// Its name and where it is.
    pub location: ArtifactLocation,
    /// The revision of the source that it came from.
    pub revision: Option<String>,
}

/// An artifact that the commands make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputArtifact {
    /// Its name and where it belongs.
    pub location: ArtifactLocation,
    /// Patterns of its files; `None` means all files of the primary input's folder.
    pub files: Option<Vec<String>>,
}
