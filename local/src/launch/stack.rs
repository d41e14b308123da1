//! Creates or updates a stack through a change set; a failure names the resource that failed first.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudformation::Client;
use delivery_action::aws::CallError;
use delivery_stack::change_set::{self, ChangeSetRequest, Prepared, TemplateSource};
use delivery_stack::description::{Description, describe};
use delivery_stack::events::latest_operation;
use delivery_stack::failure::FirstFailure;
use delivery_stack::parameters::Value;
use delivery_stack::state::State;
use tokio::time::{Instant, sleep, timeout};

use super::Error;
use super::clients::{Clients, message};

/// How long a stack may take: what it makes is local, and six packages are unpacked (5 s measured on two
/// busy cores).
const COMPLETE_WITHIN: Duration = Duration::from_mins(3);

/// How often its status is asked for.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// What our own templates, and those of functions of the user's own, may do that CloudFormation asks about.
const CAPABILITIES: [&str; 1] = ["CAPABILITY_IAM"];

/// What a launch did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// There was no such stack.
    Created,
    /// It was there, and something changed.
    Updated,
    /// It was there as it should be.
    Unchanged,
}

/// Whether the last change of the stack was complete and gave its parameters these values.
pub(super) async fn is_as_wanted(
    clients: &Clients,
    stack: &str,
    values: &BTreeMap<String, String>,
) -> Result<bool, Error> {
    let found = describe(&clients.cloudformation, stack).await?;
    Ok(found.is_some_and(|found| found.state() == State::Complete && found.parameters == *values))
}

/// Brings the stack to the template at that address.
pub(super) async fn change(
    clients: &Clients,
    stack: &str,
    template_url: &str,
    parameters: &BTreeMap<String, String>,
) -> Result<Change, Error> {
    let client = &clients.cloudformation;
    let found = describe(client, stack).await?;
    let current = match found.as_ref().map(Description::state) {
        None | Some(State::Gone | State::Review) => None,
        Some(State::NeverCreated | State::Broken) => {
            delete(client, stack).await?; // a stack whose creation failed can only be deleted
            None
        }
        Some(_) => found.as_ref(),
    };
    let values = parameters.iter();
    let values = values.map(|(name, value)| (name.clone(), Value::Given(value.clone())));
    let name = format!("delivery-{}", uuid::Uuid::new_v4().simple());
    let request = ChangeSetRequest {
        stack,
        name: &name,
        creates: current.is_none(),
        template: &TemplateSource::Url(template_url.to_owned()),
        parameters: &values.collect(),
        capabilities: &CAPABILITIES,
        role_arn: None,
        tags: &BTreeMap::new(),
        description: "a local launch",
    };
    change_set::create(client, &request).await?;
    let prepared = change_set::prepared(client, stack, &name, current, ASK_EVERY);
    let prepared = timeout(COMPLETE_WITHIN, prepared).await;
    match prepared.map_err(|_| slow(stack, "computing a change set".to_owned()))?? {
        Prepared::Nothing => return Ok(Change::Unchanged),
        Prepared::Over => {
            return Err(Error::Refused {
                stack: stack.to_owned(),
                reason: "someone else changed the stack in the meantime".to_owned(),
            });
        }
        Prepared::Refused { reason } => {
            return Err(Error::Refused {
                stack: stack.to_owned(),
                reason,
            });
        }
        Prepared::Ready { .. } => {}
    }
    change_set::execute(client, stack, &name, &name).await?;
    wait(client, stack).await?;
    Ok(if current.is_none() {
        Change::Created
    } else {
        Change::Updated
    })
}

/// Waits until the stack is complete.
async fn wait(client: &Client, stack: &str) -> Result<(), Error> {
    let deadline = Instant::now() + COMPLETE_WITHIN;
    loop {
        let Some(found) = describe(client, stack).await? else {
            return Err(Error::Failed {
                stack: stack.to_owned(),
                status: "gone".to_owned(),
                resource: "?".to_owned(),
                reason: "someone else deleted the stack".to_owned(),
            });
        };
        match found.state() {
            State::Complete => return Ok(()),
            State::Working | State::GoingBack | State::Deleting | State::Review => {}
            _ => return Err(failed(client, found).await?),
        }
        if Instant::now() > deadline {
            return Err(slow(stack, found.status));
        }
        sleep(ASK_EVERY).await;
    }
}

/// The error of a stack that ended badly; in a nested stack where the failure is one's.
async fn failed(client: &Client, stack: Description) -> Result<Error, CallError> {
    let first = FirstFailure::of(&latest_operation(client, &stack.id).await?);
    let (resource, reason) = first.map_or_else(
        || ("?".to_owned(), "no event says why".to_owned()),
        |first| (first.resource, first.reason),
    );
    Ok(Error::Failed {
        stack: stack.name,
        status: stack.status,
        resource,
        reason,
    })
}

fn slow(stack: &str, status: String) -> Error {
    Error::Slow {
        stack: stack.to_owned(),
        status,
        seconds: COMPLETE_WITHIN.as_secs(),
    }
}

async fn delete(client: &Client, stack: &str) -> Result<(), Error> {
    let deleted = client.delete_stack().stack_name(stack).send().await;
    deleted.map_err(|error| CallError::new("cloudformation:DeleteStack", stack, &error))?;
    let deadline = Instant::now() + COMPLETE_WITHIN;
    while let Some(found) = describe(client, stack).await? {
        if found.state() == State::Gone {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(slow(stack, found.status));
        }
        sleep(ASK_EVERY).await;
    }
    Ok(())
}

/// The names of the stack's own Lambda functions.
pub(super) async fn functions(clients: &Clients, stack: &str) -> Result<Vec<String>, Error> {
    let described = clients
        .cloudformation
        .describe_stack_resources()
        .stack_name(stack)
        .send()
        .await;
    let described = described.map_err(|error| Error::Aws {
        operation: "DescribeStackResources",
        message: message(&error),
    })?;
    let resources = described.stack_resources.unwrap_or_default().into_iter();
    let functions =
        resources.filter(|one| one.resource_type.as_deref() == Some("AWS::Lambda::Function"));
    Ok(functions
        .filter_map(|one| one.physical_resource_id)
        .collect())
}

/// The stack's outputs.
pub(super) async fn outputs(
    clients: &Clients,
    stack: &str,
) -> Result<BTreeMap<String, String>, Error> {
    let found = describe(&clients.cloudformation, stack).await?;
    Ok(found.map(|stack| stack.outputs).unwrap_or_default())
}
