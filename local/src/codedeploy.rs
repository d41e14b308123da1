//! CodeDeploy for functions, behind its own API (`CodeDeploy_20141006`): `MiniStack` has none.
//!
//! A deployment moves an alias by the decisions of `delivery_rollout`, which deploy-app makes, too. What differs is where
//! its state is: here, and not in the alias's description, which belongs to whoever made the alias.

mod app_spec;
mod config;
mod deployment;
mod ending;
mod failure;
mod group;
mod routing;
mod run;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::AbortHandle;

use app_spec::AppSpec;
use config::Config;
use deployment::{CreateDeployment, Deployment, Stop};
pub(crate) use failure::Refusal;
use group::{AlarmConfiguration, Application, AutoRollback, Group};
use run::Run;

/// The target's name before the operation's.
const SERVICE: &str = "CodeDeploy_20141006.";

/// A minute of a deployment configuration, where nothing else is said.
pub(crate) const MINUTE: Duration = Duration::from_mins(1);

/// The operation of this service that a target (`X-Amz-Target`) names.
pub(crate) fn operation(target: &str) -> Option<&str> {
    target.strip_prefix(SERVICE)
}

/// Who asks: CodeDeploy works with their key, in their account.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) access_key_id: String,
    pub(crate) account: String,
    pub(crate) region: String,
}

/// The account and the region that a thing is in.
type Place = (String, String);

/// The service.
#[derive(Debug)]
pub(crate) struct CodeDeploy {
    /// Where functions and alarms are asked for.
    endpoint: String,
    /// How long a minute of a configuration lasts.
    minute: Duration,
    accounts: Mutex<HashMap<Place, Account>>,
    running: Mutex<Vec<AbortHandle>>,
}

