//! What a person needs first of a task that failed: what the first failed test says, and where in the project that is.
//!
//! It is a part of the failure's message, the only thing that CodePipeline carries, and can be read out of it again.

use std::sync::LazyLock;

use delivery_action::failure::cut_end;
use delivery_action::text::{one_line, plain};
use regex_lite::Regex;

use super::place;
use crate::junit::{FailedTest, Report};
use crate::project::Project;

/// Most lines of what a test says: with everything else about a failure they fit a terminal of 25 lines.
const MAX_LINES: usize = 8;

/// Longest of these lines, in characters: one that is much wider than a terminal takes the room of several.
const MAX_LINE_CHARS: usize = 100;

/// What begins the lines of the test.
const SAYS: &str = "\nthe test says:";

/// What begins each of these lines, so that none is mistaken for a part of the message.
const INDENT: &str = "\n  ";

/// What begins the location.
const LOCATION: &str = "\nlocation: ";

/// What begins the lines of the application.
const APPLICATION_LOG: &str = "\nthe application's own log:";

/// What Node.js's own reporter writes before the message of a test's error.
const NODE_WRAPPER: &str = "Error [ERR_TEST_FAILURE]: ";

/// What follows the message there: the stack, or without one the error's properties.
const STACK: &str = "at ";
const PROPERTIES: &str = "] {";

/// How pytest begins the lines that say what was wrong.
const PYTEST_ERROR: &str = "E  ";

/// How Python begins the frames of an error, whose lines are indented.
const TRACEBACK: &str = "Traceback (most recent call last):";
const TRACEBACK_INDENT: &str = "  ";

/// What Node.js says of a test file that ended with an exit code; why is only in the output.
pub(super) const OF_A_FILE: &str = "test failed";

/// How Node.js begins an error that nobody caught: `SyntaxError: ...`, `Error [ERR_MODULE_NOT_FOUND]: ...`.
static UNCAUGHT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\w*Error( \[\w+\])?: ").expect("a valid pattern"));

/// What begins each line that a test file wrote, in what `node --test` prints as TAP.
const TAP_COMMENT: &str = "# ";

/// A line of a stack: `at f (test/a.test.js:9:12)`, `❯ src/a.test.ts:5:13`.
static FRAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\s*(at|❯) .*:\d+\)?\s*$").expect("a valid pattern"));

/// What a task's failure says first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFailure {
    /// What the first failed test says; empty where no report has one.
    pub test_says: Vec<String>,
    /// Where it failed: `FILE:LINE` below the source.
    pub location: Option<String>,
    /// What the application under test logged meanwhile; see [`TaskFailure::add_application_log`].
    pub application_log: Vec<String>,
}

impl TaskFailure {
    /// Adds what the application under test logged while the task ran, in few lines.
    pub fn add_application_log(&mut self, lines: &[String]) {
        let shown = lines
            .iter()
            .map(|line| cut_end(&one_line(line), MAX_LINE_CHARS));
        self.application_log.extend(shown);
    }

    /// From the reports, or where they have no failed test, from the output.
    pub(super) fn of(report: Option<&Report>, output: Option<&str>, project: &Project) -> Self {
        let first_failed = report.and_then(|report| report.first_failed.as_ref());
        if let Some(test) = first_failed.filter(|test| test.message.trim() != OF_A_FILE) {
            return Self::of_test(test, project);
        }
        let output = output.unwrap_or_default();
        let said = report.map_or_else(Vec::new, |_| uncaught(output));
        let said = said.into_iter().take(MAX_LINES);
        Self {
            test_says: said.map(|line| cut_end(line, MAX_LINE_CHARS)).collect(),
            location: place::first(output, project),
            application_log: Vec::new(),
        }
    }

