//! Which stacks are of this project, and the errors of those that are not, or are not there.

use aws_sdk_cloudformation::Client;
use delivery_stack::description::{Description, describe};
use delivery_stack::state::State;

use crate::error::Explained;
use crate::exit::Exit;
use crate::message::StackMessage;

/// What the description of every root template of this project begins with, since its first: what tells a
/// stack of this project from one that only has the name that a command was given.
const MARK: &str = "Serverless Delivery:";

/// Whether a template with this description is one of this project's.
pub(crate) fn is_delivery(description: Option<&str>) -> bool {
    description.is_some_and(|text| text.starts_with(MARK))
}

/// Fails where it is a stack of something else, unless that was agreed to.
///
/// The stack's name may be the directory's, or what a repository's `delivery.toml` says: a name alone
/// does not justify replacing what is in a stack, or deleting it.
pub(crate) fn check_is_delivery(stack: &Description, adopt: bool) -> Result<(), ForeignStack> {
    // A stack under review has no template yet, so there is nothing in it to lose.
    if adopt || stack.state() == State::Review || is_delivery(stack.description.as_deref()) {
        return Ok(());
    }
    Err(ForeignStack {
        stack: stack.name.clone(),
        description: stack.description.clone(),
    })
}

/// The stack as a message.
pub(crate) fn message(stack: &Description) -> StackMessage {
    StackMessage::Stack {
        name: stack.name.clone(),
        id: stack.id.clone(),
        status: stack.status.clone(),
        outputs: stack.outputs.clone(),
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

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::primitives::DateTime;
    use aws_sdk_cloudformation::types::Stack;

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
        let error = check_is_delivery(&foreign, false).unwrap_err();
        assert_eq!(
            crate::error::CliError::from(error).message(),
            "the stack `billing-production` was not launched by Serverless Delivery (its template describes itself as \
             \"Billing\"); nothing was changed\n  help: use another stack: `--stack-name NAME`; if you do mean this one, run the command again with `--adopt`"
        );
        assert!(check_is_delivery(&foreign, true).is_ok());
        let bare = stack("ROLLBACK_COMPLETE", None);
        assert!(check_is_delivery(&bare, false).is_err());
        let review = stack("REVIEW_IN_PROGRESS", None);
        assert!(check_is_delivery(&review, false).is_ok());
    }

    #[test]
    fn the_root_template_bears_the_mark() {
        let path = crate::checkout::of_tests().join("cloudformation/delivery.yaml");
        let text = std::fs::read_to_string(path).unwrap();
        let template = delivery_stack::template::Template::read(&text).unwrap();
        let description = template.value()["Description"].as_str();
        assert!(is_delivery(description));
        assert!(check_is_delivery(&stack("CREATE_COMPLETE", description), false).is_ok());
    }
}