/// What one account has in one region.
#[derive(Debug, Default)]
struct Account {
    applications: BTreeMap<String, Application>,
    groups: BTreeMap<(String, String), Group>,
    configs: BTreeMap<String, Config>,
    /// The oldest first.
    deployments: Vec<Deployment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NamedDeployment {
    deployment_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListDeployments {
    application_name: Option<String>,
    deployment_group_name: Option<String>,
    include_only_statuses: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NamedTarget {
    deployment_id: String,
    target_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StopDeployment {
    deployment_id: String,
    auto_rollback_enabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PutStatus {
    deployment_id: String,
    lifecycle_event_hook_execution_id: String,
    status: String,
}

impl CodeDeploy {
    pub(crate) fn new(endpoint: String, minute: Duration) -> Self {
        Self {
            endpoint,
            minute,
            accounts: Mutex::default(),
            running: Mutex::default(),
        }
    }

    /// Answers an operation.
    pub(crate) fn answer(
        self: &Arc<Self>,
        operation: &str,
        caller: &Caller,
        body: &[u8],
    ) -> Result<Value, Refusal> {
        if operation == "CreateDeployment" {
            return self.create_deployment(read(body)?, caller);
        }
        let mut accounts = lock(&self.accounts);
        let account = accounts.entry(caller.place()).or_default();
        match operation {
            "CreateApplication" => account.create_application(read(body)?),
            "GetApplication" => account.get_application(&read(body)?),
            "DeleteApplication" => Ok(account.delete_application(&read(body)?)),
            "CreateDeploymentGroup" => account.create_group(read(body)?),
            "GetDeploymentGroup" => account.get_group(&read(body)?),
            "UpdateDeploymentGroup" => account.update_group(read(body)?),
            "DeleteDeploymentGroup" => Ok(account.delete_group(read(body)?)),
            "CreateDeploymentConfig" => account.create_config(read(body)?),
            "GetDeploymentConfig" => account.get_config(&read(body)?),
            "DeleteDeploymentConfig" => account.delete_config(&read(body)?),
            "GetDeployment" => {
                let deployment =
                    account.deployment(&read::<NamedDeployment>(body)?.deployment_id)?;
                Ok(json!({ "deploymentInfo": deployment.info() }))
            }
            "ListDeployments" => account.list(&read(body)?),
            "StopDeployment" => account.stop(&read(body)?),
            "PutLifecycleEventHookExecutionStatus" => {
                let asked: PutStatus = read(body)?;
                let deployment = account.deployment(&asked.deployment_id)?;
                deployment.report(&asked.lifecycle_event_hook_execution_id, &asked.status)
            }
            "ListDeploymentTargets" => {
                let deployment =
                    account.deployment(&read::<NamedDeployment>(body)?.deployment_id)?;
                Ok(json!({ "targetIds": [deployment.target_id()] }))
            }
            "GetDeploymentTarget" => account.target(&read(body)?),
            other => Err(Refusal::new(
                "UnknownOperationException",
                format!("the local AWS does not support the operation `{other}` of CodeDeploy"),
            )),
        }
    }

    fn create_deployment(
        self: &Arc<Self>,
        asked: CreateDeployment,
        caller: &Caller,
    ) -> Result<Value, Refusal> {
        let deployment = {
            let mut accounts = lock(&self.accounts);
            let account = accounts.entry(caller.place()).or_default();
            account.begin(asked)?
        };
        let answer = json!({ "deploymentId": deployment.id });
        let run = Run::new(Arc::clone(self), caller.clone(), deployment);
        let task = tokio::spawn(run.complete());
        let mut running = lock(&self.running);
        running.retain(|task| !task.is_finished());
        running.push(task.abort_handle());
        Ok(answer)
    }

    /// Ends all deployments where they are.
    pub(crate) fn close(&self) {
        for task in lock(&self.running).drain(..) {
            task.abort();
        }
    }

    /// Changes a deployment, or looks at it.
    fn with<R>(&self, place: &Place, id: &str, change: impl FnOnce(&mut Deployment) -> R) -> R {
        let mut accounts = lock(&self.accounts);
        let account = accounts.get_mut(place);
        let deployment = account.and_then(|account| account.deployment(id).ok());
        change(deployment.expect("deployments are never deleted"))
    }

    /// Adds the deployment that takes another one back.
    fn add(&self, place: &Place, deployment: Deployment) {
        let mut accounts = lock(&self.accounts);
        let account = accounts.entry(place.clone()).or_default();
        account.deployments.push(deployment);
    }
}

impl Caller {
    fn place(&self) -> Place {
        (self.account.clone(), self.region.clone())
    }
}

impl Account {
    fn deployment(&mut self, id: &str) -> Result<&mut Deployment, Refusal> {
        let mut deployments = self.deployments.iter_mut();
        let found = deployments.find(|deployment| deployment.id == id);
        found.ok_or_else(|| {
            Refusal::new(
                "DeploymentDoesNotExistException",
                format!("The deployment {id} could not be found"),
            )
        })
    }

    /// A new deployment of a group that has none under way.
    fn begin(&mut self, asked: CreateDeployment) -> Result<Deployment, Refusal> {
        let group = self.group(&asked.application_name, &asked.deployment_group_name)?;
        let config = asked.deployment_config_name.as_ref();
        let routing = self.routing(config.unwrap_or(&group.config))?;
        let alarms = asked.override_alarm_configuration.iter();
        alarms.into_iter().try_for_each(AlarmConfiguration::check)?;
        let rollback = asked.auto_rollback_configuration.iter();
        rollback.into_iter().try_for_each(AutoRollback::check)?;
        let active = self.deployments.iter().find(|other| {
            other.application == asked.application_name
                && other.group == asked.deployment_group_name
                && !other.status.is_over()
        });
        if let Some(active) = active {
            return Err(Refusal::new(
                "DeploymentLimitExceededException",
                format!(
                    "The Deployment Group '{}' already has an active Deployment '{}'",
                    active.group, active.id
                ),
            ));
        }
        let spec = AppSpec::of_revision(&asked.revision)?;
        let deployment = Deployment::new(asked, group, routing, spec);
        self.deployments.push(deployment.clone());
        Ok(deployment)
    }

    /// The newest first.
    fn list(&self, asked: &ListDeployments) -> Result<Value, Refusal> {
        let ListDeployments {
            application_name: application,
            deployment_group_name: group,
            include_only_statuses: statuses,
        } = asked;
        match (application, group) {
            (Some(application), Some(group)) => drop(self.group(application, group)?),
            (Some(application), None) => drop(self.application(application)?),
            (None, Some(_)) => {
                return Err(Refusal::new(
                    "ApplicationNameRequiredException",
                    "a deployment group is named, and its application is not",
                ));
            }
            (None, None) => {}
        }
        let is_asked_for = |deployment: &&Deployment| {
            let status = json!(deployment.status);
            application
                .as_ref()
                .is_none_or(|name| *name == deployment.application)
                && group.as_ref().is_none_or(|name| *name == deployment.group)
                && statuses
                    .as_ref()
                    .is_none_or(|statuses| statuses.iter().any(|one| status == **one))
        };
        let found = self.deployments.iter().rev().filter(is_asked_for);
        let ids: Vec<&str> = found.map(|deployment| deployment.id.as_str()).collect();
        Ok(json!({ "deployments": ids }))
    }

    fn stop(&mut self, asked: &StopDeployment) -> Result<Value, Refusal> {
        let deployment = self.deployment(&asked.deployment_id)?;
        if deployment.status.is_over() {
            return Err(Refusal::new(
                "DeploymentAlreadyCompletedException",
                format!("The deployment {} is over", deployment.id),
            ));
        }
        deployment.stop = Some(Stop {
            rollback: asked.auto_rollback_enabled,
        });
        Ok(json!({ "status": "Pending", "statusMessage": "the deployment is being stopped" }))
    }

    fn target(&mut self, asked: &NamedTarget) -> Result<Value, Refusal> {
        let deployment = self.deployment(&asked.deployment_id)?;
        if deployment.target_id() != asked.target_id {
            return Err(Refusal::new(
                "DeploymentTargetDoesNotExistException",
                format!(
                    "the deployment {} has no target `{}`",
                    deployment.id, asked.target_id
                ),
            ));
        }
        Ok(json!({ "deploymentTarget": deployment.target() }))
    }
}

/// A request's body. What it has beyond what is done here is refused with its name: it would have no effect.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::unsupported(&error.to_string()))
}

/// Nobody panics while holding a lock, and what it guards is whole after each change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A time as the protocol JSON 1.1 has it.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of this century have 41 bits"
)]
fn seconds(time: Timestamp) -> Value {
    json!(time.as_millisecond() as f64 / 1_000.0)
}
