//! A stack as CloudFormation describes it.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::primitives::DateTime;
use aws_sdk_cloudformation::types::Stack;
use delivery_action::aws::CallError;
use jiff::Timestamp;

use crate::parameters;
use crate::state::State;

/// A stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// Its id (ARN), by which it is found also after it was deleted.
    pub id: String,
    /// CloudFormation's word for its status.
    pub status: String,
    /// What CloudFormation says of the status.
    pub reason: Option<String>,
    /// The description of its template.
    pub description: Option<String>,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
    /// The values of its parameters; those of parameters with `NoEcho` are asterisks.
    pub parameters: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The ARN of the role that CloudFormation works with; the caller's rights count where there is none.
    pub role: Option<String>,
    /// Whether it is protected from being deleted.
    pub protected: bool,
    /// When it was created.
    pub created: Option<Timestamp>,
    /// When it was last changed, if ever.
    pub updated: Option<Timestamp>,
}

impl Description {
    /// What the status means for what can be done next.
    #[must_use]
    pub fn state(&self) -> State {
        State::of(&self.status)
    }
}

impl From<Stack> for Description {
    fn from(stack: Stack) -> Self {
        let text = |value: Option<&String>| value.cloned().unwrap_or_default();
        let outputs = stack.outputs();
        let outputs = outputs.iter().map(|output| {
            let (key, value) = (output.output_key.as_ref(), output.output_value.as_ref());
            (text(key), text(value))
        });
        let tags = stack.tags().iter();
        let tags = tags.map(|tag| (text(tag.key.as_ref()), text(tag.value.as_ref())));
        Self {
            tags: tags.collect(),
            outputs: outputs.collect(),
            parameters: parameters::values_of(stack.parameters()),
            name: text(stack.stack_name.as_ref()),
            id: text(stack.stack_id.as_ref()),
            status: stack
                .stack_status
                .as_ref()
                .map_or_else(String::new, |status| status.as_str().to_owned()),
            reason: stack
                .stack_status_reason
                .clone()
                .filter(|text| !text.is_empty()),
            description: stack.description.clone(),
            role: stack.role_arn.clone().filter(|role| !role.is_empty()),
            protected: stack.enable_termination_protection.unwrap_or_default(),
            created: stack.creation_time.as_ref().and_then(timestamp),
            updated: stack.last_updated_time.as_ref().and_then(timestamp),
        }
    }
}

/// The stack of a name or an id; `None` where there is none (of an id: where there never was one).
///
/// # Errors
///
/// A call failed.
pub async fn describe(client: &Client, stack: &str) -> Result<Option<Description>, CallError> {
    match client.describe_stacks().stack_name(stack).send().await {
        Ok(output) => Ok(output.stacks.and_then(|stacks| {
            let first = stacks.into_iter().next();
            first.map(Description::from)
        })),
        Err(error) => {
            let error = CallError::new("cloudformation:DescribeStacks", stack, &error);
            if is_absent(&error) {
                return Ok(None);
            }
            Err(error)
        }
    }
}

/// All stacks of the account and region that are there, without those nested in others.
///
/// # Errors
///
/// A call failed.
pub async fn list(client: &Client) -> Result<Vec<Description>, CallError> {
    let mut pages = client.describe_stacks().into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page =
            page.map_err(|error| CallError::new("cloudformation:DescribeStacks", "*", &error))?;
        let stacks = page.stacks.unwrap_or_default().into_iter();
        let stacks = stacks.filter(|stack| stack.parent_id.is_none());
        found.extend(stacks.map(Description::from));
    }
    found.retain(|stack| stack.state() != State::Gone);
    Ok(found)
}

/// Whether a call was refused because the stack is not there: CloudFormation has no error code for it.
#[must_use]
pub fn is_absent(error: &CallError) -> bool {
    error.is_code("ValidationError") && error.message.contains("does not exist")
}

/// An SDK's time.
#[must_use]
pub fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::from_nanosecond(time.as_nanos()).ok()
}
