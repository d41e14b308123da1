//! `delivery`: takes a commit from source to production.
//!
//! The only crate that prints. Data goes to standard output, everything for people to standard error.

mod action_functions;
mod application;
mod args;
mod checkout;
mod cloud;
mod console;
mod deploy;
mod doctor;
mod error;
mod exit;
mod follow;
mod function_log;
#[cfg(test)]
mod generated_docs;
mod init;
mod installation;
mod interrupt;
mod local_aws;
mod message;
mod new_action;
mod output;
mod pipeline;
mod preflight;
mod record;
#[cfg(test)]
mod reference;
mod release;
mod render;
mod run;
mod settings;
mod stack;
mod state_folder;
mod templates;
mod trace;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::help::{self, Help};
use args::local::LocalCommand;
use args::{Cli, Color, Command, Global, advice};
use error::CliError;
use exit::Exit;
use local_aws::background::{self, BackgroundArguments};
use output::ending::Ending;
use output::{write_stderr, write_stdout};

fn main() -> ExitCode {
    protect();
    let line: Vec<OsString> = std::env::args_os().collect();
    let exit = if line.get(1).is_some_and(|verb| verb == background::VERB) {
        with_threads(run_in_background(&line[1..]))
    } else {
        match Cli::try_parse_from(&line) {
            Ok(cli) => with_threads(enter(cli)),
            // Help and the version are among these, and need no threads.
            Err(error) => advice::print(error, &line),
        }
    };
    exit.into()
}

fn with_threads(work: impl Future<Output = Exit>) -> Exit {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("the system gives threads");
    let exit = runtime.block_on(work);
    // Blocking threads may still be at work, for example on an archive: do not wait for them.
    runtime.shutdown_background();
    exit
}

/// Hides this process's memory and environment, where the developer's credentials are, from other processes
/// of the same user: the application's tests are among them.
fn protect() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    let _a_kernel_without_it_runs_too = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

async fn enter(cli: Cli) -> Exit {
    prepare(&cli.global);
    let ended = match change_directory(&cli.global) {
        Ok(()) => obey(&cli).await,
        Err(error) => Err(error),
    };
    if cli.global.json && (cli.command.reports_messages() || ended.is_err()) {
        Ending::of(&ended).print();
    }
    let exit = match ended {
        Ok(exit) => exit,
        Err(error) => {
            write_stderr(&format!("error: {}", error.message()));
            error.exit()
        }
    };
    match output::lost() {
        Some(error) => {
            write_stderr(&format!("error: cannot write to standard output: {error}"));
            if exit == Exit::Success {
                Exit::Failed
            } else {
                exit
            }
        }
        None => exit,
    }
}

/// Runs as the background process of an environment; messages go to its log.
async fn run_in_background(arguments: &[OsString]) -> Exit {
    let arguments = match BackgroundArguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            write_stderr(&error.to_string());
            return Exit::Usage;
        }
    };
    trace::start(1);
    match background::run(&arguments).await {
        Ok(exit) => exit,
        Err(error) => {
            write_stderr(&format!("error: {}", error.message()));
            error.exit()
        }
    }
}

