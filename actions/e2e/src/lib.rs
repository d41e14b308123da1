#![doc = include_str!("../README.md")]

use std::fmt::Write as _;
use std::path::Path;

use delivery_action::action::{Action, Completion, Continuation, Outcome};
use delivery_action::artifact::Store;
use delivery_action::aws::SdkConfig;
use delivery_action::clock::{self, Deadline};
use delivery_action::continuation::ContinuationToken;
use delivery_action::job::Job;
use delivery_action::process::Environment;
use delivery_action::workspace::Workspace;
use delivery_node::project::{self, Project};
use delivery_node::task::{Task, TaskEnd, TaskError};

mod application;
mod attempts;
mod error;
mod params;

pub use application::{Application, Function};
pub use attempts::Attempts;
pub use error::EndToEndError;
pub use params::{EndToEndParams, MAX_RETRIES};

/// The variable with the address under test, for messages.
const TARGET: &str = "TARGET_URL";

/// Tests a running stage of the application with one of the project's tasks.
#[derive(Clone, Debug)]
pub struct EndToEnd {
    config: SdkConfig,
}

impl EndToEnd {
    /// The action, whose clients use this configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            config: config.clone(),
        }
    }
}

impl Action for EndToEnd {
    const NAME: &'static str = "e2e";
    type Params = EndToEndParams;
    type Error = EndToEndError;

    async fn run(&self, job: &Job, params: EndToEndParams) -> Result<Outcome, EndToEndError> {
        let input = job.only_input()?;
        job.no_output()?;
        let attempts = match &job.continuation_token {
            Some(token) => ContinuationToken::read::<Attempts>(token)?,
            None => Attempts::default(),
        };
        let workspace = Workspace::create()?;
        let environment = project::environment(&workspace, &params.environment)?;
        let store = Store::for_job(&self.config, job);
        let source = store.fetch_and_extract(input, &workspace, "source").await?;
        self.test(job, &source, params, attempts, &environment)
            .await
    }
}

impl EndToEnd {
    /// Runs the task once.
    async fn test(
        &self,
        job: &Job,
        source: &Path,
        params: EndToEndParams,
        attempts: Attempts,
        environment: &Environment,
    ) -> Result<Outcome, EndToEndError> {
        let project = Project::open(source, &params.directory)?;
        let task = Task {
            name: params.task,
            runner: params.runner,
            report: params.report,
        };
        let target = params.environment.get(TARGET).cloned();
        let mut deadline = project::child_deadline(job);
        if let Some(timeout) = params.timeout {
            deadline = deadline.min(Deadline::after(timeout));
        }
        let began_ms = clock::timestamp().as_millisecond();
        let mut error = match task.run(&project, environment, deadline).await {
            Ok(end) => {
                return Ok(Outcome::Complete(Completion {
                    summary: summary(&task, target.as_deref(), &attempts, &end),
                    ..Completion::default()
                }));
            }
            Err(error) => error,
        };
        if let TaskError::Failed { failure, .. } = &mut error
            && attempts.failed() >= params.retries
        {
            let log = params
                .application
                .log_since(began_ms, &self.config, job.invocation.deadline);
            failure.add_application_log(&log.await);
        }
        after_failure(error, attempts, params.retries, &task.name, target)
    }
}

/// Another attempt, or the failure. Only a task that ran and failed gets another attempt: a task that could not
/// be run at all would not run the next time.
fn after_failure(
    error: TaskError,
    mut attempts: Attempts,
    retries: u32,
    task: &str,
    target: Option<String>,
) -> Result<Outcome, EndToEndError> {
    if !matches!(error, TaskError::Failed { .. }) {
        return Err(error.into());
    }
    let earlier = attempts.clone();
    attempts.add(&error);
    if attempts.failed() > retries {
        return Err(EndToEndError::Failed {
            task: task.to_owned(),
            target,
            earlier,
            source: error,
        });
    }
    let summary = format!(
        "attempt {} of {} failed, retrying: {}",
        attempts.failed(),
        retries + 1,
        attempts.last().unwrap_or_default()
    );
    tracing::warn!(attempt = attempts.failed(), "{summary}");
    Ok(Outcome::Continue(Continuation {
        token: ContinuationToken::new(&attempts)?,
        summary,
        percent_complete: None,
    }))
}

/// `5 tests: 5 passed; test-functional (gulp) of https://test.example.com in 12s; retried once`: the tests come first, since a
/// terminal cuts the rest.
fn summary(task: &Task, target: Option<&str>, attempts: &Attempts, end: &TaskEnd) -> String {
    let mut text = String::new();
    if let Some(report) = end.report.as_ref().filter(|report| report.files > 0) {
        let _infallible = write!(text, "{report}; ");
    }
    let _infallible = write!(text, "{} ({})", task.name, end.runner);
    if let Some(target) = target {
        let _infallible = write!(text, " of {target}");
    }
    let _infallible = write!(text, " in {}s", end.elapsed.as_secs());
    match (attempts.failed(), attempts.last()) {
        (0, _) => text.push_str("; not retried"),
        (1, last) => {
            let _infallible = write!(text, "; retried once after: {}", last.unwrap_or_default());
        }
        (times, last) => {
            let _infallible = write!(
                text,
                "; retried {times} times, last after: {}",
                last.unwrap_or_default()
            );
        }
    }
    for warning in &end.warnings {
        let _infallible = write!(text, "; {warning}");
    }
    text
}
