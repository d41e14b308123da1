//! A line of `events.jsonl`: a message as `--json` prints it, and when it was.

use jiff::{Timestamp, Unit};
use serde::{Deserialize, Serialize};

use crate::message::RunMessage;
use crate::output::json::FORMAT_VERSION;

/// A message of a run, and when it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recorded {
    v: u8,
    /// RFC 3339, with milliseconds.
    at: String,
    /// What happened.
    #[serde(flatten)]
    pub(crate) message: RunMessage,
}

impl Recorded {
    pub(super) fn new(at: Timestamp, message: RunMessage) -> Self {
        Self {
            v: FORMAT_VERSION,
            at: at.round(Unit::Millisecond).unwrap_or(at).to_string(),
            message,
        }
    }

    /// Reads a line. `None` for half a line, which a killed run may leave, and for one of another version.
    pub(super) fn read(line: &str) -> Option<Self> {
        let read: Self = serde_json::from_str(line).ok()?;
        (read.v == FORMAT_VERSION && read.at().is_some()).then_some(read)
    }

    /// The line, its line feed included.
    pub(super) fn line(&self) -> String {
        let text = serde_json::to_string(self).expect("messages hold nothing that JSON cannot");
        format!("{text}\n")
    }

    /// When it was.
    pub(super) fn at(&self) -> Option<Timestamp> {
        self.at.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::run_examples;

    #[test]
    fn every_message_is_read_as_it_was_written() {
        for message in run_examples() {
            let written = Recorded::new(Timestamp::UNIX_EPOCH, message);
            assert_eq!(Recorded::read(&written.line()), Some(written));
        }
    }

    #[test]
    fn half_a_line_and_one_of_another_version_are_left_out() {
        assert_eq!(
            Recorded::read(r#"{"v":1,"at":"2026-11-28T04:15:00Z","ty"#),
            None
        );
        let line = r#"{"v":2,"at":"2026-11-28T04:15:00Z","type":"notice","message":"a"}"#;
        assert_eq!(Recorded::read(line), None);
        assert!(Recorded::read(&line.replace(r#""v":2"#, r#""v":1"#)).is_some());
    }
}
