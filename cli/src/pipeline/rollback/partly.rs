//! A rollback of several functions of which some did not go back.

use std::fmt::Write as _;

use crate::args::rollout::Rollback;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::output::text::short;
use crate::pipeline::delivered::place::App;
use crate::pipeline::rollout::Look;

use super::RollbackPlan;
use super::rolled_back::FunctionBack;

/// A function that did not go back.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotBack {
    alias: String,
    service: Option<String>,
    /// The action that deploys it.
    action: String,
    /// What AWS said, or that somebody else has changed it.
    why: String,
}

impl NotBack {
    pub(super) fn new(app: &App, look: &Look, error: &CliError) -> Self {
        Self {
            alias: look.alias.resource(),
            service: app.service.clone(),
            action: app.action.clone(),
            why: error.to_string(),
        }
    }
}

/// Some functions are back, others are not.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{count} of {all} functions of `{environment}` went back:{each}")]
pub(super) struct PartlyBack {
    environment: String,
    /// The option that names the pipeline in a further command.
    choice: String,
    count: usize,
    all: usize,
    /// A line for each.
    each: String,
    /// The commands that bring the others back.
    commands: String,
    /// Whether API stages, sites and stacks were to go back, too.
    is_of_stage: bool,
}

impl PartlyBack {
    pub(super) fn new(
        arguments: &Rollback,
        choice: &str,
        plan: &RollbackPlan,
        back: &[FunctionBack],
        not_back: &[NotBack],
    ) -> Self {
        Self {
            environment: arguments.environment.clone(),
            choice: choice.to_owned(),
            count: back.len(),
            all: back.len() + not_back.len(),
            each: listed(back, not_back),
            commands: commands(&arguments.environment, choice, plan, not_back),
            is_of_stage: matches!(plan, RollbackPlan::Delivery(_)),
        }
    }
}

fn listed(back: &[FunctionBack], not_back: &[NotBack]) -> String {
    let mut text = String::new();
    for FunctionBack {
        alias,
        version,
        from,
    } in back
    {
        let _infallible = write!(
            text,
            "\n  `{alias}` is back: version {version} has all traffic, version {from} none"
        );
    }
    for NotBack { alias, why, .. } in not_back {
        let _infallible = write!(text, "\n  `{alias}` is not back: {why}");
    }
    text
}

/// The same delivery has to be named: without a name, a second rollback would go back from what is there now, which is the
/// older version already for some of the functions.
fn commands(environment: &str, choice: &str, plan: &RollbackPlan, not_back: &[NotBack]) -> String {
    let RollbackPlan::Delivery(delivery) = plan else {
        let command = |one: &NotBack| {
            let service = one.service.as_deref();
            let service = service.map(|service| format!(" --service {service}"));
            format!(
                "`delivery rollout abort {environment}{}`",
                service.unwrap_or_default()
            )
        };
        let commands: Vec<_> = not_back.iter().map(command).collect();
        return commands.join(", ");
    };
    let commit = delivery.revision.as_ref();
    let commit = commit.map(|revision| short(&revision.id).to_owned());
    let version = || {
        let mut versions = not_back.iter();
        versions.find_map(|one| delivery.versions.get(&one.action).cloned())
    };
    let to = commit.or_else(version).unwrap_or_default();
    format!("`delivery rollback {environment} {to}{choice}`")
}

impl Explained for PartlyBack {
    fn exit(&self) -> Exit {
        Exit::Failed
    }

    fn kind(&self) -> &'static str {
        "partly-rolled-back"
    }

    fn hint(&self) -> Option<String> {
        let Self {
            environment,
            choice,
            commands,
            ..
        } = self;
        Some(if self.is_of_stage {
            format!(
                "to bring back the rest: {commands}; API stages, sites and stacks have not gone back yet, and the command brings \
                 them back, too; the pipeline is held until `delivery resume {environment}{choice}`"
            )
        } else {
            format!(
                "to bring back the rest: {commands}; the pipeline is held until `delivery resume {environment}{choice}`"
            )
        })
    }
}
