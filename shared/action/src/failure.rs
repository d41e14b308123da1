//! Failures as reported to CodePipeline: a failure type, and a message that says what happened, where, and what to do
//! next.
//!
//! An error's `Display` never repeats its source; [`Failure::new`] is the one place that walks the chain. If a
//! message is too long, the output is truncated, not the cause or the hint.

use std::error::Error;
use std::fmt::Write as _;

use crate::logging::redact;
use crate::text;

mod job_error;

pub use job_error::JobError;

/// Longest `failureDetails.message`, in characters (`API_FailureDetails`: "Maximum length of 5000"). AWS does not
/// document what counts as a character. Lengths are measured in UTF-16 code units, which are never fewer than code
/// points, so a message fits either way.
pub const MAX_MESSAGE_CHARS: usize = 5_000;

/// Longest hint that is not truncated; hints are far shorter.
const MAX_HINT_CHARS: usize = 1_000;

/// Longest cause that is not truncated, so that there is always room for hint, output and log.
const MAX_CAUSE_CHARS: usize = 2_000;

/// The classes of failure that CodePipeline knows (`API_FailureDetails`, `type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureType {
    /// The work itself failed: a test, a build, a deployment.
    JobFailed,
    /// The pipeline's or the application's configuration has to change.
    ConfigurationError,
    /// A role lacks a permission.
    PermissionError,
    /// Something else changed the target in the meantime.
    RevisionOutOfSync,
    /// An artifact is missing or not the expected one.
    RevisionUnavailable,
    /// A service did not answer, or not in time; retrying may help.
    SystemUnavailable,
}

/// An error that can be reported as a job's failure.
pub trait ActionError: Error + Send + Sync + 'static {
    /// CodePipeline's class of the failure.
    fn failure_type(&self) -> FailureType;

    /// What to do next, in the imperative: the permission, parameter or command to change.
    fn hint(&self) -> Option<String> {
        None
    }

    /// The output of a failed child process; the message contains its last lines.
    fn output(&self) -> Option<&str> {
        None
    }
}

/// A failure ready to be reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// CodePipeline's class of the failure.
    pub failure_type: FailureType,
    /// What happened and where: the error and its sources.
    pub cause: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The output of a failed child process.
    pub output: Option<String>,
}

impl Failure {
    /// Renders an error and all its sources.
    #[must_use]
    pub fn new(error: &dyn ActionError) -> Self {
        Self {
            failure_type: error.failure_type(),
            cause: chain(error),
            hint: error.hint(),
            output: error
                .output()
                .map(str::to_owned)
                .filter(|text| !text.trim().is_empty()),
        }
    }

    /// The message for CodePipeline: cause, hint, last lines of output, and the location of the log, without secrets
    /// and terminal codes, within [`MAX_MESSAGE_CHARS`]. If it is too long, the beginning of the output is left out.
    #[must_use]
    pub fn message(&self, log: &str) -> String {
        let mut message = cut_end(&self.cause, MAX_CAUSE_CHARS);
        if let Some(hint) = &self.hint {
            let _infallible = write!(message, "\nhint: {}", cut_end(hint, MAX_HINT_CHARS));
        }
        let tail = format!("\nlog: {}", cut_end(log, MAX_HINT_CHARS));
        if let Some(output) = &self.output {
            const TITLE: &str = "\nlast lines of output:\n";
            let used = length(&message) + length(&tail) + length(TITLE);
            message.push_str(TITLE);
            message.push_str(&last_lines(output, MAX_MESSAGE_CHARS.saturating_sub(used)));
        }
        message.push_str(&tail);
        message
    }
}

