//! One deployment: a change set, its execution, and what becomes of the stack.
//!
//! Problem: Lambda delivers a job more than once, an operation takes longer than an invocation, and another pipeline or a person
//! may change the same stack at any time.
//!
//! Solution: what counts is the stack, which is read before each write; the continuation token is only a hint. The name of a change
//! set follows from what is deployed and from the stack's latest event, so that any number of invocations meet in one change
//! set, and the same template after another one is a change set of its own. CloudFormation executes it once, and removes the
//! others of the stack. The operation bears a token with the same digits and those of the job, by which
//! each invocation knows whose it is.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudformation::Client;
use delivery_action::action::{Completion, Continuation, Outcome};
use delivery_action::aws::CallError;
use delivery_action::clock::Deadline;
use delivery_action::continuation::ContinuationToken;
use delivery_action::execution::ExecutionCheck;
use delivery_stack::change_set::{self, Change, ChangeSetRequest, Prepared};
use delivery_stack::description::{Description, describe, is_absent};
use delivery_stack::events::{self, latest_operation};
use delivery_stack::failure::FirstFailure;
use delivery_stack::resources;
use delivery_stack::state::State;

use crate::desired::{Desired, Sources, digits};
use crate::error::{DeployStackError, FailedDeployment};
use crate::params::DeployStackParams;
use crate::progress::DeployStackProgress;
use crate::step::{Latest, Recovery, Step, step};

/// First polling interval; an unchanged stack is known after a second or two.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Longest polling interval: CloudFormation itself takes seconds for each resource.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// How long one invocation follows an operation. A minute of Lambda costs less than a job more, and the console shows a
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
    /// The id of its newest event, and the token of the operation that it belongs to.
    event: Option<String>,
    token: Option<String>,
}

/// What is deployed where.
#[derive(Debug)]
pub(crate) struct Subject {
    /// The stack's name.
    pub(crate) stack: String,
    /// As messages name it.
    pub(crate) name: String,
    pub(crate) protected: bool,
    pub(crate) removable: bool,
}

/// The part of a deployment that one job does.
pub(crate) struct Deployment<'a> {
    sources: Sources<'a>,
    params: &'a DeployStackParams,
    subject: Subject,
    check: ExecutionCheck,
    stop_at: Deadline,
    progress: DeployStackProgress,
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
    Complete(Completion),
}

impl<'a> Deployment<'a> {
    pub(crate) fn new(
        sources: Sources<'a>,
        subject: Subject,
        check: ExecutionCheck,
        deadline: Deadline,
        progress: DeployStackProgress,
    ) -> Self {
        let margin = CONTINUE_MARGIN.min(deadline.remaining() / LARGEST_MARGIN_PART);
        Self {
            params: sources.params,
            sources,
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

    pub(crate) async fn run(mut self) -> Result<Outcome, DeployStackError> {
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
                Turn::Complete(completion) => return Ok(Outcome::Complete(completion)),
                Turn::Wait(summary) => summary,
            };
            if self.stop_at.remaining().is_zero() {
                return Ok(Outcome::Continue(Continuation {
                    token: ContinuationToken::new(&self.progress)?,
                    summary,
                    percent_complete: None,
                }));
            }
            self.pause().await;
        }
    }

    async fn pause(&mut self) {
        tokio::time::sleep(self.next_pause.min(self.stop_at.remaining())).await;
        self.next_pause = LONGEST_PAUSE.min(self.next_pause * 2);
    }

