//! What was printed when an action's command failed, by a test runner or by another program whose words say what helps:
//! CodePipeline's own action reports only which command it was.

use std::path::Path;

use delivery_node::project::Project;
use delivery_node::task::{failed_tests, printed_failure, shown_directory};

use crate::init::PYTHON_ENVIRONMENT;
use crate::message::Cause;

/// What begins the lines that CodeBuild itself writes, of which AWS's have a time before the words.
const CONTAINER: &str = "[Container] ";

/// Its words before each command.
const RUNNING: &str = "Running command ";

/// Its words before the folder of the source.
const SOURCE: &str = "CODEBUILD_SRC_DIR=";

/// What stands around the command in the reported message.
const COMMAND: &str = "Error while executing command: ";
const STATUS: &str = ". Reason: exit status ";

/// The folder that commands go to first; `.` where they stay in that of the source.
pub(super) fn folder(commands: &[String]) -> String {
    let folder = commands.first().and_then(|first| first.strip_prefix("cd "));
    let Some(folder) = folder else {
        return ".".to_owned();
    };
    // As `delivery` itself quotes it; what else a shell allows names no folder of this machine, and no place is shown.
    let quoted = folder
        .strip_prefix("'./")
        .and_then(|rest| rest.strip_suffix('\''));
    quoted.map_or_else(|| folder.to_owned(), |folder| folder.replace(r"'\''", "'"))
}

/// What pip says where a distribution's Python takes no packages, before more lines than are shown.
const MANAGED_PYTHON: &str = "error: externally-managed-environment";

const NO_PYTEST: &str = "No module named pytest";

/// What helps, where the output says it to those who know, or not in its last lines.
fn remedy(written: &str) -> Option<String> {
    if written.contains(MANAGED_PYTHON) {
        return Some(format!(
            "the machine's Python takes no packages: put a command such as `{PYTHON_ENVIRONMENT}` before it"
        ));
    }
    let needs_pytest = written.contains(NO_PYTEST);
    needs_pytest
        .then(|| "put a command such as `python3 -m pip install pytest` before it".to_owned())
}

/// Adds to a cause which tests failed, what the first of them says, where that is in the checkout, and how it is run by hand;
/// where the failed command ran no test runner that is known, what helps, if that is known. Says whether something was added.
pub(super) fn explain(cause: &mut Cause, log: &[String], folder: &str, checkout: &Path) -> bool {
    // Somebody may look from another folder: then the place is not known, and the rest is.
    let project = Project::open(checkout, folder).or_else(|_| Project::open(checkout, "."));
    let written = last_command(log);
    let failed = project
        .ok()
        .and_then(|project| printed_failure(&written, &project));
    let Some((report, failure)) = failed else {
        let remedy = remedy(&written);
        let is_found = remedy.is_some();
        cause.hint = cause.hint.take().or(remedy);
        return is_found;
    };
    cause.hint = cause.hint.take().or_else(|| {
        let command = command(&cause.message)?;
        Some(format!("run `{command}` in {}", shown_directory(folder)))
    });
    cause.name_tests(&failed_tests(&report));
    cause.test_says = failure.test_says;
    cause.location = failure.location;
    true
}

/// What the last command wrote, with the source's files by their names in it.
fn last_command(log: &[String]) -> String {
    let of_container = |line: &String, words: &str| {
        let line = line.strip_prefix(CONTAINER)?;
        Some(line.split_once(words)?.1.to_owned())
    };
    let source = log.iter().find_map(|line| of_container(line, SOURCE));
    let began = log
        .iter()
        .rposition(|line| of_container(line, RUNNING).is_some());
    let lines = log.iter().skip(began.map_or(0, |at| at + 1));
    let written: Vec<&str> = lines
        .filter(|line| !line.starts_with(CONTAINER))
        .map(String::as_str)
        .collect();
    let written = written.join("\n");
    match source {
        Some(source) => written.replace(&format!("{source}/"), ""),
        None => written,
    }
}

/// The command that failed, where it is one that can be shown in a line.
fn command(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once(COMMAND)?;
    let (command, _) = rest.rsplit_once(STATUS)?;
    (!command.contains(['\n', '`'])).then_some(command)
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    const MESSAGE: &str = "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: Error while \
                           executing command: python3 -m unittest. Reason: exit status 1";

    /// As CodeBuild writes it: its own lines have a time.
    const LOG: &str = r#"[Container] 2026/11/29 06:00:00.000001 CODEBUILD_SRC_DIR=/codebuild/output/src1/src/s3/00
[Container] 2026/11/29 06:00:00.000002 Running command npx mocha || true
  1 passing (5ms)
  1 failing
  1) of another command:
     Error: x
