//! One deployment: a change set, its execution, and what becomes of the stack.
//!
//! Problem: Lambda delivers a job more than once, an operation takes longer than an invocation, and another pipeline or a person
//! may change the same stack at any time.
//!
//! Solution: what counts is the stack, which is read before each write; the continuation token is only a hint. The name of a change
//! set follows from what is deployed and from the stack's latest event, so that any number of invocations meet in one change
//! set, and the same template after another one is a change set of its own. CloudFormation executes it once, and removes the
//! others of the stack. The operation carries a token with the same digits and those of the job, by which
//! each invocation knows whose it is.

mod change;
mod desired;
mod error;
mod failed;
mod outcome;
mod planned;
mod progress;
mod step;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudformation::Client;
use delivery_action::aws::CallError;
use delivery_action::clock::Deadline;
use delivery_action::execution::ExecutionCheck;

use crate::description::{Description, describe, is_absent};
use crate::events::{self, StackEvent};
use crate::service::APPLICATION_TAG;

pub use desired::{Desired, Settings, Source};
pub use error::DeploymentError;
pub use failed::FailedDeployment;
pub use planned::Planned;
pub use progress::DeploymentProgress;
use step::{Latest, Recovery, Step, step};

/// First polling interval; an unchanged stack is known after a second or two.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Longest polling interval: CloudFormation itself takes seconds for each resource.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// How long one invocation follows an operation. A minute of Lambda costs less than another job, and the console shows a
/// new status about once a minute.
const MAX_POLLING: Duration = Duration::from_secs(45);

/// How long before the end of the job's time the last call may begin; then the work continues in a later job.
const CONTINUE_MARGIN: Duration = Duration::from_secs(10);

/// The margin is at most this part of a job's time.
const LARGEST_MARGIN_PART: u32 = 4;

/// How often someone else may come between reading the stack and changing it, in one invocation.
const MAX_SURPRISES: u32 = 5;

/// What the name of a change set begins with, and the token of the operation that executes it.
const CHANGE: &str = "d-";

/// What the token of a preparation begins with.
const RECOVERY: &str = "r-";

/// A stack as it was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    stack: Description,
    newest: Option<StackEvent>,
}

impl Found {
    /// Whether the newest event tells of the stack's present status. CloudFormation may show the status of the operation
    /// before for some time.
    fn is_settled(&self) -> bool {
        let newest = self.newest.as_ref();
        newest.is_some_and(|event| event.is_of_the_stack() && event.status == self.stack.status)
    }

    /// What changes with each operation.
    fn version(&self) -> (&str, &str, Option<&str>) {
        let event = self.newest.as_ref().map(|event| event.id.as_str());
        (&self.stack.id, &self.stack.status, event)
    }
}

/// What is deployed where.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The stack's name.
    pub stack: String,
    /// As messages name it.
    pub name: String,
    /// Whether the stack must not be deleted.
    pub protected: bool,
    /// Whether nothing in it is worth keeping, so that a broken one is deleted and created again.
    pub removable: bool,
    /// What is deployed after it, and not if it fails.
    pub later: Vec<String>,
}

/// How it is deployed.
#[derive(Clone, Debug)]
pub struct Options {
    /// The ARN of the role that CloudFormation works with; the caller's rights where there is none.
    pub role: Option<String>,
    /// How long an operation is waited for, over all parts of the deployment.
    pub wait: Duration,
    /// Whether a rollback that failed is continued once.
    pub continue_rollback: bool,
    /// What is deployed, for messages: a commit, a digest.
    pub release: Option<String>,
    /// Who deploys, for the change set's description.
    pub by: &'static str,
}

/// How one part of a deployment ended.
#[derive(Clone, Debug)]
pub enum Ended {
    /// It is deployed.
    Deployed(Deployed),
    /// The time for this part is over; another one goes on from here.
    Unfinished {
        /// Where it goes on.
        progress: DeploymentProgress,
        /// What goes on in the stack.
        summary: String,
    },
}

/// A stack that is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// As messages name it.
    pub subject: String,
    /// The stack's name.
    pub stack: String,
    /// CloudFormation's word.
    pub status: String,
    /// Whether this deployment changed it.
    pub changed: bool,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
}

/// A deployment, or the part of one that a job does.
#[derive(Debug)]
pub struct Deployment<'a, S> {
    client: &'a Client,
    source: S,
    options: &'a Options,
    subject: Subject,
    check: ExecutionCheck,
    stop_at: Deadline,
    progress: DeploymentProgress,
    desired: Option<Desired>,
    next_pause: Duration,
    surprises: u32,
}

