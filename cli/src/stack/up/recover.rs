//! Brings a stack into a state in which `up` can change it.
//!
//! CloudFormation accepts a change set only for a stack at rest. A stack whose creation failed can only be deleted,
//! and one whose rollback failed has to finish the rollback first: both are done here, after a question.

use aws_sdk_cloudformation::Client;
use delivery_action::aws::CallError;
use delivery_stack::description::Description;
use delivery_stack::events::{Follower, latest_operation};
use delivery_stack::resources;
use delivery_stack::state::State;

use super::UpError;
use super::Work;
use crate::error::CliError;
use crate::output::foreign;
use crate::stack::failure::StackError;
use crate::stack::follow::{Followed, WaitLimits, conclude, follow};
use crate::stack::question::{Answer, confirm};

/// What to do with the stack once it is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextStep {
    /// The stack is created; there is none of its name.
    Create,
    /// The stack is created; its name is there from a change set that was never executed.
    CreateAgain,
    /// The stack is updated.
    Update,
    /// A signal came first.
    Interrupted,
}

/// Brings the stack into a state in which it can be changed.
pub(super) async fn ready(
    work: &Work<'_>,
    found: Option<&Description>,
    limits: &mut WaitLimits,
) -> Result<NextStep, CliError> {
    let Some(stack) = found else {
        return Ok(NextStep::Create);
    };
    match stack.state() {
        State::Gone => Ok(NextStep::Create),
        State::Complete | State::RolledBack | State::LeftFailed => Ok(NextStep::Update),
        State::Review => {
            work.reporter.notice(format!(
                "the stack `{}` is {}: a change set was created but never executed; continuing with a new one",
                stack.name, stack.status
            ));
            Ok(NextStep::CreateAgain)
        }
        State::Working | State::GoingBack | State::Deleting => {
            Err(busy(&work.client, stack).await?.into())
        }
        State::NeverCreated => never_created(work, stack, limits).await,
        State::StuckUpdate => stuck_update(work, stack, limits).await,
        State::Broken => Err(UpError::Broken {
            stack: stack.name.clone(),
            status: stack.status.clone(),
            reason: stack.reason.clone(),
        }
        .into()),
    }
}

/// The error for a stack that is changing.
pub(crate) async fn busy(client: &Client, stack: &Description) -> Result<StackError, CallError> {
    let events = latest_operation(client, &stack.id).await?;
    let since = events.iter().find(|event| event.is_beginning());
    let since = since.map(|event| {
        let reason = event
            .reason
            .as_ref()
            .map(|reason| format!(" ({})", foreign::text(reason)))
            .unwrap_or_default();
        format!("{}{reason}", event.at)
    });
    Ok(StackError::Busy {
        stack: stack.name.clone(),
        status: stack.status.clone(),
        since,
    })
}

/// A stack whose creation failed holds nothing and can only be deleted.
async fn never_created(
    work: &Work<'_>,
    stack: &Description,
    limits: &mut WaitLimits,
) -> Result<NextStep, CliError> {
    refuse_a_dry_run(work, stack)?;
    work.reporter.notice(format!(
        "the stack `{}` is {}: its creation failed and it contains nothing; it has to be deleted before it can be \
         created again",
        stack.name, stack.status
    ));
    agree(work, "delete it and create it again?", || {
        format!(
            "the stack `{}` is {} and stays so",
            stack.name, stack.status
        )
    })?;
    let mut follower = Follower::from_now(&work.client, &stack.id).await?;
    let deleted = work
        .client
        .delete_stack()
        .stack_name(&stack.id)
        .send()
        .await;
    deleted.map_err(|error| CallError::new("cloudformation:DeleteStack", &stack.name, &error))?;
    let next = NextStep::Create;
    end_of(work, stack, &mut follower, limits, next).await
}

/// A stack whose update and rollback both failed.
async fn stuck_update(
    work: &Work<'_>,
    stack: &Description,
    limits: &mut WaitLimits,
) -> Result<NextStep, CliError> {
    refuse_a_dry_run(work, stack)?;
    let places: Vec<String> = resources::list(&work.client, &stack.id)
        .await?
        .into_iter()
        .filter(|resource| resource.status.ends_with("_FAILED"))
        .map(|resource| resource.path)
        .collect();
    let places = if places.is_empty() {
        stack.reason.clone().unwrap_or_else(|| "?".to_owned())
    } else {
        places.join(", ")
    };
    work.reporter.notice(format!(
        "the stack `{}` is {}: an update failed, and so did its rollback, at: {places}. The rollback has to be \
         finished (ContinueUpdateRollback) before the stack can be changed",
        stack.name, stack.status
    ));
    agree(work, "continue the rollback?", || {
        format!(
            "the stack `{}` is {} and stays so",
            stack.name, stack.status
        )
    })?;
    let mut follower = Follower::from_now(&work.client, &stack.id).await?;
    let continued = work
        .client
        .continue_update_rollback()
        .stack_name(&stack.id)
        .send()
        .await;
    continued.map_err(|error| {
        CallError::new("cloudformation:ContinueUpdateRollback", &stack.name, &error)
    })?;
    let next = NextStep::Update;
    end_of(work, stack, &mut follower, limits, next).await
}

/// Waits for the end of the operation that makes the stack ready.
async fn end_of(
    work: &Work<'_>,
    stack: &Description,
    follower: &mut Follower,
    limits: &mut WaitLimits,
    next: NextStep,
) -> Result<NextStep, CliError> {
    match follow(&work.client, work.reporter, follower, &stack.id, limits).await? {
        Followed::Interrupted => Ok(NextStep::Interrupted),
        Followed::TimedOut(stack) => Err(limits.timed_out(&stack).into()),
        Followed::Ended(stack, events) => match stack.state() {
            State::Gone | State::RolledBack | State::Complete => Ok(next),
            _ => {
                conclude(work.reporter, &stack, &events)?;
                Err(StackError::failed(&stack, &events).into())
            }
        },
    }
}

fn refuse_a_dry_run(work: &Work<'_>, stack: &Description) -> Result<(), UpError> {
    if work.arguments.dry_run {
        return Err(UpError::NothingToShow {
            stack: stack.name.clone(),
            status: stack.status.clone(),
        });
    }
    Ok(())
}

/// Asks, unless `--yes` was given.
pub(super) fn agree(
    work: &Work<'_>,
    question: &str,
    otherwise: impl Fn() -> String,
) -> Result<(), UpError> {
    if work.arguments.yes {
        return Ok(());
    }
    work.reporter.clear_progress();
    match confirm(question) {
        Answer::Yes => Ok(()),
        answer => Err(UpError::NotConfirmed {
            what: otherwise(),
            answer,
        }),
    }
}
