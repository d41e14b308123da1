//! `delivery promote`: what one environment has, to another one. Nothing is built again.

use std::time::Duration;

use delivery_definition::names::{EnvironmentName, Family};
use delivery_release::environment::Environment;
use schemars::JsonSchema;
use serde::Serialize;

use super::apply::{self, Application, ApplyKind};
use super::choose::{Release, choose, named};
use super::configuration::Configuration;
use super::diff::{NamedRelease, between, current, has};
use super::list::went_back_from;
use super::place::Releases;
use super::refusal::{Refusal, agree};
use crate::args::Global;
use crate::args::release::{Following as FollowingArguments, Promote};
use crate::error::CliError;
use crate::exit::Exit;
use crate::follow::Pipeline;
use crate::output::Reporter;
use crate::output::answer::{self, CommandAnswer};
use crate::output::text::short;
use crate::output::write_stderr;
use crate::pipeline::start::Following;
use crate::pipeline::{caller, held_because};

/// A release that is on its way to an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Promoted {
    /// The environment.
    environment: String,
    /// The release that it gets, or has already.
    release: NamedRelease,
    /// The pipeline; `null` where nothing had to be done.
    pipeline: Option<String>,
    /// The execution that brings it; `null` where nothing had to be done.
    execution: Option<String>,
    /// Why the pipeline that delivers to the environment is held, as after a rollback; the release goes there all the same.
    held: Option<String>,
    /// The command to go on with.
    next: Option<String>,
}

impl CommandAnswer for Promoted {
    const TYPE: &'static str = "apply";

    fn text(&self) -> String {
        let environment = &self.environment;
        let NamedRelease { id, commit } = &self.release;
        let release = format!("{id} (commit {})", short(commit));
        match (&self.execution, &self.next) {
            (Some(execution), Some(next)) => format!(
                "• execution {execution} brings release {release} to {environment}\nnext: {next}\n"
            ),
            _ => format!("✓ {environment} has release {release} already\n"),
        }
    }
}

/// The command.
pub(crate) async fn promote(global: &Global, arguments: &Promote) -> Result<Exit, CliError> {
    let releases = Releases::find(global).await?;
    let from = releases.environment(&arguments.from).await?;
    let to = releases.environment(&arguments.to).await?;
    let name = to.name().to_string();
    if to.name() == from.name() {
        return Err(Refusal::Itself { environment: name }.into());
    }
    if to.name().family().is_some() {
        return Err(Refusal::Family { environment: name }.into());
    }
    let pipeline = apply::pipeline(&releases.target, to.name())?;
    let release = match &arguments.release {
        Some(given) => choose(&releases.repository, given).await?,
        None => has(&releases.repository, &from).await?,
    };
    if !arguments.unverified {
        check_verified(&releases, &release, to.name()).await?;
        if arguments.release.is_some() {
            check_origin(&releases, &release, &from).await?;
        }
    }
    let held = held_because(&releases.target, &name).await;
    if is_there(&to, &release).await? {
        answer::print(global.json, &already(&to, &release, held));
        return Ok(Exit::Success);
    }
    show(&releases, &to, &release, held.as_deref(), global).await?;
    let question = format!(
        "Bring {} from {} to {}?",
        release.name(),
        from.name(),
        to.name()
    );
    let otherwise = format!("nothing was promoted to `{name}`");
    agree(arguments.yes, global.json, &question, &otherwise)?;
    let by = caller(&releases.target.cloud).await?;
    let application = Application {
        release: &release,
        environment: to.name(),
        kind: ApplyKind::Promote,
        from: Some(from.name()),
        by: &by,
        reason: arguments.message.as_deref(),
        unverified: arguments.unverified,
    };
    run(
        global,
        &releases,
        pipeline,
        application,
        &arguments.following,
        held,
    )
    .await
}

/// Starts the pipeline, and follows it unless that was not asked for. `held` says why the pipeline that delivers there is held,
/// if it is.
pub(super) async fn run(
    global: &Global,
    releases: &Releases,
    pipeline: Pipeline,
    application: Application<'_>,
    arguments: &FollowingArguments,
    held: Option<String>,
) -> Result<Exit, CliError> {
    let name = releases.target.short(&pipeline).to_owned();
    let next = format!("delivery log --follow --pipeline {name}");
    if arguments.no_wait {
        let started = Promoted {
            environment: application.environment.to_string(),
            release: NamedRelease::from(application.release),
            execution: Some(apply::start(&pipeline, application).await?),
            pipeline: Some(pipeline.name().to_owned()),
            held,
            next: Some(next),
        };
        answer::print(global.json, &started);
        return Ok(Exit::Success);
    }
    // People were told before they were asked.
    if let Some(reason) = held.filter(|_| global.json) {
        let note = held_note(application.environment.as_str(), &reason);
        Reporter::new(global).notice(note);
    }
    let following = Following::prepare(&pipeline).await?;
    let execution = apply::start(&pipeline, application).await?;
    let timeout: Duration = arguments.timeout;
    following
        .follow(
            global,
            &releases.target,
            pipeline,
            &execution,
            timeout,
            &next,
        )
        .await
}

