//! What a deleted stack left: found by its events, emptied and deleted unless it holds production data.

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::StackStatus;
use delivery_action::aws::CallError;
use delivery_stack::deletion::bucket::BUCKET;
use delivery_stack::deletion::leftovers::{Leftover, leftovers};
use delivery_stack::deletion::policies::Policies;
use delivery_stack::description::is_absent;
use delivery_stack::events;

use crate::error::CliError;
use crate::exit::Exit;
use crate::message::StackMessage;
use crate::stack::description::is_delivery;
use crate::stack::follow::WaitLimits;

use super::{DownError, Work, empty_one, interrupted, report_going};

/// Deletes what earlier deletions of stacks of this name left.
pub(super) async fn delete_leftovers_only(
    work: &Work<'_>,
    limits: &mut WaitLimits,
) -> Result<Exit, CliError> {
    let deleted = deleted_stacks(&work.client, work.name).await?;
    let left = left_of(work, &deleted).await?;
    let mut policies = Policies::default();
    let mut existing = Vec::new();
    for leftover in left {
        let Some(name) = leftover
            .physical
            .clone()
            .filter(|_| leftover.kind == BUCKET)
        else {
            continue;
        };
        if work.bucket(&name).exists(&work.s3).await? {
            existing.push(leftover);
        }
    }
    if existing.is_empty() {
        work.reporter.notice(format!(
            "nothing to delete: no stack named `{}` in {}, and no leftovers of one",
            work.name, work.region
        ));
        return Ok(Exit::Success);
    }
    work.reporter.notice(format!(
        "the stack `{}` is deleted; these of its buckets still exist:",
        work.name
    ));
    let mut any_goes = false;
    for leftover in &existing {
        let stays = stays(work, &mut policies, leftover).await?;
        any_goes |= !stays;
        report_going(
            work,
            leftover.path(),
            &leftover.kind,
            leftover.physical.clone(),
            stays,
        );
    }
    if work.arguments.dry_run {
        work.reporter.notice("dry run: nothing was deleted");
        return Ok(Exit::Success);
    }
    if any_goes {
        work.confirm()?;
    }
    clean(work, &existing, &mut policies, limits).await
}

/// The ids of the deleted stacks of a name that were launched by this project, as long as CloudFormation
/// keeps them.
async fn deleted_stacks(client: &Client, name: &str) -> Result<Vec<String>, CallError> {
    let mut pages = client
        .list_stacks()
        .stack_status_filter(StackStatus::DeleteComplete)
        .into_paginator()
        .send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page =
            page.map_err(|error| CallError::new("cloudformation:ListStacks", "*", &error))?;
        let of_the_name = page.stack_summaries.unwrap_or_default().into_iter();
        let of_the_name = of_the_name
            .filter(|stack| stack.stack_name.as_deref() == Some(name))
            .filter(|stack| is_delivery(stack.template_description.as_deref()))
            .filter_map(|stack| stack.stack_id);
        found.extend(of_the_name);
    }
    Ok(found)
}

/// What deleted stacks left behind. Their events may be 90 days old, and another stack may have imported a
/// resource since: such a resource is not touched.
pub(super) async fn left_of(work: &Work<'_>, stacks: &[String]) -> Result<Vec<Leftover>, CliError> {
    let mut left = Vec::new();
    for stack in stacks {
        for leftover in leftovers(&events::all(&work.client, stack).await?) {
            match owner(&work.client, &leftover).await? {
                None => left.push(leftover),
                Some(owner) => work.reporter.notice(format!(
                    "{} stays: it belongs to the stack `{owner}` now",
                    leftover.physical.as_deref().unwrap_or_default()
                )),
            }
        }
    }
    Ok(left)
}

/// The stack that a resource belongs to now, where it was imported into another one.
async fn owner(client: &Client, leftover: &Leftover) -> Result<Option<String>, CallError> {
    let Some(physical) = &leftover.physical else {
        return Ok(None);
    };
    let found = client
        .describe_stack_resources()
        .physical_resource_id(physical)
        .send()
        .await;
    match found {
        Ok(found) => Ok(found
            .stack_resources()
            .iter()
            .find(|resource| {
                let status = resource.resource_status();
                resource.stack_id() != Some(&leftover.stack_id)
                    && status.is_some_and(|status| !status.as_str().starts_with("DELETE_"))
            })
            .and_then(|resource| resource.stack_name.clone())),
        Err(error) => {
            let error = CallError::new("cloudformation:DescribeStackResources", physical, &error);
            if is_absent(&error) {
                return Ok(None);
            }
            Err(error)
        }
    }
}

/// Empties and deletes the buckets that are left, and reports what stays.
pub(super) async fn clean(
    work: &Work<'_>,
    left: &[Leftover],
    policies: &mut Policies,
    limits: &mut WaitLimits,
) -> Result<Exit, CliError> {
    let mut unwanted = Vec::new();
    let mut some_stay = false;
    for leftover in left {
        let stays = stays(work, policies, leftover).await?;
        let name = leftover.physical.as_deref().unwrap_or_default();
        if leftover.kind == BUCKET && !stays {
            let gone = tokio::select! {
                gone = delete_bucket(work, name) => gone,
                () = limits.interrupt.received() => return Ok(interrupted(work)),
            };
            gone?;
            if !work.bucket(name).exists(&work.s3).await? {
                continue;
            }
        }
        work.reporter.report(StackMessage::Left {
            path: leftover.path(),
            resource_type: leftover.kind.clone(),
            physical_id: leftover.physical.clone(),
            wanted: stays,
        });
        if stays {
            some_stay = true;
        } else {
            unwanted.push(leftover.path());
        }
    }
    if !unwanted.is_empty() {
        return Err(DownError::Left {
            stack: work.name.to_owned(),
            paths: unwanted,
        }
        .into());
    }
    work.reporter.notice(if some_stay {
        "verified: nothing else is left; what stays holds production data (`delivery down --include-data` deletes it too)"
    } else {
        "verified: nothing of the stack is left; the bucket with the packages stays, since other stacks may use it"
    });
    Ok(Exit::Success)
}

async fn delete_bucket(work: &Work<'_>, name: &str) -> Result<(), CliError> {
    let bucket = work.bucket(name);
    if bucket.exists(&work.s3).await? {
        empty_one(work, bucket).await?;
        bucket.delete(&work.s3).await?;
        work.reporter.report(StackMessage::BucketDeleted {
            bucket: name.to_owned(),
        });
    }
    Ok(())
}

/// Whether it stays: it holds production data and `--include-data` was not given.
async fn stays(
    work: &Work<'_>,
    policies: &mut Policies,
    leftover: &Leftover,
) -> Result<bool, CliError> {
    if work.arguments.include_data {
        return Ok(false);
    }
    let policy = policies.of(&work.client, &leftover.stack_id, &leftover.logical);
    Ok(policy.await?.is_production)
}
