//! Why an action failed, as CodePipeline is told: a failure type, and a message that says what
//! happened, where, and what to do next.
//!
//! An error's `Display` never repeats its source; [`Failure::new`] is the one place that walks the
//! chain. Whatever has to be cut to fit, the cause and the hint are not.

use std::error::Error;
use std::fmt::Write as _;

/// Longest `failureDetails.message`, in characters
/// (`API_FailureDetails`: "Maximum length of 5000").
pub const MAX_MESSAGE_CHARS: usize = 5_000;

/// Longest hint that is kept whole: no hint of ours is near it, so a longer one is a mistake.
const MAX_HINT_CHARS: usize = 1_000;

/// Longest cause that is kept whole, so that hint, output and log always have room beside it.
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
    /// Someone else changed the target meanwhile.
    RevisionOutOfSync,
    /// An artifact cannot be had.
    RevisionUnavailable,
    /// A service did not answer, or not in time: trying again may help.
    SystemUnavailable,
}

/// An error that can be reported as a job's failure.
pub trait ActionError: Error + Send + Sync + 'static {
    /// How the pipeline classes it.
    fn failure_type(&self) -> FailureType;

    /// What to do next, in the imperative: the permission, parameter or command to change.
    fn hint(&self) -> Option<String> {
        None
    }

    /// The last lines of a failed child's output.
    fn output(&self) -> Option<&str> {
        None
    }
}

/// A failure ready to be reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How the pipeline classes it.
    pub failure_type: FailureType,
    /// What happened and where: the error and its sources, one line.
    pub cause: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The last lines of a failed child's output.
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

    /// The message for CodePipeline: cause, hint, last output, and where the whole log is, within
    /// [`MAX_MESSAGE_CHARS`]. What is cut is the beginning of the output.
    #[must_use]
    pub fn message(&self, log: &str) -> String {
        let mut message = cut_end(&self.cause, MAX_CAUSE_CHARS);
        if let Some(hint) = &self.hint {
            let _infallible = write!(message, "\nhint: {}", cut_end(hint, MAX_HINT_CHARS));
        }
        let tail = format!("\nlog: {}", cut_end(log, MAX_HINT_CHARS));
        if let Some(output) = &self.output {
            const TITLE: &str = "\nlast lines of output:\n";
            let used = message.chars().count() + tail.chars().count() + TITLE.chars().count();
            message.push_str(TITLE);
            message.push_str(&last_lines(
                output.trim_end(),
                MAX_MESSAGE_CHARS.saturating_sub(used),
            ));
        }
        message.push_str(&tail);
        message
    }
}

/// An error with all its sources, joined by `: `; a source that only repeats what was said is left
/// out.
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

/// At most `limit` characters of `text`, its end cut and marked.
pub(crate) fn cut_end(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(limit.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// At most `limit` characters from the end of `text`, beginning with a whole line where one fits.
fn last_lines(text: &str, limit: usize) -> String {
    let count = text.chars().count();
    if count <= limit {
        return text.to_owned();
    }
    let tail: String = text.chars().skip(count - limit.saturating_sub(2)).collect();
    let whole_lines = tail.split_once('\n').map_or("", |(_, rest)| rest);
    let kept = if whole_lines.is_empty() {
        &tail
    } else {
        whole_lines
    };
    format!("…\n{kept}")
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
}
