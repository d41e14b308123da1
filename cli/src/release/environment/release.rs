//! What an environment has, who is changing it, and when it is removed.

use std::fmt::Write as _;

use delivery_action::failure::chain;
use delivery_release::ReleaseError;
use delivery_release::environment::{
    Action, Deployment, Environment, Outcome, Record, ServiceResult, State,
};
use delivery_release::repository::Repository;
use schemars::JsonSchema;
use serde::Serialize;

use crate::error::CliError;
use crate::output::foreign;
use crate::output::text::short;
use crate::pipeline::listed;

/// What an environment has of the releases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EnvironmentRelease {
    /// The environment.
    pub(crate) environment: String,
    /// The release that it has; `null` before its first deployment, and after it was removed.
    pub(crate) release: Option<String>,
    /// The commit of the release; `null` where its manifest cannot be read.
    pub(crate) commit: Option<String>,
    /// Since when it has the release (RFC 3339); `null` where the deployment's record is gone.
    pub(crate) since: Option<String>,
    /// On whose behalf it was deployed.
    pub(crate) by: Option<String>,
    /// Who is changing it.
    pub(crate) deploying: Option<UnderWay>,
    /// How the last deployment failed, if it did: the environment may have some of it.
    pub(crate) failed: Option<FailedDeployment>,
    /// When it is removed by itself (RFC 3339); `null` for one that stays.
    pub(crate) until: Option<String>,
    /// The services that have a stack there although no release was deployed to it: of `delivery deploy`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) stacks_of: Vec<String>,
    /// Why its document cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
}

/// A deployment that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnderWay {
    /// `deploy`, `promote`, `rollback` or `remove`.
    action: &'static str,
    /// The release that it brings.
    release: Option<String>,
    /// On whose behalf.
    by: String,
    /// The execution, or the command.
    owner: String,
    /// Since when (RFC 3339).
    since: String,
    /// Until when nobody else may change the environment, unless it goes on (RFC 3339).
    until: String,
}

/// The last deployment, if it did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FailedDeployment {
    /// `deploy`, `promote`, `rollback` or `remove`.
    action: &'static str,
    /// The release that it was to bring.
    release: Option<String>,
    /// Why it failed.
    message: String,
    /// When it ended (RFC 3339).
    ended: String,
    /// What it deployed before it failed, and nobody has put back: services, or parts of them such as `shop/site`.
    left_behind: Vec<String>,
}

impl FailedDeployment {
    /// What failed, and what runs there of it.
    fn notes(&self) -> Vec<String> {
        let what = what(self.action, self.release.as_ref());
        let mut notes = vec![format!(
            "✗ {what} failed at {}: {}",
            self.ended, self.message
        )];
        if !self.left_behind.is_empty() {
            let (is, it) = match self.left_behind.as_slice() {
                [_] => ("is", "it has"),
                _ => ("are", "they have"),
            };
            notes.push(format!(
                "✗ {} {is} from that deployment: {it} not been put back",
                listed(&self.left_behind)
            ));
        }
        notes
    }
}

/// The word for what a deployment does.
pub(crate) fn word(action: &Action) -> &'static str {
    match action {
        Action::Deploy { .. } => "deploy",
        Action::Promote { .. } => "promote",
        Action::Rollback { .. } => "rollback",
        Action::Remove => "remove",
    }
}

/// Whether an environment has something: a release, a deployment, or what a failed one left behind.
pub(crate) fn is_there(state: &State) -> bool {
    let failed = state
        .last
        .as_ref()
        .is_some_and(|last| !last.outcome.is_success());
    state.current.is_some() || state.lease.is_some() || failed
}

/// What a deployment does to which release.
fn what(action: &str, release: Option<&String>) -> String {
    match release {
        Some(release) => format!("{action} of {release}"),
        None => action.to_owned(),
    }
}

/// What a deployment that failed has left behind. What was unchanged is what was there before.
fn left_behind(record: &Record) -> Vec<String> {
    let parts = record.services.iter();
    let deployed = parts.filter(|(_, change)| change.result == ServiceResult::Deployed);
    deployed.map(|(name, _)| foreign::line(name)).collect()
}

