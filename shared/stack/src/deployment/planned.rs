//! What a deployment would change: a change set that is looked at and removed again.

use std::time::Duration;

use super::change::{WAITING_FOR_CHANGE_SET, at_stake};
use super::{Deployment, DeploymentError, Desired, Source};
use crate::change_set::{self, Change, Prepared};
use crate::description::{Description, describe};
use crate::state::State;

/// Polling interval for a change set, which is ready within some seconds.
const INTERVAL: Duration = Duration::from_millis(500);

/// What the name of such a change set begins with.
const PLAN: &str = "p-";

/// What a deployment would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// Whether the stack would be created.
    pub creates: bool,
    /// What would change; nothing where the stack is as it should be. Of a stack that would be created, the resources of the
    /// template, before its transforms.
    pub changes: Vec<Change>,
    /// What holds data, would be replaced or removed, and is not allowed to be: the deployment would be refused.
    pub at_stake: Vec<String>,
}

impl<S: Source> Deployment<'_, S> {
    /// Has the change worked out, and leaves nothing of it behind.
    ///
    /// # Errors
    ///
    /// It cannot be deployed, or someone else is changing the stack.
    pub async fn plan(mut self) -> Result<Planned, DeploymentError> {
        let desired = self.desired().await?;
        let stack = self.subject.stack.clone();
        let found = describe(self.client, &stack).await?;
        let Some(found) = found else {
            return Ok(desired.planned_creation());
        };
        let state = found.state();
        // No change set of a stack that is not there: CloudFormation would make the stack for it, and whoever removes
        // that again may meet a deployment that has just begun with it.
        if matches!(state, State::Gone | State::Review) {
            return Ok(desired.planned_creation());
        }
        self.check_owner(&desired, &found)?;
        match state {
            State::NeverCreated => return Ok(desired.planned_creation()),
            State::Broken => return Err(self.broken(&found)),
            state if state.is_in_progress() => {
                return Err(DeploymentError::OtherChange {
                    subject: self.subject.name.clone(),
                    status: found.status.clone(),
                    minutes: 0,
                });
            }
            _ => {}
        }
        let name = format!("{PLAN}{}-{}", desired.entry, self.progress.job);
        let computed = self.compute(&desired, &name, &found).await;
        // Also where that failed: the change set may be there, and the reply to its creation is lost.
        let deleted = change_set::delete(self.client, &stack, &name).await;
        let prepared = computed?;
        deleted?;
        match prepared {
            Prepared::Ready { changes, .. } => Ok(Planned {
                creates: false,
                at_stake: at_stake(&changes, &desired.allow),
                changes,
            }),
            Prepared::Nothing => Ok(Planned::default()),
            Prepared::Over => Err(DeploymentError::Contended {
                subject: self.subject.name.clone(),
            }),
            Prepared::Refused { reason } => Err(self.refused(&reason)),
        }
    }

    /// Has the change worked out by a change set of this name.
    async fn compute(
        &self,
        desired: &Desired,
        name: &str,
        found: &Description,
    ) -> Result<Prepared, DeploymentError> {
        match self.ask(desired, name, false).await {
            Ok(()) => {}
            // No one else has this name: the first reply was lost, and the call repeated.
            Err(error) if error.is_code("AlreadyExistsException") => {}
            Err(error) => return Err(self.rejected(error)),
        }
        let stack = &self.subject.stack;
        let prepared = change_set::prepared(self.client, stack, name, Some(found), INTERVAL);
        match tokio::time::timeout(self.options.wait, prepared).await {
            Err(_elapsed) => Err(self.too_slow(WAITING_FOR_CHANGE_SET)),
            // Someone else's change was executed in the meantime, and CloudFormation removed this one.
            Ok(Err(error)) if change_set::is_gone(&error) => Ok(Prepared::Over),
            Ok(prepared) => Ok(prepared?),
        }
    }
}
