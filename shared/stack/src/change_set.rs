//! A change set: created, read together with the change sets of nested stacks, executed or deleted.
//!
//! CloudFormation lists every nested stack as changed, whether it is or not, and a change set of nested stacks without
//! any change can be executed all the same. So the nested change sets are read too, nested stacks without changes are
//! left out, and where nothing is left the templates and parameters are compared.

mod changes;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{
    Capability, ChangeSetStatus, ChangeSetType, ExecutionStatus, ResourceChange, Tag, TemplateStage,
};
use delivery_action::aws::CallError;
use tokio::time::sleep;

use crate::NESTED_STACK;
use crate::description::{self, Description};
use crate::parameters::{self, Value};
use crate::state::State;

pub use changes::{Change, ResourceAction};
use changes::{drop_empty_stacks, read_change};

/// How CloudFormation describes a change set without changes: it has no status for it.
const NO_CHANGES: [&str; 2] = ["didn't contain changes", "No updates are to be performed"];

/// Polling interval for the end of an empty stack.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The limit of looks, a minute in all: the stack is empty.
const MOST_LOOKS: u32 = 60;

/// A template as a call takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateSource {
    /// The text itself, of at most 51,200 bytes.
    Body(String),
    /// The address of an object in S3.
    Url(String),
}

/// What to do with a stack.
#[derive(Clone, Debug)]
pub struct ChangeSetRequest<'a> {
    /// The stack's name.
    pub stack: &'a str,
    /// The change set's name, which is its token too.
    pub name: &'a str,
    /// Whether the stack is created.
    pub creates: bool,
    /// The template.
    pub template: &'a TemplateSource,
    /// The parameters.
    pub parameters: &'a BTreeMap<String, Value>,
    /// What the template may do that CloudFormation asks about, in its words.
    pub capabilities: &'a [&'a str],
    /// The role that CloudFormation works with from then on; the caller's rights where there is none.
    pub role_arn: Option<&'a str>,
    /// The stack's tags; those that it has stay where there are none here.
    pub tags: &'a BTreeMap<String, String>,
    /// Who asks.
    pub description: &'a str,
}

/// A change set as CloudFormation computed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// It can be executed.
    Ready {
        /// The stack's id.
        stack_id: String,
        /// What it would change.
        changes: Vec<Change>,
    },
    /// There is nothing to change.
    Nothing,
    /// It was executed, or the stack has changed since, so that it cannot be any more.
    Over,
    /// CloudFormation rejects it.
    Refused {
        /// Why.
        reason: String,
    },
}

/// Asks for a change set.
///
/// # Errors
///
/// The call failed; that there is a change set of the name is `AlreadyExistsException`.
pub async fn create(client: &Client, request: &ChangeSetRequest<'_>) -> Result<(), CallError> {
    let kind = if request.creates {
        ChangeSetType::Create
    } else {
        ChangeSetType::Update
    };
    let (body, url) = match request.template {
        TemplateSource::Body(text) => (Some(text.clone()), None),
        TemplateSource::Url(url) => (None, Some(url.clone())),
    };
    let capabilities = request.capabilities.iter().copied().map(Capability::from);
    let tags = request.tags.iter();
    let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build());
    let has_tags = !request.tags.is_empty();
    client
        .create_change_set()
        .stack_name(request.stack)
        .change_set_name(request.name)
        .client_token(request.name)
        .change_set_type(kind)
        .set_template_body(body)
        .set_template_url(url)
        .set_parameters(Some(parameters::for_the_call(request.parameters)))
        .set_capabilities(Some(capabilities.collect()))
        .set_role_arn(request.role_arn.map(str::to_owned))
        .set_tags(has_tags.then(|| tags.collect()))
        .include_nested_stacks(true)
        .description(request.description)
        .send()
        .await
        .map_err(|error| CallError::new("cloudformation:CreateChangeSet", request.stack, &error))?;
    Ok(())
}

/// Waits until CloudFormation has computed it, and asks in this interval.
///
/// # Errors
///
/// Those of [`look`].
pub async fn prepared(
    client: &Client,
    stack: &str,
    name: &str,
    current: Option<&Description>,
    interval: Duration,
) -> Result<Prepared, CallError> {
    loop {
        match look(client, stack, name, current).await? {
            Some(prepared) => return Ok(prepared),
            None => sleep(interval).await,
        }
    }
}

