//! What mocha prints: `  1 failing`, and below it for each test its number with the titles of its suites, and what is said of it.

use std::sync::LazyLock;

use regex_lite::Regex;

use super::{Counts, Failed, number, report};
use crate::junit::Report;

/// `  2 passing (5ms)`, `  1 pending`, `  1 failing`
static COUNT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^  (\d+) (passing|pending|failing)( \(\d+m?s\))?$").expect("a valid pattern")
});

/// `  1) suite`, the first line of a test's name, which ends with a colon.
static NUMBER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^  \d+\) (.+)$").expect("a valid pattern"));

pub(super) fn read(output: &str) -> Option<Report> {
    let lines: Vec<&str> = output.lines().collect();
    let failing = lines
        .iter()
        .rposition(|line| counted(line, "failing").is_some())?;
    let count = |what: &str| {
        lines[..=failing]
            .iter()
            .rev()
            .find_map(|line| counted(line, what))
    };
    let failed = count("failing").unwrap_or_default();
    let skipped = count("pending").unwrap_or_default();
    let counts = Counts {
        tests: count("passing").unwrap_or_default() + failed + skipped,
        failed,
        skipped,
    };
    let below = &lines[failing + 1..];
    let begins: Vec<usize> = (0..below.len())
        .filter(|at| NUMBER.is_match(below[*at]))
        .collect();
    let ends = begins.iter().skip(1).copied().chain([below.len()]);
    let failed: Vec<_> = begins
        .iter()
        .zip(ends)
        .map(|(begin, end)| test(&below[*begin..end]))
        .collect();
    report(counts, &failed)
}

fn counted(line: &str, what: &str) -> Option<usize> {
    let found = COUNT.captures(line)?;
    (&found[2] == what).then(|| number(&found[1]))?
}

/// The titles until one ends with a colon are the name; the rest is said of it.
fn test<'a>(lines: &[&'a str]) -> Failed<'a> {
    let titles = lines.iter().position(|line| line.ends_with(':'));
    let (titles, said) = lines.split_at(titles.map_or(1, |at| at + 1));
    let first = titles.iter().take(1).filter_map(|line| {
        let found = NUMBER.captures(line)?;
        Some(found.get(1)?.as_str())
    });
    let others = titles.iter().skip(1).map(|title| title.trim());
    let name = first.chain(others).collect::<Vec<_>>().join(" ");
    Failed {
        name: name.trim_end_matches(':').to_owned(),
        said: said.iter().map(|line| line.trim_end()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;

    /// As mocha 11 prints it.
    const OUTPUT: &str = "
  shop
    cart
      1) adds
      2) greets
      ✔ works
      - later


  1 passing (103ms)
  1 pending
  2 failing

  1) shop
       cart
         adds:

      AssertionError [ERR_ASSERTION]: Expected values to be strictly equal:

5 !== 4

      + expected - actual

      -5
      +4
      
      at Context.<anonymous> (test/a.test.js:3:34)
      at process.processImmediate (node:internal/timers:483:21)

  2) greets:
     Error: Timeout of 20ms exceeded.
      at listOnTimeout (node:internal/timers:581:17)


";

    #[test]
    fn tests_that_failed_are_read() {
        insta::assert_snapshot!(shown(read(OUTPUT)), @r#"
        2 of 4 failed, 1 skipped: ["shop cart adds", "greets"]
              AssertionError [ERR_ASSERTION]: Expected values to be strictly equal:
        5 !== 4
              + expected - actual
              -5
              +4
              at Context.<anonymous> (test/a.test.js:3:34)
              at process.processImmediate (node:internal/timers:483:21)
        "#);
    }

    #[test]
    fn what_has_no_failed_test_is_no_report() {
        for output in [
            "",
            "  2 passing (5ms)\n",
            "  1 failing\n",
            "  1) a:\n     Error: x\n",
        ] {
            assert_eq!(read(output), None);
        }
    }

    #[test]
    fn a_count_that_nobody_has_is_not_added_up() {
        let output = OUTPUT.replace("  1 passing", "  18446744073709551615 passing");
        let report = read(&output).unwrap();
        assert_eq!((report.tests, report.failed, report.skipped), (3, 2, 1));
    }
}
