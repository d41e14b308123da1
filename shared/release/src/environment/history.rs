//! What was deployed to an environment, the newest first.

use std::collections::BTreeSet;

use delivery_definition::names::EnvironmentName;

use super::{DeploymentId, Environment, Lease, Record};
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
            ended.push(match &state.last {
                Some(last) if last.deployment.id == *id => last.clone(),
                _ => self.record_of(id).await?,
            });
        }
        Ok(History {
            under_way: state.lease,
            ended,
            missing,
        })
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
