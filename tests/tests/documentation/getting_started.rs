//! `docs/getting-started.md` and the example's own page, run as they stand by a newcomer with an empty
//! home directory, and their outputs compared with what was printed.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use local::launch::FUNCTIONS;
use pipeline_tests::checkout;

use crate::commands::{RUN_ELSEWHERE, commands, is_for_aws_only, is_shell};
use crate::markdown::{Block, Document, read};

const PAGE: &str = "docs/getting-started.md";

/// Blocks with this note show what the commands before them print.
const OUTPUT: &str = "output";

/// What the page leaves to its reader, and what this reader puts there.
const FILLED_IN: [(&str, &str); 3] = [
    ("OWNER/NAME", "local/greeter"),
    (":123456789012:", ":000000000000:"),
    (
        "12345678-1234-1234-1234-123456789012",
        "00000000-0000-0000-0000-000000000000",
    ),
];

/// What a reader does before approving: looking until an approval waits (8) or something failed (3).
const WAITS: &str = "while delivery status --exit-status > status.txt; do sleep 1; done";

/// The architecture of this machine, which a local AWS asks for.
const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    "x86_64"
};

/// Who the newcomer is to Git.
const NEWCOMER: [(&str, &str); 4] = [
    ("GIT_AUTHOR_NAME", "Newcomer"),
    ("GIT_AUTHOR_EMAIL", "newcomer@example.com"),
    ("GIT_COMMITTER_NAME", "Newcomer"),
    ("GIT_COMMITTER_EMAIL", "newcomer@example.com"),
];

#[test]
fn a_newcomer_who_follows_the_page_succeeds() {
    let page = read(PAGE);
    let script = script(&page);
    let home = tempfile::Builder::new()
        .prefix("newcomer-")
        .tempdir()
        .unwrap();
    let printed = run(&script, home.path());
    let known: BTreeSet<_> = printed.lines().map(shape).collect();
    let mut lines = 0;
    for block in page.blocks.iter().filter(|block| block.notes == OUTPUT) {
        for line in block
            .text
            .lines()
            .filter(|line| !line.trim().is_empty() && line.trim() != "...")
        {
            lines += 1;
            assert!(
                known.contains(&shape(line)),
                "{PAGE}:{}: nothing printed `{line}`; this was printed:\n{printed}",
                block.line
            );
        }
    }
    eprintln!(
        "getting started: {} commands ran, {lines} lines of output compared",
        script.len()
    );
}

/// The page's commands, without those that something else runs.
fn script(page: &Document) -> Vec<String> {
    let shell = |block: &&Block| is_shell(block) && !is_for_aws_only(block);
    let mut script = Vec::new();
    for block in page.blocks.iter().filter(shell) {
        for command in commands(block) {
            if RUN_ELSEWHERE.iter().any(|(known, _, _)| *known == command) {
                continue;
            }
            let filled = FILLED_IN.iter().fold(command, |command, (blank, value)| {
                command.replace(blank, value)
            });
            if filled.starts_with("delivery approve") {
                script.push(WAITS.to_owned());
            }
            script.push(filled);
        }
    }
    script
}

/// Stand-ins for what `scripts/package` and `scripts/node-layer` make, which have tests of their own: the
/// programs as they were built for this machine, and a layer with nothing that is needed here.
fn packages(folder: &Path) {
    let folder = folder.join(ARCHITECTURE);
    std::fs::create_dir_all(&folder).unwrap();
    let programs = checkout::programs();
    for name in FUNCTIONS {
        zip(&folder, name, "bootstrap", &programs.join(name));
    }
    zip(
        &folder,
        "node-layer",
        "README",
        &checkout::root().join("README.md"),
    );
}

fn zip(folder: &Path, name: &str, entry: &str, file: &Path) {
    const WRITE: &str = "import sys, zipfile\n\
        with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as z: z.write(sys.argv[3], sys.argv[2])";
    let written = Command::new("python3")
        .args(["-c", WRITE])
        .arg(folder.join(format!("{name}.zip")))
        .arg(entry)
        .arg(file)
        .status()
        .unwrap();
    assert!(written.success(), "{name}");
}

/// Runs the commands in one shell, in the checkout, and gives all that they printed.
fn run(script: &[String], home: &Path) -> String {
    let programs = checkout::programs();
    let path = delivery_action::env::var("PATH").unwrap_or_default();
    let tools = delivery_action::env::var("DELIVERY_AWS_CLI").unwrap_or_default();
    let tools = Path::new(&tools)
        .parent()
        .unwrap_or(Path::new(""))
        .display();
    let text = format!(
        "set -euo pipefail\nexec 2>&1\nPATH=\"{}:$PATH\"\n{}\n",
        programs.display(),
        script.join("\n")
    );
    packages(&home.join("packages"));
    let output = Command::new("bash")
        .arg("-c")
        .arg(text)
        .current_dir(checkout::root())
        .env("PATH", format!("{}:{path}:{tools}", programs.display()))
        .env("HOME", home)
        .env("DELIVERY_FUNCTIONS", &programs)
        .env("DELIVERY_PACKAGES", home.join("packages"))
        .envs(NEWCOMER)
        .env_remove("DELIVERY_JSON")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "the page's commands ended with {}:\n{printed}",
        output.status
    );
    printed
}

/// A line without what differs from run to run: ids, times, ports.
fn shape(line: &str) -> String {
    let mut shape = String::new();
    for word in line
        .trim()
        .split_inclusive(|c: char| !c.is_ascii_alphanumeric())
    {
        let (word, sign) = match word.chars().last() {
            Some(last) if !last.is_ascii_alphanumeric() => {
                word.split_at(word.len() - last.len_utf8())
            }
            _ => (word, ""),
        };
        let is_id = word.len() >= 7 && word.chars().all(|c| c.is_ascii_hexdigit());
        if is_id || word.chars().any(|c| c.is_ascii_digit()) {
            shape.push('#');
        } else {
            shape.push_str(word);
        }
        shape.push_str(sign);
    }
    shape
}

#[test]
fn the_shape_of_a_line_has_no_ids_and_times() {
    assert_eq!(
        shape(
            "✓ Succeeded   execution 834e5a92 of deadbeef Begin 50.2 s (http://127.0.0.1:42195/x)"
        ),
        "✓ Succeeded   execution # of # Begin #.# s (http://#.#.#.#:#/x)"
    );
}
