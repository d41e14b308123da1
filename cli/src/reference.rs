//! `docs/cli.md`, written from the definitions of the command line, and every mention of a command in a
//! document, held against them.

use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command, CommandFactory};
use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

use crate::args::Cli;
use crate::generated_docs;

const HEAD: &str = "# Command line

Generated from the program's own definitions; `delivery help COMMAND` prints the same. [Exit codes](exit-codes.md) has what
the commands end with.

A flag wins over its environment variable, that over `delivery.toml`, and that over the default. Data goes to standard
output, everything for people to standard error. With `--json` short commands print one object; long-running ones
print one a line, the last of which has the type `result`.
";

#[test]
fn the_documentation_is_that_of_the_definitions() {
    generated_docs::check("docs/cli.md", &page());
}

fn page() -> String {
    let mut cli = Cli::command();
    cli.build();
    let mut text = format!(
        "{HEAD}\n## Options of every command\n\n{}",
        options(&cli, true)
    );
    write(&mut cli, &mut text);
    text
}

/// One section a command, those that only group others left out.
fn write(command: &mut Command, text: &mut String) {
    for child in command.get_subcommands_mut() {
        if child.is_hide_set() {
            continue;
        }
        if child.is_subcommand_required_set() {
            write(child, text);
            continue;
        }
        let name = child.get_bin_name().unwrap_or_default().to_owned();
        let usage = child.render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ");
        let about = child.get_long_about().or(child.get_about());
        let about = about.map(ToString::to_string).unwrap_or_default();
        let section = format!(
            "\n## {name}\n\n{}\n\n```text\n{usage}\n```\n",
            sentences(&about)
        );
        text.push_str(&section);
        let options = options(child, false);
        if !options.is_empty() {
            text.push('\n');
            text.push_str(&options);
        }
        write(child, text);
    }
}

