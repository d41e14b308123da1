//! The deployment that an action has a part in.

use std::collections::BTreeMap;

use delivery_action::clock;
use delivery_action::failure::{ActionError, Failure};

use crate::environment::{
    Deployment, DeploymentId, Ending, Environment, Lease, Outcome, ServiceChange, ServiceResult,
};
use crate::error::ReleaseError;
use crate::manifest::ReleaseId;

/// What `PreviousRelease` is where the environment had none.
const NO_RELEASE: &str = "none";

/// A deployment that has begun.
#[derive(Debug)]
pub(super) struct Held {
    environment: Environment,
    deployment: Deployment,
    /// What became of the parts before this job.
    parts: BTreeMap<String, ServiceChange>,
}

impl Held {
    pub(super) fn new(environment: Environment, lease: Lease) -> Self {
        Self {
            environment,
            deployment: lease.deployment,
            parts: lease.parts,
        }
    }

    /// The deployment's id.
    pub(super) fn id(&self) -> &DeploymentId {
        &self.deployment.id
    }

    /// The release that the environment gets: the one that was asked for, or where other pipelines deliver some of the
    /// services, the one that holds theirs, too.
    pub(super) fn release<'a>(&'a self, asked: &'a ReleaseId) -> &'a ReleaseId {
        self.deployment.to.as_ref().map_or(asked, |to| &to.release)
    }

    /// The output variables of each action that deploys from a release.
    pub(super) fn variables(&self, asked: &ReleaseId) -> BTreeMap<String, String> {
        let previous = self.deployment.from.as_ref();
        let previous = previous.map_or(NO_RELEASE, |from| from.release.as_str());
        [
            ("Release", self.release(asked).as_str()),
            ("PreviousRelease", previous),
            ("Environment", self.environment.name().as_str()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// Records that a part is deployed. A job that is delivered twice finds unchanged what the first delivery has changed.
    pub(super) async fn record(
        &self,
        part: &str,
        summary: &str,
        changed: bool,
    ) -> Result<(), ReleaseError> {
        let before = self.parts.get(part).map(|change| change.result);
        let result = if changed || before == Some(ServiceResult::Deployed) {
            ServiceResult::Deployed
        } else {
            ServiceResult::Unchanged
        };
        let change = ServiceChange {
            result,
            summary: Some(summary.to_owned()),
        };
        let (id, now) = (&self.deployment.id, clock::timestamp());
        self.environment.record_part(id, part, &change, now).await
    }

    /// Ends the deployment as failed. If that fails, too, the error is only logged: the deployment is ended when its stage is.
    pub(super) async fn fail(&self, named: &str, part: Option<&str>, error: &dyn ActionError) {
        if self.is_recorded(part).await {
            return;
        }
        let message = format!("{named}: {}", Failure::new(error).cause);
        let change = ServiceChange {
            result: ServiceResult::Failed,
            summary: None,
        };
        let ending = Ending {
            outcome: Outcome::Failed { message },
            services: BTreeMap::from([(part.unwrap_or(named).to_owned(), change)]),
        };
        let (id, now) = (&self.deployment.id, clock::timestamp());
        if let Err(error) = self.environment.end(id, &ending, now).await {
            let environment = self.environment.name().as_str();
            tracing::warn!(environment, deployment = %id, %error, "cannot end the deployment");
        }
    }

    /// Whether a part is recorded as deployed: of a job that is delivered twice, one may fail after the other has succeeded.
    async fn is_recorded(&self, part: Option<&str>) -> bool {
        let Ok(state) = self.environment.state().await else {
            return false;
        };
        let lease = state.lease.as_ref();
        let lease = lease.filter(|lease| lease.deployment.id == self.deployment.id);
        let change = lease
            .zip(part)
            .and_then(|(lease, part)| lease.parts.get(part));
        change.is_some_and(ServiceChange::is_there)
    }
}
