//! `delivery rollback`: brings back what an environment had before, and keeps the pipeline from delivering there until
//! `delivery resume`.
//!
//! Its order matters. The transition is closed first, so that no execution that waits overtakes the rollback. Then one call
//! for each function gives the old version the traffic, which ends the harm. Then the stage runs again with the earlier
//! execution's artifacts, which brings back API stages, sites and stacks, too.

mod choice;
mod functions;
mod partly;
mod reason;
mod releases;
mod rolled_back;

use aws_sdk_codepipeline::operation::rollback_stage::RollbackStageError;
use aws_sdk_codepipeline::types::StageTransitionType;

use crate::args::Global;
use crate::args::rollout::Rollback;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::answer;
use crate::output::reporter::can_ask;
use crate::output::write_stderr;
use crate::stack::question;

use super::delivered::history::{self, Delivery};
use super::delivered::place::{self, Place};
use super::read;
use super::rollout::{Look, caller};
use super::target::Target;
use choice::{RollbackError, choose};
use functions::functions_back;
use reason::{NO_REASON, RESUME, reason};

pub(crate) use reason::{open_command, readable_reason, resume_command};
pub(crate) use rolled_back::RolledBack;

pub(crate) async fn rollback(global: &Global, arguments: &Rollback) -> Result<Exit, CliError> {
    let target = Target::find(global).await?;
    if let Some(found) = releases::find(&target, &arguments.environment).await? {
        return Box::pin(releases::rollback(global, arguments, &target, found)).await;
    }
    of_stage(global, arguments, &target).await
}

/// Rolls an environment back that has no releases: its stage runs again with what an earlier execution had.
async fn of_stage(
    global: &Global,
    arguments: &Rollback,
    target: &Target,
) -> Result<Exit, CliError> {
    let environment = &arguments.environment;
    let pipeline = arguments.choice.pipeline.as_deref();
    let place = place::the_only(target, pipeline, environment).await?;
    let lambda = target.cloud.lambda();
    let mut looks = Vec::new();
    for app in &place.apps {
        looks.push(Look::at(&lambda, app).await?);
    }
    let plan = plan(arguments, &place, &looks).await?;
    ask(global, arguments, &place, &looks, &plan)?;
    let by = caller(&target.cloud).await?;
    let choice = target.choice(&place.pipeline);
    hold(&place, arguments, &choice, &by).await?;
    let functions = functions_back(&place, &looks, &plan, arguments, &choice, &by).await?;
    let (execution, only_functions) = match &plan {
        RollbackPlan::Delivery(delivery) => stage_back(&place, delivery).await?,
        // The release's API stage and site come after its function: a rollout that is under way has not brought them.
        RollbackPlan::Abort => (None, None),
        RollbackPlan::Version(_) => (
            None,
            Some("no delivery of this environment brought that version".to_owned()),
        ),
    };
    let resume = format!("{RESUME}{environment}{choice}");
    let follow = execution
        .is_some()
        .then(|| format!("delivery log --follow{choice}"));
    let rolled_back = RolledBack {
        environment: environment.clone(),
        revision: match &plan {
            RollbackPlan::Delivery(delivery) => delivery.revision.clone(),
            RollbackPlan::Abort | RollbackPlan::Version(_) => None,
        },
        release: None,
        functions,
        only_functions,
        execution,
        pipeline: place.pipeline.name().to_owned(),
        held: Some(place.stage.clone()),
        next: follow.into_iter().chain([resume]).collect(),
    };
    answer::print(global.json, &rolled_back);
    if rolled_back.only_functions.is_some() && !arguments.force {
        return Ok(Exit::Failed);
    }
    rolled_back
        .end(global, arguments, target, place.pipeline)
        .await
}

/// What the stage goes back to.
async fn plan(
    arguments: &Rollback,
    place: &Place,
    looks: &[Look],
) -> Result<RollbackPlan, CliError> {
    let is_under_way = looks.iter().any(|look| look.under_way().is_some());
    if is_under_way && arguments.to.is_none() {
        return Ok(RollbackPlan::Abort);
    }
    let deliveries = history::deliveries(place).await?;
    let now = looks.iter().map(|look| look.found.alias.version.as_str());
    let now = place.apps.iter().map(|app| app.action.as_str()).zip(now);
    let chosen = choose(
        &deliveries,
        &now.collect(),
        &arguments.environment,
        arguments.to.as_deref(),
        arguments.force,
    );
    Ok(chosen?)
}

/// What an environment goes back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::pipeline) enum RollbackPlan {
    /// The rollouts that are under way are aborted.
    Abort,
    /// What this execution brought.
    Delivery(Delivery),
    /// A version of the only function, which the history does not know.
    Version(String),
}

