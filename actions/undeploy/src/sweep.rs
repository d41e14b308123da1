//! What happens by time: removals go on, environments whose time is over are removed, and deployments that nobody ends are
//! ended.

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
        let all = self.repository.environments().await?;
        let of = all.len();
        let failed: Vec<UndeployError> = stream::iter(all)
            .map(|environment| async move { self.look_after(&environment, stop_at).await })
            .buffer_unordered(PARALLEL_READS)
            .filter_map(async |result: Result<(), UndeployError>| result.err())
            .collect()
            .await;
        if failed.is_empty() {
            return Ok(());
        }
        Err(UndeployError::Several { of, failed })
    }

    async fn look_after(
        &self,
        environment: &Environment,
        stop_at: Deadline,
    ) -> Result<(), UndeployError> {
        let now = clock::timestamp();
        let mut state = environment.state().await?;
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
            return self.remove_or_later(&wish, stop_at).await;
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
            return Ok(());
        };
        if name.family().is_none() {
            tracing::warn!(environment = %name, %until, "its time is over, but only members of families are removed");
            return Ok(());
        }
        let wish = Wish {
            environment: name.clone(),
            by: "the schedule".to_owned(),
            reason: Some(format!("its time was over at {until}")),
            deployments: None,
            owner: None,
        };
        self.remove_or_later(&wish, stop_at).await
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
