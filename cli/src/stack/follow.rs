//! Follows an operation on a stack to its end, with its events as they happen.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_cloudformation::Client;
use tokio::time::{Instant, sleep, sleep_until};

use super::description::{Description, describe};
use super::events::{Follower, StackEvent};
use super::failure::{FirstFailure, StackError};
use super::resources::NESTED_STACK;
use super::state::State;
use crate::error::CliError;
use crate::interrupt::Interrupt;
use crate::message::StackMessage;
use crate::output::Reporter;

/// How often CloudFormation is asked. Its own waiters ask every 30 s; a person who watches wants to see more,
/// and its API takes some requests a second.
const ASK_EVERY: Duration = Duration::from_secs(2);

/// After how long without news a line says that it goes on, where nobody sees a live line.
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

/// How long to follow, and what may come first.
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

/// What is in progress, and since when nothing was told.
#[derive(Debug)]
struct Progress {
    running: BTreeSet<String>,
    told: Instant,
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
        self.told = Instant::now();
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
        told: Instant::now(),
    };
    loop {
        // The status counts only once the operation has begun: until then it is that of the one before.
        let begun = follower.has_begun();
        let stack = describe(client, stack_id).await?;
        let stack = stack.unwrap_or_else(|| gone(stack_id));
        for event in follower.new_events(client).await? {
            progress.note(&event);
            reporter.report(event_message(&event));
            events.push(event);
        }
        let state = stack.state();
        if begun && !state.is_in_progress() && state != State::Review {
            reporter.clear_progress();
            return Ok(Followed::Ended(stack, events));
        }
        if !begun && follower.has_begun() {
            continue;
        }
        show(reporter, &stack, &mut progress, limits);
        tokio::select! {
            () = sleep(ASK_EVERY) => {}
            () = sleep_until(limits.deadline()) => {
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

fn show(reporter: &Reporter, stack: &Description, progress: &mut Progress, limits: &WaitLimits) {
    let running: Vec<String> = progress.running.iter().cloned().collect();
    let seen = reporter.show_progress(&format!(
        "{} {} {}",
        stack.name,
        stack.status,
        running.join(", ")
    ));
    if !seen && progress.told.elapsed() >= HEARTBEAT {
        progress.told = Instant::now();
        reporter.report(StackMessage::StackWorking {
            stack: stack.name.clone(),
            status: stack.status.clone(),
            seconds: limits.start.elapsed().as_secs_f64(),
            running,
        });
    }
}

/// An event as it is told.
pub(crate) fn event_message(event: &StackEvent) -> StackMessage {
    StackMessage::StackEvent {
        at: event.at.to_string(),
        stack: event.stack.clone(),
        resource: event.resource.clone(),
        resource_type: event.kind.clone(),
        status: event.status.clone(),
        reason: event.reason.clone(),
    }
}

/// A stack that CloudFormation does not know any more, not even by its id.
fn gone(stack_id: &str) -> Description {
    Description {
        name: stack_id.split('/').nth(1).unwrap_or(stack_id).to_owned(),
        id: stack_id.to_owned(),
        status: "DELETE_COMPLETE".to_owned(),
        reason: None,
        description: None,
        outputs: std::collections::BTreeMap::new(),
        parameters: std::collections::BTreeMap::new(),
        protected: false,
        created: None,
        updated: None,
    }
}

/// Tells how the stack is in the end; a failure is told with what failed first, and comes back.
pub(crate) fn conclude(
    reporter: &Reporter,
    stack: &Description,
    events: &[StackEvent],
) -> Result<(), StackError> {
    reporter.report(stack.message());
    if !stack.state().is_failure() {
        return Ok(());
    }
    if let Some(first) = FirstFailure::of(events) {
        reporter.report(first.message(&stack.status));
    }
    Err(StackError::failed(stack, events))
}
