//! The results of tests in what test runners print by themselves, without a report.

use std::sync::LazyLock;

use regex_lite::Regex;

use crate::junit::{FailedTest, MAX_NAMES, Report};

mod jest;
mod mocha;
mod pytest;
mod unittest;
mod vitest;

/// A line of the project's code around a place, as runners show it: `  > 3 |   it("greets")`, `      3|  it("greets")`, and the
/// mark below it.
static CODE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\s*(> )?\s*\d* ?\|").expect("a valid pattern"));

/// Reads the results; `None` where the output is of no runner that is known, or no test failed.
pub(super) fn read(output: &str) -> Option<Report> {
    let runners = [
        jest::read,
        mocha::read,
        vitest::read,
        pytest::read,
        unittest::read,
    ];
    runners.iter().find_map(|read| read(output))
}

/// How many tests there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    tests: usize,
    failed: usize,
    skipped: usize,
}

/// A test that failed, and the lines that say why.
#[derive(Debug)]
struct Failed<'a> {
    name: String,
    said: Vec<&'a str>,
}

/// The report of a runner that names the tests that failed.
fn report(counts: Counts, failed: &[Failed<'_>]) -> Option<Report> {
    let first = failed.first()?;
    let mut names: Vec<String> = Vec::new();
    for test in failed {
        // Of several files, jest repeats all failures at the end.
        if !names.contains(&test.name) {
            names.push(test.name.clone());
        }
    }
    let lines = first.said.iter().filter(|line| !CODE.is_match(line));
    let text = lines.copied().collect::<Vec<_>>().join("\n");
    let failed = counts.failed.max(names.len());
    names.truncate(MAX_NAMES);
    Some(Report {
        files: 0,
        tests: counts.tests.max(failed + counts.skipped),
        failed,
        skipped: counts.skipped,
        failed_names: names,
        first_failed: Some(FailedTest {
            message: String::new(),
            text,
        }),
    })
}

/// The number before a word in `2 failed, 1 skipped, 3 passed, 6 total`, or with another separator; 0 where it is not there.
fn counted(counts: &str, separator: char, what: &str) -> usize {
    let mut counts = counts.split(separator).map(str::trim);
    let count = counts.find_map(|count| number(count.strip_suffix(what)?));
    count.unwrap_or_default()
}

/// A count of tests. One that does not fit 32 bits is made up, and sums of such counts would overflow.
fn number(text: &str) -> Option<usize> {
    let number: u32 = text.trim().parse().ok()?;
    usize::try_from(number).ok()
}

#[cfg(test)]
pub(super) fn shown(report: Option<Report>) -> String {
    let Some(report) = report else {
        return "nothing".to_owned();
    };
    let first = report.first_failed.unwrap_or_default();
    let said = first.text.lines().filter(|line| !line.trim().is_empty());
    format!(
        "{} of {} failed, {} skipped: {:?}\n{}",
        report.failed,
        report.tests,
        report.skipped,
        report.failed_names,
        said.collect::<Vec<_>>().join("\n")
    )
}
