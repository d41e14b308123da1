//! From an event to a reported result: everything but Lambda's runtime itself.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::task::{JoinError, JoinHandle};
use tracing::Instrument;

use super::report::{Place, ReportError, Reporter};
use super::{Action, Constructor, Outcome};
use crate::failure::{ActionError, Failure, FailureType};
use crate::job::{Invocation, Job, JobId, job_id_of};
use crate::parameters::{Params, UserParameters};
use crate::{logging, sandbox};

/// How long before the end of Lambda's time an action is ended: children have to be ended
/// (a few seconds) and the result reported (3 attempts) in it.
pub const DEADLINE_MARGIN: Duration = Duration::from_secs(20);

/// The margin is at most this part of the time that an invocation has, so that a function with a
/// short timeout still works.
const LARGEST_MARGIN_PART: u32 = 4;

/// How long an action that was told to end may take for it; after that the result is reported while
/// it still ends.
const END_GRACE: Duration = Duration::from_secs(5);

/// Runs one action's jobs.
pub struct Host<A, C> {
    constructor: C,
    config: SdkConfig,
    reporter: Reporter,
    action: OnceCell<Arc<A>>,
}

impl<A, C> std::fmt::Debug for Host<A, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}

impl<A: Action, C: Constructor<A>> Host<A, C> {
    /// A host whose clients use this configuration.
    #[must_use]
    pub fn new(constructor: C, config: SdkConfig) -> Self {
        let reporter = Reporter::new(&config);
        Self {
            constructor,
            config,
            reporter,
            action: OnceCell::new(),
        }
    }

    /// Does the job of an event and reports its result.
    ///
    /// # Errors
    ///
    /// [`HostError`] where nothing could be reported: the event names no job, or CodePipeline could
    /// not be reached.
    pub async fn invoke(&self, event: Value, invocation: Invocation) -> Result<(), HostError> {
        let Some(id) = job_id_of(&event) else {
            tracing::error!("the event names no job of CodePipeline, so nothing can be reported");
            return Err(HostError::NoJob);
        };
        let span = tracing::info_span!(
            "job", action = A::NAME, job.id = %id, request_id = %invocation.request_id
        );
        async {
            tracing::info!("job started");
            let place =
                Place { request_id: invocation.request_id.clone(), log: invocation.log.clone() };
            let end = invocation.deadline;
            let result = self.result(&event, invocation).await;
            drop(event);
            let reported = self.reporter.report(&id, result, &place).await;
            sandbox::inspect(end).await;
            reported.map_err(|error| {
                tracing::error!(error = %crate::failure::chain(&error), "the result was not reported");
                HostError::Report(error)
            })
        }
        .instrument(span)
        .await
    }

    async fn result(&self, event: &Value, invocation: Invocation) -> Result<Outcome, Failure> {
        let job = Job::from_event(event, invocation).map_err(|error| Failure::new(&error))?;
        if let Some(credentials) = &job.credentials {
            let (id, secret, token) = credentials.expose();
            [Some(id), Some(secret), token]
                .into_iter()
                .flatten()
                .for_each(logging::hide);
        }
        let action = self
            .action
            .get_or_try_init(|| async { self.constructor.construct(&self.config).map(Arc::new) })
            .await
            .map_err(|error| Failure::new(&error))?;
        let params = UserParameters::parse(job.user_parameters.as_deref())
            .and_then(|parameters| A::Params::from_user_parameters(parameters, &job))
            .map_err(|error| Failure::new(&error))?;
        watched(Arc::clone(action), job, params).await
    }
}

/// Runs the action in a task of its own: a panic ends the task and not the function, and one that
/// never yields does not keep the watchdog from reporting.
async fn watched<A: Action>(
    action: Arc<A>,
    mut job: Job,
    params: A::Params,
) -> Result<Outcome, Failure> {
    let id = job.id.clone();
    let whole = job.invocation.deadline.remaining();
    let margin = DEADLINE_MARGIN.min(whole / LARGEST_MARGIN_PART);
    let deadline = job.invocation.deadline.earlier_by(margin);
    job.invocation.deadline = deadline;
    let run = async move {
        sandbox::prepare()
            .await
            .map_err(|error| Failure::new(&error))?;
        let outcome = action.run(&job, params).await;
        outcome.map_err(|error| Failure::new(&error))
    };
    let mut task = tokio::spawn(run.in_current_span());
    tokio::select! {
        ended = &mut task => match ended {
            Ok(ended) => ended,
            Err(error) => Err(panicked(&id, error)),
        },
        () = tokio::time::sleep_until(deadline.instant()) => {
            end(task).await;
            Err(Failure::new(&OutOfTime { whole, margin }))
        }
    }
}

async fn end<T>(mut task: JoinHandle<T>) {
    task.abort();
    if tokio::time::timeout(END_GRACE, &mut task).await.is_err() {
        tracing::error!("the action does not end although it was told to");
    }
}

fn panicked(id: &JobId, error: JoinError) -> Failure {
    let what = match error.try_into_panic() {
        Ok(panic) => panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "(no text)".to_owned()),
        Err(error) => error.to_string(),
    };
    Failure::new(&Panicked {
        job: id.clone(),
        what,
    })
}

/// No result was reported.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Something else than CodePipeline invoked the function.
    #[error(
        "the event has no `CodePipeline.job` with an id; \
         invoke this function as an action of CodePipeline"
    )]
    NoJob,
    /// CodePipeline could not be reached.
    #[error(transparent)]
    Report(#[from] ReportError),
}

#[derive(Debug, thiserror::Error)]
#[error(
    "the action did not end within the function's time: it was stopped {} s before the end of {} s",
    .margin.as_secs_f32().round(), .whole.as_secs_f32().round()
)]
struct OutOfTime {
    whole: Duration,
    margin: Duration,
}

impl ActionError for OutOfTime {
    fn failure_type(&self) -> FailureType {
        FailureType::JobFailed
    }

    fn hint(&self) -> Option<String> {
        Some(
            "raise the function's `Timeout` (900 s at most) or its memory, which brings more CPU; \
             or give the action less to do"
                .to_owned(),
        )
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the action panicked in job `{job}`: {what}")]
struct Panicked {
    job: JobId,
    what: String,
}

impl ActionError for Panicked {
    fn failure_type(&self) -> FailureType {
        FailureType::JobFailed
    }

    fn hint(&self) -> Option<String> {
        Some("this is a defect of the action: report it with the log named below".to_owned())
    }
}
