//! A stack as CloudFormation describes it.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::primitives::DateTime;
use aws_sdk_cloudformation::types::Stack;
use delivery_action::aws::CallError;
use jiff::Timestamp;

use crate::error::Explained;
use crate::exit::Exit;

use super::parameters;
use super::state::State;
use crate::message::StackMessage;

/// What the description of every root template of this project begins with, since its first: what tells a
/// stack of this project from one that only has the name that a command was given.
const MARK: &str = "Serverless Delivery:";

/// Whether a template with this description is one of this project's.
pub(crate) fn is_delivery(description: Option<&str>) -> bool {
    description.is_some_and(|text| text.starts_with(MARK))
}

/// A stack.
#[expect(
    clippy::struct_field_names,
    reason = "CloudFormation's word for the text of a template"
)]
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
    /// The description of its template.
    pub(crate) description: Option<String>,
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

    /// Fails where it is a stack of something else, unless that was agreed to.
    ///
    /// The stack's name may be the directory's, or what a repository's `delivery.toml` says: a name alone
    /// does not justify replacing what is in a stack, or deleting it.
    pub(crate) fn check_is_delivery(&self, adopt: bool) -> Result<(), ForeignStack> {
        // A stack under review has no template yet, so there is nothing in it to lose.
        if adopt || self.state() == State::Review || is_delivery(self.description.as_deref()) {
            return Ok(());
        }
        Err(ForeignStack {
            stack: self.name.clone(),
            description: self.description.clone(),
        })
    }

    /// The stack as a message.
    pub(crate) fn message(&self) -> StackMessage {
        StackMessage::Stack {
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
        Self {
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
#[error("no stack named `{stack}` in {region}")]
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
            "launch it with `delivery up`, or use another one: `--stack-name NAME`, `--region REGION`"
                .to_owned(),
        )
    }
}

/// The stack was not launched from a template of this project.
#[derive(Debug, thiserror::Error)]
#[error(
    "the stack `{stack}` was not launched by Serverless Delivery ({}); nothing was changed",
    .description.as_ref().map_or_else(
        || "its template has no description".to_owned(),
        |text| format!("its template describes itself as \"{text}\"")
    )
)]
pub(crate) struct ForeignStack {
    stack: String,
    description: Option<String>,
}

impl Explained for ForeignStack {
    fn exit(&self) -> Exit {
        Exit::Failed
    }

    fn kind(&self) -> &'static str {
        "foreign-stack"
    }

    fn hint(&self) -> Option<String> {
        Some(
            "use another stack: `--stack-name NAME`; if you do mean this one, run the command again with `--adopt`"
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

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(status: &str, description: Option<&str>) -> Description {
        Description::from(
            Stack::builder()
                .stack_name("billing-production")
                .stack_status(status.into())
                .set_description(description.map(str::to_owned))
                .creation_time(DateTime::from_secs(0))
                .build(),
        )
    }

    #[test]
    fn a_stack_of_something_else_is_left_alone_unless_it_is_adopted() {
        let foreign = stack("CREATE_COMPLETE", Some("Billing"));
        let error = foreign.check_is_delivery(false).unwrap_err();
        assert_eq!(
            crate::error::CliError::from(error).message(),
            "the stack `billing-production` was not launched by Serverless Delivery (its template describes itself as \
             \"Billing\"); nothing was changed\n  help: use another stack: `--stack-name NAME`; if you do mean this one, run the command again with `--adopt`"
        );
        assert!(foreign.check_is_delivery(true).is_ok());
        let bare = stack("ROLLBACK_COMPLETE", None);
        assert!(bare.check_is_delivery(false).is_err());
        let review = stack("REVIEW_IN_PROGRESS", None);
        assert!(review.check_is_delivery(false).is_ok());
    }

    #[test]
    fn the_root_template_bears_the_mark() {
        let path = crate::checkout::find()
            .unwrap()
            .join("cloudformation/delivery.yaml");
        let text = std::fs::read_to_string(path).unwrap();
        let template = crate::stack::template::Template::read(&text).unwrap();
        let description = template.value()["Description"].as_str();
        assert!(is_delivery(description));
        assert!(
            stack("CREATE_COMPLETE", description)
                .check_is_delivery(false)
                .is_ok()
        );
    }
}
