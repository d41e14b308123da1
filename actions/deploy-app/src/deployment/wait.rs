//! What a deployment waits for: the function's update, somebody else's change, provisioned concurrency.

use std::time::Duration;

use delivery_action::aws::CallErrorKind;
use delivery_action::failure::JobError;
use delivery_alias::Found;
use delivery_rollout::Provisioning;

use super::{Deployment, Step};
use crate::error::DeployAppError;
use crate::function::{self, Condition, Snapshot};

/// First polling interval while a function is being updated. Updating a zip takes seconds.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Longest polling interval: that of the SDKs' waiter `FunctionUpdatedV2`.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How long the action waits, over all its jobs, for a function that does not stop updating or that others
/// keep changing. The SDKs' waiters give up after 5 minutes; a function in a VPC takes longer.
const MAX_WAIT: Duration = Duration::from_mins(10);

impl Deployment<'_> {
    /// Waits until the function is not being updated, or, with a version, until that can be invoked.
    pub(super) async fn settle(
        &mut self,
        version: Option<&str>,
    ) -> Result<Step<Snapshot>, DeployAppError> {
        self.next_pause = FIRST_PAUSE;
        loop {
            if self.stop_at.remaining().is_zero() {
                return Ok(Step::OutOfTime);
            }
            let snapshot = function::read(self.lambda, self.params, version).await?;
            if snapshot.condition != Condition::Busy {
                if version.is_some() {
                    self.check_updated(&snapshot)?;
                }
                return Ok(Step::Done(snapshot));
            }
            if self.progress.elapsed() > MAX_WAIT {
                return Err(DeployAppError::NeverSettles {
                    function: self.params.function.as_str().to_owned(),
                    minutes: MAX_WAIT.as_secs() / 60,
                });
            }
            self.pause().await;
        }
    }

    /// Pauses after a conflict with somebody else's change; any other error fails the deployment.
    pub(super) async fn after_conflict(
        &mut self,
        error: DeployAppError,
    ) -> Result<Step<()>, DeployAppError> {
        match error {
            DeployAppError::Job(JobError::Call(error)) if error.kind == CallErrorKind::Conflict => {
                if self.progress.elapsed() > MAX_WAIT {
                    return Err(DeployAppError::Job(JobError::Call(error)));
                }
                tracing::info!(%error, "somebody else changed the function; reading its state again");
            }
            error => return Err(error),
        }
        self.pause().await;
        Ok(if self.stop_at.remaining().is_zero() {
            Step::OutOfTime
        } else {
            Step::Done(())
        })
    }

    /// Pauses if Lambda itself splits the alias's traffic, as it does while it moves provisioned concurrency. If somebody
    /// else's rollout splits it, the deployment fails and leaves the rollout alone.
    pub(super) async fn wait_for_provisioning(
        &mut self,
        found: &Found,
        version: &str,
    ) -> Result<(), DeployAppError> {
        let alias = || self.alias.resource();
        if self.alias.provisioning().await? != Provisioning::Moving {
            // It may have finished since the alias was read.
            let seen = self.alias.read().await?;
            if seen.is_some_and(|seen| !seen.alias.weights.is_empty()) {
                return Err(DeployAppError::AliasShared {
                    alias: alias(),
                    found: found.alias.version.clone(),
                    weights: found.alias.weights_text(),
                    version: version.to_owned(),
                });
            }
            return Ok(());
        }
        if self.progress.elapsed() > MAX_WAIT {
            return Err(DeployAppError::ProvisioningNeverEnds {
                alias: alias(),
                found: found.alias.version.clone(),
                minutes: MAX_WAIT.as_secs() / 60,
            });
        }
        self.pause().await;
        Ok(())
    }

    async fn pause(&mut self) {
        tokio::time::sleep(self.next_pause.min(self.stop_at.remaining())).await;
        self.next_pause = LONGEST_PAUSE.min(self.next_pause * 2);
    }
}
