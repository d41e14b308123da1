//! The command line itself: help, verbs, variables.

use std::process::Stdio;

use serde_json::Value;

use crate::program::{delivery, printed, says};

#[test]
fn alone_it_shows_its_help_whatever_the_environment_sets() {
    let folder = tempfile::tempdir().unwrap();
    let output = delivery(folder.path())
        .env("AWS_REGION", "eu-west-1")
        .output()
        .unwrap();
    let printed = printed(&output);
    assert!(
        printed.contains("Usage: delivery") && printed.contains("Run the pipeline"),
        "{printed}"
    );
    assert!(
        !printed.contains("error:") && !printed.contains("serve"),
        "{printed}"
    );
}

#[test]
fn what_is_not_understood_leads_to_what_is_meant() {
    let folder = tempfile::tempdir().unwrap();
    let help = says(folder.path(), &["destroy"], 2);
    assert!(help.contains("`delivery down` deletes the stack"), "{help}");
    let help = says(folder.path(), &["-C", "/nope", "status"], 5);
    assert!(
        help.contains("the directory `/nope` given by `-C`"),
        "{help}"
    );
    let help = says(folder.path(), &["run", "/etc/passwd"], 5);
    assert!(help.contains("`/etc/passwd` is a file"), "{help}");
}

#[test]
fn a_variable_is_read_as_people_write_it_and_named_where_it_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    for (value, json) in [("1", true), ("yes", true), ("0", false), ("no", false)] {
        let mut command = delivery(folder.path());
        let output = command
            .env("DELIVERY_JSON", value)
            .args(["local", "env"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(5), "{}", printed(&output));
        assert_eq!(!output.stdout.is_empty(), json, "{value}");
    }
    let mut command = delivery(folder.path());
    let output = command
        .env("DELIVERY_KEEP", "maybe")
        .arg("run")
        .output()
        .unwrap();
    let message = printed(&output);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(
        message.contains("environment variable 'DELIVERY_KEEP'"),
        "{message}"
    );
    assert!(
        message.contains("1, 0, yes, no, true or false"),
        "{message}"
    );
}

#[test]
fn a_wrong_command_line_is_a_result_for_programs_too() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, expected) in [
        (&["--json", "nonsense"][..], "unknown command `nonsense`"),
        (
            &["--json", "status", "--nonsense"],
            "unexpected argument '--nonsense' found",
        ),
        (&["--json", "local", "status"], "unknown command `status`"),
        (&["local", "--json"], "Usage: delivery local"),
    ] {
        let output = delivery(folder.path()).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", printed(&output));
        assert!(
            printed(&output).contains(expected),
            "{arguments:?}: {}",
            printed(&output)
        );
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(result["type"], "result", "{result}");
        assert_eq!(result["status"], "failure", "{result}");
        assert_eq!(result["exitCode"], 2, "{result}");
        assert_eq!(result["error"]["type"], "usage", "{result}");
        let message = result["error"]["message"].as_str().unwrap();
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains("error: "), "{message}");
        assert!(!message.contains('\u{1b}'), "{message}");
    }
    let output = delivery(folder.path()).arg("nonsense").output().unwrap();
    assert!(output.stdout.is_empty());
}

#[test]
fn the_usage_does_not_ask_for_what_a_variable_sets() {
    let folder = tempfile::tempdir().unwrap();
    let message = says(folder.path(), &["new-action"], 2);
    assert!(
        message.contains("Usage: delivery new-action [OPTIONS] <NAME>"),
        "{message}"
    );
}

#[test]
fn the_host_s_verb_is_nobody_s_command() {
    let folder = tempfile::tempdir().unwrap();
    let message = says(folder.path(), &["serve"], 2);
    assert!(message.contains("unknown command `serve`"), "{message}");
    for shell in ["bash", "zsh", "fish"] {
        let output = delivery(folder.path())
            .args(["completions", shell])
            .output()
            .unwrap();
        let script = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            !script.contains("__host") && !script.contains("serve"),
            "{shell}"
        );
    }
}

#[test]
fn output_that_is_lost_is_an_error_and_a_reader_that_has_gone_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let completions = |stdout: Stdio| {
        let mut command = delivery(folder.path());
        command.args(["completions", "bash"]).stdout(stdout);
        command.output().unwrap()
    };
    let full = std::fs::File::options().write(true).open("/dev/full");
    let lost = completions(full.unwrap().into());
    let message = printed(&lost);
    assert_eq!(lost.status.code(), Some(1), "{message}");
    assert!(
        message.contains("cannot write to standard output: No space left"),
        "{message}"
    );
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let gone = completions(writer.into());
    assert_eq!(gone.status.code(), Some(0), "{}", printed(&gone));
}
