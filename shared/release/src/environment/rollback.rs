//! Where a rollback goes: to what was there before, which is never merely the deployment with the number before.

use super::state::Back;
use super::{Applied, DeploymentId, Environment, Record, State, Target};
use crate::document;
use crate::error::ReleaseError;
use crate::manifest::ReleaseId;
use crate::repository::layout;

/// How many earlier states are looked through for a release that is named: as many as the newest releases that are always
/// kept.
const MAX_STEPS: usize = crate::prune::NEWEST;

impl Environment {
    /// What a rollback would apply now; a release that is named must have been there before.
    ///
    /// # Errors
    ///
    /// There was nothing before, the release was not there, or a record cannot be read.
    pub async fn rollback_target(
        &self,
        release: Option<&ReleaseId>,
    ) -> Result<Target, ReleaseError> {
        let state = self.state().await?;
        self.back(&state, release).await
    }

    pub(super) async fn back(
        &self,
        state: &State,
        release: Option<&ReleaseId>,
    ) -> Result<Target, ReleaseError> {
        let nothing = || ReleaseError::NothingBefore {
            environment: self.name.to_string(),
            release: release.cloned(),
        };
        let current = state.current.as_ref().ok_or_else(nothing)?;
        let is_meant = |target: &Target| release.is_none_or(|release| target.release == *release);
        match state.back() {
            Back::To(target) if is_meant(&target) => return Ok(target),
            Back::To(_) if is_meant(&current.into()) => return Ok(current.into()),
            _ => {}
        }
        let mut applied = current.clone();
        for _ in 0..MAX_STEPS {
            let before = self.before(state, &applied).await?.ok_or_else(nothing)?;
            let target = Target::from(&before);
            if is_meant(&target) {
                return Ok(target);
            }
            applied = before;
        }
        Err(nothing())
    }

    /// What was there before something came first.
    async fn before(
        &self,
        state: &State,
        applied: &Applied,
    ) -> Result<Option<Applied>, ReleaseError> {
        if let Some(last) = &state.last
            && last.deployment.id == applied.origin
        {
            return Ok(last.deployment.from.clone());
        }
        let record = self.record_of(&applied.origin).await?;
        Ok(record.deployment.from)
    }

    /// Reads the record of a deployment.
    ///
    /// # Errors
    ///
    /// There is none, or it is not one that can be read.
    pub async fn record_of(&self, deployment: &DeploymentId) -> Result<Record, ReleaseError> {
        let key = layout::deployment(self.name.as_str(), deployment);
        let address = || self.repository.objects.address(&key);
        let object = self.repository.objects.get(&key).await?;
        let object = object.ok_or_else(|| ReleaseError::NoRecord {
            environment: self.name.to_string(),
            deployment: deployment.clone(),
            address: address(),
        })?;
        document::read(&object.bytes, address)
    }
}