/// Paragraphs, their first line without clap's missing stop.
fn sentences(about: &str) -> String {
    let paragraphs = about.split("\n\n").map(|paragraph| {
        let paragraph = paragraph.trim();
        if paragraph.starts_with("eval ") {
            format!("```sh\n{paragraph}\n```")
        } else if paragraph.ends_with('.') {
            paragraph.to_owned()
        } else {
            format!("{paragraph}.")
        }
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// A table of arguments: those of every command, or the command's own.
fn options(command: &Command, of_every_command: bool) -> String {
    let own = command.get_arguments().filter(|argument| {
        argument.is_global_set() == of_every_command
            && !argument.is_hide_set()
            && !matches!(argument.get_id().as_str(), "help" | "version")
    });
    let rows: Vec<_> = own.map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    format!(
        "| argument | default | variable | meaning |\n|---|---|---|---|\n{}",
        rows.concat()
    )
}

fn row(argument: &Arg) -> String {
    let help = argument.get_long_help().or(argument.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let mut help = help
        .split("\n\n")
        .collect::<Vec<_>>()
        .join(" ")
        .replace('\n', " ");
    // A flag's `false` and a counter's `0` are what everyone expects.
    let defaults = if takes_value(argument) {
        argument.get_default_values()
    } else {
        &[]
    };
    let mut default = defaults
        .iter()
        .map(|value| format!("`{}`", value.to_string_lossy()))
        .collect::<Vec<_>>()
        .join(", ");
    // Settings that `delivery.toml` may hold say their default in brackets.
    if let Some((before, said)) = help.clone().split_once("[default: ") {
        default = said.trim_end_matches(['.', ']']).to_owned();
        help = before.trim().to_owned();
    }
    let values: Vec<_> = if takes_value(argument) {
        let values = argument.get_possible_values();
        let shown = values.iter().filter(|value| !value.is_hide_set());
        shown
            .map(|value| format!("`{}`", value.get_name()))
            .collect()
    } else {
        Vec::new()
    };
    if !values.is_empty() {
        help = format!("{} ({})", help.trim_end_matches('.'), values.join(", "));
    }
    let variable = argument.get_env();
    let variable = variable
        .map(|name| format!("`{}`", name.to_string_lossy()))
        .unwrap_or_default();
    let cells = [
        names(argument),
        default,
        variable,
        help.trim_end_matches('.').to_owned(),
    ];
    format!(
        "| {} |\n",
        cells.map(|cell| cell.replace('|', "\\|")).join(" | ")
    )
}

fn takes_value(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Set | ArgAction::Append)
}

fn names(argument: &Arg) -> String {
    let value = argument
        .get_value_names()
        .and_then(|names| names.first())
        .map(ToString::to_string)
        .unwrap_or_default();
    if argument.is_positional() {
        return if argument.is_required_set() {
            format!("`{value}`")
        } else {
            format!("`[{value}]`")
        };
    }
    let short = argument.get_short().map(|short| format!("`-{short}`"));
    let long = argument.get_long().map(|long| {
        if takes_value(argument) {
            format!("`--{long} {value}`")
        } else {
            format!("`--{long}`")
        }
    });
    short.into_iter().chain(long).collect::<Vec<_>>().join(", ")
}

/// Commands in code blocks have to be whole; those in sentences may lack what is required.
#[test]
fn every_command_in_a_document_is_one_that_the_program_takes() {
    let mut refused = Vec::new();
    let mut checked = 0;
    for path in documents() {
        let text = std::fs::read_to_string(&path).unwrap();
        for (mention, whole) in mentions(&text) {
            checked += 1;
            let words = words(&mention);
            let Err(error) = Cli::command().try_get_matches_from(&words) else {
                continue;
            };
            let bearable = match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => true,
                ErrorKind::MissingRequiredArgument
                | ErrorKind::MissingSubcommand
                | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => !whole,
                _ => false,
            };
            if !bearable {
                refused.push(format!("{}: `{mention}`: {}", path.display(), error.kind()));
            }
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(checked > 30, "only {checked} commands were found");
}

/// The commands of `delivery` in a document, and whether each is a whole one.
fn mentions(text: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut shell = false;
    for event in Parser::new_ext(text, pulldown_cmark::Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                shell = info.split_whitespace().next() == Some("sh");
            }
            Event::End(TagEnd::CodeBlock) => shell = false,
            Event::Text(code) if shell => {
                let lines = code.replace("\\\n", " ");
                found.extend(
                    lines
                        .lines()
                        .filter_map(command)
                        .map(|command| (command, true)),
                );
            }
            Event::Code(code) => found.extend(command(&code).map(|command| (command, false))),
            _ => {}
        }
    }
    found
}

/// The command of `delivery` in a line of a shell.
fn command(line: &str) -> Option<String> {
    let line = line.trim();
    let line = line
        .strip_prefix("eval \"$(")
        .and_then(|line| line.strip_suffix(")\""))
        .unwrap_or(line);
    let line = line.strip_prefix("target/debug/").unwrap_or(line);
    let rest = line.strip_prefix("delivery ")?;
    let end = [" |", " >", " &&", " 2>", " #"]
        .iter()
        .filter_map(|end| rest.find(end))
        .min();
    let rest = &rest[..end.unwrap_or(rest.len())];
    rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '-')
        .then(|| format!("delivery {}", rest.replace('…', "x").replace("...", "x")))
}

/// The words of a line; what stands in quotes is one.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (_, Some(open)) if c == open => quote = None,
            (' ', None) => words.push(String::new()),
            _ => words
                .last_mut()
                .expect("there is one from the start")
                .push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Every document, but for the history, which tells of commands that are gone.
fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders = vec![root];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap_or_default();
            let path = entry.path();
            if path.is_dir()
                && !name.starts_with('.')
                && !matches!(name.as_str(), "target" | "node_modules")
            {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md")
                && name != "CHANGELOG.md"
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