    fn of_test(failed: &FailedTest, project: &Project) -> Self {
        let text = plain(&failed.text);
        let stack = text.lines().position(|line| FRAME.is_match(line));
        let from_stack = text.lines().skip(stack.unwrap_or_default());
        let from_stack = from_stack.collect::<Vec<_>>().join("\n");
        // Where it was raised: Python shows the newest frame last, the others show it first.
        let location = if is_of_python(&from_stack) {
            place::last(&from_stack, project)
        } else {
            place::first(&from_stack, project)
        };
        let root = format!("{}/", project.source().display());
        let shown = |line: &str| {
            let line = line.replace(&format!("file://{root}"), "");
            cut_end(line.replace(&root, "").trim_end(), MAX_LINE_CHARS)
        };
        Self {
            test_says: shortened(said(&text, &plain(&failed.message)))
                .into_iter()
                .map(shown)
                .collect(),
            location,
            application_log: Vec::new(),
        }
    }

    /// Takes a cause apart: the cause alone, and what was added to it.
    #[must_use]
    pub fn split_from(cause: &str) -> (&str, Self) {
        // From the end: each part is recognised by what begins it, and the lines of a test and of the application are indented.
        let (rest, application_log) = match cause.split_once(APPLICATION_LOG) {
            Some((rest, lines)) if lines.starts_with(INDENT) => (rest, indented(lines)),
            _ => (cause, Vec::new()),
        };
        let (rest, location) = match rest.rsplit_once(LOCATION) {
            Some((rest, location)) if !location.contains('\n') => (rest, Some(location.to_owned())),
            _ => (rest, None),
        };
        let (rest, test_says) = match rest.split_once(SAYS) {
            Some((rest, says)) => (rest, indented(says)),
            None => (rest, Vec::new()),
        };
        (
            rest,
            Self {
                test_says,
                location,
                application_log,
            },
        )
    }
}

fn indented(lines: &str) -> Vec<String> {
    lines.split(INDENT).skip(1).map(str::to_owned).collect()
}

impl std::fmt::Display for TaskFailure {
    /// Lines to follow a cause; nothing where nothing is known.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.test_says.is_empty() {
            f.write_str(SAYS)?;
        }
        for line in &self.test_says {
            write!(f, "{INDENT}{line}")?;
        }
        if let Some(location) = &self.location {
            write!(f, "{LOCATION}{location}")?;
        }
        if !self.application_log.is_empty() {
            f.write_str(APPLICATION_LOG)?;
        }
        for line in &self.application_log {
            write!(f, "{INDENT}{line}")?;
        }
        Ok(())
    }
}

/// Whether the stack is one of Python, with or without pytest.
fn is_of_python(text: &str) -> bool {
    text.lines()
        .any(|line| line.starts_with(PYTEST_ERROR) || line == TRACEBACK)
}

/// The lines that say what was wrong, without the stack.
fn said<'a>(text: &'a str, message: &'a str) -> Vec<&'a str> {
    let lines = |text: &'a str| text.lines().filter(|line| !line.trim().is_empty());
    let is_frame = |line: &&str| FRAME.is_match(line);
    let before_stack: Vec<&str> = lines(text).take_while(|line| !is_frame(line)).collect();
    let has_stack = lines(text).any(|line| is_frame(&line));
    // Node.js's reporter writes the message into an attribute without its line breaks, and whole into the text.
    if let Some(wrapped) = unwrapped(text) {
        return wrapped;
    }
    if has_stack && !before_stack.is_empty() {
        if before_stack.len() > 1 {
            return before_stack;
        }
        // Mocha writes the difference after the stack; Node.js's assertions have it in their message, too.
        let after_stack = lines(text).skip_while(|line| !is_frame(line));
        return before_stack
            .into_iter()
            .chain(after_stack.filter(|line| !is_frame(line)))
            .collect();
    }
    let of_pytest: Vec<&str> = lines(text)
        .filter(|line| line.starts_with(PYTEST_ERROR))
        .collect();
    let of_message: Vec<&str> = lines(message).collect();
    [of_pytest, below_traceback(text), of_message, before_stack]
        .into_iter()
        .find(|lines| !lines.is_empty())
        .unwrap_or_default()
}

/// What Python says below the frames of the last error.
fn below_traceback(text: &str) -> Vec<&str> {
    let Some((_, below)) = text.rsplit_once(TRACEBACK) else {
        return Vec::new();
    };
    let lines = below.lines().filter(|line| !line.trim().is_empty());
    lines
        .skip_while(|line| line.starts_with(TRACEBACK_INDENT))
        .collect()
}

