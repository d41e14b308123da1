//! One JSON object a line, each with the format's version and its type.

use serde::Serialize;

use crate::event::{Event, FORMAT_VERSION};

#[derive(Serialize)]
struct Line<'a> {
    v: u8,
    #[serde(flatten)]
    event: &'a Event,
}

/// The event as one line, its line feed included.
pub(crate) fn line(event: &Event) -> String {
    let line = Line {
        v: FORMAT_VERSION,
        event,
    };
    let text = serde_json::to_string(&line).expect("events hold nothing that JSON cannot");
    format!("{text}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::lines::tests::examples;

    #[test]
    fn every_event_is_one_json_line_with_version_and_type() {
        let lines: String = examples().iter().map(line).collect();
        insta::assert_snapshot!(lines);
    }
}
