//! `delivery releases`: the newest releases, and where each is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use delivery_action::failure::chain;
use delivery_release::environment::{Action, Environment, Record};
use delivery_release::manifest::ReleaseId;
use delivery_release::repository::{Listed, Repository};
use schemars::JsonSchema;
use serde::Serialize;

use super::choose::{Read, read_all};
use super::place::Releases;
use crate::args::Global;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::answer::{self, CommandAnswer};
use crate::output::foreign;
use crate::output::table::{plain, trimmed};
use crate::output::text::short;

/// How many of an environment's newest deployments are looked through for rollbacks: each is a call, and the releases that are
/// shown are mostly no older.
const DEPLOYMENTS: usize = 20;

/// The newest releases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReleaseList {
    /// The releases, the newest first.
    pub(crate) releases: Vec<ListedRelease>,
    /// How many older ones there are.
    pub(crate) older: usize,
}

/// A release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedRelease {
    /// Its id.
    pub(crate) id: String,
    /// The commit that it was built from; `null` if its manifest cannot be read.
    pub(crate) commit: Option<String>,
    /// The branch.
    pub(crate) branch: Option<String>,
    /// When it was first published (RFC 3339).
    pub(crate) published: Option<String>,
    /// The environments that have it.
    pub(crate) environments: Vec<String>,
    /// The environments to which it is being deployed.
    pub(crate) deploying: Vec<String>,
    /// The environments whose tests it passed: `delivery promote` takes it from there, also where it was rolled back.
    pub(crate) verified: Vec<String>,
    /// The environments of these that went back from it and do not have it again.
    pub(crate) rolled_back: Vec<String>,
    /// Why its manifest cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
}

/// Where releases are now.
#[derive(Debug, Default)]
struct Whereabouts {
    having: BTreeMap<ReleaseId, Vec<String>>,
    getting: BTreeMap<ReleaseId, Vec<String>>,
    rolled_back: BTreeMap<ReleaseId, Vec<String>>,
}

/// The command.
pub(super) async fn list(global: &Global, limit: usize) -> Result<Exit, CliError> {
    let releases = Releases::find(global).await?;
    let shown = look(&releases.repository, limit).await?;
    answer::print(global.json, &shown);
    Ok(Exit::Success)
}

/// Reads the newest releases of a repository.
pub(crate) async fn look(repository: &Repository, limit: usize) -> Result<ReleaseList, CliError> {
    let mut listed = repository.releases().await?;
    let older = listed.len().saturating_sub(limit);
    listed.truncate(limit);
    let whereabouts = Whereabouts::find(repository, &listed).await?;
    let read = read_all(repository, listed).await.into_iter();
    Ok(ReleaseList {
        releases: read.map(|one| row(one, &whereabouts)).collect(),
        older,
    })
}

impl Whereabouts {
    async fn find(repository: &Repository, listed: &[Listed]) -> Result<Self, CliError> {
        let mut found = Self::default();
        for environment in repository.environments().await? {
            let state = environment.state().await?;
            let name = || environment.name().to_string();
            let current = state.current.as_ref().map(|current| &current.release);
            // Only then the records of its deployments have to be read.
            let may_have_gone_back = environment.name().family().is_none()
                && listed
                    .iter()
                    .any(|one| Some(&one.release) != current && one.verified.contains(&name()));
            if may_have_gone_back {
                let history = environment.history(DEPLOYMENTS).await?;
                for release in rolled_back(&history.ended, current) {
                    found.rolled_back.entry(release).or_default().push(name());
                }
            }
            if let Some(current) = state.current {
                found
                    .having
                    .entry(current.release)
                    .or_default()
                    .push(name());
            }
            if let Some(to) = state.lease.and_then(|lease| lease.deployment.to) {
                found.getting.entry(to.release).or_default().push(name());
            }
        }
        Ok(found)
    }
}

/// Whether an environment went back from a release, and does not have it again.
pub(super) async fn went_back_from(
    environment: &Environment,
    release: &ReleaseId,
) -> Result<bool, CliError> {
    let state = environment.state().await?;
    let history = environment.history(DEPLOYMENTS).await?;
    let current = state.current.as_ref().map(|current| &current.release);
    Ok(rolled_back(&history.ended, current).contains(release))
}

/// The releases that an environment went back from, and that it does not have again. The records are newest first.
fn rolled_back(records: &[Record], current: Option<&ReleaseId>) -> BTreeSet<ReleaseId> {
    let mut left = BTreeSet::new();
    let mut back = BTreeSet::new();
    for record in records.iter().filter(|record| record.outcome.is_success()) {
        let deployment = &record.deployment;
        let Some(from) = deployment.from.as_ref().map(|from| &from.release) else {
            continue;
        };
        let stays = deployment.to.as_ref().is_some_and(|to| to.release == *from);
        let is_rollback = matches!(deployment.action, Action::Rollback { .. });
        // The newest deployment that replaced a release says what became of it.
        if !stays && left.insert(from) && is_rollback && Some(from) != current {
            back.insert(from.clone());
        }
    }
    back
}

fn row(Read { listed, manifest }: Read, whereabouts: &Whereabouts) -> ListedRelease {
    let at = |places: &BTreeMap<ReleaseId, Vec<String>>| {
        places.get(&listed.release).cloned().unwrap_or_default()
    };
    let (source, problem) = match manifest {
        Ok(manifest) => (Some(manifest.source), None),
        Err(error) => (None, Some(foreign::text(&chain(&error)))),
    };
    ListedRelease {
        id: listed.release.to_string(),
        branch: source.as_ref().and_then(|source| source.branch.clone()),
        commit: source.map(|source| source.revision),
        published: listed.published.map(|at| at.to_string()),
        environments: at(&whereabouts.having),
        deploying: at(&whereabouts.getting),
        rolled_back: at(&whereabouts.rolled_back)
            .into_iter()
            .filter(|name| listed.verified.contains(name))
            .collect(),
        verified: listed.verified,
        problem,
    }
}

impl ListedRelease {
    /// The environments whose tests it passed, for people.
    fn verified_in(&self) -> Vec<String> {
        let verified = self.verified.iter();
        verified
            .map(|name| {
                if self.rolled_back.contains(name) {
                    format!("{name} (rolled back)")
                } else {
                    name.clone()
                }
            })
            .collect()
    }
}

impl CommandAnswer for ReleaseList {
    const TYPE: &'static str = "releases";

    fn text(&self) -> String {
        if self.releases.is_empty() {
            return "there are no releases yet: the pipeline publishes one for each commit\n"
                .to_owned();
        }
        let mut table = plain();
        table.set_header(["RELEASE", "COMMIT", "PUBLISHED", "IN", "VERIFIED IN"]);
        for one in &self.releases {
            let getting = one.deploying.iter().map(|name| format!("→ {name}"));
            let places: Vec<_> = one.environments.iter().cloned().chain(getting).collect();
            table.add_row([
                one.id.as_str(),
                one.commit.as_deref().map_or("?", short),
                one.published.as_deref().unwrap_or_default(),
                &places.join(", "),
                &one.verified_in().join(", "),
            ]);
        }
        let mut text = trimmed(table) + "\n";
        for one in &self.releases {
            if let Some(problem) = &one.problem {
                let _infallible = writeln!(text, "✗ {}: {problem}", one.id);
            }
        }
        if self.older > 0 {
            let _infallible = writeln!(
                text,
                "{} older ones are not shown (`--limit COUNT`)",
                self.older
            );
        }
        text
    }
}
