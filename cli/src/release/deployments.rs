//! `delivery releases ENV`: what was deployed to an environment, the newest first.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use delivery_release::environment::{Action, Deployment, Outcome, Record};
use delivery_release::manifest::ReleaseId;
use delivery_release::repository::Repository;
use schemars::JsonSchema;
use serde::Serialize;

use super::environment::release::word;
use super::place::Releases;
use crate::args::Global;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::answer::{self, CommandAnswer};
use crate::output::foreign;
use crate::output::table::{plain, trimmed};
use crate::output::text::short;

/// The newest deployments of an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeploymentList {
    /// The environment.
    environment: String,
    /// The deployments, the newest first.
    deployments: Vec<ListedDeployment>,
    /// The numbers of deployments whose record is gone.
    missing: Vec<u64>,
}

/// A deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ListedDeployment {
    /// Its id.
    id: String,
    /// Its number in the environment.
    number: u64,
    /// `deploy`, `promote`, `rollback` or `remove`.
    action: &'static str,
    /// The release that it applied; `null` where the environment was removed.
    release: Option<String>,
    /// The commit of the release; `null` where its manifest is gone.
    commit: Option<String>,
    /// Where the release came from, if it was promoted.
    from: Option<String>,
    /// On whose behalf.
    by: String,
    /// Why, where a person said so.
    reason: Option<String>,
    /// When it began (RFC 3339).
    began: String,
    /// When it ended; `null` while it is under way.
    ended: Option<String>,
    /// `succeeded`, `failed`, `abandoned`, or `underWay`.
    result: &'static str,
    /// Why it failed.
    message: Option<String>,
}

/// The command.
pub(super) async fn deployments(
    global: &Global,
    environment: &str,
    limit: usize,
) -> Result<Exit, CliError> {
    let releases = Releases::find(global).await?;
    let environment = releases.environment(environment).await?;
    let history = environment.history(limit).await?;
    let under_way = history.under_way.map(|lease| lease.deployment);
    let mut deployments: Vec<_> = under_way.iter().map(|one| listed(one, None)).collect();
    let ended = history.ended.iter();
    deployments.extend(ended.map(|record| listed(&record.deployment, Some(record))));
    add_commits(&releases.repository, &mut deployments).await;
    let shown = DeploymentList {
        environment: environment.name().to_string(),
        deployments,
        missing: history.missing,
    };
    answer::print(global.json, &shown);
    Ok(Exit::Success)
}

fn listed(deployment: &Deployment, record: Option<&Record>) -> ListedDeployment {
    let from = match &deployment.action {
        Action::Promote { from, .. } => Some(from.clone()),
        _ => None,
    };
    let (result, message) = match record.map(|record| &record.outcome) {
        None => ("underWay", None),
        Some(Outcome::Succeeded) => ("succeeded", None),
        Some(Outcome::Failed { message }) => ("failed", Some(message)),
        Some(Outcome::Abandoned { message }) => ("abandoned", Some(message)),
    };
    ListedDeployment {
        id: deployment.id.to_string(),
        number: deployment.id.number(),
        action: word(&deployment.action),
        release: deployment.to.as_ref().map(|to| to.release.to_string()),
        commit: None,
        from,
        by: foreign::line(&deployment.by),
        reason: deployment.reason.as_deref().map(foreign::line),
        began: deployment.began.to_string(),
        ended: record.map(|record| record.ended.to_string()),
        result,
        message: message.map(|message| foreign::line(message)),
    }
}

/// The commits of the releases. A manifest that is gone does not hide the deployment.
async fn add_commits(repository: &Repository, deployments: &mut [ListedDeployment]) {
    let mut known: BTreeMap<ReleaseId, Option<String>> = BTreeMap::new();
    for one in deployments {
        let Some(release) = one.release.as_ref().and_then(|id| id.parse().ok()) else {
            continue;
        };
        if !known.contains_key(&release) {
            let manifest = repository.manifest(&release).await.ok();
            known.insert(
                release.clone(),
                manifest.map(|manifest| manifest.source.revision),
            );
        }
        one.commit = known.get(&release).cloned().flatten();
    }
}

impl CommandAnswer for DeploymentList {
    const TYPE: &'static str = "deployments";

    fn text(&self) -> String {
        if self.deployments.is_empty() {
            return format!("no release was deployed to {} yet\n", self.environment);
        }
        let mut table = plain();
        table.set_header([
            "NUMBER", "BEGAN", "ACTION", "RELEASE", "COMMIT", "RESULT", "BY",
        ]);
        for one in &self.deployments {
            let action = match &one.from {
                Some(from) => format!("{} from {from}", one.action),
                None => one.action.to_owned(),
            };
            let result = match one.result {
                "succeeded" => "✓ Succeeded",
                "failed" => "✗ Failed",
                "abandoned" => "✗ Abandoned",
                _ => "• InProgress",
            };
            table.add_row([
                one.number.to_string().as_str(),
                &one.began,
                &action,
                one.release.as_deref().unwrap_or_default(),
                one.commit.as_deref().map(short).unwrap_or_default(),
                result,
                &one.by,
            ]);
        }
        let mut text = trimmed(table) + "\n";
        for one in &self.deployments {
            if let Some(reason) = &one.reason {
                let _infallible = writeln!(text, "{}: {reason}", one.number);
            }
            if let Some(message) = &one.message {
                let _infallible = writeln!(text, "{} ended: {message}", one.number);
            }
        }
        if !self.missing.is_empty() {
            let numbers: Vec<_> = self.missing.iter().map(ToString::to_string).collect();
            let _infallible = writeln!(
                text,
                "the records of these deployments are gone: {}",
                numbers.join(", ")
            );
        }
        text
    }
}