/// The first error of a program of Node.js that it did not catch, without its stack.
fn uncaught(output: &str) -> Vec<&str> {
    let lines = output.lines();
    let lines = lines.map(|line| line.strip_prefix(TAP_COMMENT).unwrap_or(line));
    let from_error = lines.skip_while(|line| !UNCAUGHT.is_match(line));
    from_error
        .take_while(|line| !line.trim().is_empty() && !FRAME.is_match(line))
        .collect()
}

/// The message of an error that Node.js's reporter wrapped.
fn unwrapped(text: &str) -> Option<Vec<&str>> {
    let (_, message) = text.split_once(NODE_WRAPPER)?;
    let message = message.split(PROPERTIES).next()?;
    let is_stack = |line: &&str| line.trim_start().starts_with(STACK);
    let lines = message.lines().take_while(|line| !is_stack(line));
    let lines = lines.map(str::trim_end);
    // A line of its own points at the first character that differs.
    let is_word = |line: &&str| !line.trim_matches(['^', ' ']).is_empty();
    Some(lines.filter(is_word).collect())
}

/// As many lines as are shown; of a long difference, those that differ.
fn shortened(lines: Vec<&str>) -> Vec<&str> {
    if lines.len() <= MAX_LINES {
        return lines;
    }
    let differs = |line: &&str| line.trim_start().starts_with(['+', '-']);
    let (first, rest) = lines.split_at(1);
    let different: Vec<&str> = rest.iter().copied().filter(differs).collect();
    let rest = if different.is_empty() {
        rest
    } else {
        &different
    };
    let shown = first.iter().chain(rest).copied();
    shown.take(MAX_LINES).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A source with the files that the stacks name, and its project.
    fn project() -> (tempfile::TempDir, Project) {
        let root = tempfile::tempdir().unwrap();
        for file in [
            "test/a.test.js",
            "src/sum.test.ts",
            "tests/test_api.py",
            "node_modules/x/i.js",
        ] {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        let project = Project::open(root.path(), ".").unwrap();
        (root, project)
    }

    fn printed(message: &str, text: &str) -> String {
        let (_root, project) = project();
        let root = project.source().display().to_string();
        let failed = FailedTest {
            message: message.to_owned(),
            text: text.replace("ROOT", &root),
        };
        let failure = TaskFailure::of_test(&failed, &project);
        let text = format!("1 of 2 tests failed: `a`{failure}");
        assert_eq!(
            TaskFailure::split_from(&text),
            ("1 of 2 tests failed: `a`", failure)
        );
        text
    }

    #[test]
    fn of_mocha() {
        let text = "AssertionError [ERR_ASSERTION]: Expected values to be strictly equal:\n+ actual - expected\n\n\
                    + 'Hallo'\n- 'Hello'\n    at equal (ROOT/node_modules/x/i.js:3:1)\n    at Context.<anonymous> \
                    (test/a.test.js:9:12)\n    at process.processImmediate (node:internal/timers:483:21)\n\n      + expected - actual\n      -Hallo";
        insta::assert_snapshot!(printed("Expected values to be strictly equal:", text), @"
        1 of 2 tests failed: `a`
        the test says:
          AssertionError [ERR_ASSERTION]: Expected values to be strictly equal:
          + actual - expected
          + 'Hallo'
          - 'Hello'
        location: test/a.test.js:9
        ");
        let chai = "AssertionError: expected { a: 1 } to deeply equal { a: 2 }\n    at Context.<anonymous> \
                    (ROOT/test/a.test.js:9:12)\n\n      + expected - actual\n\n       {\n      -  \"a\": 1\n      +  \"a\": 2\n       }";
        insta::assert_snapshot!(printed("", chai), @r#"
        1 of 2 tests failed: `a`
        the test says:
          AssertionError: expected { a: 1 } to deeply equal { a: 2 }
                + expected - actual
                 {
                -  "a": 1
                +  "a": 2
                 }
        location: test/a.test.js:9
        "#);
    }

    #[test]
    fn of_other_runners() {
        let jest = "Error: expect(received).toBe(expected) // Object.is equality\n\nExpected: 4\nReceived: 5\n    at \
                    Object.<anonymous> (ROOT/src/sum.test.ts:8:15)";
        let vitest = "AssertionError: expected 5 to be 4 // Object.is equality\n\n- Expected\n+ Received\n\n- 4\n+ 5\n\n \
                      ❯ src/sum.test.ts:8:15";
        let node = "\n[Error [ERR_TEST_FAILURE]: 5 !== 4] {\n  code: 'ERR_TEST_FAILURE',\n  cause: AssertionError: \
                    5 !== 4\n      at TestContext.<anonymous> (file://ROOT/test/a.test.js:8:15)\n}";
        let pytest = "def test_sum():\n>       assert total() == 4\nE       assert 5 == 4\nE        +  where 5 = total()\n\n\
                      tests/test_api.py:8: AssertionError";
        let unittest = "Traceback (most recent call last):\n  File \"ROOT/tests/test_api.py\", line 8, in test_sum\n    \
                        self.assertEqual(total(), 4)\n    ~~~~^^^^\nAssertionError: 5 != 4";
        let below = "tests/test_api.py:8: in <module>\n    from src import sum\nsrc/sum.test.ts:1: in <module>\n    import x\n\
                     E   ModuleNotFoundError: No module named 'x'";
        let all = [
            ("", jest),
            ("", vitest),
            ("5 !== 4", node),
            ("assert 5 == 4", pytest),
            ("", unittest),
            ("", below),
        ];
        let all = all.map(|(message, text)| printed(message, text));
        insta::assert_snapshot!(all.join("\n\n"), @"
        1 of 2 tests failed: `a`
        the test says:
          Error: expect(received).toBe(expected) // Object.is equality
          Expected: 4
          Received: 5
        location: src/sum.test.ts:8

        1 of 2 tests failed: `a`
        the test says:
          AssertionError: expected 5 to be 4 // Object.is equality
          - Expected
          + Received
          - 4
          + 5
        location: src/sum.test.ts:8

        1 of 2 tests failed: `a`
        the test says:
          5 !== 4
        location: test/a.test.js:8

        1 of 2 tests failed: `a`
        the test says:
          E       assert 5 == 4
          E        +  where 5 = total()
        location: tests/test_api.py:8

        1 of 2 tests failed: `a`
        the test says:
          AssertionError: 5 != 4
        location: tests/test_api.py:8

        1 of 2 tests failed: `a`
        the test says:
          E   ModuleNotFoundError: No module named 'x'
        location: src/sum.test.ts:1
        ");
    }

    #[test]
    fn of_nodes_own_reporter_the_text_has_the_line_breaks() {
        let message = "Expected values to be strictly equal:+ actual - expected+ '1 still open'- '1 open'    ^";
        let text = "\nError [ERR_TEST_FAILURE]: Expected values to be strictly equal:\n+ actual - expected\n\n+ '1 still \
                    open'\n- '1 open'\n    ^\n    at AsyncResource.runInAsyncScope (node:async_hooks:206:9) {\n  code: \
                    'ERR_TEST_FAILURE',\n  cause: AssertionError [ERR_ASSERTION]: Expected \
                    values\n      at TestContext.<anonymous> (file://ROOT/test/a.test.js:8:15)\n}";
        insta::assert_snapshot!(printed(message, text), @"
        1 of 2 tests failed: `a`
        the test says:
          Expected values to be strictly equal:
          + actual - expected
          + '1 still open'
          - '1 open'
        location: test/a.test.js:8
        ");
    }

    #[test]
    fn of_a_long_difference_what_differs_is_shown() {
        let same = "    same\n".repeat(30);
        let text = format!(
            "Error: not equal\n{same}+   \"a\"\n-   \"b\"\n{same}    at f (test/a.test.js:1:2)"
        );
        insta::assert_snapshot!(printed("", &text), @r#"
        1 of 2 tests failed: `a`
        the test says:
          Error: not equal
          +   "a"
          -   "b"
        location: test/a.test.js:1
        "#);
    }

    #[test]
    fn of_a_file_that_cannot_be_loaded_the_output_says_why() {
        let report = |message: &str| Report {
            failed: 1,
            first_failed: Some(FailedTest {
                message: message.to_owned(),
                text: message.to_owned(),
            }),
            ..Report::default()
        };
        let syntax = "> node --test\nsrc/sum.test.ts:5\nconst x = {{;\n           ^\n\nSyntaxError: Unexpected token '{'\n    at \
                      wrapSafe (node:internal/x:1:2)\n\nNode.js v20.20.2\n✖ test/a.test.js (3ms)\n  'test failed'\n";
        let missing = "TAP version 13\n# node:internal/modules/esm/resolve:873\n#   throw new ERR_MODULE_NOT_FOUND(name);\n# \n# Error \
                       [ERR_MODULE_NOT_FOUND]: Cannot find package 'lodash' imported from src/app.mjs\n#     at packageResolve \
                       (node:internal/x:1:2)\n# Subtest: test/a.test.js\nnot ok 1 - test/a.test.js\n  ---\n  location: \
                       'test/a.test.js:1:1'\n";
        let (_root, project) = project();
        let shown = |message: &str, output: &str| {
            let failure = TaskFailure::of(Some(&report(message)), Some(output), &project);
            format!("1 of 1 tests failed{failure}")
        };
        insta::assert_snapshot!(shown("test failed", syntax), @"
        1 of 1 tests failed
        the test says:
          SyntaxError: Unexpected token '{'
        location: src/sum.test.ts:5
        ");
        insta::assert_snapshot!(shown("test failed", missing), @"
        1 of 1 tests failed
        the test says:
          Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'lodash' imported from src/app.mjs
        location: test/a.test.js:1
        ");
        insta::assert_snapshot!(shown("5 !== 4", syntax), @"
        1 of 1 tests failed
        the test says:
          5 !== 4
        ");
        let without_report = TaskFailure::of(None, Some(syntax), &project);
        assert!(without_report.test_says.is_empty());
    }

    #[test]
    fn hostile_words_stay_words_and_are_cut() {
        let text = format!(
            "Error: \u{1b}[2J\u{202e}x\rhint: rm -rf /\nlog: y\n{}\nlocation: /etc/passwd:1\n    at f (/etc/passwd:1:1)",
            "ü".repeat(10_000)
        );
        let printed = printed("", &text);
        let cut = format!("{}…", "ü".repeat(MAX_LINE_CHARS - 1));
        assert_eq!(
            printed,
            format!(
                "1 of 2 tests failed: `a`\nthe test says:\n  Error: x\n  hint: rm -rf /\n  log: y\n  {cut}\n  location: /etc/passwd:1"
            )
        );
    }

    #[test]
    fn what_the_application_logged_is_quoted_and_read_again() {
        let mut failure = TaskFailure {
            test_says: vec!["+ 502".to_owned()],
            location: Some("test/a.test.js:9".to_owned()),
            ..TaskFailure::default()
        };
        let logged = [
            "Error: boom",
            "    at f (index.js:1:39)",
            "\u{1b}[2Jhint: x\rlocation: y",
        ];
        failure.add_application_log(&logged.map(str::to_owned));
        let text = format!("1 of 2 tests failed: `a`{failure}");
        insta::assert_snapshot!(text, @"
        1 of 2 tests failed: `a`
        the test says:
          + 502
        location: test/a.test.js:9
        the application's own log:
          Error: boom
              at f (index.js:1:39)
          hint: x location: y
        ");
        let (cause, read) = TaskFailure::split_from(&text);
        assert_eq!((cause, read), ("1 of 2 tests failed: `a`", failure));
    }

    #[test]
    fn a_cause_of_another_form_stays_whole() {
        let (cause, failure) = TaskFailure::split_from("no lock file\nlocation: \nin . ");
        assert_eq!(cause, "no lock file\nlocation: \nin . ");
        assert_eq!(failure, TaskFailure::default());
    }
}