[Container] 2026/11/29 06:00:01.000001 Running command python3 -m unittest
F.
======================================================================
FAIL: test_greets (tests.test_a.Cart.test_greets)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "/codebuild/output/src1/src/s3/00/api/tests/test_a.py", line 12, in test_greets
    self.assertEqual(greet("Bob"), "Hello, Bob!")
AssertionError: 'Hallo, Bob!' != 'Hello, Bob!'
- Hallo, Bob!
+ Hello, Bob!
----------------------------------------------------------------------
Ran 2 tests in 0.001s
FAILED (failures=1)
[Container] 2026/11/29 06:00:02.000001 Command did not exit successfully python3 -m unittest exit status 1
"#;

    fn explained(log: &str, checkout: &Path) -> Cause {
        let mut cause = Cause::read("JobFailed", MESSAGE);
        let log: Vec<String> = log.lines().map(str::to_owned).collect();
        let is_added = explain(&mut cause, &log, "api", checkout);
        assert_eq!(is_added, cause.hint.is_some());
        cause
    }

    #[test]
    fn a_failed_test_is_named_with_what_it_says_and_where_it_is() {
        let checkout = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(checkout.path().join("api/tests")).unwrap();
        std::fs::write(checkout.path().join("api/tests/test_a.py"), "").unwrap();
        let cause = explained(LOG, checkout.path());
        assert_eq!(cause.counted_tests(), Some("1 of 2 tests failed"));
        assert_eq!(
            cause.failed_tests,
            ["test_greets (tests.test_a.Cart.test_greets)"]
        );
        assert_eq!(
            cause.test_says,
            [
                "AssertionError: 'Hallo, Bob!' != 'Hello, Bob!'",
                "- Hallo, Bob!",
                "+ Hello, Bob!"
            ]
        );
        assert_eq!(cause.location.as_deref(), Some("api/tests/test_a.py:12"));
        assert_eq!(
            cause.reproduction(),
            Some("run `python3 -m unittest` in `api`")
        );
        assert!(cause.message.ends_with(MESSAGE), "{}", cause.message);
    }

    #[test]
    fn without_the_checkout_there_is_no_place() {
        let empty = tempfile::tempdir().unwrap();
        let cause = explained(LOG, empty.path());
        assert_eq!(cause.failed_tests.len(), 1);
        assert_eq!(cause.location, None);
    }

    #[test]
    fn a_command_that_ran_no_test_is_left_as_it_is() {
        let (log, _) = LOG.split_once("F.").unwrap();
        let checkout = tempfile::tempdir().unwrap();
        let cause = explained(log, checkout.path());
        assert_eq!(cause, Cause::read("JobFailed", MESSAGE));
    }

    #[test_case("error: externally-managed-environment\n\n× This environment is externally managed\n", "the machine's Python takes no packages: "; "a distribution's Python")]
    #[test_case("/usr/bin/python3: No module named pytest\n", "put a command such as `python3 -m pip install pytest`"; "no pytest")]
    fn what_helps_is_said(written: &str, expected: &str) {
        let (log, _) = LOG.split_once("F.").unwrap();
        let checkout = tempfile::tempdir().unwrap();
        let cause = explained(&format!("{log}{written}"), checkout.path());
        let advice = cause.advice().unwrap();
        assert!(advice.starts_with(expected), "{advice}");
    }

    #[test_case(&[], "."; "no command")]
    #[test_case(&["make"], "."; "the folder of the source")]
    #[test_case(&["cd api", "make"], "api"; "a folder")]
    #[test_case(&["cd './it'\\''s here'", "make"], "it's here"; "a quoted folder")]
    fn commands_go_to_their_folder_first(commands: &[&str], expected: &str) {
        let commands: Vec<String> = commands.iter().map(|&one| one.to_owned()).collect();
        assert_eq!(folder(&commands), expected);
    }

    #[test_case(MESSAGE, Some("python3 -m unittest"))]
    #[test_case("Error while executing command: a\nb. Reason: exit status 1", None; "several lines")]
    #[test_case("Error while executing command: a `b`. Reason: exit status 1", None; "what cannot be quoted")]
    #[test_case("Build terminated with state: TIMED_OUT", None; "another end")]
    fn the_command_is_read_out_of_the_message(message: &str, expected: Option<&str>) {
        assert_eq!(command(message), expected);
    }
}
