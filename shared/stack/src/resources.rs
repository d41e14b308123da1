//! The resources of a stack, in its nested stacks too.

use aws_sdk_cloudformation::Client;
use delivery_action::aws::CallError;

use crate::NESTED_STACK;

/// A resource of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Where it is: the logical ids from the root to it (`Application/ProdSite`).
    pub path: String,
    /// Its type.
    pub kind: String,
    /// Its physical id; `None` where it was never made.
    pub physical: Option<String>,
    /// CloudFormation's word for its status.
    pub status: String,
}

impl Resource {
    /// The logical id in its own stack.
    #[must_use]
    pub fn logical(&self) -> &str {
        self.path
            .rsplit_once('/')
            .map_or(self.path.as_str(), |(_, id)| id)
    }

    /// Whether CloudFormation has deleted it.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.status == "DELETE_COMPLETE"
    }
}

/// All resources of a stack and of the stacks nested in it, each nested stack before what is in it.
///
/// # Errors
///
/// A call failed.
pub async fn list(client: &Client, stack: &str) -> Result<Vec<Resource>, CallError> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), stack.to_owned())];
    while let Some((prefix, stack)) = open.pop() {
        for resource in list_one(client, &stack, &prefix).await? {
            if resource.kind == NESTED_STACK
                && !resource.is_deleted()
                && let Some(id) = &resource.physical
            {
                open.push((format!("{}/", resource.path), id.clone()));
            }
            found.push(resource);
        }
    }
    Ok(found)
}

async fn list_one(client: &Client, stack: &str, prefix: &str) -> Result<Vec<Resource>, CallError> {
    let mut pages = client
        .list_stack_resources()
        .stack_name(stack)
        .into_paginator()
        .send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page
            .map_err(|error| CallError::new("cloudformation:ListStackResources", stack, &error))?;
        for summary in page.stack_resource_summaries.unwrap_or_default() {
            let status = summary.resource_status.as_ref();
            found.push(Resource {
                path: format!(
                    "{prefix}{}",
                    summary.logical_resource_id.unwrap_or_default()
                ),
                kind: summary.resource_type.unwrap_or_default(),
                physical: summary.physical_resource_id.filter(|id| !id.is_empty()),
                status: status.map_or_else(String::new, |status| status.as_str().to_owned()),
            });
        }
    }
    Ok(found)
}
