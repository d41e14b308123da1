//! `scripts/demo`: takes the greeter from a commit to production on this machine, and looks at the result.
#![expect(clippy::print_stderr, reason = "a demo tells what it does")]

mod alias;
mod numbers;
mod rollback;
mod traffic;
mod twice;

use std::io;
use std::process::ExitCode;

use pipeline_tests::application::Application;
use pipeline_tests::delivery::{Delivery, Run};
use pipeline_tests::packages::Packages;

/// What everything in the demo's local AWS is called after.
const STACK: &str = "greeter";

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    /// Two good commits.
    Twice,
    /// The same with the functions' packages for Lambda, which find what they find there.
    Packages,
    /// A commit that is found out in production and taken back.
    Rollback,
}

#[tokio::main]
async fn main() -> ExitCode {
    match demo().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn demo() -> io::Result<()> {
    let story = story()?;
    let greeter = Application::example("greeter")?;
    say(&format!(
        "the application is a copy of examples/greeter: {}",
        greeter.path().display()
    ));
    let mut delivery = Delivery::of(greeter.path());
    let packages = match story {
        Story::Packages => Some(Packages::built()?),
        Story::Twice | Story::Rollback => None,
    };
    if let Some(packages) = &packages {
        packages.guard(&greeter)?;
        delivery = delivery.on(packages);
    }
    let shown = async {
        match story {
            Story::Rollback => rollback::show(&greeter, &delivery).await,
            _ => twice::show(&greeter, &delivery, packages.as_ref()).await,
        }
    };
    let outcome = tokio::select! {
        outcome = shown => outcome,
        _ = tokio::signal::ctrl_c() => Err(io::Error::other("interrupted")),
    };
    say("ending what was started");
    delivery.stop().await?;
    outcome
}

/// What was asked for.
fn story() -> io::Result<Story> {
    match std::env::args().nth(1).as_deref() {
        None => Ok(Story::Twice),
        Some("--packages") => Ok(Story::Packages),
        Some("--rollback") => Ok(Story::Rollback),
        Some(other) => Err(io::Error::other(format!(
            "`{other}` is not known; usage: demo [--packages | --rollback]"
        ))),
    }
}

/// Runs the pipeline for the commit that is checked out, however it ends.
async fn run(delivery: &Delivery) -> io::Result<Run> {
    delivery.run(&["--keep", "--stack-name", STACK]).await
}

/// Runs the pipeline, in which every action has to succeed.
async fn deliver(delivery: &Delivery) -> io::Result<Run> {
    let run = run(delivery).await?;
    if run.exit_code != 0 {
        return Err(io::Error::other(format!(
            "`delivery run` ended with {}",
            run.exit_code
        )));
    }
    for (stage, action, status) in run.actions() {
        if status != "Succeeded" {
            return Err(io::Error::other(format!("{action} in {stage} is {status}")));
        }
    }
    say(&format!(
        "{} actions, every one Succeeded",
        run.actions().len()
    ));
    Ok(run)
}

fn say(text: &str) {
    eprintln!("demo: {text}");
}
