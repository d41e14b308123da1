//! What pytest prints: a heading with the name of each test that failed, what is said of it, a summary with the tests' files,
//! and at the end `=== 1 failed, 3 passed in 0.12s ===`.

use std::sync::LazyLock;

use regex_lite::Regex;

use super::{Counts, Failed, counted, report};
use crate::junit::Report;

/// `____ TestCart.test_adds ____`, `____ ERROR collecting tests/test_a.py ____`: not `_ _ _ _`, which stands between frames.
static HEADING: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^_+ ([^_ ].*?|_\w.*?) _+$").expect("a valid pattern"));

/// `FAILED tests/test_a.py::test_adds - assert 5 == 4`, `ERROR tests/test_a.py`, `SUBFAILED(i=0) tests/test_a.py::test_adds`
static SUMMARY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:FAILED|ERROR|SUBFAILED\S*) (\S.*?)(?: - .*)?$").expect("a valid pattern")
});

/// What begins the lines between the parts of the output.
const SECTION: &str = "===";

/// What begins the lines above what a test wrote.
const CAPTURED: &str = "---";

pub(super) fn read(output: &str) -> Option<Report> {
    let lines: Vec<&str> = output.lines().map(str::trim_end).collect();
    let (end, counts) = (0..lines.len())
        .rev()
        .find_map(|at| Some((at, counts(lines[at])?)))?;
    let starts = |line: &&str| line.contains(" test session starts ");
    let start = lines[..end].iter().rposition(starts).unwrap_or_default();
    let lines = &lines[start..end];
    let tests: Vec<_> = (0..lines.len())
        .filter_map(|at| Some((heading(lines[at])?, said(&lines[at + 1..]))))
        .collect();
    let summaries = lines.iter().filter_map(|line| SUMMARY.captures(line));
    let named: Vec<_> = summaries
        .filter_map(|found| Some(found.get(1)?.as_str()))
        .map(|name| Failed {
            name: name.to_owned(),
            said: said_of(name, &tests),
        })
        .collect();
    if named.is_empty() {
        let by_heading = tests.into_iter().map(|(heading, said)| Failed {
            name: heading.to_owned(),
            said,
        });
        return report(counts, &by_heading.collect::<Vec<_>>());
    }
    report(counts, &named)
}

/// `1 failed, 2 passed, 1 error in 0.12s`, with a line of `=` around it or none (`-q`).
fn counts(line: &str) -> Option<Counts> {
    let (counts, time) = line.trim_matches(['=', ' ']).split_once(" in ")?;
    let is_time = time.starts_with(|first: char| first.is_ascii_digit());
    let count = |what: &[&str]| what.iter().map(|one| counted(counts, ',', one)).sum();
    let failed: usize = count(&["failed", "error", "errors"]);
    let skipped: usize = count(&["skipped", "xfailed"]);
    (is_time && failed > 0).then(|| Counts {
        tests: failed + skipped + count(&["passed", "xpassed"]),
        failed,
        skipped,
    })
}

fn heading(line: &str) -> Option<&str> {
    Some(HEADING.captures(line)?.get(1)?.as_str())
}

fn said<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let ends = |line: &str| {
        heading(line).is_some() || line.starts_with(SECTION) || line.starts_with(CAPTURED)
    };
    let lines = lines.iter().take_while(|line| !ends(line));
    lines.copied().collect()
}

/// What is said of the test that the summary names `tests/test_a.py::TestCart::test_adds`.
fn said_of<'a>(name: &str, tests: &[(&str, Vec<&'a str>)]) -> Vec<&'a str> {
    let title = name.split("::").skip(1).collect::<Vec<_>>().join(".");
    let title = if title.is_empty() { name } else { &title };
    let is_of = |heading: &str| heading == title || heading.ends_with(&format!(" {title}"));
    let found = tests.iter().find(|(heading, _)| is_of(heading));
    found.map(|(_, said)| said.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;

    /// As pytest 8 prints it.
    const OUTPUT: &str = "\
============================= test session starts ==============================
platform linux -- Python 3.11.2, pytest-8.4.2, pluggy-1.6.0
rootdir: /source
collected 4 items

tests/test_a.py F.sF                                                     [100%]

=================================== FAILURES ===================================
_________________________________ test_greets __________________________________

    def test_greets():
        print(\"noise\")
>       assert greet(\"Bob\") == \"Hello, Bob!\"
E       AssertionError: assert 'Hallo, Bob!' == 'Hello, Bob!'
E         
E         - Hello, Bob!
E         ?  ^
E         + Hallo, Bob!
E         ?  ^

tests/test_a.py:6: AssertionError
----------------------------- Captured stdout call -----------------------------
noise
______________________________ TestCart.test_adds ______________________________

self = <test_a.TestCart object at 0x7f>

    def test_adds(self):
>       total()

tests/test_a.py:16: 
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ 

    def total():
>       raise ValueError(\"empty\")
E       ValueError: empty

src/cart.py:2: ValueError
=========================== short test summary info ============================
FAILED tests/test_a.py::test_greets - AssertionError: assert 'Hallo, Bob!' ==...
FAILED tests/test_a.py::TestCart::test_adds - ValueError: empty
==================== 2 failed, 1 passed, 1 skipped in 0.07s ====================
";

    #[test]
    fn tests_that_failed_are_read() {
        insta::assert_snapshot!(shown(read(OUTPUT)), @r#"
        2 of 4 failed, 1 skipped: ["tests/test_a.py::test_greets", "tests/test_a.py::TestCart::test_adds"]
            def test_greets():
                print("noise")
        >       assert greet("Bob") == "Hello, Bob!"
        E       AssertionError: assert 'Hallo, Bob!' == 'Hello, Bob!'
        E
        E         - Hello, Bob!
        E         ?  ^
        E         + Hallo, Bob!
        E         ?  ^
        tests/test_a.py:6: AssertionError
        "#);
    }

    #[test]
    fn a_file_that_cannot_be_loaded_is_one() {
        let output = "\
==================================== ERRORS ====================================
_______________________ ERROR collecting tests/test_b.py _______________________
ImportError while importing test module '/source/tests/test_b.py'.
tests/test_b.py:1: in <module>
    import nothing
E   ModuleNotFoundError: No module named 'nothing'
=========================== short test summary info ============================
ERROR tests/test_b.py
!!!!!!!!!!!!!!!!!!!! Interrupted: 1 error during collection !!!!!!!!!!!!!!!!!!!!
1 error in 0.05s
";
        insta::assert_snapshot!(shown(read(output)), @r#"
        1 of 1 failed, 0 skipped: ["tests/test_b.py"]
        ImportError while importing test module '/source/tests/test_b.py'.
        tests/test_b.py:1: in <module>
            import nothing
        E   ModuleNotFoundError: No module named 'nothing'
        "#);
    }

    #[test]
    fn without_a_summary_the_headings_are_the_names() {
        let output = "____ test_greets ____\nE   assert 1 == 2\n1 failed in 1.2s (0:01:02)\n";
        insta::assert_snapshot!(shown(read(output)), @r#"
        1 of 1 failed, 0 skipped: ["test_greets"]
        E   assert 1 == 2
        "#);
    }

    #[test]
    fn what_has_no_failed_test_is_no_report() {
        for output in [
            "",
            "=== 3 passed in 0.05s ===\n",
            "1 failed in 0.05s\n",
            "FAILED a.py::b\n",
            "____ a ____\n1 failed in time\n",
        ] {
            assert_eq!(read(output), None, "{output}");
        }
    }
}
