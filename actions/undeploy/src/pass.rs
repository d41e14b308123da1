//! One pass of a removal: deletes stacks, those that were deployed last first, until all are gone or the time is over.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::time::Duration;

use delivery_action::aws::CallError;
use delivery_action::clock::{self, Deadline};
use delivery_release::environment::{
    DeploymentId, Environment, Lease, ServiceChange, ServiceResult,
};
use delivery_stack::deletion::bucket::{Bucket, BucketError};
use delivery_stack::deletion::leftovers::leftovers;
use delivery_stack::deletion::policies::{Policies, buckets_to_empty};
use delivery_stack::description::{Description, describe};
use delivery_stack::events;
use delivery_stack::failure::FirstFailure;
use delivery_stack::state::State;

use crate::error::UndeployError;
use crate::order::Order;
use crate::part;
use crate::removal::{Removal, not_removable};
use crate::undeploy::Undeploy;

/// How long a pass waits before it looks at the stacks again; twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause: each look reads all stacks of the account, and CloudFormation takes some ten calls a second for all
/// who call it there.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How often a pass deletes one stack: more than once, because its buckets may be written to until its functions are gone.
const MAX_DELETIONS: u32 = 3;

/// What became of a stack in this look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// CloudFormation is at work.
    Waits,
    /// Its deletion has begun.
    Begun,
    /// There is nothing more to do in this pass.
    Stuck,
}

/// One pass.
pub(crate) struct Pass<'a> {
    undeploy: &'a Undeploy,
    environment: &'a Environment,
    deployment: &'a DeploymentId,
    number: u32,
    order: Order,
    parts: BTreeMap<String, ServiceChange>,
    /// How often each stack's deletion has begun in this pass, by id.
    deletions: BTreeMap<String, u32>,
    /// Why stacks cannot be deleted in this pass, by id.
    failed: BTreeMap<String, UndeployError>,
    stop_at: Deadline,
}

impl<'a> Pass<'a> {
    pub(crate) fn new(
        undeploy: &'a Undeploy,
        environment: &'a Environment,
        lease: &'a Lease,
        order: Order,
        stop_at: Deadline,
    ) -> Self {
        Self {
            undeploy,
            environment,
            deployment: &lease.deployment.id,
            number: lease.passes,
            order,
            parts: lease.parts.clone(),
            deletions: BTreeMap::new(),
            failed: BTreeMap::new(),
            stop_at,
        }
    }

    pub(crate) async fn run(mut self) -> Result<Removal, UndeployError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let stacks = self.undeploy.stacks_of(self.environment.name()).await?;
            self.settle(&stacks).await?;
            if stacks.is_empty() {
                return self.finish().await;
            }
            self.check_that_all_may_go(&stacks)?;
            let left = said(&stacks);
            let mut steps = Vec::new();
            for stack in self.order.deployed_last(stacks) {
                steps.push(self.attempt(&stack).await?);
            }
            let is_stuck = steps.iter().all(|step| *step == Step::Stuck);
            if is_stuck || self.stop_at.remaining().is_zero() {
                if let Some((_, error)) = self.failed.pop_first() {
                    return Err(error);
                }
                let removal = self.deployment.clone();
                return Ok(Removal::GoesOn { removal, left });
            }
            if steps.contains(&Step::Begun) {
                pause = FIRST_PAUSE;
            }
            tokio::time::sleep(pause.min(self.stop_at.remaining())).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    async fn finish(self) -> Result<Removal, UndeployError> {
        let all = BTreeSet::new();
        let now = clock::timestamp();
        let record = self.environment.finish(self.deployment, &all, now).await?;
        Ok(Removal::Removed(Box::new(record)))
    }

    /// Records which of the stacks that were there are gone, and what they left.
    async fn settle(&mut self, stacks: &[Description]) -> Result<(), UndeployError> {
        let there: BTreeSet<&str> = stacks.iter().map(part::of_stack).collect();
        let gone: Vec<_> = self
            .parts
            .iter()
            .filter(|(part, change)| {
                change.result != ServiceResult::Removed && !there.contains(part.as_str())
            })
            .map(|(part, change)| {
                let id = part::removed_stack(change).map(str::to_owned);
                (part.clone(), id)
            })
            .collect();
        for (part, id) in gone {
            let client = &self.undeploy.cloudformation;
            let left = match id {
                Some(id) if describe(client, &id).await?.is_some() => {
                    leftovers(&events::all(client, &id).await?)
                }
                _ => Vec::new(),
            };
            let change = part::removed(&left);
            tracing::info!(
                environment = %self.environment.name(), part, kept = change.summary,
                "its stack is deleted"
            );
            self.record(&part, change).await?;
        }
        Ok(())
    }

