//! What happens when a stage of a pipeline has ended.

use delivery_action::clock::{self, Deadline};
use delivery_definition::Definition;
use delivery_definition::names::{EnvironmentName, Family};
use delivery_release::ReleaseError;
use delivery_release::environment::{
    Action, DeploymentId, Ending, Environment, LEASE, Lease, Outcome, Record, State,
};
use futures_util::{StreamExt as _, stream};
use jiff::SignedDuration;

use crate::error::UndeployError;
use crate::event::{EndedStage, StageEnd, Wish};
use crate::undeploy::Undeploy;

/// Environments that are read at once: S3 takes thousands of such requests a second.
pub(crate) const PARALLEL_READS: usize = 16;

/// What became of a deployment whose stage has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// Nobody deploys for this execution any more.
    Nothing,
    /// The stage was retried since: the event is late.
    Retried,
}

impl Undeploy {
    /// Ends the execution's deployment, and removes its environment.
    pub(crate) async fn after_stage(
        &self,
        ended: &EndedStage,
        stop_at: Deadline,
    ) -> Result<(), UndeployError> {
        let family = Family::Execution.word();
        let own = EnvironmentName::of_execution(family, &ended.execution);
        let own = own.filter(|_| ended.stage.eq_ignore_ascii_case(family));
        let Some(name) = own else {
            return self.end_deployments(ended).await;
        };
        let environment = self.environment(&name);
        let state = environment.state().await?;
        if end_deployment(&environment, &state, ended).await? == Left::Retried {
            tracing::info!(environment = %name, "the stage was retried since: it stays");
            return Ok(());
        }
        if state.is_kept {
            let until = state.until.map_or_else(
                || "somebody removes it".to_owned(),
                |until| until.to_string(),
            );
            tracing::info!(environment = %name, until, "it stays, since somebody said so");
            return Ok(());
        }
        if ended.state == StageEnd::Failed
            && let Some(time) = self.kept_on_failure(&name, &state).await
        {
            let until = clock::timestamp() + time;
            environment.remove_at(Some(until)).await?;
            tracing::info!(environment = %name, %until, "it stays for a while, since its stage failed");
            return Ok(());
        }
        let wish = Wish {
            environment: name,
            by: ended.owner(),
            reason: Some(ended.said()),
            deployments: None,
            owner: None,
        };
        self.remove_or_later(&wish, stop_at).await
    }

    /// Ends the deployments of an execution to environments that stay.
    async fn end_deployments(&self, ended: &EndedStage) -> Result<(), UndeployError> {
        if ended.state == StageEnd::Succeeded {
            return Ok(());
        }
        let mut all = self.repository.environments().await?;
        // Of this family there is one for each execution that ever was, and each has a stage of its own.
        all.retain(|one| one.name().family() != Some(Family::Execution.word()));
        let of = all.len();
        let failed: Vec<UndeployError> = stream::iter(all)
            .map(|environment| async move {
                let state = environment.state().await?;
                end_deployment(&environment, &state, ended).await?;
                Ok(())
            })
            .buffer_unordered(PARALLEL_READS)
            .filter_map(async |result: Result<(), UndeployError>| result.err())
            .collect()
            .await;
        if failed.is_empty() {
            return Ok(());
        }
        Err(UndeployError::Several { of, failed })
    }

    /// How long an environment of an execution stays after a failure.
    async fn kept_on_failure(
        &self,
        name: &EnvironmentName,
        state: &State,
    ) -> Option<SignedDuration> {
        let definition = match self.definition_of(state).await {
            Ok(definition) => definition?,
            Err(error) => {
                tracing::warn!(
                    environment = %name, error = %delivery_action::failure::chain(&error),
                    "whether it is to be kept is not known: it is removed"
                );
                return None;
            }
        };
        let target = definition.environment(name.as_str()).ok()?;
        let time = target.settings.keep_on_failure.as_ref()?;
        SignedDuration::try_from(time.0).ok()
    }

    /// The definition of what an environment has, or was to get last.
    pub(crate) async fn definition_of(
        &self,
        state: &State,
    ) -> Result<Option<Definition>, ReleaseError> {
        let lease = state.lease.as_ref().map(|lease| &lease.deployment);
        let last = state.last.as_ref().map(|last| &last.deployment);
        let tried = [lease, last].into_iter().flatten();
        let tried = tried.filter_map(|deployment| deployment.to.as_ref());
        let tried = tried.map(|to| &to.release).next();
        let has = state.current.as_ref().map(|current| &current.release);
        let Some(release) = tried.or(has) else {
            return Ok(None);
        };
        let manifest = self.repository.manifest(release).await?;
        let file = manifest.configuration;
        let bytes = self.repository.blob(&file.sha256).await?;
        match delivery_definition::parse_bytes(&bytes, &file.path) {
            Ok(definition) => Ok(Some(definition)),
            Err(mistakes) => {
                tracing::warn!(%release, "its definition cannot be read: {mistakes}");
                Ok(None)
            }
        }
    }
}

/// Ends a deployment that is under way for the execution.
async fn end_deployment(
    environment: &Environment,
    state: &State,
    ended: &EndedStage,
) -> Result<Left, UndeployError> {
    if has_succeeded_since(state, ended) {
        return Ok(Left::Retried);
    }
    let lease = state.lease.as_ref();
    let Some(lease) = lease.filter(|lease| lease.deployment.owner == ended.owner()) else {
        return Ok(Left::Nothing);
    };
    if began_after(lease, ended) || is_renewed_since(lease, ended) {
        return Ok(Left::Retried);
    }
    let message = format!("{} before the deployment was verified", ended.said());
    let id = &lease.deployment.id;
    match end_as_failed(environment, id, &message).await {
        Ok(()) => {
            tracing::warn!(environment = %environment.name(), deployment = %id, message, "ended");
            Ok(Left::Nothing)
        }
        // Its own action was quicker.
        Err(ReleaseError::Lost { .. }) => Ok(Left::Nothing),
        Err(error) => Err(error.into()),
    }
}

/// A stage that was retried has the execution of the attempt that ended. Both times are whole seconds; that they are equal is
/// no retry, which comes after the event.
fn began_after(lease: &Lease, ended: &EndedStage) -> bool {
    lease.deployment.began > ended.at
}

/// A retry goes on with the deployment of the attempt before it. After a stage has failed, none of its actions is left that
/// could renew the lease; after a stop there may be some.
fn is_renewed_since(lease: &Lease, ended: &EndedStage) -> bool {
    ended.state == StageEnd::Failed && lease.until - LEASE > ended.at
}

/// A retry has succeeded already: its own event follows.
fn has_succeeded_since(state: &State, ended: &EndedStage) -> bool {
    let is_later = |last: &Record| {
        let deployment = &last.deployment;
        let is_own = deployment.owner == ended.owner() && deployment.action != Action::Remove;
        is_own && last.outcome.is_success() && last.ended > ended.at
    };
    ended.state == StageEnd::Failed && state.last.as_ref().is_some_and(is_later)
}

async fn end_as_failed(
    environment: &Environment,
    deployment: &DeploymentId,
    message: &str,
) -> Result<(), ReleaseError> {
    let ending = Ending {
        outcome: Outcome::Failed {
            message: message.to_owned(),
        },
        services: std::collections::BTreeMap::new(),
    };
    let now = clock::timestamp();
    environment.end(deployment, &ending, now).await.map(drop)
}
