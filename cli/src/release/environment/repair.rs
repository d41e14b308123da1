//! `delivery env repair`: what a deployment or a removal left behind that nothing can change any more.

use std::fmt::Write as _;
use std::time::Duration;

use delivery_action::aws::CallError;
use delivery_release::environment::{Action, State};
use delivery_stack::description::Description;
use delivery_stack::events::Follower;
use delivery_stack::state::State as StackState;
use schemars::JsonSchema;
use serde::Serialize;

use super::undeploy;
use crate::args::Global;
use crate::args::release::Repair;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Reporter;
use crate::output::answer::{self, CommandAnswer};
use crate::pipeline::environments;
use crate::release::place::Releases;
use crate::release::refusal::agree;
use crate::stack::failure::StackError;
use crate::stack::follow::{Followed, WaitLimits, conclude, follow};

/// What was repaired.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Repaired {
    /// The environment.
    environment: String,
    /// The stacks whose rollback was finished.
    stacks: Vec<String>,
    /// Whether a removal that had failed was begun again.
    removal: bool,
}

impl CommandAnswer for Repaired {
    const TYPE: &'static str = "environment-repaired";

    fn text(&self) -> String {
        let mut text = String::new();
        for stack in &self.stacks {
            let _infallible = writeln!(text, "✓ the rollback of {stack} is complete");
        }
        if self.removal {
            let environment = &self.environment;
            let _infallible = writeln!(
                text,
                "• the removal of {environment} was begun again\nnext: delivery env down {environment}"
            );
        }
        if text.is_empty() {
            let _infallible =
                writeln!(text, "✓ nothing in {} has to be repaired", self.environment);
        }
        text
    }
}

/// The command.
pub(super) async fn repair(global: &Global, arguments: &Repair) -> Result<Exit, CliError> {
    let releases = Releases::find(global).await?;
    let environment = releases.environment(&arguments.environment).await?;
    let name = environment.name().to_string();
    let client = releases.target.cloud.cloudformation();
    let application = releases.application().await?;
    let mut stuck = environments::stacks(&client, &releases.settings, &application).await?;
    stuck.retain(|one| one.environment == name && one.stack.state() == StackState::StuckUpdate);
    let removal_failed = has_failed_removal(&environment.state().await?);
    let mut repaired = Repaired {
        environment: name.clone(),
        ..Repaired::default()
    };
    let reporter = Reporter::for_answer(global);
    if !stuck.is_empty() || removal_failed {
        for one in &stuck {
            reporter.notice(format!(
                "the stack `{}` is {}: an update failed, and so did its rollback",
                one.stack.name, one.stack.status
            ));
        }
        if removal_failed {
            reporter.notice(format!("the removal of `{name}` failed"));
        }
        let otherwise = format!("`{name}` stays as it is");
        agree(arguments.yes, global.json, "Repair it?", &otherwise)?;
    }
    for one in stuck {
        if finish(&releases, &one.stack, arguments.timeout, &reporter).await? {
            repaired.stacks.push(one.stack.name);
        } else {
            return Ok(Exit::Interrupted);
        }
    }
    if removal_failed {
        let function = undeploy::function(&releases.target)?;
        undeploy::ask(&releases.target, function, &environment).await?;
        repaired.removal = true;
    }
    answer::print(global.json, &repaired);
    Ok(Exit::Success)
}

/// Finishes the rollback of a stack, with the role that it has; `false` where a signal came first.
async fn finish(
    releases: &Releases,
    stack: &Description,
    timeout: Duration,
    reporter: &Reporter,
) -> Result<bool, CliError> {
    let client = releases.target.cloud.cloudformation();
    let mut limits = WaitLimits::new(timeout)?;
    let mut follower = Follower::from_now(&client, &stack.id).await?;
    let sent = client
        .continue_update_rollback()
        .stack_name(&stack.id)
        .send()
        .await;
    sent.map_err(|error| {
        CallError::new("cloudformation:ContinueUpdateRollback", &stack.name, &error)
    })?;
    match follow(&client, reporter, &mut follower, &stack.id, &mut limits).await? {
        Followed::Interrupted => Ok(false),
        Followed::TimedOut(stack) => Err(limits.timed_out(&stack).into()),
        Followed::Ended(stack, events) => match stack.state() {
            StackState::RolledBack | StackState::Complete => Ok(true),
            _ => {
                conclude(reporter, &stack, &events)?;
                Err(StackError::failed(&stack, &events).into())
            }
        },
    }
}

fn has_failed_removal(state: &State) -> bool {
    let last = state.last.as_ref().filter(|_| state.lease.is_none());
    last.is_some_and(|last| last.deployment.action == Action::Remove && !last.outcome.is_success())
}
