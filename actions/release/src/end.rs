//! The end of an environment's stage: all parts are deployed and tested, so the deployment has succeeded, and the release is
//! verified there.
//!
//! A deployment ends before the release is marked: who is killed in between is delivered again, finds that its deployment has
//! succeeded, and sets the mark.
//!
//! When tests fail, the stage's end ends the deployment as failed. If only the failed actions are then retried, nothing is
//! deployed again: this action takes the deployment up with the parts that it has.

use std::collections::{BTreeMap, BTreeSet};

use delivery_action::action::Completion;
use delivery_action::clock;
use delivery_action::execution::ExecutionCheck;
use delivery_release::environment::{
    Begun, Deployment, DeploymentId, Environment, Outcome, Record, Request,
};
use delivery_release::manifest::Manifest;
use delivery_release::repository::{Repository, Verification};
use delivery_stack::deployment::DeploymentError;

use crate::error::ReleaseActionError;
use crate::params::EndParams;

/// How many deployments back one's own is looked for, after others: a job is delivered again within minutes.
const HISTORY: usize = 20;

/// Ends the deployment of the execution, and marks what it deployed.
pub(crate) async fn end(
    repository: &Repository,
    check: &ExecutionCheck,
    params: &EndParams,
) -> Result<Completion, ReleaseActionError> {
    let environment = Environment::new(repository, params.environment.clone());
    let manifest = repository.manifest(&params.release).await?;
    let expected = expected(repository, &manifest, params).await?;
    let found = find(&environment, params).await?;
    let id = match found {
        Found::UnderWay(id) => Ok(id),
        Found::Succeeded(record) => Err(record),
        Found::Failed(record) => take_up(&environment, check, &record).await?,
    };
    let record = match id {
        Ok(id) => {
            environment
                .finish(&id, &expected, clock::timestamp())
                .await?
        }
        Err(record) => *record,
    };
    let Deployment { id, to, .. } = &record.deployment;
    let deployed = to.as_ref().map_or(&params.release, |to| &to.release);
    let name = environment.name();
    let summary = if params.verify.is_on() {
        let verification = Verification::new(id.clone(), params.execution.id(), clock::timestamp());
        for release in BTreeSet::from([&params.release, deployed]) {
            repository.verify(release, name, &verification).await?;
        }
        format!("release {deployed} is deployed to `{name}` and verified")
    } else {
        format!(
            "release {deployed} is deployed to `{name}`, but does not count as verified: an action of your own cannot run in this pipeline"
        )
    };
    Ok(Completion {
        summary,
        variables: BTreeMap::from([
            ("Release".to_owned(), deployed.to_string()),
            ("Deployment".to_owned(), id.to_string()),
            ("Environment".to_owned(), name.to_string()),
        ]),
    })
}

/// What has to be deployed: the parts of the release that was asked for, but those of services that the environment uses of
/// another one.
async fn expected(
    repository: &Repository,
    manifest: &Manifest,
    params: &EndParams,
) -> Result<BTreeSet<String>, ReleaseActionError> {
    let file = &manifest.configuration;
    let bytes = repository.blob(&file.sha256).await?;
    let definition = delivery_definition::parse_bytes(&bytes, &file.path);
    let definition = definition.map_err(DeploymentError::Definition)?;
    let target = definition.environment(params.environment.as_str());
    let target = target.map_err(DeploymentError::Environment)?;
    let mut own = manifest.clone();
    let services = definition.services();
    own.services.retain(|name, _| {
        services
            .get(name)
            .is_none_or(|service| target.deploys(service))
    });
    Ok(own.parts())
}

/// The execution's deployment.
enum Found {
    UnderWay(DeploymentId),
    /// It was ended before: the job is delivered again.
    Succeeded(Box<Record>),
    /// Its tests, or something else of the stage, failed; nobody has deployed since.
    Failed(Box<Record>),
}

/// Takes a deployment up that was ended as failed; or gives what it has come to, if a duplicate of this job has ended it.
///
/// CodePipeline is asked before: a job that comes late must not take the environment.
async fn take_up(
    environment: &Environment,
    check: &ExecutionCheck,
    record: &Record,
) -> Result<Result<DeploymentId, Box<Record>>, ReleaseActionError> {
    check.still_runs().await?;
    let Deployment {
        owner,
        by,
        reason,
        action,
        ..
    } = record.deployment.clone();
    let request = Request {
        owner,
        by,
        reason,
        action,
        until: None,
    };
    let begun = environment.begin_again(&request, clock::timestamp());
    Ok(match begun.await? {
        Begun::UnderWay(lease) => Ok(lease.deployment.id),
        Begun::Ended(record) => Err(Box::new(record)),
    })
}

async fn find(environment: &Environment, params: &EndParams) -> Result<Found, ReleaseActionError> {
    let execution = &params.execution;
    let owner = format!("{}/{}", execution.pipeline(), execution.id());
    let state = environment.state().await?;
    if let Some(lease) = state.lease.filter(|lease| lease.deployment.owner == owner) {
        return Ok(Found::UnderWay(lease.deployment.id));
    }
    let is_own = |record: &Record| record.deployment.owner == owner;
    if let Some(last) = state.last.filter(is_own) {
        let last = Box::new(last);
        return Ok(match last.outcome {
            Outcome::Succeeded => Found::Succeeded(last),
            Outcome::Failed { .. } | Outcome::Abandoned { .. } => Found::Failed(last),
        });
    }
    let history = environment.history(HISTORY).await?;
    let record = history.ended.into_iter().find(is_own);
    let name = environment.name().to_string();
    match record {
        Some(record) if record.outcome == Outcome::Succeeded => {
            Ok(Found::Succeeded(Box::new(record)))
        }
        Some(record) => Err(ReleaseActionError::Failed {
            environment: name,
            deployment: record.deployment.id,
            message: match record.outcome {
                Outcome::Failed { message } | Outcome::Abandoned { message } => message,
                Outcome::Succeeded => String::new(),
            },
        }),
        None => Err(ReleaseActionError::NoDeployment {
            environment: name,
            owner,
        }),
    }
}
