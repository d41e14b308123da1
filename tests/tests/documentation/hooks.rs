//! The hooks that `docs/rollouts.md` shows are the files that `tests/tests/rollouts` runs.

use std::fmt::Write as _;
use std::fs;

use pipeline_tests::checkout;

use crate::generated;

/// Each file, and how Markdown calls its language.
const SHOWN: [(&str, &str); 4] = [
    ("hook.mjs", "js"),
    ("check.mjs", "js"),
    ("hook.py", "python"),
    ("check.py", "python"),
];

#[test]
fn the_hooks_of_the_page_are_the_ones_that_are_run() {
    let mut text = String::new();
    for (file, language) in SHOWN {
        let path = format!("docs/hooks/{file}");
        let code = fs::read_to_string(checkout::root().join(&path)).unwrap();
        let _infallible = write!(
            text,
            "[{file}](hooks/{file}):\n\n```{language}\n{code}```\n\n"
        );
    }
    generated::check("docs/rollouts.md", "hooks", &text);
}
