//! `delivery releases`: the newest releases, and where each is.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use delivery_action::failure::chain;
use delivery_release::manifest::ReleaseId;
use delivery_release::repository::Repository;
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
    /// The environments whose tests it passed.
    pub(crate) verified: Vec<String>,
    /// Why its manifest cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
}

/// Where releases are now.
#[derive(Debug, Default)]
struct Whereabouts {
    having: BTreeMap<ReleaseId, Vec<String>>,
    getting: BTreeMap<ReleaseId, Vec<String>>,
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
    let whereabouts = Whereabouts::find(repository).await?;
    let older = listed.len().saturating_sub(limit);
    listed.truncate(limit);
    let read = read_all(repository, listed).await.into_iter();
    Ok(ReleaseList {
        releases: read.map(|one| row(one, &whereabouts)).collect(),
        older,
    })
}

impl Whereabouts {
    async fn find(repository: &Repository) -> Result<Self, CliError> {
        let mut found = Self::default();
        for environment in repository.environments().await? {
            let state = environment.state().await?;
            let name = || environment.name().to_string();
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
        verified: listed.verified,
        problem,
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
                &one.verified.join(", "),
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
