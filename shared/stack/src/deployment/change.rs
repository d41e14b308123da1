//! The change set of a deployment: made, looked at, and executed if nothing that holds data is at stake.

use delivery_action::aws::CallError;

use super::desired::{Desired, digits};
use super::{CHANGE, Deployment, DeploymentError, Found, Source, Subject, Turn};
use crate::change_set::{self, Change, ChangeSetRequest, Prepared, ResourceAction};
use crate::description::{Description, is_absent};
use crate::state::State;

/// What a stack is while CloudFormation computes its change, as a message says it.
pub(super) const WAITING_FOR_CHANGE_SET: &str = "waiting for its change set";

impl<S: Source> Deployment<'_, S> {
    /// Has the change worked out and executes it. `found` is the stack where it is updated.
    pub(super) async fn change(&mut self, found: Option<Found>) -> Result<Turn, DeploymentError> {
        let desired = self.desired().await?;
        let name = change_set_name(&desired.entry, found.as_ref());
        let current = found.as_ref().map(|found| &found.stack);
        let stack = self.subject.stack.clone();
        let prepared = match change_set::look(self.client, &stack, &name, current).await {
            Err(error) if change_set::is_gone(&error) || is_absent(&error) => {
                return self.create(&desired, &name, found).await;
            }
            prepared => prepared?,
        };
        match prepared {
            // The second was executed, and the stack does not show it yet; or another one was.
            None | Some(Prepared::Over) => self.waiting_for_change_set(),
            Some(Prepared::Ready { changes, .. }) => self.execute(&desired, &name, &changes).await,
            Some(Prepared::Nothing) => {
                change_set::delete(self.client, &stack, &name).await?;
                match found {
                    Some(found) if found.stack.state() != State::LeftFailed => {
                        self.complete(&found.stack, false).await
                    }
                    _ => Err(self.refused("the template has no changes for a stack that failed")),
                }
            }
            Some(Prepared::Refused { reason }) => {
                change_set::delete(self.client, &stack, &name).await?;
                Err(self.refused(&reason))
            }
        }
    }

    fn waiting_for_change_set(&self) -> Result<Turn, DeploymentError> {
        if self.waited_enough() {
            return Err(self.too_slow(WAITING_FOR_CHANGE_SET));
        }
        let Subject { name, .. } = &self.subject;
        Ok(Turn::Wait(format!("computing the change of {name}")))
    }

    async fn create(
        &mut self,
        desired: &Desired,
        name: &str,
        found: Option<Found>,
    ) -> Result<Turn, DeploymentError> {
        self.check.still_runs().await?;
        let Err(error) = self.ask(desired, name, found.is_none()).await else {
            tracing::info!(stack = self.subject.stack, name, "made a change set");
            return Ok(Turn::Again);
        };
        if error.is_code("AlreadyExistsException") {
            // Another job made it, and reads do not show it yet: with a pause, or this would ask as fast as it can.
            return self.waiting_for_change_set();
        }
        if !error.is_code("ValidationError") {
            return Err(self.rejected(error));
        }
        // The template's fault, unless the stack is another one by now.
        let now = self.read().await?;
        let has_changed = match (&found, &now) {
            (None, Some(now)) => now.stack.state() != State::Review,
            (Some(found), Some(now)) => found.version() != now.version(),
            (Some(_), None) => true,
            (None, None) => false,
        };
        if has_changed {
            return self.surprised();
        }
        Err(self.rejected(error))
    }

    /// Asks for a change set.
    pub(super) async fn ask(
        &self,
        desired: &Desired,
        name: &str,
        creates: bool,
    ) -> Result<(), CallError> {
        let capabilities: Vec<&str> = desired.capabilities.iter().map(String::as_str).collect();
        let request = ChangeSetRequest {
            stack: &self.subject.stack,
            name,
            creates,
            template: &desired.template,
            parameters: &desired.parameters,
            capabilities: &capabilities,
            role_arn: self.options.role.as_deref(),
            tags: &desired.tags,
            description: self.options.by,
        };
        change_set::create(self.client, &request).await
    }

    /// Why CloudFormation makes no change set.
    pub(super) fn rejected(&self, error: CallError) -> DeploymentError {
        if error.is_code("InsufficientCapabilitiesException") {
            return DeploymentError::Capability {
                subject: self.subject.name.clone(),
                reason: error.message,
            };
        }
        if error.is_code("ValidationError") {
            return self.refused(&error.message);
        }
        error.into()
    }

    async fn execute(
        &mut self,
        desired: &Desired,
        name: &str,
        changes: &[Change],
    ) -> Result<Turn, DeploymentError> {
        let stack = self.subject.stack.clone();
        let at_stake = at_stake(changes, &desired.allow);
        if !at_stake.is_empty() {
            change_set::delete(self.client, &stack, name).await?;
            return Err(DeploymentError::DataAtStake {
                subject: self.subject.name.clone(),
                resources: at_stake,
            });
        }
        let token = format!("{name}-{}", self.progress.job);
        self.check.still_runs().await?;
        match change_set::execute(self.client, &stack, name, &token).await {
            Ok(()) => {
                tracing::info!(
                    stack,
                    name,
                    changes = changes.len(),
                    "executed a change set"
                );
                self.progress.operation = Some(token);
                Ok(Turn::Again)
            }
            Err(error) if comes_too_late(&error) => self.surprised(),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn refused(&self, reason: &str) -> DeploymentError {
        DeploymentError::Refused {
            subject: self.subject.name.clone(),
            reason: reason.to_owned(),
        }
    }
}

/// `d-`, what is deployed, and what it is deployed over: 32 digits in all.
fn change_set_name(entry: &str, found: Option<&Found>) -> String {
    let base = found.map_or_else(String::new, |found| {
        let Description {
            id,
            updated,
            created,
            ..
        } = &found.stack;
        let event = found.newest.as_ref().map(|event| &event.id);
        format!("{id} {updated:?} {created:?} {event:?}")
    });
    format!("{CHANGE}{entry}{}", digits(&format!("{entry} {base}")))
}

/// Whether a change set cannot be executed any more, because it or another one was.
fn comes_too_late(error: &CallError) -> bool {
    change_set::is_gone(error)
        || error.is_code("InvalidChangeSetStatus")
        || error.is_code("InvalidChangeSetStatusException")
}

/// The resources that hold data, are replaced or removed, and are not allowed to be.
pub(super) fn at_stake(changes: &[Change], allow: &[String]) -> Vec<String> {
    let is_allowed = |path: &str| {
        let logical = path.rsplit('/').next().unwrap_or(path);
        allow.iter().any(|name| name == path || name == logical)
    };
    changes
        .iter()
        .filter(|change| change.holds_data && change.action.takes_away())
        .filter(|change| !is_allowed(&change.path))
        .map(|change| {
            let what = match change.action {
                ResourceAction::Replace => "replaced",
                ResourceAction::MayReplace => "perhaps replaced",
                ResourceAction::Leave => "left out of the stack",
                _ => "removed",
            };
            format!("`{}` ({}, {what})", change.path, change.resource_type)
        })
        .collect()
}
