//! An environment's side of releases: what it has, who is changing it, and what was deployed to it.
//!
//! The document `current.json` is the truth, and every change of it is one write on the condition that it is as it was read.
//! Records are written after it: the one that may be missing is that of the last deployment, whose content the document
//! holds, and whoever changes the document next writes it first.

mod attempts;
mod deployment;
mod history;
mod rollback;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use delivery_definition::names::EnvironmentName;
use jiff::Timestamp;

pub use deployment::{
    Action, Applied, Deployment, DeploymentId, Ending, NotADeployment, Outcome, Record,
    ServiceChange, ServiceResult, Target,
};
pub use history::History;
pub use state::{LEASE, Lease, Request, State};

use crate::document;
use crate::error::ReleaseError;
use crate::manifest::{Manifest, ReleaseId};
use crate::repository::{Provenance, Publisher, Repository, layout};
use attempts::Attempts;
pub(crate) use attempts::MAX_ATTEMPTS;
use state::{Found, Held};

/// How late a copy of a job can come after its deployment has ended: Lambda keeps an event for at most six hours (Lambda,
/// "Asynchronous invocation"), and the job runs for a quarter of one.
const LATEST_COPY: Duration = Duration::from_hours(7);

/// What an owner does whose deployment has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    /// Nothing: it may be a duplicate.
    Never,
    /// It begins again if it has failed.
    AfterFailure,
    /// It begins again.
    Always,
}

impl Again {
    fn is_after(self, record: &Record) -> bool {
        match self {
            Self::Never => false,
            Self::AfterFailure => !record.outcome.is_success(),
            Self::Always => true,
        }
    }
}

/// What a deployment begins with that its owner has begun before.
#[derive(Debug, Default)]
struct Earlier {
    /// What was deployed then.
    parts: BTreeMap<String, ServiceChange>,
    /// What a deployment applied that has succeeded.
    to: Option<Target>,
}

impl Earlier {
    fn of(record: &Record) -> Self {
        let mut parts = record.services.clone();
        parts.retain(|_, change| change.is_there());
        let has_succeeded = record.outcome.is_success();
        let to = record.deployment.to.clone().filter(|_| has_succeeded);
        Self { parts, to }
    }
}

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

