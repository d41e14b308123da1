//! Applications and deployment groups.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::failure::{Refusal, check_platform};
use super::{Account, routing, seconds};

/// Alarms of one group (`API_AlarmConfiguration`).
const MOST_ALARMS: usize = 10;

/// An application, which holds groups together.
#[derive(Debug)]
pub(super) struct Application {
    id: Uuid,
    created: Timestamp,
}

/// How the deployments of one function are made.
#[derive(Clone, Debug)]
pub(super) struct Group {
    id: Uuid,
    pub(super) config: String,
    role: String,
    pub(super) alarms: Option<AlarmConfiguration>,
    pub(super) rollback: Option<AutoRollback>,
    style: Option<Style>,
}

/// The alarms that stop a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AlarmConfiguration {
    #[serde(default)]
    pub(super) enabled: bool,
    #[serde(default)]
    pub(super) ignore_poll_alarm_failure: bool,
    #[serde(default)]
    pub(super) alarms: Vec<AlarmName>,
}

/// An alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AlarmName {
    pub(super) name: String,
}

/// What makes CodeDeploy take a deployment back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AutoRollback {
    #[serde(default)]
    enabled: bool,
    #[serde(default)]
    events: Vec<RollbackEvent>,
}

/// Why a deployment is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum RollbackEvent {
    #[serde(rename = "DEPLOYMENT_FAILURE")]
    Failure,
    #[serde(rename = "DEPLOYMENT_STOP_ON_ALARM")]
    StopOnAlarm,
    #[serde(rename = "DEPLOYMENT_STOP_ON_REQUEST")]
    StopOnRequest,
}

