//! The last lines of a failed action's log.

use aws_sdk_cloudwatchlogs::Client;

use crate::follow::ActionSnapshot;

/// As many lines as stand on a screen beside the cause.
const TAIL_LINES: usize = 20;

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

/// What the function logged since the action began, its last lines, for people.
///
/// The log is a help beside the cause: where it cannot be had, there is none.
pub(crate) async fn tail(client: &Client, group: &str, action: &ActionSnapshot) -> Vec<String> {
    // CloudWatch Logs counts milliseconds; fractions of them are no loss.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "times are far below 2^53 milliseconds"
    )]
    let since = (action.started * 1000.0).floor() as i64;
    let mut pages = client
        .filter_log_events()
        .log_group_name(group)
        .start_time(since)
        .into_paginator()
        .send();
    let mut lines = Vec::new();
    while let Some(Ok(page)) = pages.next().await {
        for event in page.events() {
            lines.extend(
                event
                    .message()
                    .unwrap_or_default()
                    .lines()
                    .filter_map(readable),
            );
        }
    }
    let first = lines.len().saturating_sub(TAIL_LINES);
    lines.split_off(first)
}

/// A log line as a person reads it; `None` where it says nothing (Lambda's own bookkeeping).
fn readable(line: &str) -> Option<String> {
    let line = line.trim_end();
    let bookkeeping = [
        "START RequestId",
        "END RequestId",
        "REPORT RequestId",
        "INIT_START",
    ];
    if line.is_empty() || bookkeeping.iter().any(|prefix| line.starts_with(prefix)) {
        return None;
    }
    let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(line) else {
        return Some(line.to_owned());
    };
    let text = |name: &str| fields.get(name).and_then(serde_json::Value::as_str);
    let Some(message) = text("message") else {
        return Some(line.to_owned());
    };
    match text("level") {
        Some(level @ ("WARN" | "ERROR")) => Some(format!("{level} {message}")),
        _ => Some(message.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structured_lines_are_read_by_their_message() {
        let line = r#"{"timestamp":"2026-11-21T05:00:00Z","level":"INFO","message":"1 failing"}"#;
        assert_eq!(readable(line), Some("1 failing".to_owned()));
        let line = r#"{"level":"ERROR","message":"no `gulpfile.js`"}"#;
        assert_eq!(readable(line), Some("ERROR no `gulpfile.js`".to_owned()));
    }

    #[test]
    fn other_lines_stay_and_bookkeeping_goes() {
        assert_eq!(readable("  plain text \n"), Some("  plain text".to_owned()));
        assert_eq!(readable("REPORT RequestId: 1 Duration: 2 ms"), None);
        assert_eq!(readable(r#"{"a":1}"#), Some(r#"{"a":1}"#.to_owned()));
    }
}
