//! What an action reported of its failure, taken apart: the reverse of [`delivery_action::failure::Failure::message`].

use delivery_node::task::{REPRODUCE, TaskFailure};

use crate::message::Cause;
use crate::output::foreign;

/// What begins the hint.
const HINT: &str = "\nhint: ";

/// What begins the last lines of the failed program.
const OUTPUT: &str = "\nlast lines of output:\n";

/// What begins the place of the log, which ends the message.
const LOG: &str = "\nlog: ";

/// What stands between the number of failed tests and their names.
const FAILED_TESTS: &str = " tests failed: ";

impl Cause {
    /// Takes a message apart. What is not written in that form is all message: other actions than those of
    /// this product fail, too.
    pub(crate) fn read(kind: &str, message: &str) -> Self {
        let message = foreign::text(message);
        let (rest, log) = match message.rsplit_once(LOG) {
            Some((rest, log)) if !log.contains('\n') => (rest, Some(log.to_owned())),
            _ => (message.as_str(), None),
        };
        let (rest, output) = match rest.split_once(OUTPUT) {
            Some((rest, output)) => (rest, output.lines().map(str::to_owned).collect()),
            None => (rest, Vec::new()),
        };
        let (cause, hint) = match rest.split_once(HINT) {
            Some((cause, hint)) => (cause, Some(hint.to_owned())),
            None => (rest, None),
        };
        let (cause, failure) = TaskFailure::split_from(cause);
        Self {
            kind: kind.to_owned(),
            failed_tests: failed_tests(cause),
            message: cause.to_owned(),
            test_says: failure.test_says,
            location: failure.location,
            hint,
            output,
            log,
            application_log: failure.application_log,
        }
    }

    /// Adds the tests that failed, in the words of [`delivery_node::task::failed_tests`], to a message that does not name them.
    pub(super) fn name_tests(&mut self, failed: &str) {
        let failed = foreign::line(failed);
        self.message = format!("{failed}: {}", self.message);
        self.failed_tests = failed_tests(&failed);
    }

    /// How many tests failed: `1 of 2 tests failed`.
    pub(crate) fn counted_tests(&self) -> Option<&str> {
        let message = &self.message;
        let end = message.find(FAILED_TESTS)? + FAILED_TESTS.trim_end_matches(": ").len();
        let begin = message[..end].rfind(": ").map_or(0, |at| at + 2);
        Some(&message[begin..end])
    }

    /// How to let it fail by hand.
    pub(crate) fn reproduction(&self) -> Option<&str> {
        let hint = self.hint.as_deref()?;
        let by_hand = hint
            .split_once(REPRODUCE)
            .map_or(hint, |(_, by_hand)| by_hand);
        let (_, place) = by_hand.strip_prefix("run `")?.split_once("` in ")?;
        (place == PROJECT || place.starts_with('`')).then_some(by_hand)
    }

    /// What the hint says besides.
    pub(crate) fn advice(&self) -> Option<&str> {
        let hint = self.hint.as_deref()?;
        match (hint.split_once(REPRODUCE), self.reproduction()) {
            (Some((advice, _)), Some(_)) => Some(advice),
            (None, Some(_)) => None,
            (_, None) => Some(hint),
        }
    }
}

/// Where a task is run by hand, if not in a folder below ([`delivery_node::task::TaskError`]).
const PROJECT: &str = "the project's directory";

/// The names in backticks behind [`FAILED_TESTS`]: `` `a`, `b` and 3 more ``.
fn failed_tests(cause: &str) -> Vec<String> {
    let Some((_, mut rest)) = cause.split_once(FAILED_TESTS) else {
        return Vec::new();
    };
    let mut names = Vec::new();
    while let Some((name, after)) = rest.strip_prefix('`').and_then(|rest| rest.split_once('`')) {
        names.push(name.to_owned());
        rest = after.strip_prefix(", ").unwrap_or_default();
    }
    names
}

#[cfg(test)]
mod tests {
    use delivery_action::failure::{Failure, FailureType};
    use delivery_action::process::ProcessError;
    use delivery_node::junit::Report;
    use delivery_node::task::{Runner, TaskError};

    use super::*;

    #[test]
    fn a_message_is_taken_apart_as_it_was_put_together() {
        let failure = Failure {
            failure_type: FailureType::JobFailed,
            cause: "the npm task `package` failed: 2 of 14 tests failed: `greets: hallo`, `b, c` and 1 more"
                .to_owned(),
            hint: Some("run `npm run package`".to_owned()),
            output: Some("  1 failing\n::error::x\u{1b}[2J".to_owned()),
        };
        let cause = Cause::read("JobFailed", &failure.message("/aws/lambda/x stream"));
        let expected = Cause {
            kind: "JobFailed".to_owned(),
            message: failure.cause,
            test_says: Vec::new(),
            location: None,
            hint: failure.hint,
            output: vec!["  1 failing".to_owned(), "::error::x".to_owned()],
            failed_tests: vec!["greets: hallo".to_owned(), "b, c".to_owned()],
            log: Some("/aws/lambda/x stream".to_owned()),
            application_log: Vec::new(),
        };
        assert_eq!(cause, expected);
        assert_eq!(cause.counted_tests(), Some("2 of 14 tests failed"));
    }

    #[test]
    fn what_the_test_says_and_where_is_read_out_of_the_cause() {
        let ended = ProcessError::Exit {
            command: "npm run package".to_owned(),
            code: 1,
            output: "1 failing".to_owned(),
        };
        let report = Report {
            files: 1,
            tests: 2,
            failed: 2,
            failed_names: vec!["returns `null`".to_owned(), "greets".to_owned()],
            ..Report::default()
        };
        let failure = TaskFailure {
            test_says: vec!["+ 'Hallo'".to_owned(), "- 'Hello'".to_owned()],
            location: Some("test/a.test.js:9".to_owned()),
            application_log: vec!["Error: boom".to_owned()],
        };
        let error = TaskError::Failed {
            task: "package".to_owned(),
            runner: Runner::Npm,
            directory: "services/hooks".to_owned(),
            report: Some(Box::new(report)),
            failure: Box::new(failure.clone()),
            advice: Some("add memory".to_owned()),
            ended,
        };
        let message = Failure::new(&error).message("/aws/lambda/x stream");
        let cause = Cause::read("JobFailed", &message);
        assert_eq!(cause.test_says, failure.test_says);
        assert_eq!(cause.location, failure.location);
        assert_eq!(cause.application_log, failure.application_log);
        assert_eq!(
            cause.message,
            "the npm task `package` failed: 2 of 2 tests failed: `returns 'null'`, `greets`: `npm run package` ended with exit code 1"
        );
        assert_eq!(cause.failed_tests, ["returns 'null'", "greets"]);
        assert_eq!(cause.counted_tests(), Some("2 of 2 tests failed"));
        assert_eq!(cause.advice(), Some("add memory"));
        assert_eq!(
            cause.reproduction(),
            Some("run `npm run package` in `services/hooks`")
        );
        assert!(cause.output.is_empty(), "{cause:?}");
    }

    #[test]
    fn a_message_of_another_form_is_all_message() {
        let cause = Cause::read("ConfigurationError", "the function does not exist");
        assert_eq!(cause.message, "the function does not exist");
        assert_eq!((cause.hint, cause.log), (None, None));
        assert!(cause.output.is_empty());
    }
}
