//! What a short command answers: one JSON object, or text.

use schemars::JsonSchema;
use serde::Serialize;

use super::write_stdout;
use crate::event::FORMAT_VERSION;

/// An answer that is complete when it is printed.
pub(crate) trait Document: Serialize + JsonSchema {
    /// What `type` says of it.
    const TYPE: &'static str;

    /// The answer for people, its last line feed included. It is data too: it goes to standard output.
    fn text(&self) -> String;
}

#[derive(Serialize)]
struct Typed<'a, D> {
    v: u8,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    document: &'a D,
}

/// Prints an answer.
pub(crate) fn print<D: Document>(json: bool, document: &D) {
    write_stdout(&if json {
        line(document)
    } else {
        document.text()
    });
}

fn line<D: Document>(document: &D) -> String {
    let typed = Typed {
        v: FORMAT_VERSION,
        kind: D::TYPE,
        document,
    };
    let text = serde_json::to_string(&typed).expect("documents hold nothing that JSON cannot");
    format!("{text}\n")
}
