//! A stack as CloudFormation describes it.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::primitives::DateTime;
use aws_sdk_cloudformation::types::Stack;
use jiff::Timestamp;
use shared::aws::CallError;

use crate::error::Explained;
use crate::exit::Exit;

use super::state::State;
use super::told::News;

/// A stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    /// Its name.
    pub(crate) name: String,
    /// Its id (ARN), by which it is found also after it was deleted.
    pub(crate) id: String,
    /// CloudFormation's word for its status.
    pub(crate) status: String,
    /// What CloudFormation says of the status.
    pub(crate) reason: Option<String>,
    /// Its outputs.
    pub(crate) outputs: BTreeMap<String, String>,
    /// The values of its parameters; those of parameters with `NoEcho` are asterisks.
    pub(crate) parameters: BTreeMap<String, String>,
    /// Whether it is protected from being deleted.
    pub(crate) protected: bool,
    /// When it was created.
    pub(crate) created: Option<Timestamp>,
    /// When it was last changed, if ever.
    pub(crate) updated: Option<Timestamp>,
}

impl Description {
    /// What the status means for what can be done next.
    pub(crate) fn state(&self) -> State {
        State::of(&self.status)
    }

    /// How it is, as it is told.
    pub(crate) fn news(&self) -> News {
        News::Stack {
            name: self.name.clone(),
            id: self.id.clone(),
            status: self.status.clone(),
            outputs: self.outputs.clone(),
        }
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
        let parameters = stack.parameters();
        let parameters = parameters.iter().map(|parameter| {
            let value = parameter.resolved_value.as_ref();
            let value = value.or(parameter.parameter_value.as_ref());
            (text(parameter.parameter_key.as_ref()), text(value))
        });
        Self {
            outputs: outputs.collect(),
            parameters: parameters.collect(),
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
            protected: stack.enable_termination_protection.unwrap_or_default(),
            created: stack.creation_time.as_ref().and_then(timestamp),
            updated: stack.last_updated_time.as_ref().and_then(timestamp),
        }
    }
}

/// The stack of a name or an id; `None` where there is none (of an id: where there never was one).
pub(crate) async fn describe(
    client: &Client,
    stack: &str,
) -> Result<Option<Description>, CallError> {
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

/// The stack of a name, which has to be there.
pub(crate) async fn find(
    client: &Client,
    stack: &str,
    region: &str,
) -> Result<Description, crate::error::CliError> {
    match describe(client, stack).await? {
        Some(found) => Ok(found),
        None => Err(NoStack {
            stack: stack.to_owned(),
            region: region.to_owned(),
        }
        .into()),
    }
}

/// There is no such stack.
#[derive(Debug, thiserror::Error)]
#[error("there is no stack `{stack}` in {region}")]
pub(crate) struct NoStack {
    /// The name.
    pub(crate) stack: String,
    /// The region.
    pub(crate) region: String,
}

impl Explained for NoStack {
    fn exit(&self) -> Exit {
        Exit::NotFound
    }

    fn kind(&self) -> &'static str {
        "not-found"
    }

    fn hint(&self) -> Option<String> {
        Some(
            "launch it: `delivery up`; or name another one: `--stack-name NAME`, `--region REGION`"
                .to_owned(),
        )
    }
}

/// Whether a call was refused because the stack is not there: CloudFormation has no error code for it.
pub(crate) fn is_absent(error: &CallError) -> bool {
    error.is_code("ValidationError") && error.message.contains("does not exist")
}

/// An SDK's time.
pub(crate) fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::from_nanosecond(time.as_nanos()).ok()
}
