//! What was logged in a span of time.

use std::time::Duration;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::operation::filter_log_events::FilterLogEventsError;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use delivery_action::aws::CallError;
use delivery_action::clock;

/// How long after the end what belongs to the span may still be logged: the clocks of services are not the same, and
/// Lambda's own lines follow the function's.
const AFTER_THE_END_MS: i64 = 5_000;

/// How long after its end a log may still grow: CloudWatch Logs shows what it takes seconds later.
const INGESTION_LAG_MS: i64 = 5_000;

/// How often a log that is still empty is asked again.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// A span of time, in milliseconds since the epoch, as CloudWatch Logs counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// When it began.
    pub began_ms: i64,
    /// When it ended; `None` while it goes on.
    pub ended_ms: Option<i64>,
}

impl Span {
    /// From that time until now.
    #[must_use]
    pub fn since(began_ms: i64) -> Self {
        Self {
            began_ms,
            ended_ms: Some(now_ms()),
        }
    }

    /// Whether all that was logged in it can be read.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.ended_ms
            .is_some_and(|ended| now_ms() >= ended.saturating_add(INGESTION_LAG_MS))
    }
}

fn now_ms() -> i64 {
    clock::timestamp().as_millisecond()
}

/// What was logged to a group, or to one stream of it. A group that does not exist (yet) is empty.
///
/// # Errors
///
/// [`CallError`] where CloudWatch Logs refuses or does not answer.
pub async fn read(
    client: &Client,
    group: &str,
    stream: Option<&str>,
    span: Span,
) -> Result<Vec<FilteredLogEvent>, CallError> {
    let until = span
        .ended_ms
        .map(|ended| ended.saturating_add(AFTER_THE_END_MS));
    let mut pages = client
        .filter_log_events()
        .log_group_name(group)
        .set_log_stream_names(stream.map(|stream| vec![stream.to_owned()]))
        .start_time(span.began_ms)
        .set_end_time(until)
        .into_paginator()
        .send();
    let mut events = Vec::new();
    while let Some(page) = pages.next().await {
        let page = match page {
            Ok(page) => page,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(FilterLogEventsError::is_resource_not_found_exception) =>
            {
                return Ok(events);
            }
            Err(error) => return Err(CallError::new("logs:FilterLogEvents", group, &error)),
        };
        events.extend(page.events.unwrap_or_default());
    }
    events.sort_by_key(|event| event.timestamp().unwrap_or_default());
    Ok(events)
}

/// The same of a whole group, which is asked again while it is empty, until what was logged must have arrived.
///
/// # Errors
///
/// As [`read`].
pub async fn read_when_complete(
    client: &Client,
    group: &str,
    span: Span,
) -> Result<Vec<FilteredLogEvent>, CallError> {
    loop {
        // Looked at first: what arrives between the answer and the look would be missed.
        let is_complete = span.is_complete();
        let events = read(client, group, None, span).await?;
        if !events.is_empty() || is_complete {
            return Ok(events);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}