async fn obey(cli: &Cli) -> Result<Exit, CliError> {
    match &cli.command {
        Command::Run(arguments) => Ok(run::run(&cli.global, arguments).await),
        Command::Open(arguments) => record::open(&cli.global, arguments),
        Command::History(_) => record::history(&cli.global),
        Command::Console(arguments) => Box::pin(console::console(&cli.global, arguments)).await,
        Command::Local(local) => match &local.command {
            LocalCommand::Start(arguments) => local_aws::start(&cli.global, arguments).await,
            LocalCommand::Env(arguments) => local_aws::env(&cli.global, arguments).await,
            LocalCommand::Stop(arguments) => local_aws::stop(&cli.global, arguments).await,
        },
        Command::Publish(arguments) => stack::publish(&cli.global, arguments).await,
        Command::Up(arguments) => stack::up(&cli.global, arguments).await,
        Command::Wait(arguments) => stack::wait(&cli.global, arguments).await,
        Command::Down(arguments) => stack::down(&cli.global, arguments).await,
        Command::Validate(arguments) => stack::validate(&cli.global, arguments).await,
        Command::Init(arguments) => init::init(&cli.global, arguments),
        Command::Render(arguments) => render::render(&cli.global, arguments),
        Command::Status(arguments) => pipeline::status(&cli.global, arguments).await,
        Command::Log(arguments) => pipeline::log(&cli.global, arguments).await,
        Command::Start(arguments) => pipeline::start(&cli.global, arguments).await,
        Command::Approve(arguments) => pipeline::approve(&cli.global, arguments).await,
        Command::Reject(arguments) => pipeline::reject(&cli.global, arguments).await,
        Command::Retry(arguments) => pipeline::retry(&cli.global, arguments).await,
        Command::Stop(arguments) => pipeline::stop(&cli.global, arguments).await,
        Command::Rollout(arguments) => pipeline::rollout(&cli.global, arguments).await,
        Command::Rollback(arguments) => pipeline::rollback(&cli.global, arguments).await,
        Command::Resume(arguments) => pipeline::resume(&cli.global, arguments).await,
        Command::Deploy(arguments) => Box::pin(deploy::deploy(&cli.global, arguments)).await,
        Command::Plan(arguments) => deploy::plan(&cli.global, arguments).await,
        Command::Releases(arguments) => release::releases(&cli.global, arguments).await,
        Command::Diff(arguments) => release::diff(&cli.global, arguments).await,
        Command::Promote(arguments) => Box::pin(release::promote(&cli.global, arguments)).await,
        Command::Env(arguments) => Box::pin(release::env(&cli.global, arguments)).await,
        Command::Doctor => doctor::doctor(&cli.global).await,
        Command::NewAction(arguments) => new_action::new_action(&cli.global, arguments),
        Command::Completions(arguments) => {
            write_stdout(&completions(arguments.shell));
            Ok(Exit::Success)
        }
        Command::Man(arguments) => manual(&arguments.folder),
        Command::Help(arguments) => Ok(explain(arguments)),
    }
}

/// The completions for a shell, generated in memory first: a reader that goes away is not an error.
fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "delivery", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Writes the manual pages.
fn manual(folder: &Path) -> Result<Exit, CliError> {
    std::fs::create_dir_all(folder)
        .and_then(|()| {
            clap_mangen::generate_to(Cli::command().disable_help_subcommand(true), folder)
        })
        .map_err(|source| CliError::File {
            verb: "write manual pages into",
            path: folder.to_owned(),
            source,
        })?;
    Ok(Exit::Success)
}

fn prepare(global: &Global) {
    match (global.color, forced_color()) {
        (Color::Always, _) | (Color::Auto, Some(true)) => {
            anstream::ColorChoice::Always.write_global();
        }
        (Color::Never, _) | (Color::Auto, Some(false)) => {
            anstream::ColorChoice::Never.write_global();
        }
        (Color::Auto, None) => {}
    }
    trace::start(global.verbose);
}

/// `FORCE_COLOR`, which Node.js programs honour; the colour library reads only `NO_COLOR` and `CLICOLOR`.
fn forced_color() -> Option<bool> {
    if delivery_action::env::var("NO_COLOR").is_some() {
        return None;
    }
    let forced = delivery_action::env::var("FORCE_COLOR")?;
    Some(!matches!(forced.as_str(), "0" | "false"))
}

fn change_directory(global: &Global) -> Result<(), CliError> {
    let Some(directory) = &global.directory else {
        return Ok(());
    };
    std::env::set_current_dir(directory).map_err(|source| CliError::Directory {
        path: directory.clone(),
        source,
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
            "error: no help on `{}`\n  help: `delivery help` lists the commands",
            output::foreign::line(topic)
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

    #[test]
    fn every_verb_has_a_manual_page() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("share/man/man1");
        manual(&folder).unwrap();
        let page = std::fs::read_to_string(folder.join("delivery.1")).unwrap();
        for command in Cli::command()
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
        {
            let verb = command.get_name();
            let own = std::fs::read_to_string(folder.join(format!("delivery-{verb}.1"))).unwrap();
            assert!(
                own.contains(&format!("delivery {verb}").replace('-', "\\-")),
                "{own}"
            );
            assert!(
                page.contains(&format!("delivery\\-{}(1)", verb.replace('-', "\\-"))),
                "{verb}"
            );
        }
    }
}
