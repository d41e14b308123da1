//! The alias: read, created if it is missing, moved in one call, and never deleted.
//!
//! A job that finds the alias on its version already cannot know from that alone which version was live before, which it has to
//! report as `PreviousVersion`: the job that moved it may have been killed before its report. So the alias's description
//! ends with that version.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{AliasRoutingConfiguration, ProvisionedConcurrencyStatusEnum};
use delivery_action::aws::CallError;
use serde::{Deserialize, Serialize};

use crate::error::DeployAppError;
use crate::function::MAX_DESCRIPTION_CHARS;
use crate::params::DeployAppParams;

/// Before the previous version, at the end of an alias's description.
const PREVIOUS: &str = "before: version ";

/// An alias as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AliasState {
    pub(crate) version: String,
    /// The weights of other versions, in thousandths.
    pub(crate) weights: BTreeMap<String, u16>,
    #[serde(skip)]
    pub(crate) revision_id: String,
    #[serde(skip)]
    description: String,
}

impl AliasState {
    /// Whether all traffic goes to this version.
    pub(crate) fn is_wholly_on(&self, version: &str) -> bool {
        self.version == version && self.weights.is_empty()
    }

    /// The other versions and their weights: `10 % on version 8`.
    pub(crate) fn weights_text(&self) -> String {
        let weights = self.weights.iter().map(|(version, thousandths)| {
            format!("{} % on version {version}", f64::from(*thousandths) / 10.0)
        });
        weights.collect::<Vec<_>>().join(", ")
    }

    /// The version that it was on before this one, read from its description.
    pub(crate) fn previous_version(&self) -> Option<&str> {
        let (_, version) = self.description.rsplit_once(PREVIOUS)?;
        let is_version = !version.is_empty() && version.chars().all(|c| c.is_ascii_digit());
        is_version.then_some(version)
    }
}

/// Reads the alias; `None` if there is none, or no such function, which other calls notice.
pub(crate) async fn read(
    lambda: &Client,
    params: &DeployAppParams,
) -> Result<Option<AliasState>, DeployAppError> {
    let (function, name) = (params.function.as_str(), params.alias.as_str());
    let sent = lambda
        .get_alias()
        .function_name(function)
        .name(name)
        .send()
        .await;
    match sent {
        Ok(alias) => Ok(Some(state(
            alias.function_version(),
            alias.routing_config(),
            alias.revision_id(),
            alias.description(),
        ))),
        Err(error) => {
            let error = CallError::new("lambda:GetAlias", resource(params), &error);
            if error.is_code("ResourceNotFoundException") {
                return Ok(None);
            }
            Err(DeployAppError::from(error))
        }
    }
}

/// Whether Lambda is moving the alias's provisioned concurrency: until that is done it sets weights of its own
/// (Lambda Developer Guide, "Configuring provisioned concurrency").
pub(crate) async fn is_provisioning(
    lambda: &Client,
    params: &DeployAppParams,
) -> Result<bool, DeployAppError> {
    let sent = lambda
        .get_provisioned_concurrency_config()
        .function_name(params.function.as_str())
        .qualifier(params.alias.as_str())
        .send()
        .await;
    match sent {
        Ok(found) => Ok(found.status() == Some(&ProvisionedConcurrencyStatusEnum::InProgress)),
        Err(error) => {
            let error = CallError::new(
                "lambda:GetProvisionedConcurrencyConfig",
                resource(params),
                &error,
            );
            if error.is_code("ProvisionedConcurrencyConfigNotFoundException") {
                return Ok(false);
            }
            Err(DeployAppError::from(error))
        }
    }
}

/// Creates the alias.
pub(crate) async fn create(
    lambda: &Client,
    params: &DeployAppParams,
    version: &str,
) -> Result<AliasState, DeployAppError> {
    let sent = lambda
        .create_alias()
        .function_name(params.function.as_str())
        .name(params.alias.as_str())
        .function_version(version)
        .description(description(params, None))
        .send()
        .await;
    let alias = sent.map_err(|error| {
        DeployAppError::from(CallError::new(
            "lambda:CreateAlias",
            resource(params),
            &error,
        ))
    })?;
    Ok(state(
        alias.function_version(),
        alias.routing_config(),
        alias.revision_id(),
        alias.description(),
    ))
}

/// Moves all of the alias's traffic to a version, if the alias still is as in `from`.
///
/// Version and empty weights go in one call. `UpdateAlias` keeps weights that it is not given, so without them, or
/// with a second call for them, a part of the traffic would go to an old version.
pub(crate) async fn update(
    lambda: &Client,
    params: &DeployAppParams,
    from: &AliasState,
    version: &str,
) -> Result<AliasState, DeployAppError> {
    let all = AliasRoutingConfiguration::builder()
        .set_additional_version_weights(Some(HashMap::new()))
        .build();
    let sent = lambda
        .update_alias()
        .function_name(params.function.as_str())
        .name(params.alias.as_str())
        .function_version(version)
        .routing_config(all)
        .description(description(params, Some(&from.version)))
        .revision_id(&from.revision_id)
        .send()
        .await;
    let alias = sent.map_err(|error| {
        DeployAppError::from(CallError::new(
            "lambda:UpdateAlias",
            resource(params),
            &error,
        ))
    })?;
    Ok(state(
        alias.function_version(),
        alias.routing_config(),
        alias.revision_id(),
        alias.description(),
    ))
}

/// `function:alias`.
pub(crate) fn resource(params: &DeployAppParams) -> String {
    format!("{}:{}", params.function.as_str(), params.alias.as_str())
}

fn description(params: &DeployAppParams, previous: Option<&str>) -> String {
    let tail = previous
        .map(|version| format!("{PREVIOUS}{version}"))
        .unwrap_or_default();
    let head = params.revision.as_ref().map_or_else(
        || "deployed by deploy-app; ".to_owned(),
        |revision| format!("revision {revision}; "),
    );
    let room = MAX_DESCRIPTION_CHARS.saturating_sub(tail.chars().count());
    let head: String = head.chars().take(room).collect();
    (head + &tail).trim_end_matches("; ").to_owned()
}

fn state(
    version: Option<&str>,
    routing: Option<&AliasRoutingConfiguration>,
    revision_id: Option<&str>,
    description: Option<&str>,
) -> AliasState {
    let weights = routing.and_then(AliasRoutingConfiguration::additional_version_weights);
    AliasState {
        version: version.unwrap_or_default().to_owned(),
        weights: weights
            .into_iter()
            .flatten()
            .map(|(version, weight)| (version.clone(), thousandths(*weight)))
            .collect(),
        revision_id: revision_id.unwrap_or_default().to_owned(),
        description: description.unwrap_or_default().to_owned(),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the product is within 0 to 1000"
)]
fn thousandths(weight: f64) -> u16 {
    (weight.clamp(0.0, 1.0) * 1_000.0).round() as u16
}
