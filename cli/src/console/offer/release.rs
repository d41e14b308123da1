//! What is offered for the release of an environment: to go back, and to go on.

use delivery_definition::names::EnvironmentName;

use super::{Draft, Place, line};
use crate::console::look::Look;
use crate::output::text::short;
use crate::pipeline::rollout::ServedEnvironment;
use crate::release::EnvironmentRelease;

/// Deployments that are shown before an environment is rolled back.
const SHOWN_DEPLOYMENTS: &str = "5";

/// The environment's release, where it has one.
fn release_of<'a>(look: &'a Look, environment: &str) -> Option<&'a EnvironmentRelease> {
    let mut all = releases(look);
    all.find(|one| one.environment == environment && one.release.is_some())
}

pub(super) fn releases(look: &Look) -> impl Iterator<Item = &EnvironmentRelease> {
    let environments = look.status.environments.iter();
    environments.filter_map(|one| one.release.as_ref())
}

fn rollback(
    environment: &str,
    options: &[String],
    preview: Option<Vec<String>>,
    seen: String,
) -> Draft {
    let options: Vec<_> = options
        .iter()
        .cloned()
        .chain(["--yes".to_owned()])
        .collect();
    Draft {
        place: Place::Environment(environment.to_owned()),
        word: "Roll back",
        question: format!("Bring back what {environment} had before?"),
        note: "A rollout that is under way is aborted. Else the functions go back in one call each, then the rest. Nothing is \
               delivered to the environment by itself until it is resumed.",
        arguments: line(&["rollback"], &options, &[environment]),
        preview,
        takes_reason: true,
        seen,
    }
}

/// The rollback of an environment that a stage of this pipeline delivers to.
pub(super) fn rollback_of_stage(look: &Look, environment: &ServedEnvironment) -> Draft {
    let name = &environment.name;
    let several = look.served.iter().filter(|one| one.name == *name).count() > 1;
    let pipeline = several.then(|| format!("--pipeline={}", environment.pipeline));
    let versions: Vec<_> = environment
        .functions
        .iter()
        .map(|one| {
            (
                &one.version,
                one.rollout.as_ref().map(|rollout| &rollout.id),
            )
        })
        .collect();
    let release = release_of(look, name);
    let preview = release.map(|_| deployments(name));
    let release = release.map(|one| (&one.release, &one.since));
    let options: Vec<_> = pipeline.into_iter().collect();
    rollback(name, &options, preview, format!("{versions:?} {release:?}"))
}

/// The rollback of an environment that only releases come to.
pub(super) fn rollback_of_release(look: &Look, environment: &EnvironmentRelease) -> Option<Draft> {
    let name = &environment.environment;
    let is_delivered = look.served.iter().any(|one| one.name == *name);
    let family = EnvironmentName::parse(name)
        .ok()?
        .family()
        .map(str::to_owned);
    let can_be_applied = look.applying.contains(family.as_ref().unwrap_or(name));
    if is_delivered || !can_be_applied || environment.release.is_none() {
        return None;
    }
    let seen = format!("{:?} {:?}", environment.release, environment.since);
    Some(rollback(name, &[], Some(deployments(name)), seen))
}

fn deployments(environment: &str) -> Vec<String> {
    line(
        &["releases", "--limit", SHOWN_DEPLOYMENTS],
        &[],
        &[environment],
    )
}

/// What other environments have and this one can get. Releases that are not verified there are left to the command line, which
/// wants a reason.
pub(super) fn promotions(look: &Look, to: &EnvironmentRelease) -> Vec<Draft> {
    let name = &to.environment;
    if !look.applying.contains(name) {
        return Vec::new();
    }
    let sources = releases(look).filter(|from| {
        let comes_before = match &look.order.before {
            Some(before) => before
                .iter()
                .any(|(one, after)| one == name && *after == from.environment),
            None => true,
        };
        comes_before
            && from.environment != *name
            && from.release.is_some()
            && from.release != to.release
            && is_verified(look, from)
    });
    sources.filter_map(|from| promotion(from, to)).collect()
}

fn promotion(from: &EnvironmentRelease, to: &EnvironmentRelease) -> Option<Draft> {
    let release = from.release.as_deref()?;
    let commit = from.commit.as_deref().map_or("?", short);
    let options = [
        format!("--release={release}"),
        "--no-wait".to_owned(),
        "--yes".to_owned(),
    ];
    Some(Draft {
        place: Place::Environment(to.environment.clone()),
        word: "Promote",
        question: format!(
            "Bring release {release} (commit {commit}) from {} to {}?",
            from.environment, to.environment
        ),
        note: "The pipeline that applies releases is started. Nothing is built again.",
        arguments: line(
            &["promote"],
            &options,
            &[&from.environment, &to.environment],
        ),
        preview: Some(line(&["diff"], &[], &[&to.environment, release])),
        takes_reason: true,
        seen: format!("{:?} {:?}", to.release, to.since),
    })
}

/// Whether the release has passed the tests of the environment that it is in, as far as that is known.
fn is_verified(look: &Look, from: &EnvironmentRelease) -> bool {
    let listed = look.releases.iter().flat_map(|list| &list.releases);
    let mut listed = listed.filter(|one| Some(&one.id) == from.release.as_ref());
    listed.all(|one| one.verified.contains(&from.environment))
}
