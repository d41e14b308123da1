//! What an action reported of its failure, taken apart: the reverse of [`delivery_action::failure::Failure::message`].

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
        Self {
            kind: kind.to_owned(),
            failed_tests: failed_tests(cause),
            message: cause.to_owned(),
            hint,
            output,
            log,
        }
    }
}

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
            hint: failure.hint,
            output: vec!["  1 failing".to_owned(), "::error::x".to_owned()],
            failed_tests: vec!["greets: hallo".to_owned(), "b, c".to_owned()],
            log: Some("/aws/lambda/x stream".to_owned()),
        };
        assert_eq!(cause, expected);
    }

    #[test]
    fn a_message_of_another_form_is_all_message() {
        let cause = Cause::read("ConfigurationError", "the function does not exist");
        assert_eq!(cause.message, "the function does not exist");
        assert_eq!((cause.hint, cause.log), (None, None));
        assert!(cause.output.is_empty());
    }
}
