//! A deployment: one application of a release to an environment, and how it ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use delivery_action::failure::{MAX_MESSAGE_CHARS, cut_end};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::manifest::ReleaseId;
use crate::time;

/// The id of a deployment: when it began, and its number in the environment, such as `20261127T203350Z-7`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeploymentId {
    number: u64,
    began: Timestamp,
}

impl DeploymentId {
    pub(super) fn new(number: u64, began: Timestamp) -> Self {
        Self {
            number,
            began: time::whole_seconds(began),
        }
    }

    /// Its number: 1 for the environment's first deployment.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", time::compact(self.began), self.number)
    }
}

/// A text is not the id of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the id of a deployment, such as `20261127T203350Z-7`")]
pub struct NotADeployment(pub String);

impl FromStr for DeploymentId {
    type Err = NotADeployment;

    fn from_str(text: &str) -> Result<Self, NotADeployment> {
        let read = || {
            let (began, number) = text.split_once('-')?;
            Some(Self::new(number.parse().ok()?, time::from_compact(began)?))
        };
        read()
            .filter(|id| id.to_string() == text)
            .ok_or_else(|| NotADeployment(text.to_owned()))
    }
}

impl Serialize for DeploymentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeploymentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// What is done to an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Action {
    /// A release is applied.
    Deploy {
        /// The release.
        release: ReleaseId,
    },
    /// What another environment has is applied.
    Promote {
        /// What it has.
        release: ReleaseId,
        /// The other environment.
        from: String,
    },
    /// What was there before is applied.
    Rollback {
        /// The release that it goes back to; the one before, where none is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        release: Option<ReleaseId>,
    },
    /// The environment is taken down.
    Remove,
}

/// What an environment has: a release, and how it came there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Applied {
    /// The release.
    pub release: ReleaseId,
    /// The deployment that brought it.
    pub deployment: DeploymentId,
    /// The deployment that brought it first: a rollback brings back what was there before that one.
    pub origin: DeploymentId,
}

/// What a deployment applies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The release.
    pub release: ReleaseId,
    /// Of a rollback: the deployment that brought it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<DeploymentId>,
}

/// A deployment that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// What was asked for.
    pub action: Action,
    /// What the environment had; nothing at its first deployment, and after it was taken down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Applied>,
    /// What it gets; nothing when it is taken down. Where other pipelines deliver some of the services, this is the release
    /// that holds theirs, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Target>,
    /// Who deploys: one attempt of an action, or one run of a command. Who has the same name is the same.
    pub owner: String,
    /// On whose behalf.
    pub by: String,
    /// Why, where a person said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it began.
    #[serde(with = "time")]
    pub began: Timestamp,
}

/// How a deployment ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "lowercase", deny_unknown_fields)]
pub enum Outcome {
    /// The environment has what it was to get.
    Succeeded,
    /// It does not, or not wholly.
    Failed {
        /// Why.
        message: String,
    },
    /// Nobody ended it: its lease ran out, or a person released it. The environment may have some of it.
    Abandoned {
        /// What ended it.
        message: String,
    },
}

impl Outcome {
    /// Whether the environment has what it was to get.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Succeeded)
    }
}

/// What a deployment did to a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ServiceChange {
    /// How it ended.
    pub result: ServiceResult,
    /// What changed, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}

impl ServiceChange {
    /// Whether the environment has what it was to get.
    #[must_use]
    pub fn is_there(&self) -> bool {
        matches!(
            self.result,
            ServiceResult::Deployed | ServiceResult::Unchanged
        )
    }

    /// The same, not longer than a document may be.
    pub(super) fn shown(&self) -> Self {
        Self {
            result: self.result,
            summary: self
                .summary
                .as_deref()
                .map(|text| cut_end(text, MAX_MESSAGE_CHARS)),
        }
    }
}

/// How the deployment of a service ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceResult {
    /// It has what it was to get.
    Deployed,
    /// It had it already.
    Unchanged,
    /// It does not.
    Failed,
    /// Another service failed before.
    NotTried,
    /// Its stack is being deleted.
    Removing,
    /// Its stack is deleted.
    Removed,
}

/// How a deployment ended, as who deployed says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// How it ended.
    pub outcome: Outcome,
    /// What became of each service.
    pub services: BTreeMap<String, ServiceChange>,
}

impl Ending {
    /// The same without secrets, and not longer than a document may be: whoever may read deployments reads it.
    pub(super) fn shown(&self) -> Self {
        let cut = |text: &str| cut_end(text, MAX_MESSAGE_CHARS);
        let outcome = match &self.outcome {
            Outcome::Succeeded => Outcome::Succeeded,
            Outcome::Failed { message } => Outcome::Failed {
                message: cut(message),
            },
            Outcome::Abandoned { message } => Outcome::Abandoned {
                message: cut(message),
            },
        };
        let services = self.services.iter();
        let services = services.map(|(name, change)| (name.clone(), change.shown()));
        Self {
            outcome,
            services: services.collect(),
        }
    }
}

/// The record of a deployment that has ended. It is written once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub(super) schema: u32,
    /// The deployment.
    pub deployment: Deployment,
    /// How it ended.
    pub outcome: Outcome,
    /// What became of each service, as far as it is known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, ServiceChange>,
    /// Others who wanted the same and went on with it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub joined: BTreeSet<String>,
    /// When it ended.
    #[serde(with = "time")]
    pub ended: Timestamp,
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_sorted_by_its_number() {
        let at = |text: &str| text.parse().unwrap();
        let earlier = DeploymentId::new(9, at("2026-11-27T20:33:51.5Z"));
        // The clock of another machine is behind.
        let later = DeploymentId::new(10, at("2026-11-27T20:33:50Z"));
        assert!(earlier < later);
        assert_eq!(earlier.to_string(), "20261127T203351Z-9");
        assert_eq!(earlier.to_string().parse(), Ok(earlier));
    }

    #[test_case("20261127T203351Z"; "no number")]
    #[test_case("20261127T203351Z-07"; "another form of it")]
    #[test_case("2026-1"; "no time")]
    fn other_texts_are_refused(text: &str) {
        assert_eq!(
            text.parse::<DeploymentId>(),
            Err(NotADeployment(text.to_owned()))
        );
    }
}
