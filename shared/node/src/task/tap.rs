//! The results of tests in what a program printed as TAP (<https://testanything.org>): Node.js 20 and 22 do so by themselves
//! where nobody watches (`node --test`), and tape always.
//!
//! There is no common schema of what is said of a failure, so only what Node.js and tape write is read.

use super::failure::OF_A_FILE;
use crate::junit::{FailedTest, MAX_NAMES, Report};

/// Why Node.js fails a suite: something in it has failed, which is named by itself.
const OF_A_SUBTEST: &str = "subtestsFailed";

/// Reads the results; `None` where the output has no count of failed tests at its end, or none has failed.
pub(super) fn read(output: &str) -> Option<Report> {
    let count = |what: &str| {
        let counts = output.lines().filter_map(|line| line.strip_prefix("# "));
        let mut counts = counts.filter_map(|line| line.strip_prefix(what)?.trim().parse().ok());
        counts
            .next_back()
            .map_or(0, |count: u16| usize::from(count))
    };
    let failed = count("fail ") + count("cancelled ");
    let skipped = count("skipped ");
    let lines: Vec<&str> = output.lines().collect();
    let tests: Vec<Failed> = (0..lines.len())
        .filter_map(|at| Failed::read(&lines[at..]))
        .filter(|test| test.value("failureType").as_deref() != Some(OF_A_SUBTEST))
        .collect();
    if failed == 0 || tests.is_empty() {
        return None;
    }
    Some(Report {
        files: 0,
        // Whatever printed the counts.
        tests: count("tests ").max(failed + skipped),
        failed,
        skipped,
        first_failed: tests.first().and_then(Failed::test),
        failed_names: tests
            .into_iter()
            .take(MAX_NAMES)
            .map(|test| test.name)
            .collect(),
    })
}

/// A test that failed, and the lines that say why.
struct Failed<'a> {
    name: String,
    said: Vec<&'a str>,
}

