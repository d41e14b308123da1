//! An alias: read, created if it is missing, changed in one call, and never deleted.

use std::collections::HashMap;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{AliasRoutingConfiguration, ProvisionedConcurrencyStatusEnum};
use delivery_action::aws::CallError;
use delivery_rollout::{Alias, Change, Description, Provisioning};

/// After an alias's name: the alias that names its last good version.
const GOOD: &str = "-good";

/// An alias of a function.
#[derive(Clone, Debug)]
pub struct FunctionAlias {
    lambda: Client,
    function: String,
    name: String,
}

/// An alias, as it was read.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its state.
    pub alias: Alias,
    /// Changes with every change of it.
    pub revision_id: String,
}

impl FunctionAlias {
    /// The alias `name` of a function, which is a name, a partial ARN or an ARN.
    #[must_use]
    pub fn new(lambda: &Client, function: &str, name: &str) -> Self {
        Self {
            lambda: lambda.clone(),
            function: function.to_owned(),
            name: name.to_owned(),
        }
    }

    /// The alias that names the last good version of this one.
    ///
    /// It is an alias, and not a note somewhere, because Lambda then refuses to delete that version.
    #[must_use]
    pub fn good(&self) -> Self {
        Self {
            name: format!("{}{GOOD}", self.name),
            ..self.clone()
        }
    }

    /// `function:alias`, for messages.
    #[must_use]
    pub fn resource(&self) -> String {
        format!("{}:{}", self.function, self.name)
    }

    /// Reads it; `None` if there is none, or no such function, which other calls notice.
    ///
    /// # Errors
    ///
    /// [`CallError`] if Lambda does not say.
    pub async fn read(&self) -> Result<Option<Found>, CallError> {
        let sent = self
            .lambda
            .get_alias()
            .function_name(&self.function)
            .name(&self.name)
            .send()
            .await;
        match sent {
            Ok(alias) => Ok(Some(found(
                alias.function_version(),
                alias.routing_config(),
                alias.revision_id(),
                alias.description(),
            ))),
            Err(error) => {
                let error = CallError::new("lambda:GetAlias", self.resource(), &error);
                if error.is_code("ResourceNotFoundException") {
                    return Ok(None);
                }
                Err(error)
            }
        }
    }

    /// Its provisioned concurrency. While Lambda moves that to another version, it sets weights of its own (Lambda
    /// Developer Guide, "Configuring provisioned concurrency").
    ///
    /// # Errors
    ///
    /// [`CallError`] if Lambda does not say.
    pub async fn provisioning(&self) -> Result<Provisioning, CallError> {
        let sent = self
            .lambda
            .get_provisioned_concurrency_config()
            .function_name(&self.function)
            .qualifier(&self.name)
            .send()
            .await;
        match sent {
            Ok(found) => Ok(match found.status() {
                Some(ProvisionedConcurrencyStatusEnum::InProgress) => Provisioning::Moving,
                Some(ProvisionedConcurrencyStatusEnum::Failed) => Provisioning::Failed(
                    found
                        .status_reason()
                        .unwrap_or("Lambda gave no reason")
                        .to_owned(),
                ),
                _ => Provisioning::Ready,
            }),
            Err(error) => {
                let call = "lambda:GetProvisionedConcurrencyConfig";
                let error = CallError::new(call, self.resource(), &error);
                if error.is_code("ProvisionedConcurrencyConfigNotFoundException") {
                    return Ok(Provisioning::Ready);
                }
                Err(error)
            }
        }
    }

    /// Creates it.
    ///
    /// # Errors
    ///
    /// [`CallError`]: a conflict if somebody else has created it.
    pub async fn create(
        &self,
        version: &str,
        description: &Description,
    ) -> Result<Found, CallError> {
        let sent = self
            .lambda
            .create_alias()
            .function_name(&self.function)
            .name(&self.name)
            .function_version(version)
            .description(description.to_string())
            .send()
            .await;
        let alias =
            sent.map_err(|error| CallError::new("lambda:CreateAlias", self.resource(), &error))?;
        Ok(found(
            alias.function_version(),
            alias.routing_config(),
            alias.revision_id(),
            alias.description(),
        ))
    }

    /// Changes it, if it still is as in `from`.
    ///
    /// # Errors
    ///
    /// [`CallError`]: a conflict if somebody else has changed it.
    pub async fn change(&self, from: &Found, change: &Change) -> Result<Found, CallError> {
        let description = Some(change.description.to_string());
        self.update(from, change, description).await
    }

    /// Changes version and weights, if it still is as in `from`, and leaves the description as it is.
    ///
    /// # Errors
    ///
    /// [`CallError`]: a conflict if somebody else has changed it.
    pub async fn route(&self, from: &Found, change: &Change) -> Result<Found, CallError> {
        self.update(from, change, None).await
    }

    /// Version and weights go in one call. `UpdateAlias` keeps weights that it is not given, so without them, or
    /// with a second call for them, a part of the traffic would go to another version than is meant.
    async fn update(
        &self,
        from: &Found,
        change: &Change,
        description: Option<String>,
    ) -> Result<Found, CallError> {
        let weights: HashMap<String, f64> = change
            .share
            .iter()
            .map(|(version, share)| (version.clone(), share.weight()))
            .collect();
        let routing = AliasRoutingConfiguration::builder()
            .set_additional_version_weights(Some(weights))
            .build();
        let sent = self
            .lambda
            .update_alias()
            .function_name(&self.function)
            .name(&self.name)
            .function_version(&change.version)
            .routing_config(routing)
            .set_description(description)
            .revision_id(&from.revision_id)
            .send()
            .await;
        let alias =
            sent.map_err(|error| CallError::new("lambda:UpdateAlias", self.resource(), &error))?;
        Ok(found(
            alias.function_version(),
            alias.routing_config(),
            alias.revision_id(),
            alias.description(),
        ))
    }

    /// Makes it name this version, whether it is there or not; `before` is the version that it named before.
    ///
    /// # Errors
    ///
    /// [`CallError`]: a conflict if somebody else has changed it.
    pub async fn keep(
        &self,
        from: Option<&Found>,
        version: &str,
        before: Option<String>,
    ) -> Result<Found, CallError> {
        let description = Description {
            before,
            ..Description::default()
        };
        let Some(from) = from else {
            return self.create(version, &description).await;
        };
        let change = Change {
            version: version.to_owned(),
            share: None,
            description,
        };
        self.change(from, &change).await
    }
}

fn found(
    version: Option<&str>,
    routing: Option<&AliasRoutingConfiguration>,
    revision_id: Option<&str>,
    description: Option<&str>,
) -> Found {
    let weights = routing.and_then(AliasRoutingConfiguration::additional_version_weights);
    Found {
        alias: Alias {
            version: version.unwrap_or_default().to_owned(),
            weights: weights
                .into_iter()
                .flatten()
                .map(|(version, weight)| (version.clone(), permille(*weight)))
                .collect(),
            description: Description::parse(description.unwrap_or_default()),
        },
        revision_id: revision_id.unwrap_or_default().to_owned(),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the product is within 0 to 1000"
)]
fn permille(weight: f64) -> u16 {
    (weight.clamp(0.0, 1.0) * 1_000.0).round() as u16
}