    /// Does what a stack needs next to go. One that cannot go does not keep the others of its wave.
    async fn attempt(&mut self, stack: &Description) -> Result<Step, UndeployError> {
        if self.failed.contains_key(&stack.id) {
            return Ok(Step::Stuck);
        }
        match self.advance(stack).await {
            Err(error @ (UndeployError::Bucket(_) | UndeployError::Job(_))) => {
                let reason = delivery_action::failure::chain(&error);
                tracing::warn!(stack = stack.name, reason, "it cannot be deleted");
                self.record(part::of_stack(stack), part::failed(reason))
                    .await?;
                self.failed.insert(stack.id.clone(), error);
                Ok(Step::Stuck)
            }
            other => other,
        }
    }

    /// Stacks may have been protected since the removal began.
    fn check_that_all_may_go(&self, stacks: &[Description]) -> Result<(), UndeployError> {
        let kept = not_removable(stacks);
        if kept.is_empty() {
            return Ok(());
        }
        Err(UndeployError::Kept {
            environment: self.environment.name().to_string(),
            stacks: kept,
        })
    }

    /// Does what a stack needs next to go.
    async fn advance(&mut self, stack: &Description) -> Result<Step, UndeployError> {
        // Whatever is under way, a deployment that nobody waits for any more too, ends by itself.
        if stack.state().is_in_progress() {
            return Ok(Step::Waits);
        }
        let deletions = self.deletions.get(&stack.id).copied().unwrap_or_default();
        if deletions >= MAX_DELETIONS {
            let reason = self.failure(stack).await?;
            tracing::warn!(stack = stack.name, reason, "it was not deleted");
            let change = part::failed(reason);
            self.record(part::of_stack(stack), change).await?;
            return Ok(Step::Stuck);
        }
        // Its data goes before CloudFormation is asked, so whether it may go is asked once more.
        let now = describe(&self.undeploy.cloudformation, &stack.id).await?;
        self.check_that_all_may_go(now.as_slice())?;
        let change = part::removing(&stack.id);
        self.record(part::of_stack(stack), change).await?;
        if !self.empty_buckets(stack).await? {
            // The time is over: the next pass goes on with them.
            return Ok(Step::Stuck);
        }
        self.deletions.insert(stack.id.clone(), deletions + 1);
        self.delete(stack, deletions + 1).await?;
        Ok(Step::Begun)
    }

    async fn record(&mut self, part: &str, change: ServiceChange) -> Result<(), UndeployError> {
        if self.parts.get(part) == Some(&change) {
            return Ok(());
        }
        let now = clock::timestamp();
        self.environment
            .record_part(self.deployment, part, &change, now)
            .await?;
        self.parts.insert(part.to_owned(), change);
        Ok(())
    }

    /// Empties the buckets that CloudFormation deletes, which it can only where they are empty; `false` if the time is over.
    async fn empty_buckets(&self, stack: &Description) -> Result<bool, BucketError> {
        let client = &self.undeploy.cloudformation;
        let mut policies = Policies::default();
        let buckets = buckets_to_empty(client, &stack.id, &mut policies).await?;
        for name in &buckets {
            let bucket = Bucket {
                name,
                owner: account_of(&stack.id),
            };
            if !bucket.exists(&self.undeploy.s3).await? {
                continue;
            }
            let progress = |deleted| {
                tracing::info!(bucket = name, deleted, "emptying");
                if self.stop_at.remaining().is_zero() {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            };
            if !bucket.empty(&self.undeploy.s3, progress).await?.is_done {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Has CloudFormation delete a stack. Its token is new each time: one that was used already might begin nothing.
    async fn delete(&self, stack: &Description, attempt: u32) -> Result<(), CallError> {
        let (deployment, pass) = (self.deployment, self.number);
        tracing::info!(stack = stack.name, status = stack.status, "deleting");
        let delete = self.undeploy.cloudformation.delete_stack();
        let delete = delete.stack_name(&stack.id);
        let delete = delete.client_request_token(format!("undeploy-{deployment}-{pass}-{attempt}"));
        match delete.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(CallError::new(
                "cloudformation:DeleteStack",
                &stack.name,
                &error,
            )),
        }
    }

    async fn failure(&self, stack: &Description) -> Result<String, CallError> {
        let client = &self.undeploy.cloudformation;
        let operation = events::latest_operation(client, &stack.id).await?;
        let first = FirstFailure::of(&operation).map(|failure| failure.to_string());
        let said = first.or_else(|| stack.reason.clone());
        Ok(said.unwrap_or_else(|| "CloudFormation gives no reason".to_owned()))
    }
}

/// How many stacks are left, for people who watch.
fn said(stacks: &[Description]) -> String {
    let names: Vec<_> = stacks
        .iter()
        .map(|stack| {
            let is_going = stack.state() == State::Deleting;
            let how = if is_going {
                "is being deleted"
            } else {
                "is left"
            };
            format!("`{}` {how}", stack.name)
        })
        .collect();
    names.join(", ")
}

/// The account in an id of a stack: `arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/ID`.
fn account_of(stack_id: &str) -> &str {
    stack_id.split(':').nth(4).unwrap_or_default()
}
