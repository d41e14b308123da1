//! One JSON object a line, each with the format's version and its type.

use serde::Serialize;

/// The version of the JSON lines; a change that breaks a reader raises it.
pub(crate) const FORMAT_VERSION: u8 = 1;

#[derive(Serialize)]
struct Line<'a, T> {
    v: u8,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(flatten)]
    value: &'a T,
}

/// The value as one line, its line feed included. `kind` is its `type`, where it has none of its own.
pub(crate) fn line<T: Serialize>(kind: Option<&'static str>, value: &T) -> String {
    let line = Line {
        v: FORMAT_VERSION,
        kind,
        value,
    };
    let text =
        serde_json::to_string(&line).expect("what is printed holds nothing that JSON cannot");
    format!("{text}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::run_examples;

    #[test]
    fn every_message_is_one_json_line_with_version_and_type() {
        let lines: String = run_examples()
            .iter()
            .map(|message| line(None, message))
            .collect();
        insta::assert_snapshot!(lines);
    }
}
