//! `delivery rollback`: brings back what an environment had before, and keeps the pipeline from delivering there until
//! `delivery resume`.
//!
//! Its order matters. The transition is closed first, so that no execution that waits overtakes the rollback. Then one call
//! for each function gives the old version the traffic, which ends the harm. Then the stage runs again with the earlier
//! execution's artifacts, which brings back API stages, sites and stacks, too.

mod choice;
mod partly;
mod releases;

use aws_sdk_codepipeline::operation::rollback_stage::RollbackStageError;
use aws_sdk_codepipeline::types::StageTransitionType;
use delivery_rollout::{Change, Description, abort};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::Global;
use crate::args::rollout::Rollback;
use crate::error::CliError;
use crate::exit::Exit;
use crate::follow::Pipeline;
use crate::output::answer::{self, CommandAnswer};
use crate::output::reporter::can_ask;
use crate::output::text::short;
use crate::output::write_stderr;
use crate::stack::question;

use super::delivered::history::{self, Delivery};
use super::delivered::place::{self, App, Place};
use super::read;
use super::rollout::{Look, caller, changed_meanwhile};
use super::start::Following;
use super::state::Revision;
use super::target::Target;
use choice::{RollbackError, choose};
use partly::{NotBack, PartlyBack};

/// The reason where none is given.
const NO_REASON: &str = "no reason given";

/// Longest reason for a closed transition, in characters (`API_DisableStageTransition`, `reason`).
const MAX_REASON_CHARS: usize = 300;

/// What a rollback did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RolledBack {
    /// The environment.
    environment: String,
    /// The commit that it goes back to; `null` where rollouts were aborted, or only a function went back.
    revision: Option<Revision>,
    /// The release that it goes back to, where it has releases.
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<String>,
    /// Its functions, and the versions that have all traffic now.
    functions: Vec<FunctionBack>,
    /// The execution that brings back everything else in the stage.
    execution: Option<String>,
    /// The pipeline of that execution.
    pipeline: String,
    /// Why nothing but the functions goes back, where that is so.
    only_functions: Option<String>,
    /// The stage that nothing is delivered to until `delivery resume`; `null` where no pipeline delivers there by itself.
    held: Option<String>,
    /// The commands to go on with.
    next: Vec<String>,
}

/// A function that went back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct FunctionBack {
    /// The function and its alias.
    alias: String,
    /// The version that has all traffic now.
    version: String,
    /// The version that had it.
    from: String,
}

impl CommandAnswer for RolledBack {
    const TYPE: &'static str = "rollback";

    fn text(&self) -> String {
        let mut lines = Vec::new();
        if let Some(revision) = &self.revision {
            let environment = &self.environment;
            let release = self.release.as_ref();
            let release = release.map_or_else(String::new, |id| format!("release {id} of "));
            let sign = if self.functions.is_empty() {
                "•"
            } else {
                "✓"
            };
            lines.push(format!(
                "{sign} {environment} goes back to {release}{}",
                revision.short_form()
            ));
        }
        for FunctionBack {
            alias,
            version,
            from,
        } in &self.functions
        {
            lines.push(format!(
                "✓ {alias}: version {version} has all traffic, version {from} none"
            ));
        }
        match (&self.execution, &self.only_functions) {
            (Some(execution), _) => lines.push(format!(
                "• execution {} of {} brings back {}",
                short(execution),
                self.place(),
                if self.functions.is_empty() {
                    "all of it; until it ends the environment has what it had"
                } else {
                    "the rest of it"
                }
            )),
            (None, Some(why)) => lines.push(format!("✗ only functions went back: {why}")),
            (None, None) => {}
        }
        if let Some(held) = &self.held {
            lines.push(format!(
                "■ nothing is delivered to {held} until it is resumed"
            ));
        }
        lines.push(format!("next: {}\n", self.next.join("\n      ")));
        lines.join("\n")
    }
}

impl RolledBack {
    /// Where the execution is that brings back the rest: the stage, or the pipeline that applies releases.
    fn place(&self) -> &str {
        match (&self.release, &self.held) {
            (None, Some(stage)) => stage,
            _ => &self.pipeline,
        }
    }

    /// Follows the execution that brings back the rest, where there is one and that was asked for.
    async fn end(
        &self,
        global: &Global,
        arguments: &Rollback,
        target: &Target,
        pipeline: Pipeline,
    ) -> Result<Exit, CliError> {
        let Some(execution) = self.execution.as_ref().filter(|_| arguments.waiting.wait) else {
            return Ok(Exit::Success);
        };
        let next = &self.next[0];
        let following = Following::prepare(&pipeline).await?;
        following
            .follow(
                global,
                target,
                pipeline,
                execution,
                arguments.waiting.timeout,
                next,
            )
            .await
    }
}

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

/// Begins the command in a closed transition's reason.
const RESUME: &str = "delivery resume ";