/// Whether an environment has a release, and its last deployment succeeded.
pub(super) async fn is_there(
    environment: &Environment,
    release: &Release,
) -> Result<bool, CliError> {
    let state = environment.state().await?;
    let has = state.current.map(|current| current.release);
    let is_whole = state.last.is_none_or(|last| last.outcome.is_success());
    Ok(has.as_ref() == Some(&release.id) && is_whole && state.lease.is_none())
}

/// The answer where there is nothing to do.
pub(super) fn already(
    environment: &Environment,
    release: &Release,
    held: Option<String>,
) -> Promoted {
    Promoted {
        environment: environment.name().to_string(),
        release: NamedRelease::from(release),
        pipeline: None,
        execution: None,
        held,
        next: None,
    }
}

/// Shows the difference, and who is deploying.
async fn show(
    releases: &Releases,
    to: &Environment,
    release: &Release,
    held: Option<&str>,
    global: &Global,
) -> Result<(), CliError> {
    if global.json || global.quiet {
        return Ok(());
    }
    let from = current(&releases.repository, to).await?;
    let difference = between(&releases.repository, to.name(), from.as_ref(), release).await?;
    write_stderr(difference.text().trim_end());
    if difference.is_none() {
        write_stderr("nothing differs: it is deployed again");
    }
    let name = to.name();
    if went_back_from(to, &release.id).await? {
        write_stderr(&format!("{name} was rolled back from this release"));
    }
    if let Some(reason) = held {
        write_stderr(&held_note(name.as_str(), reason));
    }
    if let Some(lease) = to.state().await?.lease {
        let (deployment, until) = (lease.deployment, lease.until);
        write_stderr(&format!(
            "{name} is being changed by {} ({}); the pipeline waits for it, and the lease lasts until {until}",
            deployment.by, deployment.owner
        ));
    }
    Ok(())
}

fn held_note(environment: &str, reason: &str) -> String {
    format!(
        "the pipeline does not deliver to {environment} now: {reason}; a promotion goes there all the same"
    )
}

/// The environments whose tests a release has passed.
async fn verified(releases: &Releases, release: &Release) -> Result<Vec<String>, CliError> {
    let all = releases.repository.releases().await?;
    let listed = all.into_iter().find(|one| one.release == release.id);
    Ok(listed.map(|one| one.verified).unwrap_or_default())
}

/// Fails where a release that a person names never was in the environment that it is said to come from: the record of its
/// deployment would be wrong.
async fn check_origin(
    releases: &Releases,
    release: &Release,
    from: &Environment,
) -> Result<(), CliError> {
    let name = from.name().as_str();
    let current = from.state().await?.current;
    let is_there = current.is_some_and(|current| current.release == release.id);
    if is_there
        || verified(releases, release)
            .await?
            .iter()
            .any(|one| one == name)
    {
        return Ok(());
    }
    Err(Refusal::NotFrom {
        release: release.name(),
        environment: name.to_owned(),
    }
    .into())
}

/// Fails where the release has not passed the tests of the environment before, as the release's own settings have it.
async fn check_verified(
    releases: &Releases,
    release: &Release,
    to: &EnvironmentName,
) -> Result<(), CliError> {
    let configuration = Configuration::read(&releases.repository, release).await?;
    let Some(before) = configuration.before(to) else {
        return Ok(());
    };
    let verified = verified(releases, release).await?;
    let is_before = |name: &String| {
        let member = EnvironmentName::parse(name).ok();
        name == before
            || before == Family::Execution.word()
                && member.is_some_and(|one| one.family() == Some(before))
    };
    if verified.iter().any(is_before) {
        return Ok(());
    }
    Err(Refusal::NotVerified {
        release: named(&release.id, release.commit()),
        environment: to.to_string(),
        before: before.to_owned(),
    }
    .into())
}
