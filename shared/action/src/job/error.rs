//! What can be wrong with a job before its action runs: the event, or the number of its artifacts.

use crate::failure::{ActionError, FailureType};

use super::{Artifact, EVENT_KEY};

/// The action is configured with the wrong number of artifacts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the action takes {} but has {}", count(*.expected, .side), names(.found))]
pub struct ArtifactCountError {
    side: &'static str,
    expected: usize,
    found: Vec<String>,
}

impl ArtifactCountError {
    pub(super) fn new(side: &'static str, expected: usize, found: &[Artifact]) -> Self {
        let found = found.iter().map(|artifact| artifact.name.clone()).collect();
        Self {
            side,
            expected,
            found,
        }
    }
}

impl ActionError for ArtifactCountError {
    fn failure_type(&self) -> FailureType {
        FailureType::ConfigurationError
    }

    fn hint(&self) -> Option<String> {
        let count = count(self.expected, self.side);
        Some(format!(
            "declare {count} for the action in the pipeline (`InputArtifacts` or `OutputArtifacts`)"
        ))
    }
}

/// `1 input artifact`
fn count(expected: usize, side: &str) -> String {
    match expected {
        0 => format!("no {side} artifact"),
        1 => format!("1 {side} artifact"),
        more => format!("{more} {side} artifacts"),
    }
}

fn names(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("{} ({})", names.len(), quoted.join(", "))
}

/// The event is not one that CodePipeline sends.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// Something else invoked the function.
    #[error("the event has no `{EVENT_KEY}`")]
    NotAJob,
    /// The event names another function.
    #[error("the event is for a different function than `{own}`")]
    OtherFunction {
        /// This function.
        own: String,
    },
    /// It cannot be parsed: nested too deeply, or not JSON.
    #[error("the event cannot be read: {reason} (line {line}, column {column})")]
    Unreadable {
        /// The parser's error.
        reason: &'static str,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A value that cannot be put into a request to AWS.
    #[error("the event has an invalid `{field}`: expected {expected}")]
    Value {
        /// Its position. Never the value, which may be a credential.
        field: &'static str,
        /// What is expected.
        expected: &'static str,
    },
    /// A part that every job has is missing or of another type.
    #[error("the event's `{EVENT_KEY}` cannot be read: {expected}")]
    Shape {
        /// What was expected; never what was found, which may be a credential.
        expected: String,
    },
}

impl EventError {
    /// Converts a parser's error.
    pub(crate) fn unreadable(error: &serde_json::Error) -> Self {
        let reason = if error.to_string().starts_with("recursion limit exceeded") {
            "it is nested too deeply"
        } else {
            "it is not valid JSON"
        };
        Self::Unreadable {
            reason,
            line: error.line(),
            column: error.column(),
        }
    }

    pub(super) fn shape(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        // The last occurrence: the message may quote the value, which may contain the word, before it.
        let expected = match text.rfind("expected ") {
            Some(at) => &text[at..],
            None if text.starts_with("missing field") => &text,
            None => "a part of it has another type",
        };
        Self::Shape {
            expected: expected.to_owned(),
        }
    }
}

impl ActionError for EventError {
    fn failure_type(&self) -> FailureType {
        FailureType::ConfigurationError
    }

    fn hint(&self) -> Option<String> {
        Some("invoke this function as a Lambda action of CodePipeline, not by hand".to_owned())
    }
}
