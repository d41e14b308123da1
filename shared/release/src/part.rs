//! One action's part in the deployment of a release to an environment.
//!
//! Problem: a release is deployed by several actions of a stage, some of them at once, each by any number of invocations of a
//! function; another pipeline may want the same environment; and a stage may be retried.
//!
//! Solution: the pipeline execution is the owner of one deployment. The first action takes the environment's lease, each
//! further one joins it and records what became of its part. The first that fails ends the deployment, and whichever comes
//! after it in the same execution, such as a retry, begins it again. Before anything is begun, CodePipeline is asked whether
//! the execution still runs: a job that comes late would begin a deployment of its own.

mod error;
mod expiry;
mod held;
mod params;
mod piece;
mod progress;
mod service;
mod waiting;

use aws_sdk_s3::Client;
use delivery_action::action::{Action, Completion, Continuation, Outcome};
use delivery_action::aws::SdkConfig;
use delivery_action::clock;
use delivery_action::execution::ExecutionCheck;
use delivery_action::failure::ActionError;
use delivery_action::job::Job;

pub use error::PartError;
pub use params::{Kind, ReleaseParams};
pub use piece::Piece;
pub use service::{ReleasedBlob, ReleasedService};

use crate::environment::{Environment, Request};
use crate::manifest::ReleaseId;
use crate::repository::Repository;
use held::Held;
use progress::PartProgress;
use service::{Configured, Found};
use waiting::{Waited, Waiting};

/// What an action finds when it begins its part.
#[derive(Debug)]
pub enum Beginning<A> {
    /// It deploys its part, for the job with the token of its own work.
    Part(Box<Part<A>>, Box<Job>),
    /// The job ends here: somebody else is deploying, or the release has nothing for this action.
    Nothing(Outcome),
}

/// An action's work, as far as a job came.
#[derive(Debug)]
pub enum Work {
    /// It is done.
    Complete {
        /// What the action reports.
        completion: Completion,
        /// Whether the deployment changed anything.
        changed: bool,
    },
    /// A later job goes on.
    Continue(Continuation),
}

/// What a job reports that deploys no release.
impl From<Work> for Outcome {
    fn from(work: Work) -> Self {
        match work {
            Work::Complete { completion, .. } => Self::Complete(completion),
            Work::Continue(continuation) => Self::Continue(continuation),
        }
    }
}

/// A part that is being deployed.
#[derive(Debug)]
pub struct Part<A> {
    held: Held,
    service: ReleasedService,
    progress: PartProgress<A>,
}

impl<A: Action> Part<A> {
    /// Takes or joins the deployment of a job's execution, and finds in the release what is to be deployed.
    ///
    /// # Errors
    ///
    /// The release cannot be deployed there, another deployment takes longer than it is waited for, the execution has ended,
    /// or a call failed.
    pub async fn begin(
        config: &SdkConfig,
        job: &Job,
        params: &ReleaseParams,
        piece: Piece,
    ) -> Result<Beginning<A>, PartError> {
        let progress = PartProgress::of(job.continuation_token.as_deref())?;
        let release = params.release.as_ref().ok_or(PartError::NoRelease)?;
        let repository = Repository::new(Client::new(config), &params.releases);
        let asked = Configured::read(&repository, release).await?;
        let request = request(&repository, &asked, params, release).await?;
        let environment = Environment::new(&repository, params.environment.clone());
        let check = ExecutionCheck::new(config, Some(&params.execution));
        let waiting = Waiting::new(&environment, &check, params.wait, job.invocation.deadline);
        let under_way = progress.deployment();
        let begun = waiting.begin(&request, under_way, progress.elapsed());
        let held = match begun.await? {
            Waited::Begun(lease) => Held::new(environment, *lease),
            Waited::Busy(lease) => {
                let summary = waiting::summary(&params.environment, &lease);
                return Ok(Beginning::Nothing(progress.waiting(summary)?));
            }
        };
        let found = service::find(&repository, held.release(release), asked, params, piece);
        match found.await {
            Ok(Found::Service(service)) => {
                let job = Job {
                    continuation_token: progress.work(),
                    ..job.clone()
                };
                let part = Self {
                    held,
                    service: *service,
                    progress,
                };
                Ok(Beginning::Part(Box::new(part), Box::new(job)))
            }
            Ok(Found::Nothing(summary)) => {
                let variables = held.variables(release);
                let completion = Completion { summary, variables };
                Ok(Beginning::Nothing(Outcome::Complete(completion)))
            }
            Err(error) => {
                held.fail(&params.service, None, &error).await;
                Err(error)
            }
        }
    }

