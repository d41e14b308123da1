//! What Python's unittest prints: `FAIL: test_adds (test_a.Cart.test_adds)` between two lines, the traceback, and at the end
//! `Ran 4 tests in 0.001s` and `FAILED (failures=1, errors=1)`.

use std::sync::LazyLock;

use regex_lite::Regex;

use super::{Counts, Failed, number, report};
use crate::junit::Report;

/// `Ran 4 tests in 0.001s`
static RAN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^Ran (\d+) tests? in [\d.]+s$").expect("a valid pattern"));

/// `FAILED (failures=1, errors=1, skipped=2)`
static COUNT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(failures|errors|skipped|expected failures|unexpected successes)=(\d+)")
        .expect("a valid pattern")
});

/// What begins the line of the counts.
const FAILED: &str = "FAILED (";

/// What begins the name of a test.
const KINDS: [&str; 2] = ["FAIL: ", "ERROR: "];

/// What begins the line above a name, and the line that ends what is said of a test.
const ABOVE: &str = "======";
const BELOW: &str = "------";

pub(super) fn read(output: &str) -> Option<Report> {
    let lines: Vec<&str> = output.lines().map(str::trim_end).collect();
    let end = lines.iter().rposition(|line| RAN.is_match(line))?;
    let failed = lines[end..].iter().find(|line| line.starts_with(FAILED))?;
    let count = |what: &str| {
        let mut counts = COUNT.captures_iter(failed);
        let found = counts.find(|found| &found[1] == what);
        found.and_then(|found| number(&found[2])).unwrap_or(0)
    };
    let counts = Counts {
        tests: number(&RAN.captures(lines[end])?[1])?,
        failed: count("failures") + count("errors") + count("unexpected successes"),
        skipped: count("skipped") + count("expected failures"),
    };
    let before = lines[..end].iter().rposition(|line| RAN.is_match(line));
    let lines = &lines[before.map_or(0, |at| at + 1)..end];
    let failed: Vec<_> = (1..lines.len())
        .filter(|at| lines[at - 1].starts_with(ABOVE))
        .filter_map(|at| {
            let mut kinds = KINDS.iter();
            let name = kinds.find_map(|kind| lines[at].strip_prefix(kind))?;
            Some(Failed {
                name: name.to_owned(),
                said: said(&lines[at + 1..]),
            })
        })
        .collect();
    report(counts, &failed)
}

/// The traceback, below the first line of the test's own text, if it has one.
fn said<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let ends = |line: &&&str| line.starts_with(ABOVE) || line.starts_with(BELOW);
    let begins = lines.iter().position(|line| line.starts_with(BELOW));
    let lines = lines.iter().skip(begins.map_or(0, |at| at + 1));
    lines.take_while(|line| !ends(line)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;

    /// As unittest of Python 3.11 prints it.
    const OUTPUT: &str = r#"
noise
E.Fs
======================================================================
ERROR: test_adds (test_a.Cart.test_adds)
Adds what is in it.
----------------------------------------------------------------------
Traceback (most recent call last):
  File "/source/tests/test_a.py", line 8, in test_adds
    total()
  File "/source/src/cart.py", line 2, in total
    raise ValueError("empty")
ValueError: empty

======================================================================
FAIL: test_greets (test_a.Cart.test_greets)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "/source/tests/test_a.py", line 12, in test_greets
    self.assertEqual(greet("Bob"), "Hello, Bob!")
AssertionError: 'Hallo, Bob!' != 'Hello, Bob!'
- Hallo, Bob!
?  ^
+ Hello, Bob!
?  ^


----------------------------------------------------------------------
Ran 4 tests in 0.001s

FAILED (failures=1, errors=1, skipped=1)
"#;

    #[test]
    fn tests_that_failed_are_read() {
        insta::assert_snapshot!(shown(read(OUTPUT)), @r#"
        2 of 4 failed, 1 skipped: ["test_adds (test_a.Cart.test_adds)", "test_greets (test_a.Cart.test_greets)"]
        Traceback (most recent call last):
          File "/source/tests/test_a.py", line 8, in test_adds
            total()
          File "/source/src/cart.py", line 2, in total
            raise ValueError("empty")
        ValueError: empty
        "#);
    }

    /// The second of two commands in one line.
    #[test]
    fn of_two_runs_the_last_counts() {
        let output = format!("{OUTPUT}\n{}", OUTPUT.replace("test_a", "test_b"));
        let report = read(&output).unwrap();
        assert_eq!((report.tests, report.failed), (4, 2));
        assert!(
            report
                .failed_names
                .iter()
                .all(|name| name.contains("test_b"))
        );
    }

    #[test]
    fn what_has_no_failed_test_is_no_report() {
        for output in [
            "",
            "Ran 3 tests in 0.001s\n\nOK\n",
            "Ran 3 tests in 0.001s\n\nFAILED (failures=1)\n",
            "======\nFAIL: a\n------\nb\n",
        ] {
            assert_eq!(read(output), None, "{output}");
        }
    }
}
