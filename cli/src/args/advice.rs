//! Help for a mistyped command line, beyond what clap offers.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, CommandFactory};

use super::Cli;
use super::values::boolean;
use crate::exit::Exit;
use crate::output::ending::Ending;
use crate::output::{foreign, write_stderr, write_stdout};

/// Commands of other tools, and what they are called here.
const OTHER_WORDS: [(&str, &str); 12] = [
    ("launch", "`delivery up` creates or updates the stack"),
    ("destroy", "`delivery down` deletes the stack"),
    ("delete", "`delivery down` deletes the stack"),
    ("remove", "`delivery down` deletes the stack"),
    ("rm", "`delivery down` deletes the stack"),
    ("list", "`delivery status` shows the stack and its pipeline"),
    ("ls", "`delivery status` shows the stack and its pipeline"),
    ("logs", "`delivery log` shows logs"),
    (
        "dev",
        "`delivery run --watch --keep` delivers each commit on this machine",
    ),
    ("version", "`delivery --version` prints the version"),
    ("login", "`aws login` or `aws sso login` signs in"),
    (
        "check",
        "`delivery doctor` checks what a pipeline needs, `delivery validate` the templates",
    ),
];

/// How many letters of a mistyped command may be wrong, missing or swapped.
const MISTYPED: usize = 2;

/// Prints the error, and help that was asked for.
pub(crate) fn print(error: clap::Error, line: &[OsString]) -> Exit {
    if let ErrorKind::DisplayHelp | ErrorKind::DisplayVersion = error.kind() {
        write_stdout(&error.render().ansi().to_string());
        return Exit::Success;
    }
    let told = told(error, line);
    if asks_for_json(line) {
        let plain = anstream::adapter::strip_str(&told).to_string();
        let message = plain.strip_prefix("error: ").unwrap_or(&plain);
        Ending::of_wrong_line(message).print();
    }
    write_stderr(&told);
    Exit::Usage
}

/// What people are told.
fn told(mut error: clap::Error, line: &[OsString]) -> String {
    match error.kind() {
        // A variable such as `AWS_REGION` counts as an argument, so clap would miss only the command.
        ErrorKind::MissingSubcommand if line.len() == 1 => {
            return Cli::command().render_help().ansi().to_string();
        }
        ErrorKind::InvalidSubcommand => {
            if let Some(text) = unknown_command(&error, line) {
                return text;
            }
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            name_the_variable(&mut error, line);
        }
        _ => {}
    }
    if error.get(ContextKind::Usage).is_some() {
        let usage = ContextValue::StyledStr(usage(line));
        error.insert(ContextKind::Usage, usage);
    }
    error.render().ansi().to_string().trim_end().to_owned()
}

/// Whether the result is wanted as JSON. Clap does not say it of a line that it does not understand.
fn asks_for_json(line: &[OsString]) -> bool {
    let mut options = line.iter().take_while(|word| *word != "--");
    let is_set = || {
        let value = delivery_action::env::var("DELIVERY_JSON");
        value.is_some_and(|value| boolean(&value) == Ok(true))
    };
    options.any(|word| word == "--json") || is_set()
}

/// The usage of the command on the line. Clap's own shows what the line has, and counts a flag that a variable such as
/// `DELIVERY_HOME` sets as written there.
fn usage(line: &[OsString]) -> StyledStr {
    let mut root = Cli::command();
    root.build();
    let mut command = &root;
    for word in line.iter().skip(1) {
        command = command.find_subcommand(word).unwrap_or(command);
    }
    command.clone().render_usage()
}

fn unknown_command(error: &clap::Error, line: &[OsString]) -> Option<String> {
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    let root = Cli::command();
    // The command before it, where that has commands of its own (`delivery env`).
    let before = line.iter().take_while(|word| *word != typed.as_str());
    let group = before.filter_map(|word| root.find_subcommand(word)).last();
    let command = group.unwrap_or(&root);
    let name = group.map_or_else(
        || "delivery".to_owned(),
        |group| format!("delivery {}", group.get_name()),
    );
    let verbs: Vec<&str> = command
        .get_subcommands()
        .map(clap::Command::get_name)
        .collect();
    let mut text = format!("error: unknown command `{}`", foreign::line(typed));
    let of_others = meant_by_others(typed).filter(|_| group.is_none());
    let help = of_others
        .or_else(|| meant(typed, &verbs).map(|verb| format!("did you mean `{name} {verb}`?")))
        .unwrap_or_else(|| format!("`{name} --help` lists the commands"));
    let _infallible = write!(text, "\n  help: {help}");
    Some(text)
}