/// A change set, or `None` as long as CloudFormation computes it. `current` is the stack as it is, where it is
/// updated.
///
/// # Errors
///
/// A call failed; [`is_gone`] tells that there is no such change set.
pub async fn look(
    client: &Client,
    stack: &str,
    name: &str,
    current: Option<&Description>,
) -> Result<Option<Prepared>, CallError> {
    let found = describe(client, Some(stack), name).await?;
    match found.status {
        Some(ChangeSetStatus::CreateComplete) if found.is_over() => Ok(Some(Prepared::Over)),
        Some(ChangeSetStatus::CreateComplete) => {
            ready(client, name, current, found).await.map(Some)
        }
        Some(ChangeSetStatus::Failed) => refused(client, found).await.map(Some),
        _ => Ok(None),
    }
}

async fn ready(
    client: &Client,
    name: &str,
    current: Option<&Description>,
    found: Described,
) -> Result<Prepared, CallError> {
    let (stack_id, parameters) = (found.stack_id, found.parameters);
    let mut changes = Vec::new();
    let mut open = vec![(String::new(), found.changes)];
    while let Some((prefix, found)) = open.pop() {
        for change in found {
            let nested = change.change_set_id.clone().filter(|id| !id.is_empty());
            let is_stack = change.resource_type() == Some(NESTED_STACK);
            let read = read_change(&prefix, &change);
            if let (true, Some(id)) = (is_stack, nested) {
                let inner = describe(client, None, &id).await?;
                // CloudFormation lists every nested stack as changed; only its own change set shows whether it
                // is. One with changed properties counts all the same: a new template may change nothing but
                // outputs, which are not resources.
                let unchanged = read.properties.is_empty() && inner.changes.is_empty();
                if read.action == ResourceAction::Change && unchanged {
                    continue;
                }
                open.push((format!("{}/", read.path), inner.changes));
            }
            changes.push(read);
        }
    }
    drop_empty_stacks(&mut changes);
    if changes.is_empty() && is_same(client, name, current, &parameters).await? {
        return Ok(Prepared::Nothing);
    }
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Prepared::Ready { stack_id, changes })
}

/// Whether a change set without resource changes changes nothing at all. CloudFormation also creates an
/// executable one when only outputs change, and with nested stacks even when nothing does, so its template and
/// parameters are compared with those of the stack.
async fn is_same(
    client: &Client,
    name: &str,
    current: Option<&Description>,
    parameters: &BTreeMap<String, String>,
) -> Result<bool, CallError> {
    let Some(current) = current else {
        return Ok(false);
    };
    // A parameter that the change set does not list has its default or its previous value.
    let changes = |(name, value)| current.parameters.get(name) != Some(value);
    if parameters.iter().any(changes) {
        return Ok(false);
    }
    let old = template(client, &current.id, None).await?;
    let new = template(client, &current.id, Some(name)).await?;
    Ok(old == new)
}

/// The template of a stack, or of a change set of it, as it was given.
async fn template(
    client: &Client,
    stack: &str,
    change_set: Option<&str>,
) -> Result<Option<String>, CallError> {
    let found = client
        .get_template()
        .stack_name(stack)
        .set_change_set_name(change_set.map(str::to_owned))
        .template_stage(TemplateStage::Original)
        .send()
        .await
        .map_err(|error| CallError::new("cloudformation:GetTemplate", stack, &error))?;
    Ok(found.template_body)
}

/// Why it failed: the reason of the innermost nested change set, since those around it only say that it failed.
async fn refused(client: &Client, found: Described) -> Result<Prepared, CallError> {
    let is_nothing = |reason: &str| NO_CHANGES.iter().any(|text| reason.contains(text));
    let mut reason = found.reason;
    if is_nothing(&reason) {
        return Ok(Prepared::Nothing);
    }
    let mut nested: Vec<String> = nested_change_sets(&reason);
    while let Some(id) = nested.pop() {
        let inner = describe(client, None, &id).await?;
        if inner.status == Some(ChangeSetStatus::Failed) && !is_nothing(&inner.reason) {
            nested = nested_change_sets(&inner.reason);
            reason = inner.reason;
        }
    }
    Ok(Prepared::Refused { reason })
}

/// The nested change sets that a reason names.
fn nested_change_sets(reason: &str) -> Vec<String> {
    reason
        .split(|character: char| character.is_whitespace() || ",[]\"'".contains(character))
        .filter(|word| word.contains(":changeSet/"))
        .map(|word| word.trim_end_matches(['.', ':']).to_owned())
        .collect()
}

