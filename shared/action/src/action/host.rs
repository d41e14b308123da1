//! From an event to a reported result: everything except the loop that talks to Lambda.
//!
//! Problem: CodePipeline waits up to 20 minutes for a job that nobody reports, so a result has to be reported even
//! if the action panics, hangs or blocks.
//!
//! Seen: with the action and the timer on one tokio runtime, a blocked worker thread (a pipe that nobody writes
//! to, the removal of 17,000 folders, a child that prints without end) stopped the timers. Nothing was reported,
//! Lambda killed the function, and both of its retries ended the same way.
//!
//! Solution (`docs/decisions/0140-the-host-has-its-own-thread.md`):
//!
//! 1. The action runs on its own runtime ([`ActionRuntime`]). The caller's runtime, the main thread in a function,
//!    only waits and reports, and never polls the action.
//! 2. Reports have their own AWS client: a pooled connection is driven by the runtime that opened it and would
//!    hang together with the action's.
//! 3. One task waits for both the action and its deadline, so exactly one result is reported, whichever
//!    comes first.

use std::sync::Arc;
use std::time::Duration;

use crate::aws::SdkConfig;
use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::task::{JoinError, JoinHandle};
use tracing::Instrument;

use super::action_runtime::{ActionRuntime, RuntimeStartError};
use super::report::{InvocationInfo, ReportError, Reporter};
use super::{Action, Constructor, Outcome};
use crate::clock::Deadline;
use crate::failure::{ActionError, Failure, FailureType};
use crate::job::{ArtifactCredentials, EventError, Invocation, Job, JobId, job_id_in, job_id_of};
use crate::logging::Secrets;
use crate::parameters::{ParametersError, Params, UserParameters};
use crate::sandbox;

/// How long before Lambda's timeout an action is stopped. In this time its children have to end (`END_GRACE`)
/// and the result has to be reported.
pub const DEADLINE_MARGIN: Duration = Duration::from_secs(20);

/// The margin is at most one in this many parts of an invocation's time, so that a function with a short timeout
/// still has time to work.
const LARGEST_MARGIN_PART: u32 = 4;

/// How long a cancelled action may take to stop. After that the result is reported anyway.
const END_GRACE: Duration = Duration::from_secs(5);

/// The grace is at most one in this many parts of the margin, so that a function with a short timeout still has
/// time to report.
const LARGEST_GRACE_PART: u32 = 4;