fn meant_by_others(typed: &str) -> Option<String> {
    let typed = typed.to_ascii_lowercase();
    let found = OTHER_WORDS.iter().find(|(word, _)| *word == typed);
    found.map(|(_, help)| (*help).to_owned())
}

fn meant<'a>(typed: &str, verbs: &[&'a str]) -> Option<&'a str> {
    let typed = typed.to_ascii_lowercase();
    if typed == "list" && verbs.contains(&"ls") {
        return Some("ls");
    }
    let far = |verb: &str| strsim::damerau_levenshtein(verb, &typed);
    // With two letters wrong, little of a short word is left to recognise.
    let near = verbs
        .iter()
        .filter(|verb| far(verb) <= MISTYPED && far(verb) * 2 < verb.len());
    near.min_by_key(|verb| far(verb)).copied()
}

/// Names the environment variable of a value that was not typed: clap names only the flag.
fn name_the_variable(error: &mut clap::Error, line: &[OsString]) {
    let (Some(ContextValue::String(argument)), Some(ContextValue::String(value))) = (
        error.get(ContextKind::InvalidArg),
        error.get(ContextKind::InvalidValue),
    ) else {
        return;
    };
    let Some(flag) = argument.split_whitespace().next() else {
        return;
    };
    let typed = line
        .iter()
        .any(|word| word.to_string_lossy().split('=').next() == Some(flag));
    if typed {
        return;
    }
    let Some(variable) = variable(&Cli::command(), flag.trim_start_matches('-')) else {
        return;
    };
    if delivery_action::env::var(&variable).as_ref() == Some(value) {
        let named = format!("{argument}' of the environment variable '{variable}");
        error.insert(ContextKind::InvalidArg, ContextValue::String(named));
    }
}

/// The environment variable of a flag.
fn variable(command: &clap::Command, long: &str) -> Option<String> {
    let is_meant = |argument: &&Arg| argument.get_long() == Some(long);
    let own = command
        .get_arguments()
        .find(is_meant)
        .and_then(Arg::get_env);
    own.map(|name| name.to_string_lossy().into_owned())
        .or_else(|| {
            command
                .get_subcommands()
                .find_map(|command| variable(command, long))
        })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn advice(typed: &str) -> String {
        let line: Vec<OsString> = format!("delivery {typed}")
            .split(' ')
            .map(OsString::from)
            .collect();
        unknown_command(&Cli::try_parse_from(&line).unwrap_err(), &line).unwrap()
    }

    #[test]
    fn words_of_other_tools_and_mistyped_ones_lead_to_the_command() {
        for (typed, expected) in [
            ("destroy", "`delivery down`"),
            ("remove", "`delivery down`"),
            ("list", "`delivery status`"),
            ("version", "`delivery --version`"),
            ("rnu", "did you mean `delivery run`?"),
            ("stauts", "did you mean `delivery status`?"),
            ("aprove", "did you mean `delivery approve`?"),
            ("frobnicate", "`delivery --help` lists"),
            ("env list", "did you mean `delivery env ls`?"),
            ("env dwon", "did you mean `delivery env down`?"),
            ("env frobnicate", "`delivery env --help` lists"),
        ] {
            let text = advice(typed);
            assert!(text.contains(expected), "{text}");
            assert!(!text.contains("serve"), "{text}");
        }
    }

    #[test]
    fn every_flag_with_a_variable_leads_to_it() {
        let command = Cli::command();
        assert_eq!(variable(&command, "json").as_deref(), Some("DELIVERY_JSON"));
        assert_eq!(variable(&command, "keep").as_deref(), Some("DELIVERY_KEEP"));
        assert_eq!(variable(&command, "watch"), None);
    }
}
