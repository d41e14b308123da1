//! What was deployed to an environment, the newest first.

use std::collections::BTreeSet;

use delivery_definition::names::EnvironmentName;

use super::{DeploymentId, Environment, Lease, Record, Request, State};
use crate::error::ReleaseError;
use crate::repository::{Repository, layout};

/// The deployments of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The one that is under way, or that nobody has ended yet.
    pub under_way: Option<Lease>,
    /// Those that have ended, the newest first.
    pub ended: Vec<Record>,
    /// The numbers of those whose record is gone.
    pub missing: Vec<u64>,
}

impl Environment {
    /// The newest deployments, at most so many.
    ///
    /// # Errors
    ///
    /// A record cannot be read, or a call failed.
    pub async fn history(&self, most: usize) -> Result<History, ReleaseError> {
        let state = self.state().await?;
        let ids = self.ended(&state).await?;
        let numbers: BTreeSet<u64> = ids.iter().map(DeploymentId::number).collect();
        let under_way = state
            .lease
            .as_ref()
            .map(|lease| lease.deployment.id.number());
        let missing = (1..=state.deployments)
            .filter(|number| !numbers.contains(number) && Some(*number) != under_way);
        let missing = missing.collect();
        let mut ended = Vec::new();
        for id in ids.iter().rev().take(most) {
            ended.push(self.record_in(&state, id).await?);
        }
        Ok(History {
            under_way: state.lease,
            ended,
            missing,
        })
    }

    /// The newest success of the same wish, among the records before one that is too old.
    pub(super) async fn last_success(
        &self,
        state: &State,
        request: &Request,
        is_too_old: impl Fn(&Record) -> bool,
    ) -> Result<Option<Record>, ReleaseError> {
        for id in self.ended(state).await?.iter().rev() {
            let record = self.record_in(state, id).await?;
            if is_too_old(&record) {
                break;
            }
            if record.outcome.is_success() && request.is_of(&record.deployment) {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// The deployments that have ended.
    async fn ended(&self, state: &State) -> Result<BTreeSet<DeploymentId>, ReleaseError> {
        let prefix = layout::deployments(self.name.as_str());
        let listed = self.repository.objects.list(&prefix).await?;
        let mut ids: BTreeSet<DeploymentId> = listed
            .iter()
            .filter_map(|one| {
                one.key
                    .strip_prefix(&prefix)?
                    .strip_suffix(".json")?
                    .parse()
                    .ok()
            })
            .collect();
        // Its record may not be written yet.
        let last = state.last.as_ref().map(|last| &last.deployment.id);
        ids.extend(last.cloned());
        Ok(ids)
    }

    async fn record_in(&self, state: &State, id: &DeploymentId) -> Result<Record, ReleaseError> {
        match &state.last {
            Some(last) if last.deployment.id == *id => Ok(last.clone()),
            _ => self.record_of(id).await,
        }
    }
}

impl Repository {
    /// The environments that something was deployed to.
    ///
    /// # Errors
    ///
    /// A call failed.
    pub async fn environments(&self) -> Result<Vec<Environment>, ReleaseError> {
        let folders = self.objects.folders(layout::ENVIRONMENTS).await?;
        let named = folders
            .iter()
            .filter_map(|name| EnvironmentName::parse(name).ok());
        Ok(named.map(|name| Environment::new(self, name)).collect())
    }
}