/// The only style of deployments for functions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Style {
    deployment_type: String,
    deployment_option: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CreateApplication {
    application_name: String,
    compute_platform: Option<String>,
    /// Nothing here asks for them.
    #[serde(rename = "tags")]
    _tags: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NamedApplication {
    application_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CreateDeploymentGroup {
    application_name: String,
    deployment_group_name: String,
    service_role_arn: String,
    deployment_config_name: Option<String>,
    alarm_configuration: Option<AlarmConfiguration>,
    auto_rollback_configuration: Option<AutoRollback>,
    deployment_style: Option<Style>,
    #[serde(rename = "tags")]
    _tags: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct UpdateDeploymentGroup {
    application_name: String,
    current_deployment_group_name: String,
    new_deployment_group_name: Option<String>,
    service_role_arn: Option<String>,
    deployment_config_name: Option<String>,
    alarm_configuration: Option<AlarmConfiguration>,
    auto_rollback_configuration: Option<AutoRollback>,
    deployment_style: Option<Style>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NamedGroup {
    application_name: String,
    deployment_group_name: String,
}

impl AlarmConfiguration {
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.enabled && self.alarms.is_empty() {
            return Err(Refusal::new(
                "InvalidAlarmConfigException",
                "the alarm configuration is enabled and has no alarm",
            ));
        }
        if self.alarms.len() > MOST_ALARMS {
            return Err(Refusal::new(
                "AlarmsLimitExceededException",
                format!("it has more than {MOST_ALARMS} alarms"),
            ));
        }
        Ok(())
    }
}

impl AutoRollback {
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.enabled && self.events.is_empty() {
            return Err(Refusal::new(
                "InvalidAutoRollbackConfigException",
                "the automatic rollback is enabled and has no event",
            ));
        }
        Ok(())
    }

    /// Whether a deployment that ends so is taken back.
    pub(super) fn is_on(&self, event: RollbackEvent) -> bool {
        self.enabled && self.events.contains(&event)
    }
}

impl Style {
    fn check(&self) -> Result<(), Refusal> {
        if (
            self.deployment_type.as_str(),
            self.deployment_option.as_str(),
        ) == ("BLUE_GREEN", "WITH_TRAFFIC_CONTROL")
        {
            return Ok(());
        }
        Err(Refusal::new(
            "InvalidDeploymentStyleException",
            "functions are deployed with `BLUE_GREEN` and `WITH_TRAFFIC_CONTROL`",
        ))
    }
}

impl Account {
    pub(super) fn create_application(
        &mut self,
        asked: CreateApplication,
    ) -> Result<Value, Refusal> {
        check_platform(asked.compute_platform.as_deref())?;
        let name = asked.application_name;
        if self.applications.contains_key(&name) {
            return Err(Refusal::new(
                "ApplicationAlreadyExistsException",
                format!("Application already exists with name: {name}"),
            ));
        }
        let application = Application {
            id: Uuid::new_v4(),
            created: delivery_action::clock::timestamp(),
        };
        let answer = json!({ "applicationId": application.id.to_string() });
        self.applications.insert(name, application);
        Ok(answer)
    }

    pub(super) fn get_application(&self, asked: &NamedApplication) -> Result<Value, Refusal> {
        let name = &asked.application_name;
        let application = self.application(name)?;
        Ok(json!({ "application": {
            "applicationId": application.id.to_string(),
            "applicationName": name,
            "computePlatform": "Lambda",
            "createTime": seconds(application.created),
            "linkedToGitHub": false,
        } }))
    }

    /// One that is not there is deleted, too.
    pub(super) fn delete_application(&mut self, asked: &NamedApplication) -> Value {
        let name = &asked.application_name;
        self.applications.remove(name);
        self.groups
            .retain(|(application, _), _| application != name);
        json!({})
    }

    pub(super) fn create_group(&mut self, asked: CreateDeploymentGroup) -> Result<Value, Refusal> {
        self.application(&asked.application_name)?;
        let key = (asked.application_name, asked.deployment_group_name);
        if self.groups.contains_key(&key) {
            return Err(Refusal::new(
                "DeploymentGroupAlreadyExistsException",
                format!("Deployment group already exists with name: {}", key.1),
            ));
        }
        let config = asked.deployment_config_name;
        let group = Group {
            id: Uuid::new_v4(),
            config: config.unwrap_or_else(|| routing::DEFAULT.to_owned()),
            role: asked.service_role_arn,
            alarms: asked.alarm_configuration,
            rollback: asked.auto_rollback_configuration,
            style: asked.deployment_style,
        };
        self.check(&group)?;
        let answer = json!({ "deploymentGroupId": group.id.to_string() });
        self.groups.insert(key, group);
        Ok(answer)
    }

    pub(super) fn update_group(&mut self, asked: UpdateDeploymentGroup) -> Result<Value, Refusal> {
        let application = asked.application_name;
        let name = asked.current_deployment_group_name;
        let mut group = self.group(&application, &name)?.clone();
        group.role = asked.service_role_arn.unwrap_or(group.role);
        group.config = asked.deployment_config_name.unwrap_or(group.config);
        group.alarms = asked.alarm_configuration.or(group.alarms);
        group.rollback = asked.auto_rollback_configuration.or(group.rollback);
        group.style = asked.deployment_style.or(group.style);
        self.check(&group)?;
        let new_name = asked.new_deployment_group_name.unwrap_or(name.clone());
        if new_name != name && self.group(&application, &new_name).is_ok() {
            return Err(Refusal::new(
                "DeploymentGroupAlreadyExistsException",
                format!("Deployment group already exists with name: {new_name}"),
            ));
        }
        self.groups.remove(&(application.clone(), name));
        self.groups.insert((application, new_name), group);
        Ok(json!({}))
    }

    pub(super) fn get_group(&self, asked: &NamedGroup) -> Result<Value, Refusal> {
        let NamedGroup {
            application_name: application,
            deployment_group_name: name,
        } = asked;
        let group = self.group(application, name)?;
        Ok(json!({ "deploymentGroupInfo": {
            "applicationName": application,
            "deploymentGroupId": group.id.to_string(),
            "deploymentGroupName": name,
            "deploymentConfigName": group.config,
            "serviceRoleArn": group.role,
            "computePlatform": "Lambda",
            "alarmConfiguration": group.alarms,
            "autoRollbackConfiguration": group.rollback,
            "deploymentStyle": group.style,
        } }))
    }

    /// One that is not there is deleted, too.
    pub(super) fn delete_group(&mut self, asked: NamedGroup) -> Value {
        let key = (asked.application_name, asked.deployment_group_name);
        self.groups.remove(&key);
        json!({ "hooksNotCleanedUp": [] })
    }

    pub(super) fn application(&self, name: &str) -> Result<&Application, Refusal> {
        self.applications.get(name).ok_or_else(|| {
            Refusal::new(
                "ApplicationDoesNotExistException",
                format!("No application found for name: {name}"),
            )
        })
    }

    pub(super) fn group(&self, application: &str, name: &str) -> Result<&Group, Refusal> {
        self.application(application)?;
        let key = (application.to_owned(), name.to_owned());
        self.groups.get(&key).ok_or_else(|| {
            Refusal::new(
                "DeploymentGroupDoesNotExistException",
                format!("No Deployment Group found for name: {name}"),
            )
        })
    }

    fn check(&self, group: &Group) -> Result<(), Refusal> {
        self.routing(&group.config)?;
        group
            .alarms
            .iter()
            .try_for_each(AlarmConfiguration::check)?;
        group.rollback.iter().try_for_each(AutoRollback::check)?;
        group.style.iter().try_for_each(Style::check)
    }
}
