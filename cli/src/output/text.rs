//! Messages as text for people.

mod failure;
mod log;
mod run;
mod stack;

use crate::message::Message;
use crate::output::style::{BAD, DIM, GOOD, ID, WAITING};

pub(crate) use failure::untouched;
pub(crate) use run::{action_line, short_summary};

/// As many characters of an id or a commit as tell one from another.
const SHORT_ID: usize = 8;

/// The message for people; `None` where it tells them nothing new. `execution` names the execution of an
/// action, where there are several at the same time.
pub(crate) fn text(message: &Message, execution: Option<&str>) -> Option<String> {
    match message {
        Message::Run(message) => run::line(message, execution),
        Message::Stack(message) => stack::line(message),
        Message::Log(line) => Some(log::line(line)),
    }
}

/// Symbol and word, so that colour is never the only sign.
pub(crate) fn mark(status: &str) -> String {
    let (symbol, style) = match status {
        "Succeeded" => ("✓", GOOD),
        "Failed" | "Abandoned" => ("✗", BAD),
        "Superseded" | "Cancelled" => ("⊘", WAITING),
        "Stopped" | "Stopping" => ("■", WAITING),
        "InProgress" => ("•", ID),
        _ => ("·", DIM),
    };
    format!("{style}{symbol} {status:<11}{style:#}")
}

/// The beginning of an id, enough to tell it from others.
pub(crate) fn short(id: &str) -> &str {
    let end = id
        .char_indices()
        .nth(SHORT_ID)
        .map_or(id.len(), |(end, _)| end);
    &id[..end]
}

/// A duration as a person reads it: `0.4 s`, `12.0 s`, `2 m 05 s`.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    format!(
        "{} m {:02} s",
        (seconds / 60.0).floor(),
        (seconds % 60.0).floor()
    )
}

/// Says that something still goes on.
fn heartbeat(what: &str, seconds: f64, running: &[String]) -> String {
    let running = if running.is_empty() {
        "waiting".to_owned()
    } else {
        running.join(", ")
    };
    format!("{DIM}… {what} {}: {running}{DIM:#}", duration(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_id_of_any_script_is_cut_between_characters() {
        assert_eq!(short("äöüäöüäöüäöü"), "äöüäöüäö");
        assert_eq!(short("abc"), "abc");
    }
}
