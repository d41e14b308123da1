//! `docs/troubleshooting.md`: every message that a user can see is in it, and none that the code does
//! not say.

use std::collections::BTreeSet;

use crate::generated::{self, code, table};
use crate::markdown::read;
use crate::source::{Answer, ErrorEnum, errors, literals, variants};

const PAGE: &str = "docs/troubleshooting.md";

/// What actions stand on: the part of the page, and the file of its errors.
const SHARED: [(&str, &str); 12] = [
    ("user parameters", "shared/src/parameters/error.rs"),
    ("jobs", "shared/src/job.rs"),
    ("pipeline executions", "shared/src/execution.rs"),
    ("artifacts", "shared/src/artifact.rs"),
    ("archives", "shared/src/archive/error.rs"),
    ("projects", "shared/src/project.rs"),
    ("environment", "shared/src/process/environment.rs"),
    ("tasks", "shared/src/task/error.rs"),
    ("programs", "shared/src/process/error.rs"),
    ("execution environments", "shared/src/sandbox.rs"),
    ("continuation", "shared/src/continuation.rs"),
    ("functions", "shared/src/action/host.rs"),
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
const SOURCES: [&str; 4] = ["shared/src", "actions", "local/src", "cli/src"];

#[test]
fn the_failure_types_are_those_of_the_code() {
    let rows: Vec<_> = variants("shared/src/failure.rs", "FailureType")
        .into_iter()
        .map(|(name, meaning)| vec![code(&name), meaning])
        .collect();
    generated::check(PAGE, "failure types", &table(&["type", "meaning"], &rows));
}

#[test]
fn the_messages_of_what_actions_stand_on_are_those_of_the_code() {
    for (part, file) in SHARED {
        let found = errors(file, &["failure_type", "hint"]);
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
        .flat_map(|file| errors(file, &["exit", "hint"]))
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
    let listed: BTreeSet<_> = SHARED.iter().map(|(_, file)| (*file).to_owned()).collect();
    // What says nothing of its own, or only to people who write actions.
    let silent = [
        "shared/src/action/report.rs",
        "shared/src/action/threads.rs",
        "shared/src/process/harden.rs",
        "shared/src/process/tree.rs",
        "shared/src/removal.rs",
        "shared/src/sandbox/disk.rs",
        "shared/src/workspace.rs",
        "shared/src/junit.rs",
        "shared/src/dependencies.rs",
        "shared/src/artifact/compose.rs",
        "shared/src/artifact/digest.rs",
    ];
    for file in with_errors("shared/src") {
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
