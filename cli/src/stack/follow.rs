//! Follows an operation on a stack to its end, and reports its events as they happen.
//!
//! The status of a stack does not say which operation it belongs to: right after an update was requested, the stack
//! may still be `CREATE_COMPLETE` from the operation before. So the status counts only once an event shows that
//! the new operation has begun. Within one round the status is read before the events: when it says that the
//! operation has ended, all of its events are there to be read.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_cloudformation::Client;
use delivery_stack::NESTED_STACK;
use delivery_stack::description::{Description, describe};
use delivery_stack::events::{Follower, StackEvent};
use delivery_stack::failure::FirstFailure;
use delivery_stack::state::State;
use tokio::time::{Instant, sleep, sleep_until};

use super::description::message;
use super::failure::{StackError, failure_message};
use crate::error::CliError;
use crate::follow::outage::{AWS_OUTAGE_LIMIT, Outage};
use crate::interrupt::Interrupt;
use crate::message::StackMessage;
use crate::output::{Reporter, foreign};

/// How often CloudFormation is polled. Its own waiters poll every 30 s, which is slow for a person who watches;
/// the API allows several requests a second.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// After how long without an event a message says that the operation is still in progress, without a live view.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// How following ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Followed {
    /// The operation ended; these are its events.
    Ended(Description, Vec<StackEvent>),
    /// The time ran out first.
    TimedOut(Description),
    /// A signal came first.
    Interrupted,
}

/// What ends a wait early: a timeout or a signal.
#[derive(Debug)]
pub(crate) struct WaitLimits {
    /// How long.
    pub(crate) timeout: Duration,
    /// Since when.
    pub(crate) start: Instant,
    /// The signals that end it.
    pub(crate) interrupt: Interrupt,
}

impl WaitLimits {
    /// From now on.
    pub(crate) fn new(timeout: Duration) -> Result<Self, CliError> {
        let interrupt = Interrupt::listen().map_err(|source| CliError::Program {
            program: "delivery",
            source,
        })?;
        Ok(Self {
            timeout,
            start: Instant::now(),
            interrupt,
        })
    }

    /// When it ends.
    pub(crate) fn deadline(&self) -> Instant {
        self.start + self.timeout
    }

    /// The error of a stack that is not ready in time.
    pub(crate) fn timed_out(&self, stack: &Description) -> StackError {
        StackError::TimedOut {
            stack: stack.name.clone(),
            status: stack.status.clone(),
            after: self.timeout,
        }
    }
}

/// The resources in progress, and when something was last reported.
#[derive(Debug)]
struct Progress {
    running: BTreeSet<String>,
    last_report: Instant,
}

impl Progress {
    fn note(&mut self, event: &StackEvent) {
        if event.kind == NESTED_STACK {
            return;
        }
        if event.status.ends_with("_IN_PROGRESS") {
            self.running.insert(event.resource.clone());
        } else {
            self.running.remove(&event.resource);
        }
        self.last_report = Instant::now();
    }
}

/// Follows an operation until CloudFormation is done.
pub(crate) async fn follow(
    client: &Client,
    reporter: &Reporter,
    follower: &mut Follower,
    stack_id: &str,
    limits: &mut WaitLimits,
) -> Result<Followed, CliError> {
    let mut events = Vec::new();
    let mut progress = Progress {
        running: BTreeSet::new(),
        last_report: Instant::now(),
    };
    let mut outage = Outage::new(AWS_OUTAGE_LIMIT);
    let mut last_seen = None;
    loop {
        // Asked before the status is read: a status read earlier may be that of the operation before.
        let begun = follower.has_begun();
        let answer = look(client, follower, stack_id).await;
        if let Some((stack, new_events)) = outage.tolerate(answer)? {
            for event in new_events {
                progress.note(&event);
                reporter.report(event_message(&event));
                events.push(event);
            }
            let state = stack.state();
            if begun && !state.is_in_progress() && state != State::Review {
                reporter.clear_progress();
                return Ok(Followed::Ended(stack, events));
            }
            // The status above was read before the beginning was seen, so it may be the old one: read it again.
            if !begun && follower.has_begun() {
                continue;
            }
            show(reporter, &stack, &mut progress, limits);
            last_seen = Some(stack);
        }
        tokio::select! {
            () = sleep(ASK_EVERY) => {}
            () = sleep_until(limits.deadline()), if last_seen.is_some() => {
                let Some(stack) = last_seen else { continue };
                reporter.clear_progress();
                return Ok(Followed::TimedOut(stack));
            }
            () = limits.interrupt.received() => {
                reporter.clear_progress();
                return Ok(Followed::Interrupted);
            }
        }
    }
}

/// The stack, then what happened to it: when the status says that the operation has ended, all events are there.
pub(crate) async fn look(
    client: &Client,
    follower: &mut Follower,
    stack_id: &str,
) -> Result<(Description, Vec<StackEvent>), CliError> {
    let stack = describe(client, stack_id).await?;
    let stack = stack.unwrap_or_else(|| gone(stack_id));
    Ok((stack, follower.new_events(client).await?))
}

fn show(reporter: &Reporter, stack: &Description, progress: &mut Progress, limits: &WaitLimits) {
    let running: Vec<String> = progress.running.iter().cloned().collect();
    let seen = reporter.show_progress(&format!(
        "{} {} {}",
        stack.name,
        stack.status,
        running.join(", ")
    ));
    if !seen && progress.last_report.elapsed() >= HEARTBEAT {
        progress.last_report = Instant::now();
        reporter.report(StackMessage::StackWorking {
            stack: stack.name.clone(),
            status: stack.status.clone(),
            seconds: limits.start.elapsed().as_secs_f64(),
            running,
        });
    }
}

/// An event as a message.
pub(crate) fn event_message(event: &StackEvent) -> StackMessage {
    StackMessage::StackEvent {
        at: event.at.to_string(),
        stack: event.stack.clone(),
        resource: event.resource.clone(),
        resource_type: event.kind.clone(),
        status: event.status.clone(),
        reason: event.reason.as_deref().map(foreign::text),
    }
}

/// Stands for a stack that CloudFormation no longer knows, not even by its id.
fn gone(stack_id: &str) -> Description {
    Description {
        name: stack_id.split('/').nth(1).unwrap_or(stack_id).to_owned(),
        id: stack_id.to_owned(),
        status: "DELETE_COMPLETE".to_owned(),
        reason: None,
        description: None,
        outputs: std::collections::BTreeMap::new(),
        tags: std::collections::BTreeMap::new(),
        parameters: std::collections::BTreeMap::new(),
        role: None,
        protected: false,
        created: None,
        updated: None,
    }
}

/// Reports the final state of the stack; if it is a failure, reports the first cause and returns the error.
pub(crate) fn conclude(
    reporter: &Reporter,
    stack: &Description,
    events: &[StackEvent],
) -> Result<(), StackError> {
    reporter.report(message(stack));
    if !stack.state().is_failure() {
        return Ok(());
    }
    if let Some(first) = FirstFailure::of(events) {
        reporter.report(failure_message(&first, &stack.status));
    }
    Err(StackError::failed(stack, events))
}
