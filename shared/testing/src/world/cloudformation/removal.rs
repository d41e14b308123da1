//! Resources of stacks, and how stacks are deleted.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use quick_xml::escape::escape;

use super::{CloudFormation, Deployed, Refusal, Stack};

/// A resource of a stack.
#[derive(Clone, Debug, Default)]
pub(super) struct Resource {
    pub(super) logical: String,
    pub(super) kind: String,
    pub(super) physical: String,
    is_kept: bool,
}

impl CloudFormation {
    /// Gives a stack that is there a tag.
    ///
    /// # Panics
    ///
    /// There is no such stack.
    pub fn tag(&mut self, stack: &str, key: &str, value: &str) {
        let stack = self.stacks.get_mut(stack).expect("the stack is there");
        stack.now.tags.insert(key.to_owned(), value.to_owned());
    }

    /// Gives a stack that is there a resource; one that is kept stays where it is when the stack is deleted.
    ///
    /// # Panics
    ///
    /// There is no such stack.
    pub fn add_resource(
        &mut self,
        stack: &str,
        logical: &str,
        kind: &str,
        physical: &str,
        is_kept: bool,
    ) {
        let stack = self.stacks.get_mut(stack).expect("the stack is there");
        stack.resources.push(Resource {
            logical: logical.to_owned(),
            kind: kind.to_owned(),
            physical: physical.to_owned(),
            is_kept,
        });
    }

    pub(super) fn delete_stack(
        &mut self,
        fields: &BTreeMap<String, String>,
    ) -> Result<String, Refusal> {
        let (time, polls) = (self.next(), self.operation_polls);
        let stack = self.stack(fields)?;
        if stack.now.protected {
            let message = "the stack has TerminationProtection enabled".to_owned();
            return Err((400, "ValidationError", message));
        }
        if stack.now.status.starts_with("DELETE_") {
            return Ok(String::new());
        }
        let token = fields.get("ClientRequestToken");
        let token = token.map_or("", String::as_str);
        "DELETE_IN_PROGRESS".clone_into(&mut stack.now.status);
        stack.updated = time;
        stack.tell(time * 100, "", "DELETE_IN_PROGRESS", "", token);
        let wanted = Deployed {
            status: "DELETE_COMPLETE".to_owned(),
            ..stack.now.clone()
        };
        stack.pending = Some((polls, wanted));
        Ok(String::new())
    }

    pub(super) fn list_stack_resources(
        &mut self,
        fields: &BTreeMap<String, String>,
    ) -> Result<String, Refusal> {
        let resources = self.stack(fields)?.resources.iter();
        let listed = resources.fold(String::new(), |mut text, resource| {
            let Resource {
                logical,
                kind,
                physical,
                ..
            } = resource;
            let _infallible = write!(
                text,
                "<member><LogicalResourceId>{logical}</LogicalResourceId><PhysicalResourceId>{physical}</PhysicalResourceId>\
                 <ResourceType>{kind}</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus>\
                 <LastUpdatedTimestamp>2026-01-01T00:00:00Z</LastUpdatedTimestamp></member>"
            );
            text
        });
        Ok(format!(
            "<StackResourceSummaries>{listed}</StackResourceSummaries>"
        ))
    }

    pub(super) fn get_template(
        &mut self,
        fields: &BTreeMap<String, String>,
    ) -> Result<String, Refusal> {
        let template = &self.stack(fields)?.now.template;
        Ok(format!("<TemplateBody>{}</TemplateBody>", escape(template)))
    }
}

impl Stack {
    /// Says in the events what stays where it is.
    pub(super) fn tell_what_is_kept(&mut self, id: u32, token: &str) {
        let kept: Vec<_> = self.resources.iter().filter(|one| one.is_kept).collect();
        let kept: Vec<_> = kept.iter().map(|one| one.logical.clone()).collect();
        for logical in kept {
            self.tell(id, &logical, "DELETE_SKIPPED", "", token);
        }
    }

    /// The type and the physical id of a resource in its events.
    pub(super) fn resource(&self, logical: &str) -> (&str, &str) {
        let found = self.resources.iter().find(|one| one.logical == logical);
        found.map_or(("AWS::Lambda::Function", "f"), |one| {
            (&one.kind, &one.physical)
        })
    }
}
