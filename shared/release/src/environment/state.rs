//! What an environment has and who is changing it: one document, and what becomes of it. Pure.
//!
//! Lease, current release and the last outcome are in one document, so that one conditional write changes them together:
//! who has lost the lease cannot write any more, and nobody sees half of a change.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::deployment::{
    Action, Applied, Deployment, DeploymentId, Ending, Outcome, Record, ServiceChange, Target,
};
use crate::manifest::SCHEMA;
use crate::time;

/// How long a lease lasts unless it is renewed, which each job of a deployment does: the longest run of a Lambda function (15
/// minutes, Lambda, "Quotas"), and 5 minutes in which `CodePipeline` sends the next job.
pub const LEASE: Duration = Duration::from_mins(20);

/// The document of an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    schema: u32,
    /// How many deployments have begun.
    pub deployments: u64,
    /// What the last successful deployment brought; nothing before the first, and after the environment was taken down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Applied>,
    /// How the last deployment ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Record>,
    /// The deployment that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// When the environment is removed; one without a time stays. It is there before the environment's first resource.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::optional"
    )]
    pub until: Option<Timestamp>,
    /// Whether a person decided how long it stays: then only its time, or a person, removes it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_kept: bool,
}

/// The right to change an environment, for a deployment and a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// The deployment.
    pub deployment: Deployment,
    /// Until when nobody else may take it.
    #[serde(with = "time")]
    pub until: Timestamp,
    /// What became of each part so far: a stack or a site is one, an app has up to three.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, ServiceChange>,
    /// How often its owner has begun it or come back to it.
    pub passes: u32,
    /// Others who wanted the same and went on with it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub joined: BTreeSet<String>,
}

/// What somebody wants to do to an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who wants it: one attempt of an action, or one run of a command. A job that is delivered twice is one owner.
    pub owner: String,
    /// On whose behalf.
    pub by: String,
    /// Why, where a person said so.
    pub reason: Option<String>,
    /// What.
    pub action: Action,
    /// When the environment is removed; as it was where there is none.
    pub until: Option<Timestamp>,
}

