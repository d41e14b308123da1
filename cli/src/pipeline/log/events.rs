//! The stack's events.

use std::time::Duration;

use delivery_stack::events::{self, Follower, StackEvent, first_failure};

use crate::error::CliError;
use crate::follow::outage::{AWS_OUTAGE_LIMIT, Outage};
use crate::message::LogLine;
use crate::output::{Reporter, foreign, reader_is_gone};
use crate::pipeline::target::Target;
use crate::stack::follow::look;

/// How often a stack that changes is asked: CloudFormation itself takes seconds for each resource.
const INTERVAL: Duration = Duration::from_secs(2);

/// All events, the oldest first.
pub(super) async fn all(target: &Target, reporter: &Reporter) -> Result<(), CliError> {
    let client = target.cloud.cloudformation();
    for event in events::all(&client, &target.stack.id).await? {
        reporter.report(line(&event));
    }
    Ok(())
}

/// Shows what failed in the latest operation, and returns the number of events.
pub(super) async fn failures(target: &Target, reporter: &Reporter) -> Result<usize, CliError> {
    let client = target.cloud.cloudformation();
    let operation = events::latest_operation(&client, &target.stack.id).await?;
    let failed: Vec<&StackEvent> = operation
        .iter()
        .filter(|event| event.is_failure() && !event.is_of_the_stack())
        .collect();
    for event in &failed {
        reporter.report(line(event));
    }
    let first = first_failure(&operation);
    if failed.is_empty()
        && let Some(event) = first
    {
        reporter.report(line(event));
    }
    if let Some(event) = first {
        reporter.notice(format!(
            "help: fix {} in {} first, since later failures may follow from it; then run \
             `delivery up`",
            event.resource, event.stack
        ));
    }
    Ok(failed.len() + usize::from(failed.is_empty() && first.is_some()))
}

/// The events of the operation that goes on, until its end.
pub(super) async fn follow(target: &Target, reporter: &Reporter) -> Result<(), CliError> {
    let client = target.cloud.cloudformation();
    let mut follower = Follower::of_the_latest(&client, &target.stack.id).await?;
    let mut outage = Outage::new(AWS_OUTAGE_LIMIT);
    loop {
        let answer = look(&client, &mut follower, &target.stack.id).await;
        let mut ended = false;
        if let Some((stack, events)) = outage.tolerate(answer)? {
            for event in &events {
                reporter.report(line(event));
            }
            ended = !stack.state().is_in_progress();
        }
        if ended || reader_is_gone() {
            return Ok(());
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

fn line(event: &StackEvent) -> LogLine {
    let at = jiff::Timestamp::from_second(event.at.as_second()).unwrap_or(event.at);
    LogLine::StackLog {
        at: at.to_string(),
        stack: event.stack.clone(),
        resource: event.resource.clone(),
        resource_type: event.kind.clone(),
        status: event.status.clone(),
        reason: event.reason.as_deref().map(foreign::text),
    }
}
