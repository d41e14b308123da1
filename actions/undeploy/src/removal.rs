//! The removal of an environment: a deployment that takes it down, in passes.
//!
//! Whoever comes to a removal that is under way goes on with it: the owner is always the same, and where it goes on, the
//! environment's document and the stacks say. So a pass that is killed costs nothing but time.

use std::time::Duration;

use delivery_action::clock::{self, Deadline};
use delivery_definition::names::EnvironmentName;
use delivery_release::ReleaseError;
use delivery_release::environment::{
    Action, Begun, Deployment, DeploymentId, Ending, Environment, Lease, Outcome, Record, Request,
    State,
};
use delivery_stack::deletion::{REMOVABLE, REMOVABLE_TAG};
use delivery_stack::description::Description;

use crate::error::UndeployError;
use crate::event::Wish;
use crate::order::Order;
use crate::pass::Pass;
use crate::undeploy::Undeploy;

/// How often a removal is gone on with, at least, before it fails: with a pass every five minutes that is more than the hour and a half that
/// the slowest resources take (network interfaces of functions in a VPC: 45 minutes; CloudFormation User Guide,
/// "Troubleshooting").
pub const MAX_PASSES: u32 = 20;

/// How long a removal has at least. Passes alone say little: whoever asks for it again makes one, and so does Lambda, which
/// runs a failed sweep twice more. The schedule comes every five minutes (`UndeployScheduleRule`).
pub const SHORTEST_TIME: Duration = Duration::from_mins(5).saturating_mul(MAX_PASSES);

/// Who removes.
pub(crate) const OWNER: &str = "undeploy";

/// What a pass has come to.
#[derive(Debug)]
pub(crate) enum Removal {
    /// There was nothing to remove.
    NothingThere,
    /// It is removed.
    Removed(Box<Record>),
    /// It goes on with the next pass.
    GoesOn {
        /// The deployment that it is.
        removal: DeploymentId,
        /// What is left, for people.
        left: String,
    },
    /// Somebody is deploying.
    Busy(Box<Lease>),
}

/// Whether a deployment is a removal by this function.
pub(crate) fn is_removal(deployment: &Deployment) -> bool {
    let owner = deployment.owner.as_str();
    let is_own = owner == OWNER || owner.starts_with(&format!("{OWNER}/"));
    is_own && deployment.action == Action::Remove
}

impl Undeploy {
    /// One pass of a removal.
    pub(crate) async fn remove(
        &self,
        wish: &Wish,
        stop_at: Deadline,
    ) -> Result<Removal, UndeployError> {
        let name = &wish.environment;
        if name.family().is_none() {
            return Err(UndeployError::NotOfAFamily {
                environment: name.to_string(),
            });
        }
        let environment = self.environment(name);
        let stacks = self.stacks_of(name).await?;
        let state = environment.state().await?;
        if state.deployments == 0 && stacks.is_empty() {
            return Ok(Removal::NothingThere);
        }
        let removal = state.lease.as_ref().map(|lease| &lease.deployment);
        let goes_on = removal.is_some_and(is_removal);
        if !goes_on
            && wish
                .deployments
                .is_some_and(|then| state.deployments > then)
        {
            return Ok(Removal::NothingThere);
        }
        let lease = match begin(&environment, &state, wish, !stacks.is_empty()).await {
            Ok(Some(lease)) => lease,
            Ok(None) => return Ok(Removal::NothingThere),
            Err(ReleaseError::Busy { lease, .. }) => return Ok(Removal::Busy(lease)),
            Err(error) => return Err(error.into()),
        };
        let id = &lease.deployment.id;
        let kept = not_removable(&stacks);
        if !kept.is_empty() {
            let error = UndeployError::Kept {
                environment: name.to_string(),
                stacks: kept,
            };
            return fail(&environment, id, error).await;
        }
        if has_had_its_time(&lease) && !stacks.is_empty() {
            let error = UndeployError::NotRemoved {
                environment: name.to_string(),
                passes: lease.passes - 1,
                left: left(&stacks, &lease),
            };
            return fail(&environment, id, error).await;
        }
        let order = self.order(name, &state).await;
        let pass = Pass::new(self, &environment, &lease, order, stop_at);
        match pass.run().await {
            // Another pass was quicker.
            Err(UndeployError::Release(error)) if has_succeeded(&error) => {
                let last = environment.state().await?.last;
                Ok(last.map_or(Removal::NothingThere, |last| Removal::Removed(last.into())))
            }
            // Somebody has protected it since.
            Err(error @ UndeployError::Kept { .. }) => fail(&environment, id, error).await,
            other => other,
        }
    }

    /// Removes an environment now, or as soon as nobody is deploying to it any more.
    pub(crate) async fn remove_or_later(
        &self,
        wish: &Wish,
        stop_at: Deadline,
    ) -> Result<(), UndeployError> {
        let name = &wish.environment;
        // Boxed: a pass is larger than all that waits for it.
        let removal = Box::pin(self.remove(wish, stop_at)).await?;
        if let Removal::Busy(lease) = &removal {
            let now = clock::timestamp();
            let environment = self.environment(name);
            let until = environment.state().await?.until;
            if until.is_none_or(|until| until > now) {
                environment.remove_at(Some(now)).await?;
            }
            tracing::info!(
                environment = %name, by = lease.deployment.by, until = %lease.until,
                "somebody is deploying: it is removed after that"
            );
        }
        // A time that nothing clears would be looked at for ever.
        if matches!(removal, Removal::NothingThere) {
            let environment = self.environment(name);
            let state = environment.state().await?;
            if state.is_removed() && state.until.is_some() {
                environment.remove_at(None).await?;
            }
        }
        tell(name, &removal);
        Ok(())
    }