/// Why a transition is closed. The person's words come last: they may be cut, and lose the characters that the service
/// does not take (`API_DisableStageTransition`, `reason`: a pattern without colons and quotes).
fn reason(by: &str, again: &str, why: &str) -> String {
    let reason = format!("rolled back by {by} ({RESUME}{again} opens it) {why}");
    let taken = |c: char| c.is_ascii_alphanumeric() || "!@ ().*?-".contains(c);
    let reason = reason.chars().map(|c| if taken(c) { c } else { ' ' });
    reason.take(MAX_REASON_CHARS).collect()
}

/// The command that opens a transition which a rollback closed for this reason.
pub(crate) fn resume_command(reason: &str) -> Option<String> {
    let (_, rest) = reason.split_once(&format!("({RESUME}"))?;
    let (again, _) = rest.split_once(" opens it)")?;
    let known = |c: char| c.is_ascii_alphanumeric() || "- ".contains(c);
    again.chars().all(known).then(|| format!("{RESUME}{again}"))
}

/// The command that opens a closed transition.
pub(crate) fn open_command(pipeline: &str, stage: &str, reason: &str) -> String {
    resume_command(reason).unwrap_or_else(|| {
        format!(
            "aws codepipeline enable-stage-transition --pipeline-name {pipeline} --stage-name {stage} --transition-type \
             Inbound"
        )
    })
}

/// Why a transition is closed, without the command, which is shown beside it.
pub(crate) fn readable_reason(reason: &str) -> String {
    match resume_command(reason) {
        Some(command) => {
            let readable = reason.replacen(&format!(" ({command} opens it)"), ":", 1);
            readable.trim_end_matches([':', ' ']).to_owned()
        }
        None => reason.to_owned(),
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

/// Gives the old version of each function all traffic, in one call each. One that is refused does not keep the others
/// from going back: each that is back harms nobody any more.
/// `choice`: the option that names the pipeline in a further command.
async fn functions_back(
    place: &Place,
    looks: &[Look],
    plan: &RollbackPlan,
    arguments: &Rollback,
    choice: &str,
    by: &str,
) -> Result<Vec<FunctionBack>, CliError> {
    let (mut back, mut not_back) = (Vec::new(), Vec::new());
    for (app, look) in place.apps.iter().zip(looks) {
        match function_back(app, look, plan, arguments, by).await {
            Ok(gone_back) => back.extend(gone_back),
            Err(error) if place.apps.len() == 1 => return Err(error),
            Err(error) => not_back.push(NotBack::new(app, look, &error)),
        }
    }
    if not_back.is_empty() {
        return Ok(back);
    }
    Err(PartlyBack::new(arguments, choice, plan, &back, &not_back).into())
}

/// `None` where the function is on the version that is meant already.
async fn function_back(
    app: &App,
    look: &Look,
    plan: &RollbackPlan,
    arguments: &Rollback,
    by: &str,
) -> Result<Option<FunctionBack>, CliError> {
    let why = arguments.message.as_deref().unwrap_or(NO_REASON);
    let found = &look.found.alias;
    let change = match plan {
        RollbackPlan::Abort => abort(found, look.good_version(), by, why),
        RollbackPlan::Version(version) => Some(to_version(look, version, None)),
        RollbackPlan::Delivery(delivery) => {
            let revision = delivery
                .revision
                .as_ref()
                .map(|revision| revision.id.clone());
            let to = delivery.versions.get(&app.action);
            to.map(|to| to_version(look, to, revision))
        }
    };
    let Some(change) = change else {
        return Ok(None);
    };
    let is_there = found.is_wholly_on(&change.version);
    if !is_there {
        let changed = look.alias.change(&look.found, &change).await;
        changed.map_err(|error| changed_meanwhile(&look.alias, error))?;
    }
    // Also where it was there already: an earlier rollback may have ended in between.
    if matches!(plan, RollbackPlan::Delivery(_)) {
        keep(look, &change.version).await?;
    }
    let from = look
        .under_way()
        .map_or(&found.version, |marker| &marker.new);
    Ok((!is_there).then(|| FunctionBack {
        alias: look.alias.resource(),
        version: change.version.clone(),
        from: from.clone(),
    }))
}

fn to_version(look: &Look, version: &str, revision: Option<String>) -> Change {
    Change {
        version: version.to_owned(),
        share: None,
        description: Description {
            marker: None,
            revision,
            before: Some(look.found.alias.version.clone()),
        },
    }
}

/// What was delivered here once is the last good version now: nobody can delete it, and the guard goes back to it.
async fn keep(look: &Look, version: &str) -> Result<(), CliError> {
    if look.good_version() == Some(version) {
        return Ok(());
    }
    let good = look.alias.good();
    let kept = match &look.good {
        Some(found) => {
            let before = Some(found.alias.version.clone());
            good.keep(Some(found), version, before).await
        }
        None => return Ok(()), // No rollout was ever made here, so nothing looks at it.
    };
    kept.map(drop)
        .map_err(|error| changed_meanwhile(&good, error))
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
