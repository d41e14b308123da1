//! What a short command answers: one JSON object, or text.

use schemars::JsonSchema;
use serde::Serialize;

use super::{json, write_stdout};

/// An answer that is complete when it is printed.
pub(crate) trait CommandAnswer: Serialize + JsonSchema {
    /// What `type` says of it.
    const TYPE: &'static str;

    /// The answer for people, its last line feed included. It is data too: it goes to standard output.
    fn text(&self) -> String;
}

/// Prints an answer.
pub(crate) fn print<A: CommandAnswer>(as_json: bool, answer: &A) {
    write_stdout(&if as_json {
        json::line(Some(A::TYPE), answer)
    } else {
        answer.text()
    });
}
