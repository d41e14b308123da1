//! `delivery down`: deletes the stack and what is in its buckets, and verifies that nothing is left.
//!
//! CloudFormation deletes a bucket only if it is empty, so those that it deletes are emptied before. A bucket
//! with `DeletionPolicy: Retain` is emptied and deleted after the stack: until then the stack's functions may still
//! write to it. What a deletion left is found by its events, which CloudFormation keeps for 90 days, so a second
//! `down` finishes what an interrupted one began, even when the stack is gone.

mod environments;
mod error;
mod leftovers;
#[cfg(test)]
mod policies;

use std::ops::ControlFlow;

use aws_sdk_cloudformation::Client;
use delivery_action::aws::CallError;
use delivery_stack::NESTED_STACK;
use delivery_stack::deletion::bucket::{BUCKET, Bucket};
use delivery_stack::deletion::policies::{Policies, Policy};
use delivery_stack::description::{Description, describe};
use delivery_stack::events::Follower;
use delivery_stack::resources::{self, Resource};
use delivery_stack::state::State;

use super::description::check_is_delivery;
use super::failure::StackError;
use super::follow::{Followed, WaitLimits, conclude, follow};
use super::publish;
use super::question::{Answer, type_out};
use super::up::recover::busy;
use crate::args::Global;
use crate::args::stack::Down;
use crate::cloud::Cloud;
use crate::error::CliError;
use crate::exit::Exit;
use crate::message::StackMessage;
use crate::output::Reporter;
use crate::settings::Settings;
use leftovers::{clean, delete_leftovers_only, left_of};

pub(crate) use error::DownError;

/// What every step needs.
struct Work<'a> {
    arguments: &'a Down,
    settings: &'a Settings,
    name: &'a str,
    region: &'a str,
    account: String,
    reporter: &'a Reporter,
    client: Client,
    s3: aws_sdk_s3::Client,
}

impl Work<'_> {
    fn bucket<'b>(&'b self, name: &'b str) -> Bucket<'b> {
        Bucket {
            name,
            owner: &self.account,
        }
    }

    fn confirm(&self) -> Result<(), DownError> {
        if self.arguments.yes {
            return Ok(());
        }
        self.reporter.clear_progress();
        let question = format!(
            "type the stack's name (`{}`) to delete all of this",
            self.name
        );
        match type_out(&question, self.name) {
            Answer::Yes => Ok(()),
            answer => Err(DownError::NotConfirmed {
                stack: self.name.to_owned(),
                answer,
            }),
        }
    }
}

/// The command.
pub(crate) async fn down(global: &Global, arguments: &Down) -> Result<Exit, CliError> {
    let settings = Settings::load(global)?;
    let mut limits = WaitLimits::new(arguments.timeout)?;
    let cloud = Cloud::connect(&settings).await?;
    let reporter = Reporter::new(global);
    let work = Work {
        arguments,
        settings: &settings,
        name: &settings.stack_name,
        region: cloud.region(),
        account: publish::account(&cloud).await?,
        reporter: &reporter,
        client: cloud.cloudformation(),
        s3: cloud.s3(),
    };
    let found = describe(&work.client, work.name).await?;
    let ended = match found.filter(|stack| stack.state() != State::Gone) {
        Some(stack) => delete_stack(&work, &stack, &mut limits).await,
        None => delete_leftovers_only(&work, &mut limits).await,
    };
    reporter.clear_progress();
    ended
}

/// Deletes a stack that exists.
async fn delete_stack(
    work: &Work<'_>,
    stack: &Description,
    limits: &mut WaitLimits,
) -> Result<Exit, CliError> {
    let state = stack.state();
    if matches!(state, State::Working | State::GoingBack) {
        return Err(busy(&work.client, stack).await?.into());
    }
    check_is_delivery(stack, work.arguments.adopt)?;
    let mut policies = Policies::default();
    let resources = resources_to_delete(work, stack, &mut policies).await?;
    show(work, stack, &resources);
    let begun = state == State::Deleting;
    // A deletion that someone else started cannot be held any more.
    if !begun {
        environments::check(work, &resources).await?;
    }
    if work.arguments.dry_run {
        work.reporter.notice("dry run: nothing was deleted");
        return Ok(Exit::Success);
    }
    if stack.protected {
        return Err(DownError::Protected {
            stack: stack.name.clone(),
        }
        .into());
    }
    let to_empty: Vec<&ResourceToDelete> = resources
        .iter()
        .filter(|one| one.is_emptied_first())
        .collect();
    if let Some(production) = to_empty.iter().find(|one| one.stays(work)) {
        return Err(DownError::TakesData {
            bucket: production.name().to_owned(),
        }
        .into());
    }
    // Someone else started the deletion: following it needs no confirmation, but emptying buckets does.
    if !begun || !to_empty.is_empty() {
        work.confirm()?;
    }
    tokio::select! {
        emptied = empty(work, &to_empty) => emptied?,
        () = limits.interrupt.received() => return Ok(interrupted(work)),
    }
    let follower = if begun {
        Follower::of_the_latest(&work.client, &stack.id).await?
    } else {
        begin(work, stack).await?
    };
    end(work, stack, follower, &mut policies, limits).await
}

