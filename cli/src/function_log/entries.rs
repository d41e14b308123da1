//! The entries of a log group: which invocation each belongs to, and what a person reads of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::message::TestReport;
use crate::output::foreign;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use delivery_function_log::{fields, lines};

/// One event of a log group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// CloudWatch's id of it, else one that [`identify`] makes.
    pub(crate) id: String,
    /// When, in milliseconds since the epoch.
    pub(crate) at_ms: i64,
    /// The log stream: one execution environment, which does one invocation after the other.
    stream: String,
    /// The request id of the invocation, where the entry itself names it.
    request: Option<String>,
    /// What a person reads, without secrets; empty for Lambda's own bookkeeping.
    pub(crate) lines: Vec<String>,
    /// The report of tests that the entry holds.
    pub(crate) report: Option<TestReport>,
}

impl Entry {
    pub(super) fn read(event: &FilteredLogEvent) -> Self {
        let message = event.message().unwrap_or_default();
        Self {
            id: event.event_id().unwrap_or_default().to_owned(),
            at_ms: event.timestamp().unwrap_or_default(),
            stream: event.log_stream_name().unwrap_or_default().to_owned(),
            request: message.lines().find_map(request),
            lines: lines(message).iter().flat_map(|line| safe(line)).collect(),
            report: report(message),
        }
    }
}

/// Gives each entry an id that has none: the local AWS sends none, and whoever reads a log again and again
/// tells what is new by it. A log is read from its beginning each time, so equal entries keep their order.
pub(super) fn identify(entries: &mut [Entry]) {
    let mut equal: BTreeMap<String, usize> = BTreeMap::new();
    for entry in entries.iter_mut().filter(|entry| entry.id.is_empty()) {
        let content = format!(
            "{} {} {}",
            entry.at_ms,
            entry.stream,
            entry.lines.join("\n")
        );
        let count = equal.entry(content.clone()).or_default();
        *count += 1;
        entry.id = format!("{count} {content}");
    }
}

/// A line as it may be printed, which may be several then: each is quoted on its own.
fn safe(line: &str) -> Vec<String> {
    foreign::text(line).lines().map(str::to_owned).collect()
}

/// The entries that do not belong to other actions' invocations, each with its invocation's request id.
///
/// An entry without a request id belongs to the invocation that its stream did before it.
pub(crate) fn attributed(
    entries: Vec<Entry>,
    others: &BTreeSet<String>,
) -> Vec<(Option<String>, Entry)> {
    let mut current: BTreeMap<String, String> = BTreeMap::new();
    let with_request = entries.into_iter().map(|entry| {
        if let Some(request) = &entry.request {
            current.insert(entry.stream.clone(), request.clone());
        }
        (current.get(&entry.stream).cloned(), entry)
    });
    with_request
        .filter(|(request, _)| request.as_ref().is_none_or(|id| !others.contains(id)))
        .collect()
}

/// The request id that a line names: the function's own field, or Lambda's words.
fn request(line: &str) -> Option<String> {
    if let Some(fields) = fields(line) {
        let own = fields.get("span").and_then(|span| span.get("request_id"));
        let lambda = || {
            let record = fields
                .get("record")
                .and_then(|record| record.get("requestId"));
            record.or_else(|| fields.get("requestId"))
        };
        return own.or_else(lambda)?.as_str().map(str::to_owned);
    }
    let (_, rest) = line.split_once("RequestId: ")?;
    rest.split_whitespace().next().map(str::to_owned)
}

/// The report that a function logged (`delivery_node::junit`).
fn report(line: &str) -> Option<TestReport> {
    if !line.contains("\"junit\"") {
        return None;
    }
    let fields = fields(line)?;
    let text = |name: &str| fields.get(name)?.as_str();
    Some(TestReport {
        path: text("path")?.to_owned(),
        xml: delivery_action::logging::redact(text("junit")?).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_tests_is_taken_from_its_entry() {
        let xml = "<testsuites>\n_authToken=npm_abc\n</testsuites>";
        let line = serde_json::json!({"message": "read the report", "path": "reports/a.xml", "junit": xml});
        let read = entry(1, "a", &line.to_string());
        let report = TestReport {
            path: "reports/a.xml".to_owned(),
            xml: "<testsuites>\n_authToken=[redacted]\n</testsuites>".to_owned(),
        };
        assert_eq!(read.report, Some(report));
        assert_eq!(read.lines, ["read the report"]);
        assert_eq!(
            entry(1, "a", r#"{"message":"the word \"junit\""}"#).report,
            None
        );
    }

    #[test]
    fn what_a_terminal_would_obey_does_not_come_out_of_a_log() {
        let line = r#"{"level":"INFO","message":"\u001b[2Jtest \u202eevil\u009b1A ##[error]x"}"#;
        assert_eq!(entry(1, "a", line).lines, ["test evil # #[error]x"]);
    }

    fn entry(at_ms: i64, stream: &str, message: &str) -> Entry {
        let event = FilteredLogEvent::builder()
            .event_id(at_ms.to_string())
            .timestamp(at_ms)
            .log_stream_name(stream)
            .message(message)
            .build();
        Entry::read(&event)
    }

    #[test]
    fn entries_without_an_id_are_told_apart_and_known_again() {
        let read = |count: usize| {
            let nameless = |at_ms| Entry {
                id: String::new(),
                ..entry(at_ms, "a", "the same line")
            };
            let mut entries: Vec<Entry> =
                [1, 1, 2, 2].into_iter().take(count).map(nameless).collect();
            identify(&mut entries);
            let ids: Vec<String> = entries.into_iter().map(|entry| entry.id).collect();
            ids
        };
        let all = read(4);
        assert_eq!(BTreeSet::from_iter(&all).len(), 4, "{all:?}");
        assert_eq!(read(3), all[..3]);
    }

    #[test]
    fn the_lines_of_all_invocations_are_kept_and_those_of_other_actions_are_not() {
        let entries = vec![
            entry(1, "a", "START RequestId: r-1 Version: 3"),
            entry(
                2,
                "b",
                r#"{"message":"foreign","span":{"request_id":"r-9"}}"#,
            ),
            entry(3, "a", "plain text of the first"),
            entry(4, "b", "plain text of the foreign one"),
            entry(
                5,
                "a",
                r#"{"message":"second","span":{"request_id":"r-2"}}"#,
            ),
            entry(6, "c", "nobody knows"),
        ];
        let others = BTreeSet::from(["r-9".to_owned()]);
        let kept: Vec<(Option<String>, Vec<String>)> = attributed(entries, &others)
            .into_iter()
            .map(|(request, entry)| (request, entry.lines))
            .collect();
        let line = |request: &str, text: &str| (Some(request.to_owned()), vec![text.to_owned()]);
        assert_eq!(
            kept,
            [
                (Some("r-1".to_owned()), vec![]),
                line("r-1", "plain text of the first"),
                line("r-2", "second"),
                (None, vec!["nobody knows".to_owned()]),
            ]
        );
    }
}
