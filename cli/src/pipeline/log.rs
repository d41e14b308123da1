//! `delivery log`: the stack's events, or the logs of actions' functions.

mod actions;
mod events;
mod selection;

use crate::args::Global;
use crate::args::pipeline::Log;
use crate::error::CliError;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::output::Reporter;

use super::target::Target;

pub(crate) async fn log(global: &Global, arguments: &Log) -> Result<Exit, CliError> {
    let reporter = Reporter::new(global);
    let target = Target::find(global).await?;
    let work = show(&target, arguments, &reporter);
    if !arguments.follow {
        return work.await.map(|()| Exit::Success);
    }
    let mut interrupt = Interrupt::listen().map_err(|source| CliError::Program {
        program: "delivery",
        source,
    })?;
    tokio::select! {
        shown = work => shown.map(|()| Exit::Success),
        () = interrupt.received() => Ok(Exit::Interrupted),
    }
}

async fn show(target: &Target, arguments: &Log, reporter: &Reporter) -> Result<(), CliError> {
    let about_actions = arguments.choice.pipeline.is_some()
        || arguments.stage.is_some()
        || arguments.action.is_some()
        || arguments.execution.is_some();
    let stack_moves = target.stack.state().is_in_progress();
    match (about_actions, arguments.follow, arguments.failed) {
        (false, false, false) => events::all(target, reporter).await,
        (false, false, true) => failed(target, arguments, reporter).await,
        (false, true, _) if stack_moves => events::follow(target, reporter).await,
        (_, true, _) => actions::follow(target, arguments, reporter).await,
        (true, false, _) => {
            let pipelines = target.meant(arguments.choice.pipeline.as_deref())?;
            if actions::show(target, pipelines, arguments, reporter).await? == 0 {
                reporter.notice(if arguments.failed {
                    "none of these actions has failed"
                } else {
                    "none of these actions has run yet"
                });
            }
            Ok(())
        }
    }
}

/// What failed: of the stack, and of the pipeline.
async fn failed(target: &Target, arguments: &Log, reporter: &Reporter) -> Result<(), CliError> {
    let mut shown = 0;
    if target.stack.state().is_failure() {
        shown += events::failures(target, reporter).await?;
    }
    if !target.pipelines().is_empty() {
        let pipelines = target.meant(arguments.choice.pipeline.as_deref())?;
        shown += actions::show(target, pipelines, arguments, reporter).await?;
    }
    if shown == 0 {
        reporter.notice("no failures: neither in the stack nor in the pipeline");
    }
    Ok(())
}