    /// The order of the environment's services. If it cannot be read, the newest stack goes first: a release that is damaged
    /// must not keep its environment alive.
    async fn order(&self, name: &EnvironmentName, state: &State) -> Order {
        match self.definition_of(state).await {
            Ok(Some(definition)) => Order::of(&definition),
            Ok(None) => Order::default(),
            Err(error) => {
                tracing::warn!(
                    environment = %name, error = %delivery_action::failure::chain(&error),
                    "the order of its services is not known: its newest stack is deleted first"
                );
                Order::default()
            }
        }
    }
}

/// Says in the log what a pass has come to.
pub(crate) fn tell(name: &EnvironmentName, removal: &Removal) {
    match removal {
        Removal::NothingThere => tracing::info!(environment = %name, "there is nothing to remove"),
        Removal::Removed(record) => {
            let services = &record.services;
            let kept = services.iter().filter_map(|(part, change)| {
                let kept = change.summary.as_ref()?;
                Some(format!("{part}: {kept}"))
            });
            let kept = kept.collect::<Vec<_>>().join("; ");
            tracing::info!(environment = %name, kept, "removed");
        }
        Removal::GoesOn { left, .. } => {
            tracing::info!(environment = %name, left, "the removal goes on with the next pass");
        }
        Removal::Busy(_) => {}
    }
}

/// Begins the removal, or goes on with it; `None` where it has ended already.
async fn begin(
    environment: &Environment,
    state: &State,
    wish: &Wish,
    has_stacks: bool,
) -> Result<Option<Lease>, ReleaseError> {
    let under_way = state.lease.as_ref().map(|lease| &lease.deployment);
    let under_way = under_way.filter(|deployment| is_removal(deployment));
    let own = wish.owner.as_deref().unwrap_or(OWNER);
    let owner = under_way.map_or(own, |deployment| deployment.owner.as_str());
    if under_way.is_none() && !has_stacks && state.is_removed() {
        return Ok(None);
    }
    let now = clock::timestamp();
    if let (Some(removal), Some(job)) = (under_way, &wish.owner)
        && removal.owner != *job
    {
        return match environment.go_on(&removal.id, job, now).await {
            // It has ended in this moment: the job begins its own, so that its name is there in any case.
            Err(ReleaseError::Lost { .. }) => {
                let state = environment.state().await?;
                Box::pin(begin(environment, &state, wish, has_stacks)).await
            }
            joined => joined.map(Some),
        };
    }
    let first = request(wish, owner.to_owned());
    if let Begun::UnderWay(lease) = environment.begin_again(&first, now).await? {
        return Ok(Some(lease));
    }
    if !has_stacks || wish.owner.is_some() {
        return Ok(None);
    }
    // It was removed, and a job that came late has made a stack since.
    let again = request(wish, format!("{OWNER}/{}", state.deployments + 1));
    match environment.begin_again(&again, now).await? {
        Begun::UnderWay(lease) => Ok(Some(lease)),
        Begun::Ended(_) => Ok(None),
    }
}

fn request(wish: &Wish, owner: String) -> Request {
    Request {
        owner,
        by: wish.by.clone(),
        reason: wish.reason.clone(),
        action: Action::Remove,
        until: None,
    }
}

/// The stacks that must not be deleted, each with the reason.
pub(crate) fn not_removable(stacks: &[Description]) -> Vec<String> {
    let reasons = stacks.iter().filter_map(|stack| {
        let tag = stack.tags.get(REMOVABLE_TAG).map(String::as_str);
        if tag != Some(REMOVABLE) {
            let name = &stack.name;
            return Some(format!(
                "`{name}` lacks the tag `{REMOVABLE_TAG}={REMOVABLE}`"
            ));
        }
        let protected = stack.protected;
        protected.then(|| format!("`{}` has termination protection", stack.name))
    });
    reasons.collect()
}

/// Whether neither further passes nor further time are likely to help.
fn has_had_its_time(lease: &Lease) -> bool {
    lease.passes > MAX_PASSES && lease.deployment.began + SHORTEST_TIME < clock::timestamp()
}

/// What is left, for people.
pub(crate) fn left(stacks: &[Description], lease: &Lease) -> Vec<String> {
    let stacks = stacks.iter().map(|stack| {
        let change = lease.parts.get(crate::part::of_stack(stack));
        let reason = change.filter(|change| crate::part::removed_stack(change).is_none());
        let reason = reason.and_then(|change| change.summary.as_deref());
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        format!("`{}` ({}){reason}", stack.name, stack.status)
    });
    stacks.collect()
}

/// Ends the removal as failed.
async fn fail(
    environment: &Environment,
    deployment: &DeploymentId,
    error: UndeployError,
) -> Result<Removal, UndeployError> {
    let ending = Ending {
        outcome: Outcome::Failed {
            message: error.to_string(),
        },
        services: std::collections::BTreeMap::new(),
    };
    environment
        .end(deployment, &ending, clock::timestamp())
        .await?;
    Err(error)
}

fn has_succeeded(error: &ReleaseError) -> bool {
    matches!(
        error,
        ReleaseError::Lost {
            outcome: Some(Outcome::Succeeded),
            ..
        }
    )
}
