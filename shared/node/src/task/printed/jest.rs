//! What jest prints: `  ● suite › test`, what is said of it, and at the end `Tests:       1 failed, 3 passed, 4 total`.

use super::{Counts, Failed, counted, report};
use crate::junit::Report;

/// What begins the name of a test that failed, above what is said of it.
const FAILED: &str = "● ";

/// A heading in the same form, above what a test wrote.
const CONSOLE: &str = "Console";

/// What begins the counts.
const SUITES: &str = "Test Suites: ";
const TESTS: &str = "Tests: ";

/// How far what is said of a test is indented.
const INDENT: &str = "    ";

pub(super) fn read(output: &str) -> Option<Report> {
    let lines: Vec<&str> = output.lines().collect();
    let counts = lines
        .iter()
        .rev()
        .find_map(|line| line.strip_prefix(TESTS))?;
    let counts = Counts {
        tests: counted(counts, ',', "total"),
        failed: counted(counts, ',', "failed"),
        skipped: counted(counts, ',', "skipped"),
    };
    let failed: Vec<_> = (0..lines.len())
        .filter_map(|at| {
            let (name, said) = (name(lines[at])?.to_owned(), said(&lines[at + 1..]));
            Some(Failed { name, said })
        })
        .collect();
    report(counts, &failed)
}

fn name(line: &str) -> Option<&str> {
    let name = line.trim_start().strip_prefix(FAILED)?.trim();
    (!name.is_empty() && name != CONSOLE).then_some(name)
}

fn said<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let ends = |line: &str| {
        let mut beginnings = [SUITES, "FAIL ", "PASS "].iter();
        name(line).is_some() || beginnings.any(|beginning| line.starts_with(beginning))
    };
    let lines = lines.iter().take_while(|line| !ends(line));
    lines
        .map(|line| line.strip_prefix(INDENT).unwrap_or(line))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;

    /// As jest 30 prints it.
    const OUTPUT: &str = r#"
> jest

  console.log
    noise

      at Object.log (test/app.test.js:3:38)

FAIL test/app.test.js
  handler
    ✕ greets (32 ms)
    ✕ adds (6 ms)
    ✓ works

  ● Console

    noise

  ● handler › greets

    expect(received).toBe(expected) // Object.is equality

    Expected: "Hello, Bob!"
    Received: "Hello, world!"

      1 | const { handler } = require("../src/app");
      2 | describe("handler", () => {
    > 3 |   it("greets", async () => {});
        |                            ^
      4 | });

      at Object.toBe (test/app.test.js:3:85)

  ● handler › adds

    expect(received).toEqual(expected) // deep equality

    - Expected  - 1
    + Received  + 1

      at Object.toEqual (test/app.test.js:4:50)

Test Suites: 1 failed, 1 total
Tests:       2 failed, 1 skipped, 1 passed, 4 total
Snapshots:   0 total
Time:        0.728 s
Ran all test suites.
"#;

    #[test]
    fn tests_that_failed_are_read() {
        insta::assert_snapshot!(shown(read(OUTPUT)), @r#"
        2 of 4 failed, 1 skipped: ["handler › greets", "handler › adds"]
        expect(received).toBe(expected) // Object.is equality
        Expected: "Hello, Bob!"
        Received: "Hello, world!"
          at Object.toBe (test/app.test.js:3:85)
        "#);
    }

    #[test]
    fn a_file_that_cannot_be_loaded_is_one() {
        let output = "FAIL test/a.test.js\n  ● Test suite failed to run\n\n    Cannot find module 'x' from 'a.test.js'\n\nTest Suites: 1 \
                      failed, 1 total\nTests:       0 total\n";
        insta::assert_snapshot!(shown(read(output)), @r#"
        1 of 1 failed, 0 skipped: ["Test suite failed to run"]
        Cannot find module 'x' from 'a.test.js'
        "#);
    }

    #[test]
    fn what_has_no_failed_test_is_no_report() {
        for output in ["", "Tests: 1 failed", "Tests: x failed\n ●\n", "● a"] {
            assert_eq!(read(output), None);
        }
    }
}
