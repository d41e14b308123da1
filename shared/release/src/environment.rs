//! An environment's side of releases: what it has, who is changing it, and what was deployed to it.
//!
//! The document `current.json` is the truth, and every change of it is one write on the condition that it is as it was read.
//! Records are written after it: the one that may be missing is that of the last deployment, whose content the document
//! holds, and whoever changes the document next writes it first.

mod attempts;
mod beginning;
mod deployment;
mod history;
mod rollback;
mod state;

use std::collections::{BTreeMap, BTreeSet};

use delivery_definition::names::EnvironmentName;
use jiff::Timestamp;

pub use beginning::Begun;
pub use deployment::{
    Action, Applied, Deployment, DeploymentId, Ending, NotADeployment, Outcome, Record,
    ServiceChange, ServiceResult, Target,
};
pub use history::History;
pub use state::{LEASE, Lease, Request, State};

use crate::document;
use crate::error::ReleaseError;
use crate::repository::{Repository, layout};
use attempts::Attempts;
pub(crate) use attempts::MAX_ATTEMPTS;
use state::Held;

/// An environment.
#[derive(Clone, Debug)]
pub struct Environment {
    repository: Repository,
    name: EnvironmentName,
}

/// The document of an environment as it was read.
struct Read {
    state: State,
    /// `None` where there is no document yet.
    etag: Option<String>,
}

