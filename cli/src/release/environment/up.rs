//! `delivery env up`: a release to an environment of a developer's own, by the pipeline of the family.

use delivery_definition::names::Family;
use delivery_release::repository::Repository;

use crate::args::Global;
use crate::args::release::EnvUp;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::answer;
use crate::pipeline::caller;
use crate::release::apply::{self, Application, ApplyKind};
use crate::release::choose::{Release, choose};
use crate::release::place::Releases;
use crate::release::promote::{already, is_there, run};
use crate::release::refusal::Refusal;

/// The command.
pub(super) async fn up(global: &Global, arguments: &EnvUp) -> Result<Exit, CliError> {
    let releases = Releases::find(global).await?;
    let environment = releases.environment(&arguments.environment).await?;
    if environment.name().family() != Some(Family::Developer.word()) {
        return Err(Refusal::NotOwn {
            environment: environment.name().to_string(),
        }
        .into());
    }
    let pipeline = apply::pipeline(&releases.target, environment.name())?;
    let release = match &arguments.release {
        Some(given) => choose(&releases.repository, given).await?,
        None => newest_verified(&releases.repository).await?,
    };
    if is_there(&environment, &release).await? {
        answer::print(global.json, &already(&environment, &release, None));
        return Ok(Exit::Success);
    }
    let by = caller(&releases.target.cloud).await?;
    let application = Application {
        release: &release,
        environment: environment.name(),
        kind: ApplyKind::Deploy,
        from: None,
        by: &by,
        reason: arguments.message.as_deref(),
        unverified: false,
    };
    let following = &arguments.following;
    run(global, &releases, pipeline, application, following, None).await
}

/// The newest release that passed the tests of any environment.
async fn newest_verified(repository: &Repository) -> Result<Release, CliError> {
    let all = repository.releases().await?;
    if all.is_empty() {
        return Err(Refusal::NoReleases.into());
    }
    let newest = all.into_iter().find(|one| !one.verified.is_empty());
    let newest = newest.ok_or(Refusal::NoneVerified)?;
    Release::read(repository, &newest.release).await
}