/// What a request finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// Nobody is deploying.
    Free,
    /// Its own deployment is under way.
    Own(&'a Lease),
    /// Its own deployment has ended.
    Ended(&'a Record),
    /// Somebody else is deploying.
    Busy(&'a Lease),
    /// Somebody else's lease has run out.
    Stale(&'a Lease),
}

/// What the end of a deployment finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Held<'a> {
    /// It is under way.
    UnderWay(&'a Lease),
    /// It has ended.
    Ended(&'a Record),
    /// It is neither the one that is under way nor the last one that ended.
    Gone,
}

/// Where a rollback goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Back<'a> {
    /// To what the environment has, because the last deployment did not succeed.
    To(Target),
    /// To what was there before.
    Before(&'a Applied),
    /// It has nothing.
    Nothing,
}

impl Default for State {
    fn default() -> Self {
        Self {
            schema: SCHEMA,
            deployments: 0,
            current: None,
            last: None,
            lease: None,
            until: None,
            is_kept: false,
        }
    }
}

impl From<&Applied> for Target {
    fn from(applied: &Applied) -> Self {
        Self {
            release: applied.release.clone(),
            origin: Some(applied.origin.clone()),
        }
    }
}

impl Request {
    /// Whether a deployment is what it asks for.
    pub(super) fn is_of(&self, deployment: &Deployment) -> bool {
        deployment.owner == self.owner && deployment.action == self.action
    }
}

impl State {
    pub(super) fn find(&self, request: &Request, now: Timestamp) -> Found<'_> {
        let is_own = |deployment: &Deployment| request.is_of(deployment);
        match &self.lease {
            // Its own even if it has run out: nobody has taken it.
            Some(lease) if is_own(&lease.deployment) => return Found::Own(lease),
            Some(lease) if lease.is_over(now) => return Found::Stale(lease),
            Some(lease) => return Found::Busy(lease),
            None => {}
        }
        match &self.last {
            Some(last) if is_own(&last.deployment) => Found::Ended(last),
            _ => Found::Free,
        }
    }

    /// The lease, if it has run out.
    pub(super) fn stale(&self, now: Timestamp) -> Option<&Lease> {
        self.lease.as_ref().filter(|lease| lease.is_over(now))
    }

    pub(super) fn held(&self, deployment: &DeploymentId) -> Held<'_> {
        match (&self.lease, &self.last) {
            (Some(lease), _) if lease.deployment.id == *deployment => Held::UnderWay(lease),
            (_, Some(last)) if last.deployment.id == *deployment => Held::Ended(last),
            _ => Held::Gone,
        }
    }

    /// Where a rollback goes. After a deployment that did not succeed the environment may have some of it, so it goes to what
    /// the environment had; a rollback that did not succeed is tried again.
    pub(super) fn back(&self) -> Back<'_> {
        let Some(current) = &self.current else {
            return Back::Nothing;
        };
        match &self.last {
            Some(last) if !last.outcome.is_success() => {
                let tried = match last.deployment.action {
                    Action::Rollback { .. } => last.deployment.to.clone(),
                    _ => None,
                };
                Back::To(tried.unwrap_or_else(|| current.into()))
            }
            _ => Back::Before(current),
        }
    }

    /// A deployment has begun; `parts` are there already.
    pub(super) fn begun(
        &self,
        request: &Request,
        to: Option<Target>,
        parts: BTreeMap<String, ServiceChange>,
        now: Timestamp,
    ) -> Self {
        let number = self.deployments + 1;
        let deployment = Deployment {
            id: DeploymentId::new(number, now),
            action: request.action.clone(),
            from: self.current.clone(),
            to,
            owner: request.owner.clone(),
            by: request.by.clone(),
            reason: request.reason.clone(),
            began: time::whole_seconds(now),
        };
        Self {
            deployments: number,
            lease: Some(Lease::new(deployment, parts, now)),
            until: request.until.or(self.until),
            is_kept: self.is_kept && request.until.is_none(),
            ..self.clone()
        }
    }

    /// Its owner has come back to it.
    pub(super) fn resumed(&self, lease: &Lease, now: Timestamp) -> Self {
        let mut resumed = lease.renewed(now);
        resumed.passes = lease.passes.saturating_add(1);
        self.with_lease(resumed)
    }

    /// Somebody else who wants the same goes on with it.
    pub(super) fn joined(&self, lease: &Lease, owner: &str, now: Timestamp) -> Self {
        let mut joined = lease.renewed(now);
        joined.passes = lease.passes.saturating_add(1);
        joined.joined.insert(owner.to_owned());
        self.with_lease(joined)
    }

    /// A part of the deployment that is under way has ended.
    pub(super) fn recorded(
        &self,
        lease: &Lease,
        part: &str,
        change: &ServiceChange,
        now: Timestamp,
    ) -> Self {
        let mut recorded = lease.renewed(now);
        recorded.parts.insert(part.to_owned(), change.shown());
        self.with_lease(recorded)
    }

    /// The lease of the deployment that is under way lasts longer.
    pub(super) fn renewed(&self, lease: &Lease, now: Timestamp) -> Self {
        self.with_lease(lease.renewed(now))
    }

    fn with_lease(&self, lease: Lease) -> Self {
        Self {
            lease: Some(lease),
            ..self.clone()
        }
    }

    /// Whether it was removed, and nothing was deployed to it since.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        let is_removal =
            |last: &Record| last.deployment.action == Action::Remove && last.outcome.is_success();
        self.lease.is_none() && self.current.is_none() && self.last.as_ref().is_some_and(is_removal)
    }

    /// The environment is removed at another time, or never; what is removed already needs no time.
    pub(super) fn kept(&self, until: Option<Timestamp>, by_a_person: bool) -> Self {
        let is_there = !self.is_removed();
        Self {
            until: until.filter(|_| is_there).map(time::whole_seconds),
            is_kept: by_a_person && is_there,
            ..self.clone()
        }
    }

    /// The deployment that is under way has ended.
    pub(super) fn ended(&self, lease: &Lease, ending: Ending, now: Timestamp) -> Self {
        let deployment = lease.deployment.clone();
        let current = if ending.outcome.is_success() {
            let to = deployment.to.as_ref();
            to.map(|to| self.applied(&deployment, to))
        } else {
            self.current.clone()
        };
        let mut services = lease.parts.clone();
        services.extend(ending.services);
        let is_removed = current.is_none() && deployment.action == Action::Remove;
        Self {
            current,
            until: self.until.filter(|_| !is_removed),
            is_kept: self.is_kept && !is_removed,
            last: Some(Record {
                schema: SCHEMA,
                deployment,
                outcome: ending.outcome,
                services,
                joined: lease.joined.clone(),
                ended: time::whole_seconds(now),
            }),
            lease: None,
            ..self.clone()
        }
    }

    /// The same, by its lease's end. A deployment that repeats one that has succeeded leaves what passed the tests: a late
    /// copy of a job began it, and nothing comes after that.
    pub(super) fn out_of_time(&self, lease: &Lease, now: Timestamp) -> Self {
        let repeats = |last: &Record| {
            let (first, again) = (&last.deployment, &lease.deployment);
            let is_same = first.owner == again.owner && first.action == again.action;
            is_same && last.outcome.is_success() && again.to.is_some()
        };
        let outcome = if self.last.as_ref().is_some_and(repeats) {
            Outcome::Succeeded
        } else {
            let message = format!("its lease ran out at {}", lease.until);
            Outcome::Abandoned { message }
        };
        let ending = Ending {
            outcome,
            services: BTreeMap::new(),
        };
        self.ended(lease, ending, now)
    }

    fn applied(&self, deployment: &Deployment, to: &Target) -> Applied {
        // What is deployed again has not come after itself.
        let again = self.current.as_ref();
        let again = again.filter(|current| current.release == to.release);
        let origin = to.origin.clone();
        let origin = origin.or_else(|| again.map(|current| current.origin.clone()));
        Applied {
            release: to.release.clone(),
            deployment: deployment.id.clone(),
            origin: origin.unwrap_or_else(|| deployment.id.clone()),
        }
    }
}

impl Lease {
    fn new(deployment: Deployment, parts: BTreeMap<String, ServiceChange>, now: Timestamp) -> Self {
        Self {
            deployment,
            until: time::whole_seconds(now + LEASE),
            parts,
            passes: 1,
            joined: BTreeSet::new(),
        }
    }

    /// Whether somebody else may take it.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until < now
    }

    /// It lasts longer; never shorter, where the clocks of two of its jobs differ.
    fn renewed(&self, now: Timestamp) -> Self {
        Self {
            until: self.until.max(time::whole_seconds(now + LEASE)),
            ..self.clone()
        }
    }

    /// Which of these parts are not there yet.
    #[must_use]
    pub fn missing(&self, expected: &BTreeSet<String>) -> Vec<String> {
        let is_there = |part: &&String| {
            let change = self.parts.get(*part);
            change.is_some_and(ServiceChange::is_there)
        };
        expected
            .iter()
            .filter(|part| !is_there(part))
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests;
