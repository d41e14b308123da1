//! Waiting for somebody else's deployment.

use std::time::Duration;

use delivery_action::clock::{self, Deadline};
use delivery_action::execution::ExecutionCheck;
use delivery_definition::names::EnvironmentName;

use super::PartError;
use crate::environment::{DeploymentId, Environment, Lease, Request};
use crate::error::ReleaseError;

/// Between two looks: a deployment takes a minute or more.
const PAUSE: Duration = Duration::from_secs(3);

/// How long one invocation waits. A minute of Lambda costs less than another job, and the console shows a new status about
/// once a minute.
const MAX_POLLING: Duration = Duration::from_secs(45);

/// How much of the job's time has to be left for the work once the environment is free; otherwise a later job does it.
const CONTINUE_MARGIN: Duration = Duration::from_mins(1);

/// The margin is at most this part of a job's time.
const LARGEST_MARGIN_PART: u32 = 4;

/// How the beginning of a deployment ended.
#[derive(Debug)]
pub(super) enum Waited {
    /// It has begun.
    Begun(Box<Lease>),
    /// Somebody else is deploying, and the job's time for waiting is over.
    Busy(Box<Lease>),
}

/// The beginning of a deployment, which may have to wait.
#[derive(Debug)]
pub(super) struct Waiting<'a> {
    environment: &'a Environment,
    check: &'a ExecutionCheck,
    /// How long is waited, over all jobs of the action.
    wait: Duration,
    stop_at: Deadline,
}

impl<'a> Waiting<'a> {
    pub(super) fn new(
        environment: &'a Environment,
        check: &'a ExecutionCheck,
        wait: Duration,
        deadline: Deadline,
    ) -> Self {
        let margin = CONTINUE_MARGIN.min(deadline.remaining() / LARGEST_MARGIN_PART);
        Self {
            environment,
            check,
            wait,
            stop_at: deadline
                .earlier_by(margin)
                .min(Deadline::after(MAX_POLLING)),
        }
    }

    /// Begins the deployment, or goes on with the one that is `under_way`; `waited` is for how long the action has waited before.
    pub(super) async fn begin(
        &self,
        request: &Request,
        under_way: Option<&DeploymentId>,
        waited: Duration,
    ) -> Result<Waited, PartError> {
        let at_first = self.stop_at.remaining();
        loop {
            // Before each attempt: without it an execution that was stopped meanwhile would begin a deployment.
            self.check.still_runs().await?;
            if let Some(deployment) = under_way {
                self.check_that_nobody_came_between(request, deployment)
                    .await?;
            }
            let lease = match self.environment.join(request, clock::timestamp()).await {
                Ok(lease) => return Ok(Waited::Begun(Box::new(lease))),
                Err(ReleaseError::Busy { lease, environment }) => {
                    let here = at_first.saturating_sub(self.stop_at.remaining());
                    if waited + here >= self.wait {
                        return Err(ReleaseError::Busy { lease, environment }.into());
                    }
                    lease
                }
                Err(error) => return Err(error.into()),
            };
            if self.stop_at.remaining().is_zero() {
                return Ok(Waited::Busy(lease));
            }
            tokio::time::sleep(PAUSE.min(self.stop_at.remaining())).await;
        }
    }
}

impl Waiting<'_> {
    /// Fails if others have deployed since the action's work began: what it does next may undo theirs. A lease that is somebody
    /// else's is waited for, and this is asked again.
    async fn check_that_nobody_came_between(
        &self,
        request: &Request,
        deployment: &DeploymentId,
    ) -> Result<(), ReleaseError> {
        let state = self.environment.state().await?;
        let lease = state.lease.iter().map(|lease| &lease.deployment);
        let last = state.last.iter().map(|last| &last.deployment);
        if lease.chain(last).any(|one| one.owner == request.owner) {
            return Ok(());
        }
        Err(ReleaseError::Lost {
            environment: self.environment.name().to_string(),
            deployment: deployment.clone(),
            outcome: None,
        })
    }
}

/// Who is waited for.
pub(super) fn summary(environment: &EnvironmentName, lease: &Lease) -> String {
    let deployment = &lease.deployment;
    format!(
        "waiting: `{environment}` is being changed by {} ({}), whose lease lasts until {}",
        deployment.by, deployment.owner, lease.until
    )
}