/// An error with all its sources, joined by `: `. A source whose text is already contained is left out.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !cause_text.is_empty() && !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// Untrusted text without secrets and terminal codes, truncated to `limit` characters with a mark at its end.
///
/// Truncation comes last: a truncated secret would not be recognised, and the replacement for a secret may be longer
/// than the secret, so the text may grow before.
#[must_use]
pub fn cut_end(text: &str, limit: usize) -> String {
    let text = shown(text);
    if length(&text) <= limit {
        return text;
    }
    let mut room = limit.saturating_sub(1);
    let fits = |character: &char| {
        let length = character.len_utf16();
        let fits = length <= room;
        room = room.saturating_sub(length);
        fits
    };
    let mut cut: String = text.chars().take_while(fits).collect();
    cut.push('…');
    cut
}

/// The last `limit` characters of a text, from the start of a line if possible.
fn last_lines(text: &str, limit: usize) -> String {
    let text = shown(text);
    let text = text.trim_end();
    if length(text) <= limit {
        return text.to_owned();
    }
    let mut room = limit.saturating_sub("…\n".chars().count());
    let mut start = text.len();
    for (at, character) in text.char_indices().rev() {
        let Some(left) = room.checked_sub(character.len_utf16()) else {
            break;
        };
        (room, start) = (left, at);
    }
    let tail = &text[start..];
    let whole_lines = tail.split_once('\n').map_or("", |(_, rest)| rest);
    format!(
        "…\n{}",
        if whole_lines.is_empty() {
            tail
        } else {
            whole_lines
        }
    )
}

fn shown(text: &str) -> String {
    redact(&text::plain(text)).into_owned()
}

/// The length of a text as counted for CodePipeline's limits; see [`MAX_MESSAGE_CHARS`].
pub(crate) fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(output: &str) -> Failure {
        Failure {
            failure_type: FailureType::JobFailed,
            cause: "`npm test` ended with exit code 1".to_owned(),
            hint: Some("run `npm test` in the project".to_owned()),
            output: Some(output.to_owned()),
        }
    }

    #[test]
    fn a_message_holds_cause_hint_output_and_log() {
        assert_eq!(
            failure("1 failing\n").message("/aws/lambda/x"),
            "`npm test` ended with exit code 1\nhint: run `npm test` in the project\n\
             last lines of output:\n1 failing\nlog: /aws/lambda/x"
        );
    }

    #[test]
    fn a_long_output_loses_its_first_lines_and_nothing_else() {
        let output = (0..2_000).fold(String::new(), |text, n| text + &format!("line {n}\n"));
        let message = failure(&output).message("the-log");
        assert!(message.chars().count() <= MAX_MESSAGE_CHARS);
        assert!(message.starts_with("`npm test` ended with exit code 1\nhint: run"));
        assert!(message.ends_with("line 1999\nlog: the-log"));
        assert!(message.contains("last lines of output:\n…\nline "));
    }

    #[test]
    fn one_endless_line_is_cut_at_its_beginning() {
        let message = failure(&"ü".repeat(9_000)).message("the-log");
        assert_eq!(message.chars().count(), MAX_MESSAGE_CHARS);
        assert!(message.ends_with("ü\nlog: the-log"));
    }
    #[test]
    fn what_stands_for_a_secret_may_be_longer_than_it() {
        let _secrets = crate::logging::Secrets::hide(["8-chars!", "9-chars!!"]);
        for output in ["8-chars!\n".repeat(2_000), "x9-chars!!".repeat(2_000)] {
            let message = failure(&output).message("the-log");
            assert!(
                length(&message) <= MAX_MESSAGE_CHARS,
                "{}",
                length(&message)
            );
            assert!(
                message.contains("[redacted]") && !message.contains("chars!"),
                "{message}"
            );
            assert!(message.ends_with("\nlog: the-log"));
        }
    }

    #[test]
    fn a_message_fits_whatever_a_character_is() {
        let failure = Failure {
            cause: "😀".repeat(9_000),
            ..failure(&"𝔛\u{1b}[2J".repeat(9_000))
        };
        let message = failure.message(&"😀".repeat(9_000));
        assert!(message.encode_utf16().count() <= MAX_MESSAGE_CHARS);
        assert!(message.contains("…\nhint: run") && message.contains("…\n𝔛𝔛"));
    }
}
