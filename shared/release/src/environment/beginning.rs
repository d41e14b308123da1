//! How a deployment begins: once for its owner, after nobody else's, and never for a late copy of a job.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::attempts::Attempts;
use super::state::Found;
use super::{Action, Environment, Lease, Record, Request, ServiceChange, State, Target};
use crate::error::ReleaseError;
use crate::manifest::{Manifest, ReleaseId};
use crate::repository::{Provenance, Publisher};

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

/// What a request has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// The deployment has begun; or had, and goes on: its owner was started again.
    UnderWay(Lease),
    /// The owner's deployment has ended already.
    Ended(Record),
}

impl Environment {
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
}
