//! Creates or updates a stack through a change set; a failure names the resource that failed first.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudformation::types::{
    Capability, ChangeSetStatus, ChangeSetType, Parameter, ResourceStatus, Stack, StackStatus,
};
use tokio::time::{Instant, sleep};

use super::Error;
use super::clients::{Clients, message};

/// How long a stack may take: what it makes is local, and six packages are unpacked (5 s measured on two
/// busy cores).
const COMPLETE_WITHIN: Duration = Duration::from_mins(3);

/// How often its status is asked for.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// What CloudFormation says of a change set without changes.
const NO_CHANGES: [&str; 2] = ["didn't contain changes", "No updates are to be performed"];

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

/// Brings the stack to the template at that address.
pub(super) async fn change(
    clients: &Clients,
    stack: &str,
    template_url: &str,
    parameters: &BTreeMap<String, String>,
) -> Result<Change, Error> {
    let change = match describe(clients, stack)
        .await?
        .and_then(|stack| stack.stack_status)
    {
        None | Some(StackStatus::DeleteComplete | StackStatus::ReviewInProgress) => Change::Created,
        Some(StackStatus::RollbackComplete | StackStatus::CreateFailed) => {
            delete(clients, stack).await?; // a stack whose creation failed can only be deleted
            Change::Created
        }
        Some(_) => Change::Updated,
    };
    let Some(change_set) = prepare(clients, stack, template_url, parameters, change).await? else {
        return Ok(Change::Unchanged);
    };
    let executed = clients
        .cloudformation
        .execute_change_set()
        .stack_name(stack)
        .change_set_name(change_set)
        .send()
        .await;
    executed.map_err(|error| Error::Aws {
        operation: "ExecuteChangeSet",
        message: message(&error),
    })?;
    wait(clients, stack).await?;
    Ok(change)
}

/// Makes the change set; `None` where there is nothing to change.
async fn prepare(
    clients: &Clients,
    stack: &str,
    template_url: &str,
    parameters: &BTreeMap<String, String>,
    change: Change,
) -> Result<Option<String>, Error> {
    let kind = if change == Change::Created {
        ChangeSetType::Create
    } else {
        ChangeSetType::Update
    };
    let name = format!("delivery-{}", uuid::Uuid::new_v4().simple());
    let parameters = parameters.iter().map(|(key, value)| {
        Parameter::builder()
            .parameter_key(key)
            .parameter_value(value)
            .build()
    });
    let made = clients
        .cloudformation
        .create_change_set()
        .stack_name(stack)
        .change_set_name(&name)
        .change_set_type(kind)
        .template_url(template_url)
        .set_parameters(Some(parameters.collect()))
        .capabilities(Capability::CapabilityIam)
        .send()
        .await;
    made.map_err(|error| Error::Aws {
        operation: "CreateChangeSet",
        message: message(&error),
    })?;
    let deadline = Instant::now() + COMPLETE_WITHIN;
    loop {
        let described = clients
            .cloudformation
            .describe_change_set()
            .stack_name(stack)
            .change_set_name(&name)
            .send()
            .await
            .map_err(|error| Error::Aws {
                operation: "DescribeChangeSet",
                message: message(&error),
            })?;
        let reason = described.status_reason.unwrap_or_default();
        match described.status {
            Some(ChangeSetStatus::CreateComplete) => return Ok(Some(name)),
            Some(ChangeSetStatus::Failed)
                if NO_CHANGES.iter().any(|text| reason.contains(text)) =>
            {
                return Ok(None);
            }
            Some(ChangeSetStatus::Failed) => {
                return Err(Error::Refused {
                    stack: stack.to_owned(),
                    reason,
                });
            }
            status if Instant::now() > deadline => return Err(slow(stack, format!("{status:?}"))),
            _ => sleep(ASK_EVERY).await,
        }
    }
}

