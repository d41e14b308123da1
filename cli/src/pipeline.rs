//! The commands about the running pipeline.

mod approval;
pub(crate) mod connection;
mod delivered;
pub(crate) mod environments;
mod executions;
mod log;
mod read;
mod resume;
mod retry;
mod rollback;
pub(crate) mod rollout;
pub(crate) mod start;
pub(crate) mod state;
pub(crate) mod status;
mod stop;
pub(crate) mod target;

pub(crate) use approval::{approve, reject};
pub(crate) use delivered::place::environment_of;
pub(crate) use executions::find as find_execution;
pub(crate) use log::log;
pub(crate) use resume::resume;
pub(crate) use retry::retry;
pub(crate) use rollback::{held_because, open_command, readable_reason, resume_command, rollback};
pub(crate) use rollout::{caller, rollout};
pub(crate) use start::start;
pub(crate) use status::status;
pub(crate) use stop::stop;

/// Names as a sentence lists them: `a`, `a and b`, `a, b and c`.
pub(crate) fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [name] => name.clone(),
        [names @ .., last] => format!("{} and {last}", names.join(", ")),
    }
}

/// What is printed as JSON, for the published schema.
#[cfg(test)]
pub(crate) mod printed {
    pub(crate) use super::approval::Answered;
    pub(crate) use super::environments::Environments;
    pub(crate) use super::resume::Resumed;
    pub(crate) use super::retry::Retried;
    pub(crate) use super::rollback::RolledBack;
    pub(crate) use super::rollout::{Intervened, RolloutDocument};
    pub(crate) use super::start::Started;
    pub(crate) use super::status::StatusDocument;
    pub(crate) use super::stop::Stopping;
}
