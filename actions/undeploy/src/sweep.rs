//! What happens by time: removals go on, environments whose time is over are removed, and deployments that nobody ends are
//! ended.

use std::collections::BTreeSet;

use delivery_action::clock::{self, Deadline};
use delivery_release::environment::{Environment, State};
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;

use crate::error::UndeployError;
use crate::event::Wish;
use crate::removal::is_removal;
use crate::stage::PARALLEL_READS;
use crate::undeploy::Undeploy;

impl Undeploy {
    pub(crate) async fn sweep(&self, stop_at: Deadline) -> Result<(), UndeployError> {
        let roll = self.repository.roll().await?;
        let of = roll.all;
        let looks: Vec<Result<Option<String>, UndeployError>> =
            stream::iter(roll.environments.clone())
                .map(|environment| async move {
                    let is_removed = self.look_after(&environment, stop_at).await?;
                    Ok(is_removed.then(|| environment.name().to_string()))
                })
                .buffer_unordered(PARALLEL_READS)
                .collect()
                .await;
        let mut removed = BTreeSet::new();
        let mut failed = Vec::new();
        for look in looks {
            match look {
                Ok(name) => removed.extend(name),
                Err(error) => failed.push(error),
            }
        }
        // Without it, the next sweep reads more than it has to.
        if let Err(error) = roll.strike(&removed).await {
            tracing::warn!(error = %delivery_action::failure::chain(&error), "which environments are removed was not noted");
        }
        if failed.is_empty() {
            return Ok(());
        }
        Err(UndeployError::Several { of, failed })
    }

    /// Does what an environment's document asks for; whether it was removed before, and needs no further looks.
    async fn look_after(
        &self,
        environment: &Environment,
        stop_at: Deadline,
    ) -> Result<bool, UndeployError> {
        let now = clock::timestamp();
        let mut state = environment.state().await?;
        if state.is_removed() && state.until.is_none() {
            return Ok(true);
        }
        let name = environment.name();
        let under_way = state.lease.as_ref().map(|lease| &lease.deployment);
        if let Some(removal) = under_way.filter(|deployment| is_removal(deployment)) {
            let wish = Wish {
                environment: name.clone(),
                by: removal.by.clone(),
                reason: removal.reason.clone(),
                deployments: None,
                owner: None,
            };
            self.remove_or_later(&wish, stop_at).await?;
            return Ok(false);
        }
        if let Some(record) = environment.expire(now).await? {
            let deployment = &record.deployment;
            tracing::warn!(
                environment = %name, deployment = %deployment.id, owner = deployment.owner,
                "nobody has ended this deployment: it is abandoned"
            );
            state = environment.state().await?;
        }
        let Some(until) = removed_at(&state, now) else {
            return Ok(false);
        };
        if name.family().is_none() {
            tracing::warn!(environment = %name, %until, "its time is over, but only members of families are removed");
            return Ok(false);
        }
        let wish = Wish {
            environment: name.clone(),
            by: "the schedule".to_owned(),
            reason: Some(format!("its time was over at {until}")),
            deployments: None,
            owner: None,
        };
        self.remove_or_later(&wish, stop_at).await?;
        Ok(false)
    }
}

/// When the environment was to be removed, if that is now. A removal that failed is not tried again by itself, unless the
/// environment got another time since.
fn removed_at(state: &State, now: Timestamp) -> Option<Timestamp> {
    let until = state.until.filter(|until| *until <= now)?;
    if state.lease.is_some() {
        return None;
    }
    let failed = state.last.as_ref();
    let failed = failed.filter(|last| is_removal(&last.deployment) && !last.outcome.is_success());
    let has_failed_since = failed.is_some_and(|last| last.ended >= until);
    (!has_failed_since).then_some(until)
}
