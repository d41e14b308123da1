//! `delivery env ls`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use super::release::EnvironmentRelease;
use crate::args::Global;
use crate::args::release::Ls;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::answer::{self, CommandAnswer};
use crate::output::style::{BAD, DIM};
use crate::pipeline::environments;
use crate::release::place::Releases;

/// The environments of an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EnvironmentList {
    /// The environments: those of the pipeline in its order, then the members of families by name.
    environments: Vec<EnvironmentRelease>,
    /// How many that were removed are not shown.
    removed: usize,
}

/// The command.
pub(super) async fn ls(global: &Global, arguments: &Ls) -> Result<Exit, CliError> {
    let releases = Releases::find(global).await?;
    let mut found: BTreeMap<String, EnvironmentRelease> = BTreeMap::new();
    for environment in releases.repository.environments().await? {
        let look = EnvironmentRelease::look(&releases.repository, &environment).await?;
        found.insert(look.environment.clone(), look);
    }
    let fixed = releases.known().await?;
    let mut shown: Vec<_> = ordered(&releases, &fixed)
        .into_iter()
        .map(|name| {
            found
                .remove(&name)
                .unwrap_or_else(|| EnvironmentRelease::empty(&name))
        })
        .collect();
    let (there, removed): (Vec<_>, Vec<_>) =
        found.into_values().partition(EnvironmentRelease::is_there);
    shown.extend(there);
    let hidden = if arguments.all { 0 } else { removed.len() };
    if arguments.all {
        shown.extend(removed);
    }
    shown.extend(without_release(&releases, &shown).await?);
    let list = EnvironmentList {
        environments: shown,
        removed: hidden,
    };
    answer::print(global.json, &list);
    Ok(Exit::Success)
}

/// Environments that have stacks, and are not among those that are known by their releases: `delivery deploy` made them.
async fn without_release(
    releases: &Releases,
    known: &[EnvironmentRelease],
) -> Result<Vec<EnvironmentRelease>, CliError> {
    let Some(application) = releases.known_application().await? else {
        return Ok(Vec::new());
    };
    let client = releases.target.cloud.cloudformation();
    let found = environments::find(&client, &releases.settings, &application).await?;
    let is_known = |name: &str| known.iter().any(|one| one.environment == name);
    let unknown = found.into_iter().filter(|one| !is_known(&one.name));
    let shown = unknown.map(|one| EnvironmentRelease {
        stacks_of: one.services.into_iter().map(|one| one.name).collect(),
        ..EnvironmentRelease::empty(&one.name)
    });
    Ok(shown.collect())
}

/// The environments that are not members of a family, in the pipeline's order where it is known.
fn ordered(releases: &Releases, fixed: &BTreeSet<String>) -> Vec<String> {
    let stages = releases.settings.definition().stages();
    let stages = stages.iter().map(|stage| stage.name.clone());
    let mut ordered: Vec<_> = stages.filter(|name| fixed.contains(name)).collect();
    for name in fixed {
        if !ordered.contains(name) {
            ordered.push(name.clone());
        }
    }
    ordered
}

impl CommandAnswer for EnvironmentList {
    const TYPE: &'static str = "environment-list";

    fn text(&self) -> String {
        let names = self.environments.iter().map(|one| one.environment.len());
        let width = names.max().unwrap_or_default();
        let mut text = String::new();
        for one in &self.environments {
            let _infallible = writeln!(text, "{:<width$}  {}", one.environment, one.summary());
            for note in one.notes() {
                let style = if note.starts_with('✗') { BAD } else { DIM };
                let _infallible = writeln!(text, "  {style}{note}{style:#}");
            }
        }
        if self.removed > 0 {
            let _infallible = writeln!(text, "{} that were removed: `--all`", self.removed);
        }
        if text.is_empty() {
            text.push_str("there are no environments yet\n");
        }
        text
    }
}
