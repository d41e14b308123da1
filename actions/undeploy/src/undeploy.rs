//! The function: jobs and events.

use std::time::Duration;

use delivery_action::action::{Action, Completion, Continuation, Outcome};
use delivery_action::aws::{CallError, SdkConfig};
use delivery_action::clock::Deadline;
use delivery_action::continuation::ContinuationToken;
use delivery_action::env;
use delivery_action::event::EventFunction;
use delivery_action::job::Job;
use delivery_definition::names::EnvironmentName;
use delivery_release::environment::Environment;
use delivery_release::repository::Repository;
use delivery_stack::description::{Description, list};
use delivery_stack::service::{APPLICATION_TAG, ENVIRONMENT_TAG};
use serde_json::Value;

use crate::error::UndeployError;
use crate::event::Event;
use crate::job::OfJob;
use crate::params::UndeployParams;
use crate::removal::Removal;

/// The variable with the bucket of the application's releases.
pub const RELEASES_BUCKET: &str = "RELEASES_BUCKET";

/// The variable with the application's name.
pub const APPLICATION: &str = "APPLICATION";

/// How long a pass takes at most: less than the five minutes between two events of the schedule, so that passes of one
/// removal rarely meet.
const LONGEST_PASS: Duration = Duration::from_mins(4);

/// How long before the function's end a pass stops: the last call and its retries are over by then.
const MARGIN: Duration = Duration::from_secs(20);

/// The margin is at most one in this many parts of the time, so that a function with a short timeout still works.
const LARGEST_MARGIN_PART: u32 = 4;

/// Removes environments, and ends deployments that nobody ends.
#[derive(Clone, Debug)]
pub struct Undeploy {
    pub(crate) cloudformation: aws_sdk_cloudformation::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) repository: Repository,
    pub(crate) application: String,
    pub(crate) config: SdkConfig,
}

impl Undeploy {
    /// The function for an application whose releases are in a bucket.
    #[must_use]
    pub fn new(config: &SdkConfig, bucket: &str, application: &str) -> Self {
        let s3 = aws_sdk_s3::Client::new(config);
        Self {
            cloudformation: aws_sdk_cloudformation::Client::new(config),
            repository: Repository::new(s3.clone(), bucket),
            s3,
            application: application.to_owned(),
            config: config.clone(),
        }
    }

    /// The function for what its configuration names.
    ///
    /// # Errors
    ///
    /// [`UndeployError::NoVariable`].
    pub fn of_function(config: &SdkConfig) -> Result<Self, UndeployError> {
        let set = |variable| env::var(variable).ok_or(UndeployError::NoVariable { variable });
        Ok(Self::new(
            config,
            &set(RELEASES_BUCKET)?,
            &set(APPLICATION)?,
        ))
    }

    pub(crate) fn environment(&self, name: &EnvironmentName) -> Environment {
        Environment::new(&self.repository, name.clone())
    }

    /// The stacks of an environment, by their tags.
    pub(crate) async fn stacks_of(
        &self,
        environment: &EnvironmentName,
    ) -> Result<Vec<Description>, CallError> {
        let mut stacks = list(&self.cloudformation).await?;
        let has = |stack: &Description, tag: &str, value: &str| {
            stack.tags.get(tag).is_some_and(|found| found == value)
        };
        stacks.retain(|stack| {
            has(stack, APPLICATION_TAG, &self.application)
                && has(stack, ENVIRONMENT_TAG, environment.as_str())
        });
        Ok(stacks)
    }
}

impl EventFunction for Undeploy {
    const NAME: &'static str = "undeploy";
    type Error = UndeployError;

    async fn handle(&self, event: &Value, deadline: Deadline) -> Result<(), UndeployError> {
        let stop_at = end_of_pass(deadline);
        // Boxed: what they wait for is deeper than the compiler looks into one future.
        match Event::of(event)? {
            Event::Stage(ended) => Box::pin(self.after_stage(&ended, stop_at)).await,
            Event::Remove(wish) => Box::pin(self.remove_or_later(&wish, stop_at)).await,
            Event::Time => Box::pin(self.sweep(stop_at)).await,
        }
    }
}

impl Action for Undeploy {
    const NAME: &'static str = "undeploy";
    type Params = UndeployParams;
    type Error = UndeployError;

    async fn run(&self, job: &Job, params: UndeployParams) -> Result<Outcome, UndeployError> {
        job.no_output()?;
        let name = &params.environment;
        let stop_at = end_of_pass(job.invocation.deadline);
        let OfJob { removal, progress } = Box::pin(self.remove_for(job, &params, stop_at)).await?;
        let going_on = |summary: String| {
            Ok(Outcome::Continue(Continuation {
                token: ContinuationToken::new(&progress)?,
                summary,
                percent_complete: None,
            }))
        };
        match removal {
            Removal::NothingThere => Ok(Outcome::Complete(completion(
                format!("there is nothing of {name}"),
                [],
                &[],
            ))),
            Removal::Removed(record) => {
                let removed: Vec<_> = record.services.keys().map(String::as_str).collect();
                let kept = record.services.iter().filter_map(|(part, change)| {
                    let kept = change.summary.as_ref()?;
                    Some(format!("{part}: {kept}"))
                });
                let summary = format!("{name} is removed");
                let kept = kept.collect::<Vec<_>>();
                Ok(Outcome::Complete(completion(summary, removed, &kept)))
            }
            Removal::GoesOn { left, .. } => going_on(format!("removing {name}: {left}")),
            Removal::Busy(lease) => going_on(format!(
                "{name} is being changed by {} ({}) until {}; it is removed after that",
                lease.deployment.by, lease.deployment.owner, lease.until
            )),
        }
    }
}

fn completion<'a>(
    summary: String,
    removed: impl IntoIterator<Item = &'a str>,
    kept: &[String],
) -> Completion {
    let removed: Vec<_> = removed.into_iter().collect();
    Completion {
        summary,
        variables: [
            ("Removed".to_owned(), removed.join(",")),
            ("Kept".to_owned(), kept.join("; ")),
        ]
        .into(),
    }
}

/// When a pass stops, so that its last calls end before the function does.
fn end_of_pass(deadline: Deadline) -> Deadline {
    let margin = MARGIN.min(deadline.remaining() / LARGEST_MARGIN_PART);
    deadline
        .earlier_by(margin)
        .min(Deadline::after(LONGEST_PASS))
}
