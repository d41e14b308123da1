//! A failed action as text: with what follows it, it fits a terminal of 25 lines, and nothing is said twice.

use std::fmt::Write as _;

use delivery_action::failure::cut_end;

use crate::message::Failure;
use crate::output::foreign;
use crate::output::style::{BAD, DIM, ID};

/// Most lines that are quoted of causes, outputs and logs of actions.
const MAX_QUOTED: usize = 15;

/// The same where the log of the application follows.
const MAX_QUOTED_BESIDE_LOG: usize = 8;

/// Most lines of an output among these: the last ones say what was wrong.
const MAX_OUTPUT: usize = 12;

/// Most names of other tests that failed.
const MAX_OTHERS: usize = 3;

/// Longest quoted line, in characters: more than two rows of a terminal are not read.
const MAX_LINE_CHARS: usize = 160;

/// What begins the lines in which npm, of any version, says what is wrong.
const NPM_ERRORS: [&str; 2] = ["npm error ", "npm ERR! "];

/// What begins the lines of npm that say nothing of a failure.
const OF_NPM: [&str; 3] = ["npm notice", "npm warn ", "npm WARN "];

/// What begins the lines with which test runners count: what jest, vitest and `node --test` (as TAP and for people) end with.
const COUNTS: [&str; 20] = [
    "Test Suites: ",
    "Tests: ",
    "Snapshots: ",
    "Time: ",
    "Ran all test suites",
    "Test Files ",
    "Start at ",
    "Duration ",
    "# tests ",
    "# suites ",
    "# pass ",
    "# cancelled ",
    "# skipped ",
    "# todo ",
    "# duration_ms ",
    "ℹ suites ",
    "ℹ cancelled ",
    "ℹ skipped ",
    "ℹ todo ",
    "ℹ duration_ms ",
];

/// The end of each failure of npm: its own log is not kept.
const NPM_LOG: &str = "Log files were not written due to the config logs-max=0";

/// What happened, where, what is untouched, and what to do next.
pub(super) fn lines(failure: &Failure) -> String {
    let cause = &failure.cause;
    let counted = cause.counted_tests();
    let mut text = format!(
        "{BAD}error[{}]{BAD:#}: action {} failed in stage {}",
        failure.code, failure.action, failure.stage
    );
    match (cause.failed_tests.as_slice(), counted) {
        ([first, others @ ..], Some(counted)) => {
            let _infallible = write!(text, ": {counted}\n  {}", cut(&foreign::line(first)));
            quote(&mut text, &cause.test_says);
            location(&mut text, cause.location.as_deref());
            also_failed(&mut text, others, counted);
        }
        _ => what_happened(&mut text, failure),
    }
    if cause.test_says.is_empty() {
        what_was_written(&mut text, failure);
    }
    if !failure.application_log.is_empty() {
        let _infallible = write!(text, "\n  {DIM}the application's own log:{DIM:#}");
        quote(&mut text, &failure.application_log);
    }
    if let Some(advice) = cause.advice() {
        let _infallible = write!(
            text,
            "\n  {ID}hint{ID:#}: {}",
            advice.replace('\n', "\n    ")
        );
    }
    if let Some(untouched) = untouched(&failure.untouched) {
        let _infallible = write!(text, "\n  {untouched}");
    }
    let _infallible = write!(text, "\n  {ID}next{ID:#}: {}", failure.next);
    text
}

/// Which stages an execution has not reached; `None` where it has reached all.
pub(crate) fn untouched(stages: &[String]) -> Option<String> {
    // Another pipeline may have delivered the same commit there.
    match stages {
        [] => None,
        [stage] => Some(format!("{stage} is untouched by this pipeline")),
        [stages @ .., last] => Some(format!(
            "{} and {last} are untouched by this pipeline",
            stages.join(", ")
        )),
    }
}

fn what_happened(text: &mut String, failure: &Failure) {
    let mut lines = failure.cause.message.lines();
    let first = lines.next().unwrap_or_default();
    let _infallible = write!(text, "\n  {first}");
    let rest: Vec<String> = lines
        .take(most_quoted(failure))
        .map(str::to_owned)
        .collect();
    quote(text, &rest);
    location(text, failure.cause.location.as_deref());
}

/// What the failed program wrote, or where it wrote nothing, the end of the action's log.
fn what_was_written(text: &mut String, failure: &Failure) {
    let told = failure.cause.message.lines().skip(1).count();
    let room = most_quoted(failure).saturating_sub(told).min(MAX_OUTPUT);
    if !failure.cause.output.is_empty() {
        return quote(text, &excerpt(&failure.cause.output, room));
    }
    let log = excerpt(&failure.log, room);
    if !log.is_empty() {
        let group = failure.log_group.as_deref().unwrap_or("the action");
        let _infallible = write!(text, "\n  {DIM}the end of the log {group}:{DIM:#}");
        quote(text, &log);
    }
}

