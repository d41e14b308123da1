//! What vitest prints: ` FAIL  file > suite > test`, what is said of it, and at the end `      Tests  1 failed | 3 passed (4)`.

use super::{Counts, Failed, counted, number, report};
use crate::junit::Report;

/// What begins the name of a test that failed.
const FAILED: &str = " FAIL  ";

/// What begins the line that ends what is said of it.
const RULE: &str = "⎯⎯⎯";

/// What begins the counts.
const TESTS: &str = "Tests  ";

pub(super) fn read(output: &str) -> Option<Report> {
    let lines: Vec<&str> = output.lines().collect();
    let counts = lines
        .iter()
        .rev()
        .find_map(|line| line.trim_start().strip_prefix(TESTS))?;
    let (counts, all) = counts.split_once('(').unwrap_or((counts, ""));
    let counts = Counts {
        tests: number(all.trim_end_matches(')')).unwrap_or_default(),
        failed: counted(counts, '|', "failed"),
        skipped: counted(counts, '|', "skipped"),
    };
    let failed: Vec<_> = (0..lines.len())
        .filter_map(|at| {
            let name = lines[at].strip_prefix(FAILED)?;
            // Of a file that cannot be loaded: `a.test.js [ a.test.js ]`.
            let name = name.split(" [ ").next()?.trim().to_owned();
            let said = lines[at + 1..].iter();
            let said = said.take_while(|line| !line.starts_with(RULE) && !line.starts_with(FAILED));
            Some(Failed {
                name,
                said: said.copied().collect(),
            })
        })
        .collect();
    report(counts, &failed)
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;

    /// As vitest 3 prints it.
    const OUTPUT: &str = r#"
 RUN  v3.2.7 /source

 ❯ test/a.test.mjs (4 tests | 2 failed | 1 skipped) 125ms
   × shop > cart > adds 79ms
     → expected 5 to be 4 // Object.is equality

⎯⎯⎯⎯⎯⎯⎯ Failed Tests 1 ⎯⎯⎯⎯⎯⎯⎯

 FAIL  test/a.test.mjs > shop > cart > adds
AssertionError: expected 5 to be 4 // Object.is equality

- Expected
+ Received

- 4
+ 5

 ❯ test/a.test.mjs:3:43
      2| describe("shop", () => { describe("cart", () => {
      3|   it("adds", () => { expect(total()).toBe(4); });
       |                                           ^

⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯[1/2]⎯

 FAIL  test/b.test.mjs [ test/b.test.mjs ]
Error: Cannot find package 'nope' imported from 'test/b.test.mjs'
 ❯ test/b.test.mjs:1:1

⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯⎯[2/2]⎯


 Test Files  2 failed (2)
      Tests  1 failed | 1 passed | 1 skipped (3)
   Start at  21:31:19
   Duration  4.84s
"#;

    #[test]
    fn tests_and_files_that_failed_are_read() {
        insta::assert_snapshot!(shown(read(OUTPUT)), @r#"
        2 of 3 failed, 1 skipped: ["test/a.test.mjs > shop > cart > adds", "test/b.test.mjs"]
        AssertionError: expected 5 to be 4 // Object.is equality
        - Expected
        + Received
        - 4
        + 5
         ❯ test/a.test.mjs:3:43
        "#);
    }

    #[test]
    fn what_has_no_failed_test_is_no_report() {
        for output in [
            "",
            "      Tests  1 failed (1)\n",
            " FAIL  a\n",
            "      Tests  3 passed (3)\n",
        ] {
            assert_eq!(read(output), None);
        }
    }
}
