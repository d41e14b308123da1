//! Deployment configurations of one's own.

use delivery_action::clock;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::failure::{Refusal, check_platform};
use super::routing::Routing;
use super::{Account, seconds};

/// A configuration.
#[derive(Debug)]
pub(super) struct Config {
    id: Uuid,
    created: Timestamp,
    routing: Routing,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CreateDeploymentConfig {
    deployment_config_name: String,
    compute_platform: Option<String>,
    traffic_routing_config: Routing,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NamedConfig {
    deployment_config_name: String,
}

impl Account {
    pub(super) fn create_config(
        &mut self,
        asked: CreateDeploymentConfig,
    ) -> Result<Value, Refusal> {
        check_platform(asked.compute_platform.as_deref())?;
        let name = asked.deployment_config_name;
        if self.routing(&name).is_ok() {
            return Err(Refusal::new(
                "DeploymentConfigAlreadyExistsException",
                format!("Deployment configuration already exists with name: {name}"),
            ));
        }
        let config = Config {
            id: Uuid::new_v4(),
            created: clock::timestamp(),
            routing: asked.traffic_routing_config.checked()?,
        };
        let answer = json!({ "deploymentConfigId": config.id.to_string() });
        self.configs.insert(name, config);
        Ok(answer)
    }

    pub(super) fn get_config(&self, asked: &NamedConfig) -> Result<Value, Refusal> {
        let name = &asked.deployment_config_name;
        let mut info = json!({
            "deploymentConfigName": name,
            "computePlatform": "Lambda",
            "trafficRoutingConfig": self.routing(name)?,
        });
        if let Some(config) = self.configs.get(name) {
            info["deploymentConfigId"] = json!(config.id.to_string());
            info["createTime"] = seconds(config.created);
        }
        Ok(json!({ "deploymentConfigInfo": info }))
    }

    pub(super) fn delete_config(&mut self, asked: &NamedConfig) -> Result<Value, Refusal> {
        let name = &asked.deployment_config_name;
        if Routing::predefined(name).is_some() {
            return Err(Refusal::new(
                "InvalidOperationException",
                format!("the deployment configuration `{name}` is AWS's own"),
            ));
        }
        if self.groups.values().any(|group| group.config == *name) {
            return Err(Refusal::new(
                "DeploymentConfigInUseException",
                format!("the deployment configuration `{name}` is in use"),
            ));
        }
        self.configs.remove(name);
        Ok(json!({}))
    }

    /// How traffic moves by a configuration.
    pub(super) fn routing(&self, name: &str) -> Result<Routing, Refusal> {
        let own = || self.configs.get(name).map(|config| config.routing);
        Routing::predefined(name).or_else(own).ok_or_else(|| {
            Refusal::new(
                "DeploymentConfigDoesNotExistException",
                format!("No deployment configuration found for functions with name: {name}"),
            )
        })
    }
}