    fn client(&self) -> &'a Client {
        self.sources.client
    }

    /// What is deployed; worked out once in a job.
    async fn desired(&mut self) -> Result<Desired, DeployStackError> {
        if let Some(desired) = &self.desired {
            return Ok(desired.clone());
        }
        let desired = self.sources.desired().await?;
        self.progress.entry = Some(desired.entry.clone());
        self.desired = Some(desired.clone());
        Ok(desired)
    }

    /// The stack, and then its newest event: an event that is read later belongs to the status or to what comes after.
    async fn read(&self) -> Result<Option<Found>, DeployStackError> {
        let Some(stack) = describe(self.client(), &self.subject.stack).await? else {
            return Ok(None);
        };
        let newest = match events::newest(self.client(), &stack.id).await {
            Err(error) if is_absent(&error) => None,
            newest => newest?,
        };
        Ok(Some(Found {
            stack,
            event: newest.as_ref().map(|event| event.id.clone()),
            token: newest.and_then(|event| event.token),
        }))
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
        let Some(token) = &found.token else {
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

    async fn turn(&mut self, found: Option<Found>) -> Result<Turn, DeployStackError> {
        let latest = found
            .as_ref()
            .map_or(Latest::BeforeOurs, |found| self.latest(found));
        let recovery = Recovery {
            removable: self.subject.removable,
            deleted: self.progress.deleted,
            may_continue: self.params.common.continue_rollback.is_on(),
            continued: self.progress.continued,
        };
        let state = found.as_ref().map(|found| found.stack.state());
        let next = step(state, latest, recovery);
        tracing::debug!(?state, ?latest, ?next, "looked at the stack");
        let Some(found) = found else {
            return self.change(None).await;
        };
        let stack = &found.stack;
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
            Step::Overtaken => Err(DeployStackError::Overtaken {
                subject: self.subject.name.clone(),
                stack: stack.name.clone(),
                status: stack.status.clone(),
            }),
        }
    }

    fn follow(&self, stack: &Description) -> Result<Turn, DeployStackError> {
        let Subject { name, .. } = &self.subject;
        if self.waited_enough() {
            return Err(DeployStackError::TooSlow {
                subject: name.clone(),
                status: stack.status.clone(),
                minutes: self.minutes(),
            });
        }
        Ok(Turn::Wait(format!("{name} is {}", stack.status)))
    }

    fn wait_for_other(&self, stack: &Description) -> Result<Turn, DeployStackError> {
        let Subject { name, .. } = &self.subject;
        if self.waited_enough() {
            return Err(DeployStackError::OtherChange {
                subject: name.clone(),
                stack: stack.name.clone(),
                status: stack.status.clone(),
                minutes: self.minutes(),
            });
        }
        Ok(Turn::Wait(format!(
            "waiting for someone else's change of {name}, which is {}",
            stack.status
        )))
    }

    fn waited_enough(&self) -> bool {
        self.progress.elapsed() > self.params.common.wait.0
    }

    fn minutes(&self) -> u64 {
        self.progress.elapsed().as_secs() / 60
    }

    /// Has the change worked out and executes it. `found` is the stack where it is updated.
    async fn change(&mut self, found: Option<Found>) -> Result<Turn, DeployStackError> {
        let desired = self.desired().await?;
        let name = change_set_name(&desired.entry, found.as_ref());
        let current = found.as_ref().map(|found| &found.stack);
        let stack = self.subject.stack.clone();
        let prepared = match change_set::look(self.client(), &stack, &name, current).await {
            Err(error) if change_set::is_gone(&error) || is_absent(&error) => {
                return self.create(&desired, &name, found).await;
            }
            prepared => prepared?,
        };
        match prepared {
            None => self.waiting_for_change_set(),
            // It was executed, and the stack does not show it yet; or another one was.
            Some(Prepared::Over) => self.waiting_for_change_set(),
            Some(Prepared::Ready { changes, .. }) => self.execute(&desired, &name, &changes).await,
            Some(Prepared::Nothing) => {
                change_set::delete(self.client(), &stack, &name).await?;
                match found {
                    Some(found) if found.stack.state() != State::LeftFailed => {
                        self.complete(&found.stack, false).await
                    }
                    _ => Err(self.refused("the template has no changes for a stack that failed")),
                }
            }
            Some(Prepared::Refused { reason }) => {
                change_set::delete(self.client(), &stack, &name).await?;
                Err(self.refused(&reason))
            }
        }
    }

    fn waiting_for_change_set(&self) -> Result<Turn, DeployStackError> {
        let Subject { name, .. } = &self.subject;
        if self.waited_enough() {
            return Err(DeployStackError::TooSlow {
                subject: name.clone(),
                status: "waiting for its change set".to_owned(),
                minutes: self.minutes(),
            });
        }
        Ok(Turn::Wait(format!("computing the change of {name}")))
    }

    async fn create(
        &mut self,
        desired: &Desired,
        name: &str,
        found: Option<Found>,
    ) -> Result<Turn, DeployStackError> {
        let capabilities: Vec<&str> = desired.capabilities.iter().map(String::as_str).collect();
        let request = ChangeSetRequest {
            stack: &self.subject.stack,
            name,
            creates: found.is_none(),
            template: &desired.template,
            parameters: &desired.parameters,
            capabilities: &capabilities,
            role_arn: Some(self.params.common.role.as_str()),
            tags: &desired.tags,
            description: "deploy-stack",
        };
        self.check.still_runs().await?;
        let Err(error) = change_set::create(self.client(), &request).await else {
            tracing::info!(stack = request.stack, name, "made a change set");
            return Ok(Turn::Again);
        };
        if error.is_code("AlreadyExistsException") {
            return Ok(Turn::Again);
        }
        if error.is_code("InsufficientCapabilitiesException") {
            return Err(DeployStackError::Capability {
                subject: self.subject.name.clone(),
                reason: error.message,
            });
        }
        if !error.is_code("ValidationError") {
            return Err(error.into());
        }
        // The template's fault, unless the stack is another one by now.
        let now = self.read().await?;
        let state = |found: Option<&Found>| {
            found.map(|found| (found.stack.id.clone(), found.event.clone()))
        };
        let was_created = found.is_none()
            && now
                .as_ref()
                .is_some_and(|now| now.stack.state() != State::Review);
        if was_created || (found.is_some() && state(now.as_ref()) != state(found.as_ref())) {
            return self.surprised();
        }
        Err(self.refused(&error.message))
    }

    async fn execute(
        &mut self,
        desired: &Desired,
        name: &str,
        changes: &[Change],
    ) -> Result<Turn, DeployStackError> {
        let stack = self.subject.stack.clone();
        let at_stake = at_stake(changes, &desired.allow);
        if !at_stake.is_empty() {
            change_set::delete(self.client(), &stack, name).await?;
            return Err(DeployStackError::DataAtStake {
                subject: self.subject.name.clone(),
                resources: at_stake,
            });
        }
        let token = format!("{name}-{}", self.progress.job);
        self.check.still_runs().await?;
        match change_set::execute(self.client(), &stack, name, &token).await {
            Ok(()) => {
                tracing::info!(
                    stack,
                    name,
                    changes = changes.len(),
                    "executed a change set"
                );
                self.progress.operation = Some(token);
                Ok(Turn::Again)
            }
            Err(error) if comes_too_late(&error) => self.surprised(),
            Err(error) => Err(error.into()),
        }
    }

    /// Someone else came first; the stack says who.
    fn surprised(&mut self) -> Result<Turn, DeployStackError> {
        self.surprises += 1;
        if self.surprises > MAX_SURPRISES {
            return Err(DeployStackError::Contended {
                subject: self.subject.name.clone(),
                stack: self.subject.stack.clone(),
            });
        }
        Ok(Turn::Wait(format!(
            "looking at {} again",
            self.subject.name
        )))
    }

    async fn delete(&mut self, stack: &Description) -> Result<Turn, DeployStackError> {
        self.check.still_runs().await?;
        let delete = self.client().delete_stack().stack_name(&stack.id);
        let delete = delete.role_arn(self.params.common.role.as_str());
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

    async fn continue_rollback(&mut self, stack: &Description) -> Result<Turn, DeployStackError> {
        self.check.still_runs().await?;
        let go_on = self
            .client()
            .continue_update_rollback()
            .stack_name(&stack.id);
        let go_on = go_on.role_arn(self.params.common.role.as_str());
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

    async fn complete(&self, stack: &Description, changed: bool) -> Result<Turn, DeployStackError> {
        if self.subject.protected && !stack.protected {
            self.check.still_runs().await?;
            let protect = self.client().update_termination_protection();
            let protect = protect.stack_name(&stack.name);
            let sent = protect.enable_termination_protection(true).send().await;
            sent.map_err(|error| {
                CallError::new(
                    "cloudformation:UpdateTerminationProtection",
                    &stack.name,
                    &error,
                )
            })?;
        }
        let mut variables: BTreeMap<String, String> = stack.outputs.clone();
        variables.extend([
            ("Changed".to_owned(), changed.to_string()),
            ("Stack".to_owned(), stack.name.clone()),
        ]);
        let what = if changed {
            "is deployed"
        } else {
            "is unchanged"
        };
        Ok(Turn::Complete(Completion {
            summary: format!("{} {what} ({})", self.subject.name, stack.status),
            variables,
        }))
    }

    async fn failed(&self, stack: &Description) -> Result<DeployStackError, DeployStackError> {
        let operation = latest_operation(self.client(), &stack.id).await?;
        let common = &self.params.common;
        let commit = common
            .revision
            .as_ref()
            .map(|name| format!("commit {name}"));
        let digest = || common.digest.map(|digest| format!("the artifact {digest}"));
        Ok(DeployStackError::Failed(Box::new(FailedDeployment {
            subject: self.subject.name.clone(),
            stack: stack.name.clone(),
            status: stack.status.clone(),
            release: commit.or_else(digest),
            first: FirstFailure::of(&operation),
        })))
    }

    async fn stuck(&self, stack: &Description) -> Result<DeployStackError, DeployStackError> {
        let all = resources::list(self.client(), &stack.id).await?;
        let failed = all
            .into_iter()
            .filter(|one| one.status.ends_with("_FAILED"));
        let named = failed.map(|one| {
            let reason = one.reason.unwrap_or_else(|| "no reason given".to_owned());
            format!("`{}` ({reason})", one.path)
        });
        Ok(DeployStackError::Stuck {
            subject: self.subject.name.clone(),
            status: stack.status.clone(),
            resources: named.collect(),
        })
    }

    fn broken(&self, stack: &Description) -> DeployStackError {
        DeployStackError::Broken {
            subject: self.subject.name.clone(),
            stack: stack.name.clone(),
            status: stack.status.clone(),
            reason: stack.reason.clone(),
        }
    }

    fn refused(&self, reason: &str) -> DeployStackError {
        DeployStackError::Refused {
            subject: self.subject.name.clone(),
            stack: self.subject.stack.clone(),
            reason: reason.to_owned(),
        }
    }
}

/// `d-`, what is deployed, and what it is deployed over: 32 digits in all.
fn change_set_name(entry: &str, found: Option<&Found>) -> String {
    let base = found.map_or_else(String::new, |found| {
        let Description {
            id,
            updated,
            created,
            ..
        } = &found.stack;
        format!("{id} {updated:?} {created:?} {:?}", found.event)
    });
    format!("{CHANGE}{entry}{}", digits(&format!("{entry} {base}")))
}

fn recovery_token(job: &str) -> String {
    format!("{RECOVERY}{job}")
}

/// Whether a change set cannot be executed any more, because it or another one was.
fn comes_too_late(error: &CallError) -> bool {
    change_set::is_gone(error)
        || error.is_code("InvalidChangeSetStatus")
        || error.is_code("InvalidChangeSetStatusException")
}

/// The resources that hold data, are replaced or removed, and are not allowed to be.
fn at_stake(changes: &[Change], allow: &[String]) -> Vec<String> {
    let is_allowed = |path: &str| {
        let logical = path.rsplit('/').next().unwrap_or(path);
        allow.iter().any(|name| name == path || name == logical)
    };
    changes
        .iter()
        .filter(|change| change.holds_data && change.action.takes_away())
        .filter(|change| !is_allowed(&change.path))
        .map(|change| {
            let what = format!("{:?}", change.action).to_lowercase();
            format!("`{}` ({}, {what})", change.path, change.resource_type)
        })
        .collect()
}