/// Waits until the stack is complete.
async fn wait(clients: &Clients, stack: &str) -> Result<(), Error> {
    let deadline = Instant::now() + COMPLETE_WITHIN;
    loop {
        let status = describe(clients, stack)
            .await?
            .and_then(|stack| stack.stack_status);
        let status = status.map_or_else(|| "gone".to_owned(), |status| status.as_str().to_owned());
        match status.as_str() {
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" => return Ok(()),
            "ROLLBACK_IN_PROGRESS" | "UPDATE_ROLLBACK_IN_PROGRESS" => {}
            _ if status.ends_with("_FAILED")
                || status.contains("ROLLBACK_COMPLETE")
                || status == "gone" =>
            {
                let (resource, reason) = first_failure(clients, stack.to_owned()).await?;
                return Err(Error::Failed {
                    stack: stack.to_owned(),
                    status,
                    resource,
                    reason,
                });
            }
            _ => {}
        }
        if Instant::now() > deadline {
            return Err(slow(stack, status));
        }
        sleep(ASK_EVERY).await;
    }
}

fn slow(stack: &str, status: String) -> Error {
    Error::Slow {
        stack: stack.to_owned(),
        status,
        seconds: COMPLETE_WITHIN.as_secs(),
    }
}

async fn delete(clients: &Clients, stack: &str) -> Result<(), Error> {
    let deleted = clients
        .cloudformation
        .delete_stack()
        .stack_name(stack)
        .send()
        .await;
    deleted.map_err(|error| Error::Aws {
        operation: "DeleteStack",
        message: message(&error),
    })?;
    let deadline = Instant::now() + COMPLETE_WITHIN;
    while let Some(found) = describe(clients, stack).await? {
        match found.stack_status {
            Some(StackStatus::DeleteComplete) => return Ok(()),
            status if Instant::now() > deadline => return Err(slow(stack, format!("{status:?}"))),
            _ => sleep(ASK_EVERY).await,
        }
    }
    Ok(())
}

/// The stack; `None` if no stack has that name.
async fn describe(clients: &Clients, stack: &str) -> Result<Option<Stack>, Error> {
    match clients
        .cloudformation
        .describe_stacks()
        .stack_name(stack)
        .send()
        .await
    {
        Ok(output) => Ok(output.stacks.unwrap_or_default().into_iter().next()),
        Err(error) => {
            let message = message(&error);
            if message.contains("does not exist") {
                return Ok(None);
            }
            Err(Error::Aws {
                operation: "DescribeStacks",
                message,
            })
        }
    }
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
    let outputs = describe(clients, stack)
        .await?
        .and_then(|stack| stack.outputs)
        .unwrap_or_default();
    let outputs = outputs
        .into_iter()
        .filter_map(|output| Some((output.output_key?, output.output_value?)));
    Ok(outputs.collect())
}

/// The resource that failed first, and why; in a nested stack where the failure is one's.
async fn first_failure(clients: &Clients, mut stack: String) -> Result<(String, String), Error> {
    loop {
        let described = clients
            .cloudformation
            .describe_stack_events()
            .stack_name(&stack)
            .send()
            .await;
        let described = described.map_err(|error| Error::Aws {
            operation: "DescribeStackEvents",
            message: message(&error),
        })?;
        // The newest event comes first.
        let events = described.stack_events.unwrap_or_default().into_iter().rev();
        let failed = [
            ResourceStatus::CreateFailed,
            ResourceStatus::UpdateFailed,
            ResourceStatus::DeleteFailed,
        ];
        let first = events
            .filter(|event| {
                event
                    .resource_status
                    .as_ref()
                    .is_some_and(|status| failed.contains(status))
            })
            .find(|event| event.logical_resource_id != event.stack_name);
        let Some(first) = first else {
            return Ok(("?".to_owned(), "no event says why".to_owned()));
        };
        let reason = first.resource_status_reason.unwrap_or_default();
        let nested = first
            .physical_resource_id
            .filter(|id| id.contains(":stack/") && *id != stack);
        match nested {
            Some(nested)
                if first.resource_type.as_deref() == Some("AWS::CloudFormation::Stack") =>
            {
                stack = nested;
            }
            _ => return Ok((first.logical_resource_id.unwrap_or_default(), reason)),
        }
    }
}