/// Empties the buckets that CloudFormation deletes.
async fn empty(work: &Work<'_>, buckets: &[&ResourceToDelete]) -> Result<(), CliError> {
    for one in buckets {
        let bucket = work.bucket(one.name());
        if bucket.exists(&work.s3).await? {
            empty_one(work, bucket).await?;
        }
    }
    Ok(())
}

/// Deletes everything in a bucket, and shows how much of it is deleted.
async fn empty_one(work: &Work<'_>, bucket: Bucket<'_>) -> Result<(), CliError> {
    let report = |deleted, done| {
        work.reporter.report(StackMessage::Emptying {
            bucket: bucket.name.to_owned(),
            deleted,
            done,
        });
    };
    let progress = |deleted| {
        let text = format!("emptying s3://{}: {deleted} deleted", bucket.name);
        if !work.reporter.show_progress(&text) {
            report(deleted, false);
        }
        ControlFlow::Continue(())
    };
    let emptied = bucket.empty(&work.s3, progress).await?;
    report(emptied.deleted, true);
    Ok(())
}

/// Follows the deletion to its end, and deletes what it leaves.
async fn end(
    work: &Work<'_>,
    stack: &Description,
    mut follower: Follower,
    policies: &mut Policies,
    limits: &mut WaitLimits,
) -> Result<Exit, CliError> {
    match follow(
        &work.client,
        work.reporter,
        &mut follower,
        &stack.id,
        limits,
    )
    .await?
    {
        Followed::Interrupted => Ok(interrupted(work)),
        Followed::TimedOut(stack) => Err(limits.timed_out(&stack).into()),
        Followed::Ended(stack, _) if stack.state() == State::Gone => {
            work.reporter.report(StackMessage::Stack {
                name: stack.name.clone(),
                id: stack.id.clone(),
                status: stack.status.clone(),
                outputs: std::collections::BTreeMap::new(),
            });
            let left = left_of(work, &[stack.id]).await?;
            clean(work, &left, policies, limits).await
        }
        Followed::Ended(stack, events) => {
            conclude(work.reporter, &stack, &events)?;
            Err(StackError::failed(&stack, &events).into())
        }
    }
}

fn interrupted(work: &Work<'_>) -> Exit {
    work.reporter
        .notice("interrupted; run `delivery down` again to continue");
    Exit::Interrupted
}

/// Asks CloudFormation to delete the stack.
async fn begin(work: &Work<'_>, stack: &Description) -> Result<Follower, CliError> {
    let follower = Follower::from_now(&work.client, &stack.id).await?;
    work.client
        .delete_stack()
        .stack_name(&stack.id)
        .client_request_token(format!("delivery-{}", uuid::Uuid::new_v4().simple()))
        .send()
        .await
        .map_err(|error| CallError::new("cloudformation:DeleteStack", &stack.name, &error))?;
    Ok(follower)
}

/// A resource of the stack, with what its template says about its deletion.
struct ResourceToDelete {
    resource: Resource,
    policy: Policy,
}

impl ResourceToDelete {
    fn is_bucket(&self) -> bool {
        self.resource.kind == BUCKET && self.resource.physical.is_some()
    }

    fn name(&self) -> &str {
        self.resource.physical.as_deref().unwrap_or_default()
    }

    /// Whether CloudFormation deletes it, which it can only where it is empty.
    fn is_emptied_first(&self) -> bool {
        self.is_bucket() && !self.policy.is_retained
    }

    fn stays(&self, work: &Work<'_>) -> bool {
        self.policy.is_production && !work.arguments.include_data
    }
}

async fn resources_to_delete(
    work: &Work<'_>,
    stack: &Description,
    policies: &mut Policies,
) -> Result<Vec<ResourceToDelete>, CliError> {
    let resources = resources::list(&work.client, &stack.id).await?;
    let mut stacks = std::collections::HashMap::from([(String::new(), stack.id.clone())]);
    let mut to_delete = Vec::new();
    for resource in resources {
        if resource.is_deleted() {
            continue;
        }
        if let (NESTED_STACK, Some(id)) = (resource.kind.as_str(), &resource.physical) {
            stacks.insert(resource.path.clone(), id.clone());
        }
        let parent = resource
            .path
            .rsplit_once('/')
            .map_or("", |(parent, _)| parent);
        let policy = match (resource.kind.as_str(), stacks.get(parent)) {
            (BUCKET, Some(stack_id)) => {
                policies
                    .of(&work.client, stack_id, resource.logical())
                    .await?
            }
            _ => Policy::default(),
        };
        to_delete.push(ResourceToDelete { resource, policy });
    }
    Ok(to_delete)
}

fn show(work: &Work<'_>, stack: &Description, resources: &[ResourceToDelete]) {
    work.reporter.notice(format!(
        "the stack `{}` ({}) in {} of account {}:",
        stack.name, stack.status, work.region, work.account
    ));
    for one in resources {
        report_going(
            work,
            one.resource.path.clone(),
            &one.resource.kind,
            one.resource.physical.clone(),
            one.stays(work),
        );
    }
}

fn report_going(
    work: &Work<'_>,
    path: String,
    kind: &str,
    physical_id: Option<String>,
    stays: bool,
) {
    work.reporter.report(StackMessage::Going {
        path,
        resource_type: kind.to_owned(),
        physical_id,
        stays,
    });
}
