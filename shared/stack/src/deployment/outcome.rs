//! How a deployment ends.

use std::collections::BTreeMap;

use delivery_action::aws::CallError;

use super::{Deployed, Deployment, DeploymentError, FailedDeployment, Source, Turn};
use crate::description::Description;
use crate::events::latest_operation;
use crate::failure::FirstFailure;

impl<S: Source> Deployment<'_, S> {
    pub(super) async fn complete(
        &self,
        stack: &Description,
        changed: bool,
    ) -> Result<Turn, DeploymentError> {
        if self.subject.protected && !stack.protected {
            self.check.still_runs().await?;
            let protect = self.client.update_termination_protection();
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
        Ok(Turn::Complete(Deployed {
            subject: self.subject.name.clone(),
            stack: stack.name.clone(),
            status: stack.status.clone(),
            changed,
            outputs: stack.outputs.clone(),
        }))
    }

    pub(super) async fn failed(
        &self,
        stack: &Description,
    ) -> Result<DeploymentError, DeploymentError> {
        let operation = latest_operation(self.client, &stack.id).await?;
        Ok(DeploymentError::Failed(Box::new(FailedDeployment {
            subject: self.subject.name.clone(),
            stack: stack.name.clone(),
            status: stack.status.clone(),
            release: self.options.release.clone(),
            not_tried: self.subject.later.clone(),
            first: FirstFailure::of(&operation),
        })))
    }

    pub(super) async fn stuck(
        &self,
        stack: &Description,
    ) -> Result<DeploymentError, DeploymentError> {
        let operation = latest_operation(self.client, &stack.id).await?;
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
        Ok(DeploymentError::Stuck {
            subject: self.subject.name.clone(),
            status: stack.status.clone(),
            resources: resources.into_values().collect(),
        })
    }

    pub(super) fn broken(&self, stack: &Description) -> DeploymentError {
        DeploymentError::Broken {
            subject: self.subject.name.clone(),
            stack: stack.name.clone(),
            status: stack.status.clone(),
            reason: stack.reason.clone(),
        }
    }
}
