//! The log of an action: of its function, or of its commands.

mod entries;

use std::time::Duration;

use aws_sdk_cloudwatchlogs::Client;
use delivery_action::aws::CallError;
use delivery_function_log::{Span, default_group, of_function};

use crate::follow::ActionSnapshot;

pub(crate) use entries::{Entry, attributed};

/// As many lines as fit on a screen together with the cause.
const TAIL_LINES: usize = 20;

/// How often a log that lacks something is read again.
pub(crate) const ASK_EVERY: Duration = Duration::from_secs(1);

/// Whether the log of an action that is over holds all that it will.
pub(crate) fn is_complete(action: &ActionSnapshot) -> bool {
    span(action).is_complete()
}

/// The time in which the action ran.
pub(crate) fn span(action: &ActionSnapshot) -> Span {
    let ended = milliseconds(action.started + action.seconds);
    Span {
        began_ms: milliseconds(action.started),
        ended_ms: (action.status != "InProgress").then_some(ended),
    }
}

/// Where an action's lines are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogPlace {
    /// The CloudWatch Logs group.
    pub(crate) group: String,
    /// The action's own stream in it; `None` where its lines may be in any.
    stream: Option<String>,
}

impl LogPlace {
    /// A function's log, to which all of its invocations write.
    pub(crate) fn of_function(group: String) -> Self {
        Self {
            group,
            stream: None,
        }
    }

    /// The log of a `Commands` action (CodePipeline User Guide, "Commands action reference"): a stream for each run.
    pub(crate) fn of_commands(pipeline: &str, action: &ActionSnapshot) -> Self {
        Self {
            group: format!("/aws/codepipeline/{pipeline}"),
            stream: Some(action.id.clone()),
        }
    }
}

/// The log group of a function; Lambda's default where it cannot be asked.
pub(crate) async fn group(client: &aws_sdk_lambda::Client, function: &str) -> String {
    let group = of_function(client, function).await;
    group.unwrap_or_else(|_| default_group(function))
}

/// What the action logged since it began, for people.
///
/// The log only helps to understand the cause, so failing to read it is not an error. A log that is still
/// empty is read again until the action's lines must have arrived.
pub(crate) async fn whole(
    client: &Client,
    place: &LogPlace,
    action: &ActionSnapshot,
) -> Vec<String> {
    loop {
        let entries = read(client, place, action).await.unwrap_or_default();
        let lines: Vec<String> = entries.into_iter().flat_map(|entry| entry.lines).collect();
        if !lines.is_empty() || is_complete(action) {
            return lines;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// The last lines of [`whole`].
pub(crate) async fn tail(
    client: &Client,
    place: &LogPlace,
    action: &ActionSnapshot,
) -> Vec<String> {
    let mut lines = whole(client, place, action).await;
    let first = lines.len().saturating_sub(TAIL_LINES);
    lines.split_off(first)
}

/// What was logged while the action ran, of all invocations of its function: a continuing action has
/// several. Other actions' invocations at the same time are among them where their request ids are not
/// known; see [`attributed`].
///
/// # Errors
///
/// Where CloudWatch Logs refuses or does not answer. A group that does not exist (yet) is empty.
pub(crate) async fn read(
    client: &Client,
    place: &LogPlace,
    action: &ActionSnapshot,
) -> Result<Vec<Entry>, CallError> {
    let stream = place.stream.as_deref();
    let events = delivery_function_log::read(client, &place.group, stream, span(action)).await?;
    let mut entries: Vec<Entry> = events.iter().map(Entry::read).collect();
    entries::identify(&mut entries);
    Ok(entries)
}

/// CloudWatch Logs counts milliseconds; fractions of them are no loss.
#[expect(
    clippy::cast_possible_truncation,
    reason = "times are far below 2^53 milliseconds"
)]
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0).floor() as i64
}
