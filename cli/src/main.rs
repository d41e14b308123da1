//! `delivery`: takes a commit from source to production.
//!
//! The only crate that prints. Data goes to standard output, everything for people to standard error.

mod application;
mod args;
mod cloud;
mod doctor;
#[cfg(test)]
mod documented;
mod endpoints;
mod error;
mod event;
mod exit;
mod follow;
mod functions;
mod home;
mod host;
mod interrupt;
mod kept;
mod launch;
mod log;
mod output;
mod pipeline;
#[cfg(test)]
mod reference;
mod run;
mod serve;
mod settings;
mod stack;
mod trace;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::help::{self, Help};
use args::local::LocalCommand;
use args::{Cli, Color, Command, Global};
use error::CliError;
use exit::Exit;
use output::ending::Ending;
use output::{write_stderr, write_stdout};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    prepare(&cli.global);
    let ended = match enter(&cli.global) {
        Ok(()) => obey(&cli).await,
        Err(error) => Err(error),
    };
    if cli.global.json && (cli.command.tells_events() || ended.is_err()) {
        Ending::of(&ended).print();
    }
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => {
            write_stderr(&format!("error: {}", error.message()));
            error.exit().into()
        }
    }
}

async fn obey(cli: &Cli) -> Result<Exit, CliError> {
    match &cli.command {
        Command::Run(arguments) => Ok(run::run(&cli.global, arguments).await),
        Command::Local(local) => match &local.command {
            LocalCommand::Start(arguments) => kept::start(&cli.global, arguments).await,
            LocalCommand::Env(arguments) => kept::env(&cli.global, arguments),
            LocalCommand::Stop(arguments) => kept::stop(&cli.global, arguments).await,
        },
        Command::Publish(arguments) => stack::publish(&cli.global, arguments).await,
        Command::Up(arguments) => stack::up(&cli.global, arguments).await,
        Command::Wait(arguments) => stack::wait(&cli.global, arguments).await,
        Command::Down(arguments) => stack::down(&cli.global, arguments).await,
        Command::Validate(arguments) => stack::validate(&cli.global, arguments).await,
        Command::Status(arguments) => pipeline::status(&cli.global, arguments).await,
        Command::Log(arguments) => pipeline::log(&cli.global, arguments).await,
        Command::Start(arguments) => pipeline::start(&cli.global, arguments).await,
        Command::Approve(arguments) => pipeline::approve(&cli.global, arguments).await,
        Command::Reject(arguments) => pipeline::reject(&cli.global, arguments).await,
        Command::Retry(arguments) => pipeline::retry(&cli.global, arguments).await,
        Command::Stop(arguments) => pipeline::stop(&cli.global, arguments).await,
        Command::Doctor => doctor::doctor(&cli.global).await,
        Command::Completions(arguments) => {
            write_stdout(&completions(arguments.shell));
            Ok(Exit::Success)
        }
        Command::Help(arguments) => Ok(explain(arguments)),
        Command::Serve(arguments) => serve::serve(arguments).await,
    }
}

/// The completions of a shell. They are made whole first: a reader that goes away is no reason to fail.
fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "delivery", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

fn prepare(global: &Global) {
    match global.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    trace::start(global);
}

fn enter(global: &Global) -> Result<(), CliError> {
    let Some(directory) = &global.directory else {
        return Ok(());
    };
    std::env::set_current_dir(directory).map_err(|error| CliError::Application {
        path: directory.clone(),
        source: error.into(),
    })
}

fn explain(arguments: &Help) -> Exit {
    let mut cli = Cli::command();
    let Some(topic) = &arguments.topic else {
        write_stdout(&cli.render_long_help().ansi().to_string());
        return Exit::Success;
    };
    if let Some(text) = help::topic(topic) {
        write_stdout(&text);
        return Exit::Success;
    }
    cli.build();
    let Some(command) = cli.find_subcommand_mut(topic) else {
        write_stderr(&format!(
            "error: there is no help on `{topic}`\n  help: `delivery help` lists the commands"
        ));
        return Exit::Usage;
    };
    write_stdout(&command.render_long_help().ansi().to_string());
    Exit::Success
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn the_completions_of_every_shell_name_every_verb() {
        let verbs: Vec<String> = Cli::command()
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
            .map(|command| command.get_name().to_owned())
            .collect();
        assert!(verbs.len() > 15, "{verbs:?}");
        for shell in clap_complete::Shell::value_variants() {
            let script = completions(*shell);
            for verb in &verbs {
                assert!(script.contains(verb.as_str()), "{shell}: {verb}");
            }
        }
    }
}