impl<'a> Failed<'a> {
    /// Reads `not ok 1 - NAME` and the block between `---` and `...` that may follow.
    fn read(lines: &[&'a str]) -> Option<Self> {
        let (first, rest) = lines.split_first()?;
        let result = first.trim_start().strip_prefix("not ok ")?;
        let result = result.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let name = result.strip_prefix(" - ").unwrap_or(result).trim();
        // A test that is expected to fail does not fail the run.
        let is_expected = ["# TODO", "# SKIP"].iter().any(|word| name.contains(word));
        if name.is_empty() || is_expected {
            return None;
        }
        let block = rest.split_first().filter(|(line, _)| line.trim() == "---");
        let said = block.map_or_else(Vec::new, |(_, block)| {
            let said = block.iter().take_while(|line| line.trim() != "...");
            said.copied().collect()
        });
        Some(Self {
            name: name.to_owned(),
            said,
        })
    }

    /// What is said of it; `None` where that is only in the output before it.
    fn test(&self) -> Option<FailedTest> {
        let error = self.value("error").unwrap_or_else(|| {
            let compared = ["operator", "expected", "actual"];
            let compared = compared.iter().filter_map(|key| {
                let value = self.value(key)?;
                Some(format!("{key}: {value}"))
            });
            compared.collect::<Vec<_>>().join("\n")
        });
        if error == OF_A_FILE {
            return None;
        }
        let stack = ["at", "stack", "location"];
        let stack = stack.iter().find_map(|key| self.value(key));
        let stack = stack.unwrap_or_default();
        // What it calls is `f (a.js:1:2)`, `a.js:1:2` or, by tape, `at f (a.js:1:2)`.
        let frames = stack
            .lines()
            .map(|frame| frame.trim().trim_start_matches("at "))
            .map(|frame| format!("\n    at {frame}"));
        Some(FailedTest {
            text: format!("{error}{}", frames.collect::<String>()),
            message: error,
        })
    }

    /// A value of the block: on the line of its key, or further to the right below it.
    fn value(&self, key: &str) -> Option<String> {
        let key = format!("{key}:");
        let at = self
            .said
            .iter()
            .position(|line| line.trim_start().starts_with(&key))?;
        let line = self.said[at];
        let indent = |line: &str| line.len() - line.trim_start().len();
        let value = line.trim_start()[key.len()..].trim();
        if !(value.is_empty() || value == "|-" || value == "|") {
            return Some(unquoted(value).to_owned());
        }
        let deeper = self.said[at + 1..].iter();
        let deeper =
            deeper.take_while(|below| below.trim().is_empty() || indent(below) > indent(line));
        let below: Vec<&str> = deeper.copied().collect();
        let margin = below.first().map_or(0, |first| indent(first));
        let below = below.iter().map(|line| line.get(margin..).unwrap_or(""));
        Some(below.collect::<Vec<_>>().join("\n").trim_end().to_owned())
    }
}

fn unquoted(value: &str) -> &str {
    let inner = value.strip_prefix('\'');
    inner
        .and_then(|inner| inner.strip_suffix('\''))
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(output: &str) -> String {
        let Some(report) = read(output) else {
            return "nothing".to_owned();
        };
        let first = report.first_failed.unwrap_or_default();
        format!(
            "{} of {} failed, {} skipped: {:?}\n{}",
            report.failed, report.tests, report.skipped, report.failed_names, first.text
        )
    }

    /// As Node.js 20.20 prints them.
    const NODE: &str = "TAP version 13
# Subtest: suite
    # Subtest: works
    ok 1 - works
      ---
      duration_ms: 4.2
      ...
    # Subtest: it's broken
    not ok 2 - it's broken
      ---
      duration_ms: 1.3
      location: '/source/test/a.test.js:3:50'
      failureType: 'testCodeFailure'
      error: |-
        Expected values to be strictly deep-equal:
        + actual - expected
        
          {
        +   a: 1
        -   a: 2
          }
      code: 'ERR_ASSERTION'
      name: 'AssertionError'
      expected:
        a: 2
      actual:
        a: 1
      operator: 'deepStrictEqual'
      stack: |-
        TestContext.<anonymous> (/source/test/a.test.js:3:83)
        Test.run (node:internal/test_runner/test:796:25)
      ...
    # Subtest: later
    ok 3 - later # SKIP
    1..3
not ok 1 - suite
  ---
  type: 'suite'
  location: '/source/test/a.test.js:3:1'
  failureType: 'subtestsFailed'
  error: '1 subtest failed'
  code: 'ERR_TEST_FAILURE'
  ...
# Subtest: /source/test/b.test.js
not ok 2 - /source/test/b.test.js
  ---
  location: '/source/test/b.test.js:1:1'
  failureType: 'testCodeFailure'
  exitCode: 1
  signal: ~
  error: 'test failed'
  code: 'ERR_TEST_FAILURE'
  ...
1..2
# tests 4
# suites 1
# pass 1
# fail 2
# cancelled 0
# skipped 1
# todo 0
# duration_ms 346.6
";

    #[test]
    fn of_node() {
        insta::assert_snapshot!(shown(NODE), @r#"
        2 of 4 failed, 1 skipped: ["it's broken", "/source/test/b.test.js"]
        Expected values to be strictly deep-equal:
        + actual - expected

          {
        +   a: 1
        -   a: 2
          }
            at TestContext.<anonymous> (/source/test/a.test.js:3:83)
            at Test.run (node:internal/test_runner/test:796:25)
        "#);
        let file = &NODE[NODE.find("# Subtest: /source").unwrap()..];
        let file = read(file).unwrap();
        assert_eq!(file.failed_names, ["/source/test/b.test.js"]);
        assert_eq!(file.first_failed, None);
    }

    #[test]
    fn of_tape() {
        let output = "TAP version 13\n# adds\nok 1 should be truthy\nnot ok 2 should be strictly equal\n  ---\n    operator: equal\n    \
                      expected: 2\n    actual:   1\n    at: Test.<anonymous> (/source/test.js:5:5)\n    stack: |-\n      Error: should be \
                      strictly equal\n          at Test.assert (/source/node_modules/tape/lib/test.js:314:48)\n          at \
                      Test.<anonymous> (/source/test.js:5:5)\n  ...\nnot ok 3 later # TODO\n\n1..3\n# tests 3\n# pass  1\n# fail  1\n";
        insta::assert_snapshot!(shown(output), @r#"
        1 of 3 failed, 0 skipped: ["should be strictly equal"]
        operator: equal
        expected: 2
        actual: 1
            at Test.<anonymous> (/source/test.js:5:5)
        "#);
    }

    #[test]
    fn what_is_not_tap_or_has_not_failed_is_nothing() {
        for output in [
            "",
            "not ok",
            "not ok 1 - cut off before its end",
            "ok 1 - a\n# tests 1\n# pass 1\n# fail 0\n",
            "not ok 1 - a # TODO later\n# tests 1\n# fail 1\n",
            "# fail 1",
        ] {
            assert_eq!(shown(output), "nothing", "{output}");
        }
    }
}