/// Runs one action's jobs.
pub struct Host<A, C> {
    constructor: Arc<C>,
    config: SdkConfig,
    reporter: Reporter,
    runtime: OnceCell<ActionRuntime>,
    action: Arc<OnceCell<A>>,
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
            constructor: Arc::new(constructor),
            config,
            reporter,
            runtime: OnceCell::new(),
            action: Arc::default(),
        }
    }

    /// Reports with a separate configuration, whose HTTP client shares no connection with the action's.
    #[must_use]
    pub fn reporting_by(mut self, config: &SdkConfig) -> Self {
        self.reporter = Reporter::new(config);
        self
    }

    /// Runs the job of an event given as text, and reports its result. Even if the text is nested too deeply to
    /// parse, or is invalid JSON after the job id, the failure is reported to that job.
    ///
    /// # Errors
    ///
    /// [`HostError`], as [`Host::invoke`].
    pub async fn invoke_text(&self, event: &str, invocation: Invocation) -> Result<(), HostError> {
        match serde_json::from_str(event) {
            Ok(value) => {
                let id = job_id_of(&value).or_else(|| job_id_in(event));
                self.handle(id, Job::from_event(&value, invocation.clone()), &invocation)
                    .await
            }
            Err(error) => {
                let error = EventError::unreadable(&error);
                self.handle(job_id_in(event), Err(error), &invocation).await
            }
        }
    }

    /// Runs the job of an event and reports its result.
    ///
    /// # Errors
    ///
    /// [`HostError`] if nothing could be reported: the event names no job, or CodePipeline could
    /// not be reached.
    pub async fn invoke(&self, event: Value, invocation: Invocation) -> Result<(), HostError> {
        let job = Job::from_event(&event, invocation.clone());
        self.handle(job_id_of(&event), job, &invocation).await
    }

    async fn handle(
        &self,
        id: Option<JobId>,
        job: Result<Job, EventError>,
        invocation: &Invocation,
    ) -> Result<(), HostError> {
        let Some(id) = id else {
            tracing::error!("the event contains no CodePipeline job, so no result can be reported");
            return Err(HostError::NoJob);
        };
        let span = tracing::info_span!(
            "job", action = A::NAME, job.id = %id, request_id = %invocation.request_id
        );
        async {
            tracing::info!("job started");
            let work = job.map(|job| (UserParameters::parse(job.user_parameters.as_deref()), job));
            // Shared with the action's task: if the action does not stop, it may still log secrets after this
            // function has returned.
            let secrets = work.as_ref().map(|(parameters, job)| Arc::new(secrets(job, parameters)));
            let secrets = secrets.unwrap_or_else(|_| Arc::new(Secrets::hide([])));
            let result = match work {
                Ok((parameters, job)) => self.run(job, parameters, Arc::clone(&secrets)).await,
                Err(error) => Err(Failure::new(&error)),
            };
            let reported = self.reporter.report(&id, result, &InvocationInfo::of(invocation)).await;
            // After the report, so that a slow cleanup never delays the result, and before the secrets are
            // forgotten, because the cleanup logs as well.
            sandbox::inspect(invocation.deadline).await;
            drop(secrets);
            reported.map_err(|error| {
                tracing::error!(error = %crate::failure::chain(&error), "the result was not reported");
                HostError::Report(error)
            })
        }
        .instrument(span)
        .await
    }

    /// Runs the action as a separate task on its own threads: a panic ends the task rather than the function, and
    /// an action that never yields does not stop the deadline from being noticed.
    async fn run(
        &self,
        mut job: Job,
        parameters: Result<UserParameters, ParametersError>,
        secrets: Arc<Secrets>,
    ) -> Result<Outcome, Failure> {
        let runtime = self
            .runtime
            .get_or_try_init(|| async { ActionRuntime::start() })
            .await;
        let runtime = runtime.map_err(|source| Failure::new(&RuntimeStartError { source }))?;
        let id = job.id.clone();
        let time = Time::of(&mut job.invocation);
        let (constructor, config) = (Arc::clone(&self.constructor), self.config.clone());
        let action = Arc::clone(&self.action);
        let work = async move {
            let _keep_hidden = secrets;
            sandbox::prepare()
                .await
                .map_err(|error| Failure::new(&error))?;
            let action = action
                .get_or_try_init(|| async { constructor.construct(&config) })
                .await;
            let action = action.map_err(|error| Failure::new(&error))?;
            let params = parameters
                .and_then(|parameters| A::Params::from_user_parameters(parameters, &job))
                .map_err(|error| Failure::new(&error))?;
            action
                .run(&job, params)
                .await
                .map_err(|error| Failure::new(&error))
        };
        let task = runtime.spawn(work.in_current_span());
        match in_time(task, &time).await {
            Some(Ok(ended)) => ended,
            Some(Err(error)) if error.is_panic() => Err(panicked(&id, error)),
            Some(Err(_)) | None => Err(Failure::new(&OutOfTime(time))),
        }
    }
}

/// How an invocation's time is divided.
#[derive(Debug)]
struct Time {
    whole: Duration,
    margin: Duration,
    action_ends: Deadline,
}

impl Time {
    /// Moves the job's deadline forward by the margin.
    fn of(invocation: &mut Invocation) -> Self {
        let whole = invocation.deadline.remaining();
        let margin = DEADLINE_MARGIN.min(whole / LARGEST_MARGIN_PART);
        invocation.deadline = invocation.deadline.earlier_by(margin);
        Self {
            whole,
            margin,
            action_ends: invocation.deadline,
        }
    }
}

/// How the task ended, if it ended before its deadline or in the grace after it. Work that was completed while it
/// was being cancelled counts as completed.
async fn in_time<T>(mut task: JoinHandle<T>, time: &Time) -> Option<Result<T, JoinError>> {
    tokio::select! {
        // Biased: if the task has ended when the deadline passes, its result counts.
        biased;
        ended = &mut task => return Some(ended),
        () = tokio::time::sleep_until(time.action_ends.instant()) => task.abort(),
    }
    let grace = END_GRACE.min(time.margin / LARGEST_GRACE_PART);
    let ended = tokio::time::timeout(grace, &mut task).await.ok();
    if ended.is_none() {
        sandbox::give_up("the action did not stop when it was cancelled");
    }
    ended
}

/// The values of a job that must not be logged: its credentials, and variables whose names suggest a secret.
fn secrets(job: &Job, parameters: &Result<UserParameters, ParametersError>) -> Secrets {
    let credentials = job.credentials.as_ref().map(ArtifactCredentials::expose);
    let credentials = credentials
        .into_iter()
        .flat_map(|(id, secret, token)| [Some(id), Some(secret), token]);
    let variables = parameters.iter().flat_map(UserParameters::secrets);
    Secrets::hide(credentials.flatten().chain(variables))
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

/// Why no result was reported.
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
    "the action ran out of time: it was stopped {} s before the function's timeout of {} s",
    .0.margin.as_secs_f32().round(), .0.whole.as_secs_f32().round()
)]
struct OutOfTime(Time);

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
        Some("this is a bug in the action: report it together with the log named below".to_owned())
    }
}