fn most_quoted(failure: &Failure) -> usize {
    if failure.application_log.is_empty() {
        MAX_QUOTED
    } else {
        MAX_QUOTED_BESIDE_LOG
    }
}

fn location(text: &mut String, location: Option<&str>) {
    if let Some(location) = location {
        let _infallible = write!(text, "\n    at {ID}{}{ID:#}", foreign::line(location));
    }
}

/// The other tests that failed: the names of some, and how many there are.
fn also_failed(text: &mut String, others: &[String], counted: &str) {
    let mut words = counted.split(' ');
    let failed = words.next().and_then(|count| count.parse::<usize>().ok());
    let failed = failed.unwrap_or_default();
    let named: Vec<_> = others
        .iter()
        .take(MAX_OTHERS)
        .map(|name| format!("`{}`", foreign::line(name)))
        .collect();
    if named.is_empty() {
        return;
    }
    let named = cut(&format!("also failed: {}", named.join(", ")));
    let _infallible = write!(text, "\n  {DIM}{named}");
    // One has been shown.
    let more = failed.saturating_sub(1 + others.len().min(MAX_OTHERS));
    if more > 0 {
        let _infallible = write!(text, " and {more} more");
    }
    let _infallible = write!(text, "{DIM:#}");
}

fn quote(text: &mut String, lines: &[String]) {
    for line in lines {
        let _infallible = write!(text, "\n    {DIM}{}{DIM:#}", cut(&foreign::quoted(line)));
    }
}

fn cut(line: &str) -> String {
    cut_end(line, MAX_LINE_CHARS)
}

/// The last lines, without those that say nothing of the project: empty ones, frames of packages and of Node.js, and what
/// npm adds to the output of a script that failed. Where npm itself failed, its errors are all that there is.
fn excerpt(lines: &[String], most: usize) -> Vec<String> {
    let is_of_script = lines.iter().any(|line| is_code_of_script(line));
    let says_something = |line: &&String| {
        let line = line.trim();
        let is_of_others =
            line.starts_with("at ") && (line.contains("node:") || line.contains("node_modules/"));
        let mut said_besides = OF_NPM.iter().chain(&COUNTS);
        let says_nothing = said_besides.any(|beginning| line.starts_with(beginning));
        !line.is_empty() && !is_of_others && !says_nothing && !line.ends_with(NPM_LOG)
    };
    let said: Vec<&String> = lines.iter().filter(says_something).collect();
    let of_script = said.iter().filter(|line| npm_error(line).is_none());
    let of_script: Vec<&String> = of_script.copied().collect();
    let said = if is_of_script && !of_script.is_empty() {
        of_script
    } else {
        said
    };
    let from = said.len().saturating_sub(most);
    said[from..].iter().map(|line| (*line).clone()).collect()
}

/// What npm says in a line of an error.
fn npm_error(line: &str) -> Option<&str> {
    let mut beginnings = NPM_ERRORS.iter();
    beginnings.find_map(|beginning| line.trim().strip_prefix(beginning))
}

