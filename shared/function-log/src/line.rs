//! A logged event as a person reads it.

use std::borrow::Cow;

use delivery_action::logging::redact;
use serde_json::{Map, Value};

/// What begins the lines that Lambda itself writes about each invocation.
const BOOKKEEPING: [&str; 4] = [
    "START RequestId",
    "END RequestId",
    "REPORT RequestId",
    "INIT_START",
];

/// The lines of an event without secrets: of a structured one its message, with its level where that matters. Lambda's own
/// bookkeeping has none.
#[must_use]
pub fn lines(message: &str) -> Vec<String> {
    let readable = message.lines().filter_map(readable);
    // A structured line's message may have several lines; each is quoted on its own.
    readable
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// The fields of a structured line.
#[must_use]
pub fn fields(line: &str) -> Option<Map<String, Value>> {
    match serde_json::from_str(line.trim()) {
        Ok(Value::Object(fields)) => Some(fields),
        _ => None,
    }
}

fn readable(line: &str) -> Option<String> {
    let line = line.trim_end();
    if line.is_empty() || BOOKKEEPING.iter().any(|prefix| line.starts_with(prefix)) {
        return None;
    }
    let fields = fields(line);
    let text = |name: &str| fields.as_ref()?.get(name)?.as_str();
    let said = match (text("message"), text("level")) {
        (None, _) => Cow::Borrowed(line),
        (Some(message), Some(level @ ("WARN" | "ERROR"))) => {
            Cow::Owned(format!("{level} {message}"))
        }
        (Some(message), _) => Cow::Borrowed(message),
    };
    Some(redact(&said).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structured_lines_are_read_by_their_message() {
        let line = r#"{"timestamp":"2026-11-21T05:00:00Z","level":"INFO","message":"1 failing"}"#;
        assert_eq!(lines(line), ["1 failing"]);
        let line = r#"{"level":"ERROR","message":"no `gulpfile.js`\nin ."}"#;
        assert_eq!(lines(line), ["ERROR no `gulpfile.js`", "in ."]);
    }

    #[test]
    fn other_lines_stay_and_bookkeeping_goes() {
        assert_eq!(lines("  plain text \nmore"), ["  plain text", "more"]);
        assert_eq!(lines("REPORT RequestId: 1 Duration: 2 ms"), [""; 0]);
        assert_eq!(lines(r#"{"a":1}"#), [r#"{"a":1}"#]);
    }

    #[test]
    fn secrets_do_not_come_out_of_a_log() {
        assert_eq!(lines("key AKIAIOSFODNN7EXAMPLE"), ["key [redacted]"]);
        assert_eq!(
            lines(r#"{"level":"INFO","message":"_authToken=npm_abc"}"#),
            ["_authToken=[redacted]"]
        );
    }
}