impl Environment {
    /// An environment of a repository.
    #[must_use]
    pub fn new(repository: &Repository, name: EnvironmentName) -> Self {
        Self {
            repository: repository.clone(),
            name,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &EnvironmentName {
        &self.name
    }

    /// What it has now.
    ///
    /// # Errors
    ///
    /// The document cannot be read, or a call failed.
    pub async fn state(&self) -> Result<State, ReleaseError> {
        Ok(self.read().await?.state)
    }

    /// Renews the lease of a deployment, for [`LEASE`] from now on.
    ///
    /// # Errors
    ///
    /// It has ended, or somebody else has taken over.
    pub async fn renew(
        &self,
        deployment: &DeploymentId,
        now: Timestamp,
    ) -> Result<(), ReleaseError> {
        self.change_lease(deployment, |state, lease| state.renewed(lease, now))
            .await?;
        Ok(())
    }

    /// Goes on with a deployment that is under way, as somebody else who wants the same. His name is kept with it, so that
    /// his work is known when his job is delivered again.
    ///
    /// # Errors
    ///
    /// It has ended, or somebody else has taken over.
    pub async fn go_on(
        &self,
        deployment: &DeploymentId,
        owner: &str,
        now: Timestamp,
    ) -> Result<Lease, ReleaseError> {
        self.change_lease(deployment, |state, lease| state.joined(lease, owner, now))
            .await
    }

    /// Records what became of a part of a deployment, and renews its lease.
    ///
    /// # Errors
    ///
    /// It has ended, or somebody else has taken over.
    pub async fn record_part(
        &self,
        deployment: &DeploymentId,
        part: &str,
        change: &ServiceChange,
        now: Timestamp,
    ) -> Result<(), ReleaseError> {
        self.change_lease(deployment, |state, lease| {
            state.recorded(lease, part, change, now)
        })
        .await?;
        Ok(())
    }

    async fn change_lease(
        &self,
        deployment: &DeploymentId,
        change: impl Fn(&State, &Lease) -> State,
    ) -> Result<Lease, ReleaseError> {
        let mut attempts = Attempts::default();
        while attempts.begin().await {
            let read = self.read().await?;
            match read.state.held(deployment) {
                Held::UnderWay(lease) => {
                    let changed = change(&read.state, lease);
                    if self.replace(&read, &changed).await?
                        && let Some(lease) = changed.lease
                    {
                        return Ok(lease);
                    }
                }
                Held::Ended(record) => return Err(self.lost(deployment, Some(record))),
                Held::Gone => return Err(self.lost(deployment, None)),
            }
        }
        Err(self.contended())
    }

    /// Ends a deployment as succeeded, if all of these parts are there. To end it again changes nothing.
    ///
    /// # Errors
    ///
    /// A part is missing: then it is still under way. It has ended otherwise, or somebody else has taken over; or a call
    /// failed.
    pub async fn finish(
        &self,
        deployment: &DeploymentId,
        expected: &BTreeSet<String>,
        now: Timestamp,
    ) -> Result<Record, ReleaseError> {
        let ending = Ending {
            outcome: Outcome::Succeeded,
            services: BTreeMap::new(),
        };
        self.end_with(deployment, &ending, expected, now).await
    }

    /// Ends a deployment and releases its lease. What has succeeded is what the environment has from now on. To end it
    /// again in the same way changes nothing.
    ///
    /// # Errors
    ///
    /// It has ended otherwise, or somebody else has taken over; or a call failed.
    pub async fn end(
        &self,
        deployment: &DeploymentId,
        ending: &Ending,
        now: Timestamp,
    ) -> Result<Record, ReleaseError> {
        let ending = ending.shown();
        self.end_with(deployment, &ending, &BTreeSet::new(), now)
            .await
    }

    /// Ends a deployment that is under way only if it has all of these parts.
    async fn end_with(
        &self,
        deployment: &DeploymentId,
        ending: &Ending,
        expected: &BTreeSet<String>,
        now: Timestamp,
    ) -> Result<Record, ReleaseError> {
        let mut attempts = Attempts::default();
        while attempts.begin().await {
            let read = self.read().await?;
            let ended = match read.state.held(deployment) {
                Held::UnderWay(lease) => {
                    self.check_complete(lease, expected)?;
                    read.state.ended(lease, ending.clone(), now)
                }
                Held::Ended(record) if record.outcome == ending.outcome => {
                    self.record(record).await?;
                    return Ok(record.clone());
                }
                Held::Ended(record) => return Err(self.lost(deployment, Some(record))),
                Held::Gone => return Err(self.lost(deployment, None)),
            };
            if self.replace(&read, &ended).await?
                && let Some(record) = ended.last
            {
                return Ok(record);
            }
        }
        Err(self.contended())
    }

    fn check_complete(
        &self,
        lease: &Lease,
        expected: &BTreeSet<String>,
    ) -> Result<(), ReleaseError> {
        let missing = lease.missing(expected);
        if missing.is_empty() {
            return Ok(());
        }
        Err(ReleaseError::Incomplete {
            environment: self.name.to_string(),
            deployment: lease.deployment.id.clone(),
            missing,
        })
    }

    /// Releases the lease of a deployment that is not its caller's own: a person says that nobody is deploying any more.
    ///
    /// # Errors
    ///
    /// It is not under way, or a call failed.
    pub async fn unlock(
        &self,
        deployment: &DeploymentId,
        by: &str,
        now: Timestamp,
    ) -> Result<Record, ReleaseError> {
        let outcome = Outcome::Abandoned {
            message: format!("{by} released its lease"),
        };
        let ending = Ending {
            outcome,
            services: BTreeMap::new(),
        };
        self.end(deployment, &ending, now).await
    }

    /// A person says when the environment is removed; without a time it stays. The end of its stage does not overrule that.
    ///
    /// # Errors
    ///
    /// The document cannot be read or written.
    pub async fn keep(&self, until: Option<Timestamp>) -> Result<State, ReleaseError> {
        self.set_time(until, true).await
    }

    /// Sets when the environment is removed, where no person has said so.
    ///
    /// # Errors
    ///
    /// The document cannot be read or written.
    pub async fn remove_at(&self, until: Option<Timestamp>) -> Result<State, ReleaseError> {
        self.set_time(until, false).await
    }

    async fn set_time(
        &self,
        until: Option<Timestamp>,
        by_a_person: bool,
    ) -> Result<State, ReleaseError> {
        let mut attempts = Attempts::default();
        while attempts.begin().await {
            let read = self.read().await?;
            let kept = read.state.kept(until, by_a_person);
            if self.replace(&read, &kept).await? {
                return Ok(kept);
            }
        }
        Err(self.contended())
    }

    /// Ends a deployment whose lease has run out, as abandoned; what it ended, if there was one.
    ///
    /// # Errors
    ///
    /// The document cannot be read or written.
    pub async fn expire(&self, now: Timestamp) -> Result<Option<Record>, ReleaseError> {
        let mut attempts = Attempts::default();
        while attempts.begin().await {
            let read = self.read().await?;
            let Some(lease) = read.state.stale(now) else {
                return Ok(None);
            };
            let abandoned = read.state.out_of_time(lease, now);
            if self.replace(&read, &abandoned).await? {
                return Ok(abandoned.last);
            }
        }
        Err(self.contended())
    }

    async fn read(&self) -> Result<Read, ReleaseError> {
        let key = layout::current(self.name.as_str());
        let Some(object) = self.repository.objects.get(&key).await? else {
            return Ok(Read {
                state: State::default(),
                etag: None,
            });
        };
        let address = || self.repository.objects.address(&key);
        Ok(Read {
            state: document::read(&object.bytes, address)?,
            etag: Some(object.etag),
        })
    }

    /// Writes what has become of the document that was read; `false` if somebody else was first.
    ///
    /// The record that the document does not hold any more is written before, and the one that it holds now after.
    async fn replace(&self, read: &Read, next: &State) -> Result<bool, ReleaseError> {
        if read.state == *next {
            return Ok(true);
        }
        let has_ended = read.state.last != next.last;
        if has_ended && let Some(last) = &read.state.last {
            self.record(last).await?;
        }
        let key = layout::current(self.name.as_str());
        let bytes = document::write(next);
        let objects = &self.repository.objects;
        let written = objects.replace(&key, read.etag.as_deref(), &bytes).await?;
        if written
            && has_ended
            && let Some(last) = &next.last
        {
            self.record(last).await?;
        }
        Ok(written)
    }

    /// Writes the record of a deployment that has ended, unless it is there.
    async fn record(&self, record: &Record) -> Result<(), ReleaseError> {
        let key = layout::deployment(self.name.as_str(), &record.deployment.id);
        let bytes = document::write(record);
        self.repository.objects.create_bytes(&key, &bytes).await?;
        Ok(())
    }

    fn busy(&self, lease: &Lease) -> ReleaseError {
        ReleaseError::Busy {
            environment: self.name.to_string(),
            lease: Box::new(lease.clone()),
        }
    }

    fn lost(&self, deployment: &DeploymentId, record: Option<&Record>) -> ReleaseError {
        ReleaseError::Lost {
            environment: self.name.to_string(),
            deployment: deployment.clone(),
            outcome: record.map(|record| record.outcome.clone()),
        }
    }

    fn contended(&self) -> ReleaseError {
        ReleaseError::Contended {
            environment: self.name.to_string(),
        }
    }
}
