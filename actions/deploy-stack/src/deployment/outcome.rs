//! How a deployment ends.

use std::collections::BTreeMap;

use delivery_action::action::Completion;
use delivery_action::aws::CallError;
use delivery_stack::description::Description;
use delivery_stack::events::latest_operation;
use delivery_stack::failure::FirstFailure;

use super::{Deployment, Turn};
use crate::error::{DeployStackError, FailedDeployment};

impl Deployment<'_> {
    pub(super) async fn complete(
        &self,
        stack: &Description,
        changed: bool,
    ) -> Result<Turn, DeployStackError> {
        if self.subject.protected && !stack.protected {
            self.check.still_runs().await?;
            let protect = self.client().update_termination_protection();
            let protect = protect.stack_name(&stack.name);
            let sent = protect.enable_termination_protection(true).send().await;
            sent.map_err(|error| {
                CallError::new(
                    "cloudformation:UpdateTerminationProtection",
                    &stack.name,
                    &error,
                )
            })?;
        }
        let mut variables: BTreeMap<String, String> = stack.outputs.clone();
        variables.extend([
            ("Changed".to_owned(), changed.to_string()),
            ("Stack".to_owned(), stack.name.clone()),
        ]);
        let what = if changed {
            "is deployed"
        } else {
            "is unchanged"
        };
        Ok(Turn::Complete(Completion {
            summary: format!("{} {what} ({})", self.subject.name, stack.status),
            variables,
        }))
    }

    pub(super) async fn failed(
        &self,
        stack: &Description,
    ) -> Result<DeployStackError, DeployStackError> {
        let operation = latest_operation(self.client(), &stack.id).await?;
        let common = &self.params.common;
        let commit = common
            .revision
            .as_ref()
            .map(|name| format!("commit {name}"));
        let digest = || common.digest.map(|digest| format!("the artifact {digest}"));
        Ok(DeployStackError::Failed(Box::new(FailedDeployment {
            subject: self.subject.name.clone(),
            stack: stack.name.clone(),
            status: stack.status.clone(),
            release: commit.or_else(digest),
            first: FirstFailure::of(&operation),
        })))
    }

    pub(super) async fn stuck(
        &self,
        stack: &Description,
    ) -> Result<DeployStackError, DeployStackError> {
        let operation = latest_operation(self.client(), &stack.id).await?;
        let failed = operation
            .iter()
            .filter(|event| event.is_failure() && !event.is_of_the_stack());
        // The last failure of each: the first ones were what was to be taken back.
        let mut resources = BTreeMap::new();
        for event in failed {
            let reason = event.reason.as_deref().unwrap_or("no reason given");
            resources.insert(
                (&event.stack, &event.resource),
                format!("`{}` in `{}` ({reason})", event.resource, event.stack),
            );
        }
        Ok(DeployStackError::Stuck {
            subject: self.subject.name.clone(),
            status: stack.status.clone(),
            resources: resources.into_values().collect(),
        })
    }

    pub(super) fn broken(&self, stack: &Description) -> DeployStackError {
        DeployStackError::Broken {
            subject: self.subject.name.clone(),
            stack: stack.name.clone(),
            status: stack.status.clone(),
            reason: stack.reason.clone(),
        }
    }
}
