//! The removal that a job of a pipeline asks for.
//!
//! A job may come late, or again, when its environment is removed already and was made anew. So a removal knows the action's
//! first job, the token knows the removal, and before a job begins one it asks whether its execution still runs:
//! `docs/decisions/0301-a-removal-knows-its-job.md`.

use std::collections::BTreeSet;
use std::time::Duration;

use delivery_action::clock::Deadline;
use delivery_action::continuation::ContinuationToken;
use delivery_action::execution::ExecutionCheck;
use delivery_action::job::Job;
use delivery_release::environment::{Deployment, Environment, Lease, Outcome, Record, State};

use crate::error::UndeployError;
use crate::event::Wish;
use crate::params::UndeployParams;
use crate::progress::UndeployProgress;
use crate::removal::{OWNER, Removal, is_removal};
use crate::undeploy::Undeploy;

/// How many deployments back the job's own removal is looked for: more than come to an environment in the minutes in which
/// Lambda delivers an event again.
const HISTORY: usize = 20;

/// How long a job waits for somebody else's deployment: CodePipeline sends the next job at once, and each lists all stacks of
/// the account.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Between two looks at who is deploying: a deployment takes a minute or more.
const PAUSE: Duration = Duration::from_secs(3);

/// What a job has come to, and what its token says.
pub(crate) struct OfJob {
    pub(crate) removal: Removal,
    pub(crate) progress: UndeployProgress,
}

impl Undeploy {
    /// One pass of the removal that a job asks for.
    pub(crate) async fn remove_for(
        &self,
        job: &Job,
        params: &UndeployParams,
        stop_at: Deadline,
    ) -> Result<OfJob, UndeployError> {
        let mut progress = match &job.continuation_token {
            Some(token) => ContinuationToken::read(token)?,
            None => UndeployProgress {
                job: job.id.as_str().to_owned(),
                removal: None,
            },
        };
        let environment = self.environment(&params.environment);
        let state = environment.state().await?;
        let goes_on = is_under_way(&state, &progress);
        if !goes_on {
            if let Some(removal) = ended(&environment, &progress).await? {
                return Ok(OfJob { removal, progress });
            }
            self.check(params).still_runs().await?;
        }
        let execution = &params.execution;
        let wish = Wish {
            environment: params.environment.clone(),
            by: format!("{}/{}", execution.pipeline(), execution.id()),
            reason: None,
            deployments: goes_on.then_some(state.deployments),
            owner: Some(owner(&progress)),
        };
        let removal = Box::pin(self.remove(&wish, stop_at)).await?;
        match &removal {
            Removal::GoesOn { removal, .. } => progress.removal = Some(removal.clone()),
            Removal::Busy(lease) => wait(&environment, lease, stop_at).await?,
            Removal::NothingThere | Removal::Removed(_) => {}
        }
        Ok(OfJob { removal, progress })
    }

    fn check(&self, params: &UndeployParams) -> ExecutionCheck {
        ExecutionCheck::new(&self.config, Some(&params.execution))
    }
}

fn owner(progress: &UndeployProgress) -> String {
    format!("{OWNER}/{}", progress.job)
}

/// Whether a deployment is the job's own, or one that it joined.
fn is_own(deployment: &Deployment, joined: &BTreeSet<String>, progress: &UndeployProgress) -> bool {
    let is_named = progress.removal.as_ref() == Some(&deployment.id);
    let owner = owner(progress);
    is_named || deployment.owner == owner || joined.contains(&owner)
}

fn is_under_way(state: &State, progress: &UndeployProgress) -> bool {
    state.lease.as_ref().is_some_and(|lease| {
        let deployment = &lease.deployment;
        is_removal(deployment) && is_own(deployment, &lease.joined, progress)
    })
}

/// What the job's own removal has come to, if it has ended.
async fn ended(
    environment: &Environment,
    progress: &UndeployProgress,
) -> Result<Option<Removal>, UndeployError> {
    let records = environment.history(HISTORY).await?.ended;
    let is_own = |record: &Record| is_own(&record.deployment, &record.joined, progress);
    let Some(record) = records.into_iter().find(is_own) else {
        // Its record is older than those that were read: whatever became of it, it is not begun again.
        return Ok(progress.removal.as_ref().map(|_| Removal::NothingThere));
    };
    match &record.outcome {
        Outcome::Succeeded => Ok(Some(Removal::Removed(Box::new(record)))),
        Outcome::Failed { message } | Outcome::Abandoned { message } => Err(UndeployError::Ended {
            message: message.clone(),
        }),
    }
}

/// Waits for somebody else's deployment, though not until the job's time is over.
async fn wait(
    environment: &Environment,
    lease: &Lease,
    stop_at: Deadline,
) -> Result<(), UndeployError> {
    let stop_at = stop_at.min(Deadline::after(LONGEST_WAIT));
    while !stop_at.remaining().is_zero() {
        tokio::time::sleep(PAUSE.min(stop_at.remaining())).await;
        let now = environment.state().await?.lease;
        if now.is_none_or(|now| now.deployment.id != lease.deployment.id) {
            break;
        }
    }
    Ok(())
}