/// What one look at the stack led to.
enum Turn {
    /// Something was done: look again.
    Again,
    /// Something goes on: look again after a pause. The text says what goes on.
    Wait(String),
    Complete(Deployed),
}

impl<'a, S: Source> Deployment<'a, S> {
    /// The deployment of what `source` says to the stack of `subject`, which has until `deadline` for its present part.
    pub fn new(
        client: &'a Client,
        source: S,
        subject: Subject,
        options: &'a Options,
        check: ExecutionCheck,
        deadline: Deadline,
        progress: DeploymentProgress,
    ) -> Self {
        let margin = CONTINUE_MARGIN.min(deadline.remaining() / LARGEST_MARGIN_PART);
        Self {
            client,
            source,
            options,
            subject,
            check,
            stop_at: deadline
                .earlier_by(margin)
                .min(Deadline::after(MAX_POLLING)),
            progress,
            desired: None,
            next_pause: FIRST_PAUSE,
            surprises: 0,
        }
    }

    /// Deploys, as far as the time allows.
    ///
    /// # Errors
    ///
    /// It cannot be deployed, or failed.
    pub async fn run(mut self) -> Result<Ended, DeploymentError> {
        // Before anything is waited for: what is wrong with the input is said at once.
        if self.progress.entry.is_none() {
            self.desired().await?;
        }
        loop {
            let found = self.read().await?;
            let summary = match self.turn(found).await? {
                Turn::Again => {
                    self.next_pause = FIRST_PAUSE;
                    continue;
                }
                Turn::Complete(deployed) => return Ok(Ended::Deployed(deployed)),
                Turn::Wait(summary) => summary,
            };
            if self.stop_at.remaining().is_zero() {
                return Ok(Ended::Unfinished {
                    progress: self.progress,
                    summary,
                });
            }
            self.pause().await;
        }
    }

    async fn pause(&mut self) {
        tokio::time::sleep(self.next_pause.min(self.stop_at.remaining())).await;
        self.next_pause = LONGEST_PAUSE.min(self.next_pause * 2);
    }

    /// What is deployed; worked out once in a job.
    async fn desired(&mut self) -> Result<Desired, DeploymentError> {
        if let Some(desired) = &self.desired {
            return Ok(desired.clone());
        }
        let desired = self.source.desired().await?;
        self.progress.entry = Some(desired.entry.clone());
        self.desired = Some(desired.clone());
        Ok(desired)
    }

    /// The stack's newest event, and then the stack. The other way round, an operation that began in between would look
    /// as if it had ended.
    async fn read(&self) -> Result<Option<Found>, DeploymentError> {
        let newest = match events::newest(self.client, &self.subject.stack).await {
            Err(error) if is_absent(&error) => None,
            newest => newest?,
        };
        let found = describe(self.client, &self.subject.stack).await?;
        Ok(found.map(|stack| Found { stack, newest }))
    }

    /// Whose the latest operation is. One that deploys the same for another execution counts as this action's while it
    /// goes on.
    fn latest(&mut self, found: &Found) -> Latest {
        let job = self.progress.job.clone();
        let before = if self.progress.begun {
            Latest::AfterOurs
        } else {
            Latest::BeforeOurs
        };
        let Some(token) = found.newest.as_ref().and_then(|event| event.token.as_ref()) else {
            return before;
        };
        if *token == recovery_token(&job) {
            return Latest::OurRecovery;
        }
        let entry = self.progress.entry.as_deref().unwrap_or_default();
        let is_same = token.starts_with(&format!("{CHANGE}{entry}"));
        let is_ours = self.progress.operation.as_ref() == Some(token)
            || (is_same && token.ends_with(&format!("-{job}")))
            || (is_same && found.stack.state().is_in_progress());
        if !is_ours {
            return before;
        }
        self.progress.operation = Some(token.clone());
        self.progress.begun = true;
        Latest::Ours
    }

