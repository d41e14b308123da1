//! What the templates say about each resource when its stack is deleted.

use std::collections::HashMap;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::TemplateStage;
use delivery_action::aws::CallError;
use serde_json::Value;

use crate::template::Template;

/// The metadata of a resource that holds data of production: `Metadata: { Delivery: { Data: production } }`.
const MARK: [&str; 2] = ["Delivery", "Data"];

/// The mark's value.
const PRODUCTION: &str = "production";

/// What a template says of a resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whether CloudFormation leaves it where it is.
    pub is_retained: bool,
    /// Whether it holds data of production.
    pub is_production: bool,
}

impl Policy {
    /// Reads a resource of a template.
    #[must_use]
    pub fn of(resource: &Value) -> Self {
        let policy = resource.get("DeletionPolicy").and_then(Value::as_str);
        let mark = MARK
            .iter()
            .try_fold(resource.get("Metadata"), |value, key| Some(value?.get(key)))
            .flatten();
        Self {
            is_retained: matches!(policy, Some("Retain" | "RetainExceptOnCreate")),
            is_production: mark.and_then(Value::as_str) == Some(PRODUCTION),
        }
    }
}

/// The policies of the stacks that were asked for.
#[derive(Debug, Default)]
pub struct Policies {
    templates: HashMap<String, Option<Template>>,
}

impl Policies {
    /// What the template of a stack says about one of its resources. If the template cannot be read, everything
    /// counts as production data: what is unknown is not deleted without being asked for.
    ///
    /// # Errors
    ///
    /// The call failed.
    pub async fn of(
        &mut self,
        client: &Client,
        stack_id: &str,
        logical: &str,
    ) -> Result<Policy, CallError> {
        if !self.templates.contains_key(stack_id) {
            let template = read(client, stack_id).await?;
            self.templates.insert(stack_id.to_owned(), template);
        }
        let template = self.templates.get(stack_id).and_then(Option::as_ref);
        Ok(template.map_or(
            Policy {
                is_retained: false,
                is_production: true,
            },
            |template| {
                template
                    .resource(logical)
                    .map(Policy::of)
                    .unwrap_or_default()
            },
        ))
    }
}

async fn read(client: &Client, stack_id: &str) -> Result<Option<Template>, CallError> {
    let output = client
        .get_template()
        .stack_name(stack_id)
        .template_stage(TemplateStage::Original)
        .send()
        .await
        .map_err(|error| CallError::new("cloudformation:GetTemplate", stack_id, &error))?;
    let text = output.template_body.unwrap_or_default();
    Ok(Template::read(&text).ok())
}
