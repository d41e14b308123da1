//! What the templates say about each resource when its stack is deleted.

use std::collections::HashMap;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::TemplateStage;
use delivery_action::aws::CallError;
use serde_json::Value;

use super::bucket::BUCKET;
use crate::NESTED_STACK;
use crate::resources;
use crate::template::Template;

/// The metadata of a resource that holds data of production: `Metadata: { Delivery: { Data: production } }`.
const MARK: [&str; 2] = ["Delivery", "Data"];

/// The mark's value.
const PRODUCTION: &str = "production";

/// A resource that no template has.
const UNKNOWN: Policy = Policy {
    is_retained: false,
    is_production: true,
};

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
        let policy = resource.get("DeletionPolicy");
        // What a function of the template decides is not known here, so it counts as kept.
        let is_deleted = |policy: &Value| matches!(policy.as_str(), Some("Delete" | "Snapshot"));
        let mark = MARK
            .iter()
            .try_fold(resource.get("Metadata"), |value, key| Some(value?.get(key)))
            .flatten();
        Self {
            is_retained: policy.is_some_and(|policy| !is_deleted(policy)),
            is_production: mark.and_then(Value::as_str) == Some(PRODUCTION),
        }
    }
}

impl Policy {
    /// Whether it may be emptied without being asked for: CloudFormation deletes it, and it holds no data of production.
    #[must_use]
    pub fn is_emptied(self) -> bool {
        !self.is_retained && !self.is_production
    }
}

/// The policies of the stacks that were asked for.
#[derive(Debug, Default)]
pub struct Policies {
    templates: HashMap<String, Vec<Template>>,
}

impl Policies {
    /// What the template of a stack says about one of its resources. A resource that no stage of the template has counts as
    /// production data: what is unknown is not deleted without being asked for.
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
            let templates = read(client, stack_id).await?;
            self.templates.insert(stack_id.to_owned(), templates);
        }
        let templates = self.templates.get(stack_id).map_or(&[][..], Vec::as_slice);
        Ok(of_templates(templates, logical))
    }
}

/// What the first template that has a resource says of it.
fn of_templates(templates: &[Template], logical: &str) -> Policy {
    let mut found = templates
        .iter()
        .filter_map(|template| template.resource(logical));
    found.next().map_or(UNKNOWN, Policy::of)
}

/// The templates of a stack that can be read: what its macros and `Fn::ForEach` have made of it first.
async fn read(client: &Client, stack_id: &str) -> Result<Vec<Template>, CallError> {
    let mut templates = Vec::new();
    for stage in [TemplateStage::Processed, TemplateStage::Original] {
        let output = client
            .get_template()
            .stack_name(stack_id)
            .template_stage(stage)
            .send()
            .await
            .map_err(|error| CallError::new("cloudformation:GetTemplate", stack_id, &error))?;
        let text = output.template_body.unwrap_or_default();
        templates.extend(Template::read(&text).ok());
    }
    Ok(templates)
}

/// The buckets that CloudFormation deletes with a stack and those nested in it, and that may be emptied for that: those
/// whose template neither keeps them nor says that they hold data of production.
///
/// # Errors
///
/// A call failed.
pub async fn buckets_to_empty(
    client: &Client,
    stack_id: &str,
    policies: &mut Policies,
) -> Result<Vec<String>, CallError> {
    let mut stacks = HashMap::from([(String::new(), stack_id.to_owned())]);
    let mut buckets = Vec::new();
    for resource in resources::list(client, stack_id).await? {
        let Some(physical) = resource.physical.clone().filter(|_| !resource.is_deleted()) else {
            continue;
        };
        let parent = resource.path.rsplit_once('/');
        let parent = parent.map_or("", |(parent, _)| parent).to_owned();
        if resource.kind == NESTED_STACK {
            stacks.insert(resource.path, physical);
        } else if resource.kind == BUCKET
            && let Some(stack) = stacks.get(&parent)
        {
            let policy = policies.of(client, stack, resource.logical()).await?;
            if policy.is_emptied() {
                buckets.push(physical);
            } else {
                tracing::info!(
                    bucket = physical,
                    resource = resource.path,
                    ?policy,
                    "it is not emptied"
                );
            }
        }
    }
    Ok(buckets)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use test_case::test_case;

    use super::*;

    #[test_case(&json!({}), false; "none")]
    #[test_case(&json!({ "DeletionPolicy": "Delete" }), false; "deleted")]
    #[test_case(&json!({ "DeletionPolicy": "RetainExceptOnCreate" }), true; "kept")]
    #[test_case(&json!({ "DeletionPolicy": { "Ref": "Policy" } }), true; "decided by a parameter")]
    fn what_is_not_said_to_be_deleted_is_kept(resource: &Value, is_retained: bool) {
        assert_eq!(Policy::of(resource).is_retained, is_retained);
    }

    #[test]
    fn what_a_macro_made_is_found_and_what_no_template_has_is_kept() {
        let original = "{\"Resources\": {\"Fn::ForEach::Sites\": [], \"Own\": {\"Type\": \"AWS::S3::Bucket\"}}}";
        let processed = "{\"Resources\": {\"SiteA\": {\"Type\": \"AWS::S3::Bucket\", \"DeletionPolicy\": \"Retain\"}, \
            \"SiteB\": {\"Type\": \"AWS::S3::Bucket\"}}}";
        let templates = [processed, original].map(|text| Template::read(text).unwrap());
        let is_emptied = |logical| of_templates(&templates, logical).is_emptied();
        assert!(is_emptied("Own") && is_emptied("SiteB"));
        assert!(!is_emptied("SiteA") && !is_emptied("SiteC"));
        assert!(of_templates(&templates, "SiteC").is_production);
        assert_eq!(of_templates(&[], "Own"), UNKNOWN);
    }
}
