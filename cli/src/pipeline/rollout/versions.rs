//! The versions of a function, and what became of each in an environment.

use std::collections::BTreeMap;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::FunctionConfiguration;
use delivery_action::aws::CallError;
use delivery_rollout::End;
use delivery_rollout::Phase;
use schemars::JsonSchema;
use serde::Serialize;

use super::subject::{Look, Subject};
use crate::error::CliError;
use crate::output::foreign;
use crate::pipeline::delivered::history::AppRun;

/// Versions that are shown: more than one looks through at night.
const MOST_SHOWN: usize = 20;

/// Lambda's name for the code and configuration that are not published.
const LATEST: &str = "$LATEST";

/// What deploy-app writes before a version's revision.
const REVISION: &str = "revision ";

/// A version of a function.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct VersionState {
    /// Its number.
    pub(super) version: String,
    /// The revision that it was built from, where deploy-app published it.
    pub(super) revision: Option<String>,
    /// When it was published (RFC 3339).
    pub(super) published: Option<String>,
    /// Its share of the alias's requests, in percent.
    pub(super) percent: f64,
    /// Whether it is the last good version, which nobody can delete.
    pub(super) is_good: bool,
    /// What became of it in this environment, as far as the pipeline's history goes.
    pub(super) outcome: Option<String>,
}

/// The newest versions, newest first.
pub(super) async fn list(
    subject: &Subject,
    look: &Look,
    runs: &[AppRun],
) -> Result<Vec<VersionState>, CliError> {
    let mut versions = published(&subject.lambda, &subject.app.function).await?;
    for version in &mut versions {
        describe(version, look, runs);
    }
    Ok(versions)
}

async fn published(lambda: &Client, function: &str) -> Result<Vec<VersionState>, CliError> {
    let mut listed = lambda
        .list_versions_by_function()
        .function_name(function)
        .into_paginator()
        .items()
        .send();
    // Lambda lists the oldest first.
    let mut versions: BTreeMap<u64, VersionState> = BTreeMap::new();
    while let Some(found) = listed.next().await {
        let found = found
            .map_err(|error| CallError::new("lambda:ListVersionsByFunction", function, &error))?;
        let Some((number, version)) = version(&found) else {
            continue;
        };
        versions.insert(number, version);
        if versions.len() > MOST_SHOWN {
            versions.pop_first();
        }
    }
    Ok(versions.into_values().rev().collect())
}

fn version(found: &FunctionConfiguration) -> Option<(u64, VersionState)> {
    let name = found.version().filter(|name| *name != LATEST)?;
    let revision = found
        .description()
        .and_then(|text| text.strip_prefix(REVISION));
    // Lambda writes `2026-11-27T10:00:00.000+0000`.
    let published = found
        .last_modified()
        .and_then(|text| text.get(..19))
        .map(|text| format!("{text}Z"));
    let version = VersionState {
        version: name.to_owned(),
        revision: revision.map(foreign::line),
        published,
        ..VersionState::default()
    };
    Some((name.parse().ok()?, version))
}

fn describe(version: &mut VersionState, look: &Look, runs: &[AppRun]) {
    version.percent = look.percent(&version.version);
    version.is_good = look.good_version() == Some(&version.version);
    version.outcome = ended(&version.version, look).or_else(|| outcome(version, runs));
}

/// How the last rollout of this version ended, if somebody ended it.
fn ended(version: &str, look: &Look) -> Option<String> {
    let marker = look.description().marker.as_ref()?;
    match &marker.phase {
        Phase::Ended(End::Finished { .. }) => None,
        Phase::Ended(end) if marker.new == version => Some(foreign::line(&end.to_string())),
        _ => None,
    }
}

/// What the newest run of the action that brought it says. A run that failed says which revision it was to bring.
fn outcome(version: &VersionState, runs: &[AppRun]) -> Option<String> {
    let brought = |run: &&AppRun| run.version.as_ref() == Some(&version.version);
    if runs.iter().any(|run| brought(&run)) {
        return Some("delivered".to_owned());
    }
    let revision = version.revision.as_ref()?;
    let of_revision = |run: &&AppRun| {
        let parameters = run.user_parameters.as_deref().unwrap_or_default();
        parameters.split('&').any(|pair| {
            pair.strip_prefix("revision=")
                .is_some_and(|value| value == revision)
        })
    };
    let run = runs.iter().find(of_revision)?;
    match run.status.as_str() {
        "Failed" => Some(format!(
            "failed: {}",
            run.failure
                .as_deref()
                .unwrap_or("the action gave no reason")
        )),
        "Abandoned" => Some("its execution was stopped".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(status: &str, version: Option<&str>, revision: &str) -> AppRun {
        AppRun {
            execution: "9f8e7d6c".to_owned(),
            action: "deploy-app".to_owned(),
            version: version.map(str::to_owned),
            status: status.to_owned(),
            summary: None,
            failure: Some("alarm `errors` is ringing".to_owned()).filter(|_| status == "Failed"),
            user_parameters: Some(format!("function=greeter&alias=prod&revision={revision}")),
        }
    }

    #[test]
    fn a_version_became_what_the_runs_of_its_action_say() {
        let runs = [
            run("Failed", None, "c3"),
            run("Succeeded", Some("2"), "b2"),
            run("Failed", None, "b2"),
            run("Abandoned", None, "a1"),
        ];
        let of = |version: &str, revision: &str| {
            let version = VersionState {
                version: version.to_owned(),
                revision: Some(revision.to_owned()),
                ..VersionState::default()
            };
            outcome(&version, &runs)
        };
        assert_eq!(of("3", "c3").unwrap(), "failed: alarm `errors` is ringing");
        assert_eq!(of("2", "b2").unwrap(), "delivered");
        assert_eq!(of("1", "a1").unwrap(), "its execution was stopped");
        assert_eq!(of("4", "d4"), None);
    }
}
