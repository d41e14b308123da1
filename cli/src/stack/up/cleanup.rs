//! Removes what an `up` has created so far that does not execute its change set.

use aws_sdk_cloudformation::Client;
use delivery_action::aws::CallError;
use delivery_stack::change_set;
use delivery_stack::description::describe;
use delivery_stack::state::State;
use tokio::time::{Duration, sleep};

use crate::cloud::Cloud;
use crate::error::CliError;
use crate::stack::publish::bucket::Bucket;
use crate::stack::publish::objects;

/// Polling interval for the end of an empty stack.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// The limit of polls, a minute in all: the stack is empty.
const ASKED_AT_MOST: u32 = 60;

/// What was created.
#[derive(Clone, Debug, Default)]
pub(super) struct Cleanup {
    /// The change set, by its stack's name and its own. Noted before it is asked for.
    pub(super) change_set: Option<(String, String)>,
    /// Whether the stack was made only to hold the change set.
    pub(super) makes_stack: bool,
    /// The bucket, where a dry run sent something.
    pub(super) bucket: Option<Bucket>,
    /// Whether the bucket was made by a dry run.
    pub(super) makes_bucket: bool,
    /// The keys that a dry run sent.
    pub(super) keys: Vec<String>,
}

impl Cleanup {
    /// Removes everything.
    pub(super) async fn run(&self, cloud: &Cloud) -> Result<(), CliError> {
        if let Some((stack, name)) = &self.change_set {
            let client = cloud.cloudformation();
            change_set::delete(&client, stack, name).await?;
            if self.makes_stack {
                delete_empty_stack(&client, stack).await?;
            }
        }
        if let Some(bucket) = &self.bucket {
            let s3 = cloud.s3();
            for key in &self.keys {
                objects::take_back(&s3, bucket, key).await?;
            }
            if self.makes_bucket {
                bucket.delete(&s3).await?;
            }
        }
        Ok(())
    }
}

/// Deletes a stack that contains nothing. A stack that someone else has started to create stays, and so does
/// one with another change set.
async fn delete_empty_stack(client: &Client, stack: &str) -> Result<(), CliError> {
    for asked in 0..ASKED_AT_MOST {
        match describe(client, stack).await? {
            Some(found) if found.state() == State::Review => {
                // Only once: someone may create a stack of this name after the deletion.
                if asked == 0 && !is_empty(client, &found.id).await? {
                    return Ok(());
                }
                if asked == 0 {
                    let deleted = client.delete_stack().stack_name(&found.id).send().await;
                    deleted.map_err(|error| {
                        CallError::new("cloudformation:DeleteStack", stack, &error)
                    })?;
                }
            }
            Some(found) if found.state() == State::Deleting => {}
            _ => return Ok(()),
        }
        sleep(ASK_EVERY).await;
    }
    Ok(())
}

async fn is_empty(client: &Client, stack: &str) -> Result<bool, CliError> {
    let mut pages = client
        .list_change_sets()
        .stack_name(stack)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let page =
            page.map_err(|error| CallError::new("cloudformation:ListChangeSets", stack, &error))?;
        if !page.summaries().is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}