fn ask(
    global: &Global,
    arguments: &Rollback,
    place: &Place,
    looks: &[Look],
    plan: &RollbackPlan,
) -> Result<(), RollbackError> {
    if arguments.yes {
        return Ok(());
    }
    if global.json || !can_ask() {
        return Err(RollbackError::CannotAsk);
    }
    say_functions(place, looks, plan);
    if let RollbackPlan::Delivery(delivery) = plan {
        let revision = super::state::short_form(delivery.revision.as_ref());
        write_stderr(&format!("  {} runs again with {revision}", place.stage));
    }
    let question = format!(
        "Roll {} back, and hold its pipeline?",
        arguments.environment
    );
    match question::confirm(&question) {
        question::Answer::Yes => Ok(()),
        question::Answer::No => Err(RollbackError::Declined),
        question::Answer::Interrupted => Err(RollbackError::Interrupted),
        question::Answer::NotATerminal => Err(RollbackError::CannotAsk),
    }
}

/// Says what becomes of the functions.
fn say_functions(place: &Place, looks: &[Look], plan: &RollbackPlan) {
    for (app, look) in place.apps.iter().zip(looks) {
        let version = &look.found.alias.version;
        let to = match (plan, look.under_way()) {
            (RollbackPlan::Abort, Some(marker)) => {
                format!("rollout of version {} is aborted", marker.new)
            }
            (RollbackPlan::Abort, None) => format!("version {version} stays"),
            (RollbackPlan::Version(to), _) => format!("version {version} → {to}"),
            (RollbackPlan::Delivery(delivery), _) => match delivery.versions.get(&app.action) {
                Some(to) => format!("version {version} → {to}"),
                None => format!("version {version} stays"),
            },
        };
        write_stderr(&format!("  {}: {to}", look.alias.resource()));
    }
}

/// Why the pipeline that delivers to an environment is held, for people; `None` where it is not, or where that cannot be read.
pub(crate) async fn held_because(target: &Target, environment: &str) -> Option<String> {
    let place = place::at_most_one(target, None, environment).await.ok()??;
    let reason = known_reason(&place).await?;
    Some(readable_reason(&reason))
}

/// Closes the transition into the stage. `choice` is the option that names its pipeline, where it has to be named.
async fn hold(place: &Place, arguments: &Rollback, choice: &str, by: &str) -> Result<(), CliError> {
    let why = arguments.message.as_deref();
    let again = format!("{}{choice}", arguments.environment);
    // The reason that it is closed for already says more than none.
    let known = match why {
        Some(_) => None,
        None => known_reason(place).await,
    };
    let reason = known.unwrap_or_else(|| reason(by, &again, why.unwrap_or(NO_REASON)));
    let sent = place
        .pipeline
        .client()
        .disable_stage_transition()
        .pipeline_name(place.pipeline.name())
        .stage_name(&place.stage)
        .transition_type(StageTransitionType::Inbound)
        .reason(reason)
        .send()
        .await;
    sent.map(drop).map_err(
        place
            .pipeline
            .refused("codepipeline:DisableStageTransition"),
    )
}

/// Why the stage is closed; `None` where it is open, or where that cannot be read: nothing of it keeps a rollback.
async fn known_reason(place: &Place) -> Option<String> {
    let mut found = read::state(&place.pipeline).await.ok()?.stages.into_iter();
    let stage = found.find(|stage| stage.name == place.stage)?;
    stage.closed?.reason
}

/// Runs the stage again with what an execution had: its id, or why that is not possible.
async fn stage_back(
    place: &Place,
    delivery: &Delivery,
) -> Result<(Option<String>, Option<String>), CliError> {
    let sent = place
        .pipeline
        .client()
        .rollback_stage()
        .pipeline_name(place.pipeline.name())
        .stage_name(&place.stage)
        .target_pipeline_execution_id(&delivery.execution)
        .send()
        .await;
    let error = match sent {
        Ok(begun) => return Ok((Some(begun.pipeline_execution_id), None)),
        Err(error) => error,
    };
    let why = match error.as_service_error() {
        Some(RollbackStageError::PipelineExecutionOutdatedException(_)) => {
            "the pipeline has been updated since then, and CodePipeline runs a stage again only with the same pipeline; \
             deliver the commit anew: `delivery start --revision COMMIT`"
                .to_owned()
        }
        Some(
            RollbackStageError::UnableToRollbackStageException(_)
            | RollbackStageError::ConflictException(_),
        ) => {
            let said = error.as_service_error().map(ToString::to_string);
            let said = crate::output::foreign::line(&said.unwrap_or_default());
            format!(
                "CodePipeline does not run the stage again ({said}); if it is running, stop it with `delivery stop` and \
                 roll back once more"
            )
        }
        _ => return Err(place.pipeline.refused("codepipeline:RollbackStage")(error)),
    };
    Ok((None, Some(why)))
}