fn brought(deployment: &Deployment) -> Option<String> {
    deployment.to.as_ref().map(|to| to.release.to_string())
}

impl EnvironmentRelease {
    /// Looks at an environment.
    pub(crate) async fn look(
        repository: &Repository,
        environment: &Environment,
    ) -> Result<Self, CliError> {
        let state = match environment.state().await {
            Ok(state) => state,
            Err(error @ ReleaseError::Call(_)) => return Err(error.into()),
            // One that is damaged does not hide the others.
            Err(error) => {
                return Ok(Self {
                    problem: Some(foreign::text(&chain(&error))),
                    ..Self::empty(environment.name().as_str())
                });
            }
        };
        let mut shown = Self::of(environment.name().as_str(), &state);
        let Some(current) = &state.current else {
            return Ok(shown);
        };
        // What is there is told even if a companion of it is gone.
        let manifest = repository.manifest(&current.release).await.ok();
        shown.commit = manifest.map(|manifest| manifest.source.revision);
        let record = match state.last {
            Some(last) if last.deployment.id == current.deployment => Some(last),
            _ => environment.record_of(&current.deployment).await.ok(),
        };
        if let Some(record) = record {
            shown.since = Some(record.ended.to_string());
            shown.by = Some(foreign::line(&record.deployment.by));
        }
        Ok(shown)
    }

    fn of(environment: &str, state: &State) -> Self {
        let failed = state.last.as_ref().and_then(|last| {
            let message = match &last.outcome {
                Outcome::Succeeded => return None,
                Outcome::Failed { message } | Outcome::Abandoned { message } => message,
            };
            Some(FailedDeployment {
                action: word(&last.deployment.action),
                release: brought(&last.deployment),
                message: foreign::line(message),
                ended: last.ended.to_string(),
                left_behind: left_behind(last),
            })
        });
        let deploying = state.lease.as_ref().map(|lease| UnderWay {
            action: word(&lease.deployment.action),
            release: brought(&lease.deployment),
            by: foreign::line(&lease.deployment.by),
            owner: foreign::line(&lease.deployment.owner),
            since: lease.deployment.began.to_string(),
            until: lease.until.to_string(),
        });
        let current = state.current.as_ref();
        Self {
            environment: environment.to_owned(),
            release: current.map(|current| current.release.to_string()),
            commit: None,
            since: None,
            by: None,
            deploying,
            failed,
            until: state.until.map(|until| until.to_string()),
            stacks_of: Vec::new(),
            problem: None,
        }
    }

    /// One that nothing was deployed to yet.
    pub(crate) fn empty(environment: &str) -> Self {
        Self::of(environment, &State::default())
    }

    /// Whether there is something: a release, a deployment, or what a failed one left behind.
    pub(crate) fn is_there(&self) -> bool {
        self.release.is_some()
            || self.deploying.is_some()
            || self.failed.is_some()
            || self.problem.is_some()
    }

    /// What it has, in a few words.
    pub(crate) fn summary(&self) -> String {
        let Some(release) = &self.release else {
            return match self.stacks_of.as_slice() {
                [] => "no release".to_owned(),
                services => format!("no release; deployed without one: {}", listed(services)),
            };
        };
        let commit = self.commit.as_deref().map_or("?", short);
        let mut text = format!("{release} (commit {commit})");
        if let Some(since) = &self.since {
            let _infallible = write!(text, " since {since}");
        }
        if let Some(by) = &self.by {
            let _infallible = write!(text, " by {by}");
        }
        if let Some(until) = &self.until {
            let _infallible = write!(text, ", until {until}");
        }
        text
    }

    /// What else is to be known of it: who is deploying, and what failed.
    pub(crate) fn notes(&self) -> Vec<String> {
        let deploying = self.deploying.iter().map(|one| {
            format!(
                "• {} by {} ({}) since {}; its lease lasts until {}",
                what(one.action, one.release.as_ref()),
                one.by,
                one.owner,
                one.since,
                one.until
            )
        });
        let failed = self.failed.iter().flat_map(FailedDeployment::notes);
        let problem = self.problem.iter().map(|problem| format!("✗ {problem}"));
        deploying.chain(failed).chain(problem).collect()
    }
}