    async fn turn(&mut self, found: Option<Found>) -> Result<Turn, DeploymentError> {
        let latest = found
            .as_ref()
            .map_or(Latest::BeforeOurs, |found| self.latest(found));
        let recovery = Recovery {
            delete_empty: !self.progress.deleted,
            delete_broken: !self.progress.deleted && self.subject.removable,
            continue_rollback: !self.progress.continued && self.options.continue_rollback,
        };
        let state = found.as_ref().map(|found| found.stack.state());
        let next = step(state, latest, recovery);
        tracing::debug!(?state, ?latest, ?next, "looked at the stack");
        let Some(found) = found else {
            return self.change(None).await;
        };
        let stack = &found.stack;
        if latest == Latest::Ours && !found.is_settled() {
            return self.follow(stack);
        }
        if next.is_about_what_is_there() {
            let desired = self.desired().await?;
            self.check_owner(&desired, stack)?;
        }
        match next {
            Step::Create => self.change(None).await,
            Step::Update => self.change(Some(found)).await,
            Step::Delete => self.delete(stack).await,
            Step::ContinueRollback => self.continue_rollback(stack).await,
            Step::Follow => self.follow(stack),
            Step::WaitForOther => self.wait_for_other(stack),
            Step::Done => self.complete(stack, true).await,
            Step::Failed => Err(self.failed(stack).await?),
            Step::Stuck => Err(self.stuck(stack).await?),
            Step::Broken => Err(self.broken(stack)),
            Step::Overtaken => Err(DeploymentError::Overtaken {
                subject: self.subject.name.clone(),
                status: stack.status.clone(),
            }),
        }
    }

    fn follow(&self, stack: &Description) -> Result<Turn, DeploymentError> {
        if self.waited_enough() {
            return Err(self.too_slow(&stack.status));
        }
        let Subject { name, .. } = &self.subject;
        Ok(Turn::Wait(format!("{name} is {}", stack.status)))
    }

    fn wait_for_other(&self, stack: &Description) -> Result<Turn, DeploymentError> {
        let Subject { name, .. } = &self.subject;
        if self.waited_enough() {
            return Err(DeploymentError::OtherChange {
                subject: name.clone(),
                status: stack.status.clone(),
                minutes: self.minutes(),
            });
        }
        Ok(Turn::Wait(format!(
            "waiting for someone else's change of {name}, which is {}",
            stack.status
        )))
    }

    /// Fails where the stack is another application's or no application's: what is in it would be replaced.
    fn check_owner(&self, desired: &Desired, stack: &Description) -> Result<(), DeploymentError> {
        let Some(own) = desired.tags.get(APPLICATION_TAG) else {
            return Ok(()); // The action names the stack itself.
        };
        let owner = stack.tags.get(APPLICATION_TAG);
        if owner == Some(own) {
            return Ok(());
        }
        Err(DeploymentError::Foreign {
            subject: self.subject.name.clone(),
            stack: stack.name.clone(),
            application: own.clone(),
            owner: owner.cloned(),
        })
    }

    fn waited_enough(&self) -> bool {
        self.progress.elapsed() > self.options.wait
    }

    fn too_slow(&self, status: &str) -> DeploymentError {
        DeploymentError::TooSlow {
            subject: self.subject.name.clone(),
            status: status.to_owned(),
            minutes: self.minutes(),
        }
    }

    fn minutes(&self) -> u64 {
        self.progress.elapsed().as_secs() / 60
    }

    /// Someone else came first; the stack says who.
    fn surprised(&mut self) -> Result<Turn, DeploymentError> {
        self.surprises += 1;
        if self.surprises > MAX_SURPRISES {
            return Err(DeploymentError::Contended {
                subject: self.subject.name.clone(),
            });
        }
        Ok(Turn::Wait(format!(
            "looking at {} again",
            self.subject.name
        )))
    }

    async fn delete(&mut self, stack: &Description) -> Result<Turn, DeploymentError> {
        self.check.still_runs().await?;
        let delete = self.client.delete_stack().stack_name(&stack.id);
        let delete = delete.set_role_arn(self.options.role.clone());
        let token = recovery_token(&self.progress.job);
        let deleted = delete.client_request_token(token).send().await;
        deleted
            .map_err(|error| CallError::new("cloudformation:DeleteStack", &stack.name, &error))?;
        tracing::info!(
            stack = stack.name,
            status = stack.status,
            "deleted what could not be changed"
        );
        self.progress.deleted = true;
        Ok(Turn::Wait(format!(
            "deleting what is left of {}",
            self.subject.name
        )))
    }

    async fn continue_rollback(&mut self, stack: &Description) -> Result<Turn, DeploymentError> {
        self.check.still_runs().await?;
        let go_on = self.client.continue_update_rollback().stack_name(&stack.id);
        let go_on = go_on.set_role_arn(self.options.role.clone());
        let token = recovery_token(&self.progress.job);
        let sent = go_on.client_request_token(token).send().await;
        sent.map_err(|error| {
            CallError::new("cloudformation:ContinueUpdateRollback", &stack.name, &error)
        })?;
        tracing::info!(stack = stack.name, "continued the rollback");
        self.progress.continued = true;
        Ok(Turn::Wait(format!(
            "continuing the rollback of {}",
            self.subject.name
        )))
    }
}

fn recovery_token(job: &str) -> String {
    format!("{RECOVERY}{job}")
}
