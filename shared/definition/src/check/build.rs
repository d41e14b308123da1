//! How services are built.
//!
//! The limits are those of CodePipeline's Commands action:
//! <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ActionDeclaration.html>.

use std::time::Duration;

use crate::file::service::BuildSettings;
use crate::form::Located;
use crate::reader::Reader;

const MOST_COMMANDS: usize = 50;
const COMMAND_CHARACTERS: usize = 1000;
const MOST_VARIABLES_SET: usize = 10;
const MOST_FILES: usize = 10;
const MOST_VARIABLES_READ: usize = 15;
const SHORTEST: Duration = Duration::from_mins(5);
const LONGEST: Duration = Duration::from_mins(55);

pub(super) fn check(service: &str, build: &Located<BuildSettings>, reader: &mut Reader) {
    let place = format!("services.{service}.build");
    let settings = &build.value;
    match (&settings.task, &settings.commands) {
        (None, None) => reader.report(
            build.line,
            format!("`{place}` has neither `task` nor `commands`"),
            "add one, for example: build = { task = \"package\" }",
        ),
        (Some(_), Some(commands)) => reader.report(
            commands.line,
            format!("`{place}` has both `task` and `commands`"),
            "remove one; `commands` can run the task: `npm run package`",
        ),
        (Some(_), None) => report_keys_of_commands(&place, settings, reader),
        (None, Some(commands)) => {
            report_commands(&place, commands, reader);
            report_limits(&place, settings, reader);
        }
    }
}

fn report_keys_of_commands(place: &str, settings: &BuildSettings, reader: &mut Reader) {
    let keys = [
        ("image", settings.image.as_ref().map(|key| key.line)),
        (
            "environment",
            settings.environment.as_ref().map(|key| key.line),
        ),
        ("files", settings.files.as_ref().map(|key| key.line)),
        ("variables", settings.variables.as_ref().map(|key| key.line)),
        ("timeout", settings.timeout.as_ref().map(|key| key.line)),
    ];
    for (key, line) in keys {
        if let Some(line) = line {
            reader.report(
                line,
                format!("`{place}.{key}` has no effect on a `task`"),
                "remove it, or build by `commands`",
            );
        }
    }
}

fn report_commands(place: &str, commands: &Located<Vec<Located<String>>>, reader: &mut Reader) {
    if !(1..=MOST_COMMANDS).contains(&commands.value.len()) {
        let what = format!(
            "`{place}.commands` has {} commands; it must have from 1 to {MOST_COMMANDS}",
            commands.value.len()
        );
        reader.report(
            commands.line,
            what,
            "put more of them into a script, and run that",
        );
    }
    for command in &commands.value {
        let characters = command.value.chars().count();
        if command.value.contains('\n') {
            let what = format!("`{place}.commands` has a command of several lines");
            reader.report(
                command.line,
                what,
                "write each line as a command: all run in one shell",
            );
        } else if command.value.trim().is_empty() {
            let what = format!("`{place}.commands` has an empty command");
            reader.report(command.line, what, "remove it");
        } else if characters > COMMAND_CHARACTERS {
            let what = format!(
                "`{place}.commands` has a command of {characters} characters; the limit is {COMMAND_CHARACTERS}"
            );
            reader.report(command.line, what, "put it into a script, and run that");
        }
    }
}

fn report_limits(place: &str, settings: &BuildSettings, reader: &mut Reader) {
    let environment = settings.environment.as_ref();
    let files = settings.files.as_ref();
    let variables = settings.variables.as_ref();
    let counts = [
        (
            "environment",
            environment.map(|all| (all.line, all.value.len())),
            MOST_VARIABLES_SET,
        ),
        (
            "files",
            files.map(|all| (all.line, all.value.len())),
            MOST_FILES,
        ),
        (
            "variables",
            variables.map(|all| (all.line, all.value.len())),
            MOST_VARIABLES_READ,
        ),
    ];
    for (key, found, most) in counts {
        if let Some((line, count)) = found.filter(|(_, count)| *count > most) {
            let what = format!("`{place}.{key}` has {count} entries; the limit is {most}");
            reader.report(
                line,
                what,
                "remove some; CodePipeline's Commands action takes no more",
            );
        }
    }
    for text in environment
        .iter()
        .flat_map(|environment| &environment.value)
    {
        if !text.value.value.is_literal() {
            let what = format!("`{place}.environment.{}` has a reference", text.name);
            let next = "remove it: a service is built once, for all environments; `test` and `config` can have references";
            reader.report(text.value.line, what, next);
        }
    }
    if let Some(timeout) = &settings.timeout
        && !(SHORTEST..=LONGEST).contains(&timeout.value.0)
    {
        let what = format!("`{place}.timeout` must be from `5m` to `55m`");
        reader.report(timeout.line, what, "for example: timeout = \"20m\"");
    }
}
