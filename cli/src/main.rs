//! `delivery`: takes a commit from source to production.
//!
//! The only crate that prints. Data goes to standard output, everything for people to standard error.

mod application;
mod args;
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
mod run;
mod serve;
mod trace;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Cli, Color, Command, Global, Help};
use error::CliError;
use exit::Exit;
use output::{write_stderr, write_stdout};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    prepare(&cli.global);
    let ended = match enter(&cli.global) {
        Ok(()) => obey(&cli).await,
        Err(error) => Err(error),
    };
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
        Command::Env(arguments) => kept::env(&cli.global, arguments),
        Command::Stop(arguments) => kept::stop(&cli.global, arguments).await,
        Command::Help(arguments) => Ok(help(arguments)),
        Command::Serve(arguments) => serve::serve(arguments).await,
    }
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

fn help(arguments: &Help) -> Exit {
    let mut cli = Cli::command();
    let Some(topic) = &arguments.topic else {
        write_stdout(&cli.render_long_help().ansi().to_string());
        return Exit::Success;
    };
    if let Some(text) = args::topic(topic) {
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