    /// What is deployed.
    #[must_use]
    pub fn service(&self) -> &ReleasedService {
        &self.service
    }

    /// Records what became of the action's work, and makes of it what the job reports.
    ///
    /// # Errors
    ///
    /// That of the work, or the deployment has been ended by somebody else.
    pub async fn conclude<E>(self, work: Result<Work, E>) -> Result<Outcome, E>
    where
        E: ActionError + From<PartError>,
    {
        let part = self.service.part.as_deref();
        let named = part.unwrap_or(&self.service.name);
        let ended = match work {
            Err(error) => Err(error),
            Ok(Work::Continue(continuation)) => {
                let token = self.progress.with_work(&continuation.token, self.held.id());
                let token = token.map_err(|error| E::from(error.into()));
                token.map(|token| {
                    Outcome::Continue(Continuation {
                        token,
                        ..continuation
                    })
                })
            }
            Ok(Work::Complete {
                completion,
                changed,
            }) => {
                let recorded = match part {
                    Some(part) => self.held.record(part, &completion.summary, changed).await,
                    None => Ok(()),
                };
                let mut variables = completion.variables;
                variables.extend(self.held.variables(&self.service.release));
                let completion = Completion {
                    summary: completion.summary,
                    variables,
                };
                recorded
                    .map(|()| Outcome::Complete(completion))
                    .map_err(|error| E::from(error.into()))
            }
        };
        if let Err(error) = &ended {
            self.held.fail(named, part, error).await;
        }
        ended
    }
}

/// What the execution wants to do to the environment.
async fn request(
    repository: &Repository,
    asked: &Configured,
    params: &ReleaseParams,
    release: &ReleaseId,
) -> Result<Request, PartError> {
    let target = asked.target(&params.environment)?;
    let until = expiry::of(&target, clock::timestamp());
    let until = until.map_err(|zone| PartError::NoTimeZone {
        zone: zone.0,
        environment: params.environment.to_string(),
    })?;
    let pipeline = params.execution.pipeline();
    let by = params.by.clone();
    Ok(Request {
        owner: format!("{pipeline}/{}", params.execution.id()),
        by: by.unwrap_or_else(|| format!("the pipeline {pipeline}")),
        reason: reason(repository, params, release).await?,
        action: params.kind.action(release),
        until,
    })
}

/// Why it is deployed; refuses a release that did not pass the tests that it has to pass before.
///
/// A rollback is not asked for them: what was there before may have been there without.
async fn reason(
    repository: &Repository,
    params: &ReleaseParams,
    release: &ReleaseId,
) -> Result<Option<String>, PartError> {
    let reason = params.reason.clone();
    let Some(environment) = params.verified_in.clone() else {
        return Ok(reason);
    };
    if params.kind == Kind::Rollback || repository.is_verified(release, &environment).await? {
        return Ok(reason);
    }
    let release = release.clone();
    match reason {
        _ if !params.unverified => Err(PartError::NotVerified {
            release,
            environment,
        }),
        None => Err(PartError::NoReason {
            release,
            environment,
        }),
        Some(reason) => Ok(Some(format!("not verified in {environment}: {reason}"))),
    }
}