/// What a request has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// The deployment has begun; or had, and goes on: its owner was started again.
    UnderWay(Lease),
    /// The owner's deployment has ended already.
    Ended(Record),
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

    /// Begins a deployment, or goes on with the owner's own.
    ///
    /// Before anything is written, all that the release consists of is looked for.
    ///
    /// # Errors
    ///
    /// Somebody else is deploying; the release is not there or not whole; there is nothing to go back to; or a call failed.
    pub async fn begin(&self, request: &Request, now: Timestamp) -> Result<Begun, ReleaseError> {
        self.begin_or(request, Again::Never, now).await
    }

    /// The same by somebody who knows that it is no late duplicate: after a failure of its own it begins again, and the parts
    /// that were deployed then count, as long as nobody else has deployed since.
    ///
    /// # Errors
    ///
    /// As [`Environment::begin`].
    pub async fn begin_again(
        &self,
        request: &Request,
        now: Timestamp,
    ) -> Result<Begun, ReleaseError> {
        self.begin_or(request, Again::AfterFailure, now).await
    }

    /// Begins a deployment, or joins the owner's own; begins it again if it has ended, however it ended, so that nobody works
    /// without a lease. One that repeats a success has all of its parts from the beginning, and ends as succeeded if nobody
    /// ends it.
    ///
    /// # Errors
    ///
    /// As [`Environment::begin`].
    pub async fn join(&self, request: &Request, now: Timestamp) -> Result<Lease, ReleaseError> {
        match self.begin_or(request, Again::Always, now).await? {
            Begun::UnderWay(lease) => Ok(lease),
            Begun::Ended(record) => Err(self.lost(&record.deployment.id, Some(&record))),
        }
    }

    async fn begin_or(
        &self,
        request: &Request,
        again: Again,
        now: Timestamp,
    ) -> Result<Begun, ReleaseError> {
        let mut attempts = Attempts::default();
        while attempts.begin().await {
            let read = self.read().await?;
            let mut earlier = Earlier::default();
            let free = match read.state.find(request, now) {
                Found::Own(lease) => {
                    let resumed = read.state.resumed(lease, now);
                    match resumed.lease.clone() {
                        Some(lease) if self.replace(&read, &resumed).await? => {
                            return Ok(Begun::UnderWay(lease));
                        }
                        _ => continue,
                    }
                }
                Found::Ended(record) if again.is_after(record) => {
                    earlier = Earlier::of(record);
                    read.state.clone()
                }
                Found::Ended(record) => return Ok(Begun::Ended(record.clone())),
                Found::Busy(lease) => return Err(self.busy(lease)),
                Found::Stale(lease) => {
                    self.refuse_late_copy(&read.state, request, now).await?;
                    read.state.out_of_time(lease, now)
                }
                Found::Free => {
                    self.refuse_late_copy(&read.state, request, now).await?;
                    read.state.clone()
                }
            };
            let to = match earlier.to {
                Some(to) => Some(to),
                None => self.target(&free, request, now).await?,
            };
            let begun = free.begun(request, to, earlier.parts, now);
            if self.replace(&read, &begun).await?
                && let Some(lease) = begun.lease
            {
                return Ok(Begun::UnderWay(lease));
            }
        }
        Err(self.contended())
    }

    /// Fails if the same deployment has succeeded, and others have deployed since: whoever asks for it now is a late copy of a
    /// job, and would undo what they did. Nobody retries what has succeeded.
    ///
    /// Removals are asked for by one owner again and again.
    async fn refuse_late_copy(
        &self,
        state: &State,
        request: &Request,
        now: Timestamp,
    ) -> Result<(), ReleaseError> {
        if request.action == Action::Remove || state.last.is_none() {
            return Ok(());
        }
        let is_too_old = |record: &Record| record.ended < now - LATEST_COPY;
        match self.last_success(state, request, is_too_old).await? {
            Some(record) => Err(self.lost(&record.deployment.id, None)),
            None => Ok(()),
        }
    }

    /// What a request applies; `None` to take the environment down.
    async fn target(
        &self,
        state: &State,
        request: &Request,
        now: Timestamp,
    ) -> Result<Option<Target>, ReleaseError> {
        let (release, is_back) = match &request.action {
            Action::Remove => return Ok(None),
            Action::Deploy { release } | Action::Promote { release, .. } => (
                Target {
                    release: release.clone(),
                    origin: None,
                },
                false,
            ),
            Action::Rollback { release } => (self.back(state, release.as_ref()).await?, true),
        };
        let manifest = self.repository.manifest(&release.release).await?;
        self.repository.check_blobs(&manifest).await?;
        if is_back {
            return Ok(Some(release));
        }
        let release = self.combined(state, request, manifest, now).await?;
        Ok(Some(Target {
            release,
            origin: None,
        }))
    }

    /// The release with the services of other pipelines that the environment has.
    async fn combined(
        &self,
        state: &State,
        request: &Request,
        manifest: Manifest,
        now: Timestamp,
    ) -> Result<ReleaseId, ReleaseError> {
        let there = match &state.current {
            Some(there) if !manifest.elsewhere.is_empty() => there,
            _ => return Ok(manifest.id()),
        };
        let there = self.repository.manifest(&there.release).await?;
        let combined = manifest.over(&there);
        if combined == manifest {
            return Ok(manifest.id());
        }
        let provenance = Provenance {
            pipeline: None,
            execution: request.owner.clone(),
            by: Some(request.by.clone()),
        };
        let publisher = Publisher::new(&self.repository);
        let publication = publisher.publish(&combined, &provenance, now).await?;
        Ok(publication.release)
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
        .await
    }

    async fn change_lease(
        &self,
        deployment: &DeploymentId,
        change: impl Fn(&State, &Lease) -> State,
    ) -> Result<(), ReleaseError> {
        let mut attempts = Attempts::default();
        while attempts.begin().await {
            let read = self.read().await?;
            match read.state.held(deployment) {
                Held::UnderWay(lease) => {
                    let changed = change(&read.state, lease);
                    if self.replace(&read, &changed).await? {
                        return Ok(());
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
        let state = self.state().await?;
        if let Held::UnderWay(lease) = state.held(deployment) {
            let missing = lease.missing(expected);
            if !missing.is_empty() {
                return Err(ReleaseError::Incomplete {
                    environment: self.name.to_string(),
                    deployment: deployment.clone(),
                    missing,
                });
            }
        }
        let ending = Ending {
            outcome: Outcome::Succeeded,
            services: BTreeMap::new(),
        };
        self.end(deployment, &ending, now).await
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
        let mut attempts = Attempts::default();
        while attempts.begin().await {
            let read = self.read().await?;
            let ended = match read.state.held(deployment) {
                Held::UnderWay(lease) => read.state.ended(lease, ending.clone(), now),
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