/// A change set as it is read.
#[derive(Debug, Default)]
struct Described {
    stack_id: String,
    status: Option<ChangeSetStatus>,
    execution: Option<ExecutionStatus>,
    reason: String,
    parameters: BTreeMap<String, String>,
    changes: Vec<ResourceChange>,
}

impl Described {
    /// The service says `UNAVAILABLE` also while it computes, and some only `AVAILABLE` or nothing.
    fn is_over(&self) -> bool {
        matches!(
            self.execution,
            Some(
                ExecutionStatus::ExecuteInProgress
                    | ExecutionStatus::ExecuteComplete
                    | ExecutionStatus::ExecuteFailed
                    | ExecutionStatus::Obsolete
            )
        )
    }
}

async fn describe(
    client: &Client,
    stack: Option<&str>,
    name: &str,
) -> Result<Described, CallError> {
    let mut pages = client
        .describe_change_set()
        .set_stack_name(stack.map(str::to_owned))
        .change_set_name(name)
        .into_paginator()
        .send();
    let mut described = Described::default();
    while let Some(page) = pages.next().await {
        let page: DescribeChangeSetOutput = page.map_err(|error| {
            CallError::new(
                "cloudformation:DescribeChangeSet",
                stack.unwrap_or(name),
                &error,
            )
        })?;
        described.stack_id = page.stack_id.unwrap_or_default();
        described.status = page.status;
        described.execution = page.execution_status;
        described.reason = page.status_reason.unwrap_or_default();
        described.parameters.extend(parameters::values_of(
            page.parameters.as_deref().unwrap_or_default(),
        ));
        let changes = page.changes.unwrap_or_default();
        described.changes.extend(
            changes
                .into_iter()
                .filter_map(|change| change.resource_change),
        );
    }
    Ok(described)
}

/// Executes it. `token` is that of the stack's events. With `retain_except_on_create`, a failed creation also deletes the buckets that it has just
/// created, although they are retained otherwise: they are empty, and the next creation would fail on their names.
///
/// # Errors
///
/// The call failed; [`is_gone`] and `InvalidChangeSetStatus` tell that someone else changed the stack.
pub async fn execute(
    client: &Client,
    stack: &str,
    name: &str,
    token: &str,
) -> Result<(), CallError> {
    client
        .execute_change_set()
        .stack_name(stack)
        .change_set_name(name)
        .client_request_token(token)
        .retain_except_on_create(true)
        .send()
        .await
        .map_err(|error| CallError::new("cloudformation:ExecuteChangeSet", stack, &error))?;
    Ok(())
}

/// Deletes it; that it does not exist is not an error.
///
/// # Errors
///
/// The call failed.
pub async fn delete(client: &Client, stack: &str, name: &str) -> Result<(), CallError> {
    let deleted = client
        .delete_change_set()
        .stack_name(stack)
        .change_set_name(name)
        .send()
        .await;
    match deleted {
        Ok(_) => Ok(()),
        Err(error) => {
            let error = CallError::new("cloudformation:DeleteChangeSet", stack, &error);
            let gone = is_gone(&error) || description::is_absent(&error);
            if gone { Ok(()) } else { Err(error) }
        }
    }
}

/// Deletes a stack that contains nothing. A stack that someone else has started to create stays, and so does
/// one with another change set.
///
/// # Errors
///
/// A call failed.
pub async fn delete_empty_stack(client: &Client, stack: &str) -> Result<(), CallError> {
    for asked in 0..MOST_LOOKS {
        match description::describe(client, stack).await? {
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
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

async fn is_empty(client: &Client, stack: &str) -> Result<bool, CallError> {
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

/// Whether the change set does not exist: deleted, or removed because another one was executed.
#[must_use]
pub fn is_gone(error: &CallError) -> bool {
    error.is_code("ChangeSetNotFound") || error.is_code("ChangeSetNotFoundException")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nested_change_set_of_a_reason_is_found() {
        let id =
            "arn:aws:cloudformation:eu-west-1:111122223333:changeSet/delivery-1-Application-X/2";
        let reason =
            format!("Nested change set {id} was not successfully created: Currently in FAILED.");
        assert_eq!(nested_change_sets(&reason), [id]);
        assert!(nested_change_sets("Parameters: [X] must have values").is_empty());
    }
}