/// Whether npm names the exit code of a script; a failure of its own has a word (`ERESOLVE`).
fn is_code_of_script(line: &str) -> bool {
    let code = npm_error(line).and_then(|said| said.strip_prefix("code "));
    code.is_some_and(|code| code.trim().parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Cause;

    /// Lines that follow on a terminal: the end of the execution, a notice, the result and its page.
    const MAX_LINES: usize = 25 - 4;

    fn printed(failure: &Failure) -> String {
        anstream::adapter::strip_str(&lines(failure)).to_string()
    }

    fn failure(message: &str) -> Failure {
        Failure {
            execution: "e".to_owned(),
            stage: "Commit".to_owned(),
            action: "test-and-package".to_owned(),
            code: "JobFailed".to_owned(),
            message: message.to_owned(),
            cause: Cause::read("JobFailed", message),
            log_group: None,
            log: Vec::new(),
            application_log: Vec::new(),
            untouched: vec!["Acceptance".to_owned(), "Production".to_owned()],
            help: String::new(),
            next: "run `npm run package` in the project's directory".to_owned(),
        }
    }

    fn numbered(lines: usize) -> Vec<String> {
        (1..=lines).map(|line| format!("line {line}")).collect()
    }

    #[test]
    fn of_an_output_the_end_is_shown_without_what_says_nothing() {
        let output = format!(
            "{}\n\nSyntaxError: x\n    at wrapSafe (node:internal/x:1:2)\nnpm error code 1",
            numbered(30).join("\n")
        );
        let message = format!(
            "the npm task `package` failed\nlocation: a.js:3\nlast lines of output:\n{output}\nlog: g s"
        );
        insta::assert_snapshot!(printed(&failure(&message)), @"
        error[JobFailed]: action test-and-package failed in stage Commit
          the npm task `package` failed
            at a.js:3
            | line 20
            | line 21
            | line 22
            | line 23
            | line 24
            | line 25
            | line 26
            | line 27
            | line 28
            | line 29
            | line 30
            | SyntaxError: x
          Acceptance and Production are untouched by this pipeline
          next: run `npm run package` in the project's directory
        ");
    }

    #[test]
    fn what_test_runners_count_takes_no_room() {
        let output = "  Expected: 201\n  Received: 200\n\nTest Suites: 1 failed, 1 total\nTests:       1 failed, 1 total\nSnapshots:   0 \
                      total\nTime:        1.195 s\nRan all test suites.\n# Subtest: a\n# tests 1\n# fail 1\n# duration_ms 431.1";
        let lines: Vec<String> = output.lines().map(str::to_owned).collect();
        let expected = [
            "  Expected: 201",
            "  Received: 200",
            "# Subtest: a",
            "# fail 1",
        ];
        assert_eq!(excerpt(&lines, MAX_OUTPUT), expected);
    }

    #[test]
    fn what_npm_itself_says_is_shown() {
        let of_npm = "npm warn deprecated x@1\nnpm error code E404\nnpm error 404 Not Found - GET https://r/no-such-package\n\
                      npm error Log files were not written due to the config logs-max=0";
        let of_script_without_words = "npm error code 127\nnpm error command sh -c no-such-program";
        let shown = |output: &str| {
            let message = format!("npm failed\nlast lines of output:\n{output}\nlog: g s");
            excerpt(&Cause::read("JobFailed", &message).output, MAX_OUTPUT)
        };
        insta::assert_snapshot!(shown(of_npm).join("\n"), @r"
        npm error code E404
        npm error 404 Not Found - GET https://r/no-such-package
        ");
        insta::assert_snapshot!(shown(of_script_without_words).join("\n"), @r"
        npm error code 127
        npm error command sh -c no-such-program
        ");
    }

    #[test]
    fn however_much_there_is_it_fits_a_small_terminal() {
        let names: Vec<_> = (1..=10).map(|test| format!("`test {test}`")).collect();
        let tests = format!(
            "the npm task `a` failed: 40 of 80 tests failed: {} and 30 more: `npm run a` was terminated\nthe test says:\n  {}\n\
             location: a.js:3\nhint: add memory; to reproduce it, run `npm run a` in the project's directory\nlog: g s",
            names.join(", "),
            numbered(8).join("\n  ")
        );
        let output = format!(
            "{}\nlocation: a.js:3\nhint: add memory\nlast lines of output:\n{}\nlog: g s",
            numbered(40).join("\n"),
            numbered(40).join("\n")
        );
        for message in [&tests, &output] {
            for application_log in [Vec::new(), numbered(5)] {
                let failure = Failure {
                    application_log,
                    ..failure(message)
                };
                let printed = printed(&failure);
                assert!(printed.lines().count() <= MAX_LINES, "{printed}");
                assert_eq!(printed.matches("add memory").count(), 1, "{printed}");
            }
        }
        let printed = printed(&failure(&tests));
        assert!(
            printed.contains("\n  also failed: `test 2`, `test 3`, `test 4` and 36 more\n"),
            "{printed}"
        );
    }

    #[test]
    fn hostile_words_are_text_and_are_cut() {
        let long = "ü".repeat(9_000);
        let message = format!(
            "1 of 1 tests failed: `a\u{1b}[2J{long}`\nthe test says:\n  \u{1b}]0;x\u{7}##[error]{long}\n  ::error::x\nlog: g s"
        );
        let failure = Failure {
            application_log: vec![format!("\u{1b}[31m::error::{long}")],
            ..failure(&message)
        };
        let printed = printed(&failure);
        assert!(!printed.contains(['\u{1b}', '\u{7}']), "{printed}");
        for line in printed.lines() {
            assert!(line.chars().count() <= MAX_LINE_CHARS + 4, "{line}");
            assert!(!line.trim_start().starts_with("::"), "{line}");
        }
    }
}
