//! Every command that a document shows is run: by the test of its page, or by what the table here names.

use std::collections::BTreeSet;
use std::fs;

use pipeline_tests::checkout;

use crate::markdown::{Block, documents, read};

/// Pages that are run as they stand, from the first command to the last: see `getting_started`.
const RUN_WHOLE: [&str; 2] = ["docs/getting-started.md", "examples/greeter/README.md"];

/// What marks a block that only AWS itself can run; the number of a row of the checklist follows.
const AWS_ONLY: &str = "aws-only=";

/// Commands that something else runs: the command, the file that does, and what it says there.
pub(crate) const RUN_ELSEWHERE: [(&str, &str, &str); 14] = [
    (
        "scripts/package",
        "scripts/test-packages",
        "scripts/package --arch",
    ),
    (
        "scripts/node-layer",
        "scripts/test-packages",
        "scripts/node-layer --arch",
    ),
    (
        "sha256sum --check --ignore-missing SHA256SUMS",
        "tests/tests/release_files/files.rs",
        "\"sha256sum\"",
    ),
    (
        "npm install --global ./serverless-delivery-cli-*.tgz",
        "tests/tests/release_files/install.rs",
        "\"@serverless-delivery/cli\"",
    ),
    (
        "pip install --no-index --find-links . serverless-delivery",
        "tests/tests/release_files/install.rs",
        "\"--no-index\"",
    ),
    (
        "scripts/prerequisites",
        "scripts/demo",
        "scripts/prerequisites",
    ),
    (
        "scripts/demo",
        "tests/tests/pipelines/demo.rs",
        "join(\"demo\")",
    ),
    ("scripts/test", ".ci/run", "exec scripts/test"),
    (
        "scripts/bench",
        "tests/tests/bench.rs",
        "join(\"scripts/bench\")",
    ),
    (
        "cargo build --workspace --bins",
        "scripts/demo",
        "cargo build --locked --workspace --bins",
    ),
    (
        "DELIVERY_UPDATE_DOCS=1 cargo test --workspace --bin delivery --test documentation",
        "scripts/test",
        "linted test",
    ),
    (
        "cargo run --workspace --bin cost < run.ndjson",
        "tests/tests/documentation/cost.rs",
        "cost::report",
    ),
    (
        "target/debug/delivery run examples/greeter --json > run.ndjson",
        "tests/src/delivery.rs",
        "\"run\"",
    ),
    (
        "target/debug/delivery run path/to/your/application",
        "tests/src/delivery.rs",
        "\"run\"",
    ),
];

#[test]
fn every_command_in_a_document_is_run() {
    let mut seen = BTreeSet::new();
    let mut not_run = Vec::new();
    let (mut whole, mut parsed, mut aws_only) = (0, 0, 0);
    for document in documents() {
        for block in document.blocks.iter().filter(|block| is_shell(block)) {
            if let Some(row) = block.notes.strip_prefix(AWS_ONLY) {
                assert_row(row);
                aws_only += commands(block).len();
                continue;
            }
            for command in commands(block) {
                let elsewhere = RUN_ELSEWHERE.iter().any(|(known, _, _)| *known == command);
                if elsewhere {
                    seen.insert(command);
                } else if RUN_WHOLE.contains(&document.path.as_str()) {
                    whole += 1;
                } else if command.contains("delivery ") {
                    // `cli/src/reference.rs` has the program's own parser read these.
                    parsed += 1;
                } else {
                    not_run.push(format!("{}:{}: {command}", document.path, block.line));
                }
            }
        }
    }
    assert!(
        not_run.is_empty(),
        "no test runs these:\n{}",
        not_run.join("\n")
    );
    for (command, file, needle) in RUN_ELSEWHERE {
        assert!(
            seen.contains(command),
            "no document has `{command}` any more"
        );
        let text = fs::read_to_string(checkout::root().join(file)).unwrap();
        assert!(
            text.contains(needle),
            "{file} does not have `{needle}`, for `{command}`"
        );
    }
    eprintln!(
        "documents: {whole} commands run as they stand, {} run elsewhere, {parsed} parsed, {aws_only} for AWS only",
        seen.len()
    );
}

#[test]
fn the_scripts_and_recipes_that_sentences_name_are_there() {
    let justfile = fs::read_to_string(checkout::root().join("justfile")).unwrap();
    for document in documents() {
        for span in &document.spans {
            let word = span.split_whitespace().next().unwrap_or_default();
            if word.starts_with("scripts/")
                && word
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || "/-.".contains(c))
            {
                assert!(
                    checkout::root().join(word).exists(),
                    "{}: there is no `{word}`",
                    document.path
                );
            }
            if let Some(recipe) = span.strip_prefix("just ") {
                let line = format!("\n{recipe}:");
                assert!(
                    justfile.contains(&line),
                    "{}: no recipe `{recipe}`",
                    document.path
                );
            }
        }
    }
}

/// Whether a block is for a shell; `console` and others would escape these tests.
pub(crate) fn is_shell(block: &Block) -> bool {
    let unusual = ["bash", "shell", "console", "zsh"];
    assert!(
        !unusual.contains(&block.language.as_str()),
        "line {}: mark shell code as `sh`",
        block.line
    );
    block.language == "sh"
}

/// Whether only AWS itself can run a block.
pub(crate) fn is_for_aws_only(block: &Block) -> bool {
    block.notes.starts_with(AWS_ONLY)
}

/// The commands of a block, without comments.
pub(crate) fn commands(block: &Block) -> Vec<String> {
    let text = block.text.replace("\\\n", " ");
    text.lines()
        .map(|line| line.split("  #").next().unwrap_or_default())
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

fn assert_row(row: &str) {
    let checklist = read("docs/aws-checklist.md").text;
    let line = format!("\n| {} |", row.trim());
    assert!(
        checklist.contains(&line),
        "docs/aws-checklist.md has no row {row}"
    );
}
