//! `docs/troubleshooting.md`: every message that a user can see is in it, and none that the code does
//! not say.

use std::collections::BTreeSet;

use crate::generated::{self, code, table};
use crate::markdown::read;
use crate::source::{Answer, ErrorEnum, errors, literals, variants};

const PAGE: &str = "docs/troubleshooting.md";

/// What actions stand on: the part of the page, and the files of its errors.
const SHARED: [(&str, &[&str]); 14] = [
    (
        "user parameters",
        &["shared/action/src/parameters/error.rs"],
    ),
    ("jobs", &["shared/action/src/job/error.rs"]),
    ("pipeline executions", &["shared/action/src/execution.rs"]),
    ("artifacts", &["shared/action/src/artifact.rs"]),
    (
        "archives",
        &[
            "shared/archive/src/error.rs",
            "shared/action/src/artifact/archive_error.rs",
        ],
    ),
    (
        "projects",
        &[
            "shared/node/src/project.rs",
            "shared/node/src/project/manager.rs",
        ],
    ),
    ("environment", &["shared/action/src/process/environment.rs"]),
    ("tasks", &["shared/node/src/task/error.rs"]),
    ("programs", &["shared/action/src/process/error.rs"]),
    ("execution environments", &["shared/action/src/sandbox.rs"]),
    ("continuation", &["shared/action/src/continuation.rs"]),
    ("functions", &["shared/action/src/action/host.rs"]),
    (
        "releases",
        &[
            "shared/release/src/error.rs",
            "shared/release/src/part/error.rs",
        ],
    ),
    (
        "templates",
        &[
            "shared/stack/src/deletion/bucket.rs",
            "shared/stack/src/deployment/error.rs",
            "shared/stack/src/package/error.rs",
            "shared/stack/src/package/files.rs",
            "shared/stack/src/yaml.rs",
        ],
    ),
];

/// The exit codes by the names that the code gives them.
const EXITS: [(&str, u8); 9] = [
    ("Failed", 1),
    ("Usage", 2),
    ("PipelineFailed", 3),
    ("Denied", 4),
    ("NotFound", 5),
    ("TimedOut", 6),
    ("Superseded", 7),
    ("Pending", 8),
    ("Interrupted", 130),
];

/// Sources whose texts a reader may have seen.
const SOURCES: [&str; 4] = ["shared", "actions", "local/src", "cli/src"];

#[test]
fn the_failure_types_are_those_of_the_code() {
    let rows: Vec<_> = variants("shared/action/src/failure.rs", "FailureType")
        .into_iter()
        .map(|(name, meaning)| vec![code(&name), meaning])
        .collect();
    generated::check(PAGE, "failure types", &table(&["type", "meaning"], &rows));
}

#[test]
fn the_messages_of_what_actions_stand_on_are_those_of_the_code() {
    for (part, files) in SHARED {
        let found = errors(files, &["failure_type", "hint"]);
        let text = messages(&found, "failure_type", "type");
        generated::check(PAGE, part, &text);
    }
}

#[test]
fn the_messages_of_delivery_are_those_of_the_code() {
    let mut files = with_errors("cli/src");
    files.sort();
    let found: Vec<ErrorEnum> = files
        .iter()
        .flat_map(|file| errors(&[file], &["exit", "hint"]))
        .collect();
    let text = messages(&found, "exit", "exit code");
    // The codes are those of `cli/src/exit.rs`, whose own test holds them against docs/exit-codes.md.
    let text = EXITS.iter().fold(text, |text, (name, code)| {
        text.replace(&format!("| `{name}` |"), &format!("| {code} |"))
    });
    generated::check(PAGE, "delivery", &text);
}

/// A heading that is a message has to be one: of the code, or marked as AWS's own.
#[test]
fn every_heading_that_quotes_a_message_quotes_the_code() {
    let known: BTreeSet<_> = SOURCES
        .iter()
        .flat_map(|folder| literals(folder))
        .map(|text| skeleton(&text))
        .collect();
    let page = read(PAGE);
    let mut checked = 0;
    for heading in page
        .headings
        .iter()
        .filter(|heading| heading.text.starts_with('`'))
    {
        let message = heading.text.trim_matches('`').trim();
        checked += 1;
        assert!(
            known.iter().any(|text| text.contains(&skeleton(message))),
            "{PAGE}: no source says `{message}`"
        );
    }
    assert!(checked > 10, "only {checked} headings quote a message");
}

#[test]
fn every_error_of_the_actions_has_a_place_in_the_documents() {
    let listed: BTreeSet<_> = SHARED
        .iter()
        .flat_map(|(_, files)| files.iter().map(|file| (*file).to_owned()))
        .collect();
    // What says nothing of its own, or only to people who write actions.
    let silent = [
        "shared/action/src/action/report.rs",
        "shared/action/src/action/action_runtime.rs",
        "shared/action/src/failure/job_error.rs",
        "shared/action/src/process/harden.rs",
        "shared/action/src/process/tree.rs",
        "shared/action/src/removal.rs",
        "shared/action/src/sandbox/disk.rs",
        "shared/action/src/workspace.rs",
        "shared/node/src/junit.rs",
        "shared/action/src/artifact/compose.rs",
        "shared/action/src/artifact/digest.rs",
    ];
    let folders = ["shared/action/src", "shared/archive/src", "shared/node/src"];
    for file in folders.into_iter().flat_map(with_errors) {
        assert!(
            listed.contains(&file) || silent.contains(&file.as_str()),
            "the errors of {file} are in no document: add them to {PAGE} and to this test"
        );
    }
}

/// The files below a folder that derive errors, without what is for tests.
fn with_errors(folder: &str) -> Vec<String> {
    let root = pipeline_tests::checkout::root();
    let mut open = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap().flatten() {
            let path = entry.path();
            let name = path
                .strip_prefix(&root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            if path.is_dir() && !name.ends_with("/testing") {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                if text.contains("thiserror::Error)") {
                    found.push(name);
                }
            }
        }
    }
    found
}

/// A message without what is filled in and how it is quoted.
fn skeleton(text: &str) -> String {
    let mut plain = String::new();
    let mut inside = false;
    for c in text.replace("{{", "").replace("}}", "").chars() {
        match c {
            '{' => inside = true,
            '}' => {
                inside = false;
                plain.push('…');
            }
            '`' => {}
            c if !inside => plain.push(c),
            _ => {}
        }
    }
    plain
}

/// A table of messages; those that only pass on another's are left out.
pub(crate) fn messages(found: &[ErrorEnum], method: &str, class: &str) -> String {
    let mut rows = Vec::new();
    for variant in found.iter().flat_map(|error| &error.variants) {
        let Some(message) = &variant.message else {
            continue;
        };
        let said = |method: &str| match variant.methods.get(method) {
            Some(Answer::Text(text)) => text.clone(),
            Some(Answer::Cause) => "as the cause says".to_owned(),
            Some(Answer::Nothing) | None => String::new(),
        };
        let class = match said(method).as_str() {
            "" | "as the cause says" => said(method),
            class => code(class),
        };
        rows.push(vec![code(message), class, said("hint")]);
    }
    table(&["message", class, "what to do"], &rows)
}
