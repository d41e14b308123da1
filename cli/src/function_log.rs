//! The log of an action: of its function, or of its commands.

mod entries;

use std::time::Duration;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::operation::filter_log_events::FilterLogEventsError;
use delivery_action::aws::CallError;

use crate::follow::ActionSnapshot;

pub(crate) use entries::{Entry, attributed};

/// As many lines as fit on a screen together with the cause.
const TAIL_LINES: usize = 20;

/// How long after CodePipeline has the result a function may still log: its clock and CodePipeline's are
/// not the same, and Lambda's own lines follow the function's.
const AFTER_THE_END_MS: i64 = 5_000;

/// How long after its end an action's log may still grow: CloudWatch Logs shows what it takes seconds later.
const INGESTION_LAG: Duration = Duration::from_secs(5);

/// How often a log that is still empty is asked again.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Whether the log of an action that is over holds all that it will.
pub(crate) fn is_complete(action: &ActionSnapshot) -> bool {
    let now = delivery_action::clock::timestamp()
        .as_duration()
        .as_secs_f64();
    now - (action.started + action.seconds) >= INGESTION_LAG.as_secs_f64()
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

/// The log group of a function: the one that its configuration names, else Lambda's default (Lambda
/// Developer Guide, "Configuring CloudWatch log groups").
pub(crate) async fn group(client: &aws_sdk_lambda::Client, function: &str) -> String {
    let answer = client
        .get_function_configuration()
        .function_name(function)
        .send()
        .await
        .ok();
    let logging = answer
        .as_ref()
        .and_then(|configuration| configuration.logging_config());
    let group = logging.and_then(|logging| logging.log_group());
    group.map_or_else(|| format!("/aws/lambda/{function}"), str::to_owned)
}

/// What the action logged since it began, its last lines, for people.
///
/// The log only helps to understand the cause, so failing to read it is not an error. A log that is still
/// empty is read again until the action's lines must have arrived.
pub(crate) async fn tail(
    client: &Client,
    place: &LogPlace,
    action: &ActionSnapshot,
) -> Vec<String> {
    let mut lines: Vec<String> = loop {
        let entries = read(client, place, action).await.unwrap_or_default();
        let lines: Vec<String> = entries.into_iter().flat_map(|entry| entry.lines).collect();
        if !lines.is_empty() || is_complete(action) {
            break lines;
        }
        tokio::time::sleep(ASK_EVERY).await;
    };
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
    let group = &place.group;
    let began = milliseconds(action.started);
    let ended = milliseconds(action.started + action.seconds).saturating_add(AFTER_THE_END_MS);
    let until = (action.status != "InProgress").then_some(ended);
    let mut pages = client
        .filter_log_events()
        .log_group_name(group)
        .set_log_stream_names(place.stream.clone().map(|stream| vec![stream]))
        .start_time(began)
        .set_end_time(until)
        .into_paginator()
        .send();
    let mut entries = Vec::new();
    while let Some(page) = pages.next().await {
        let page = match page {
            Ok(page) => page,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(FilterLogEventsError::is_resource_not_found_exception) =>
            {
                return Ok(entries);
            }
            Err(error) => return Err(CallError::new("logs:FilterLogEvents", group, &error)),
        };
        entries.extend(page.events().iter().map(Entry::read));
    }
    entries.sort_by_key(|entry| entry.at_ms);
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
