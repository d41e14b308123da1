//! The calls to API Gateway's control plane that the action makes.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_sdk_apigateway::Client;
use aws_sdk_apigateway::primitives::Blob;
use aws_sdk_apigateway::types::{ApiStatus, Op, PatchOperation, PutMode, RestApi};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use delivery_action::aws::SdkConfig;
use delivery_action::aws::{CallError, CallErrorKind};

use crate::error::DeployApiError;
use crate::partition::Partition;

/// Attempts of one call. `CreateDeployment` is allowed once in 5 s, `PutRestApi` once a second, for an
/// account and region, and neither can be raised (API Gateway Developer Guide, "Quotas"): the SDK's
/// pauses of up to 1, 2, 4, 8 and 16 s outlast that, those of its default 3 attempts do not.
const MAX_ATTEMPTS: u32 = 6;

/// Polling interval while an API applies an import; the control plane allows 10 requests a second for
/// the whole account.
const SETTLE_INTERVAL: Duration = Duration::from_secs(1);

/// How long an import may take; usually it takes seconds.
const SETTLE_LIMIT: Duration = Duration::from_mins(2);

/// Items on one page of a list, the maximum (`API_GetDeployments`, `limit`).
const PAGE: i32 = 500;

/// Calls to API Gateway in one region.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    client: Client,
    resources: String,
}

/// A call that failed, and when it may be tried again.
#[derive(Debug)]
pub(crate) struct FailedCall {
    /// The error.
    pub(crate) call: CallError,
    /// The service's `Retry-After`.
    pub(crate) retry_after: Option<Duration>,
}

/// A stage as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stage {
    /// What it serves.
    pub(crate) deployment_id: String,
    /// What its canary serves to a part of the requests, if it has one.
    pub(crate) canary_deployment_id: Option<String>,
    /// Its variables.
    pub(crate) variables: BTreeMap<String, String>,
}

/// A snapshot of an API.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deployment {
    /// When it was made, in seconds.
    pub(crate) created: i64,
    /// Its id.
    pub(crate) id: String,
    /// Says which document it is of ([`crate::deploy`]).
    pub(crate) description: String,
}

impl Gateway {
    pub(crate) fn new(config: &SdkConfig, region: &str) -> Self {
        let retries = config
            .retry_config()
            .cloned()
            .unwrap_or_else(RetryConfig::standard);
        let client = aws_sdk_apigateway::config::Builder::from(config)
            .retry_config(retries.with_max_attempts(MAX_ATTEMPTS))
            .build();
        let partition = Partition::of(region).name;
        Self {
            client: Client::from_conf(client),
            resources: format!("arn:{partition}:apigateway:{region}::/restapis"),
        }
    }

    /// The id of the API with this id or, if there is none, with this name.
    pub(crate) async fn resolve(&self, api: &str) -> Result<String, DeployApiError> {
        let by_id = api
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if by_id {
            match self.client.get_rest_api().rest_api_id(api).send().await {
                Ok(_) => return Ok(api.to_owned()),
                Err(error) => {
                    let failed = self.failed_call("apigateway:GET", &format!("/{api}"), &error);
                    if failed.call.kind != CallErrorKind::NotFound {
                        return Err(DeployApiError::call("read", api, failed));
                    }
                }
            }
        }
        let named: Vec<RestApi> = self
            .apis()
            .await
            .map_err(|failed| DeployApiError::call("look up", api, failed))?
            .into_iter()
            .filter(|found| found.name() == Some(api))
            .collect();
        let mut ids: Vec<_> = named.into_iter().filter_map(|found| found.id).collect();
        match ids.len() {
            0 => Err(DeployApiError::NoApi {
                api: api.to_owned(),
            }),
            1 => Ok(ids.remove(0)),
            _ => Err(DeployApiError::SeveralApis {
                name: api.to_owned(),
                ids,
            }),
        }
    }

    async fn apis(&self) -> Result<Vec<RestApi>, FailedCall> {
        let pages = self
            .client
            .get_rest_apis()
            .limit(PAGE)
            .into_paginator()
            .items()
            .send();
        pages
            .collect::<Result<_, _>>()
            .await
            .map_err(|error| self.failed_call("apigateway:GET", "", &error))
    }

    /// A stage; `None` if the API has none with this name.
    pub(crate) async fn stage(&self, api: &str, stage: &str) -> Result<Option<Stage>, FailedCall> {
        let read = self
            .client
            .get_stage()
            .rest_api_id(api)
            .stage_name(stage)
            .send()
            .await;
        match read {
            Ok(read) => Ok(Some(Stage {
                deployment_id: read.deployment_id.unwrap_or_default(),
                canary_deployment_id: read
                    .canary_settings
                    .map(|canary| canary.deployment_id.unwrap_or_default()),
                variables: read.variables.unwrap_or_default().into_iter().collect(),
            })),
            Err(error) => {
                let failed =
                    self.failed_call("apigateway:GET", &format!("/{api}/stages/{stage}"), &error);
                if failed.call.kind == CallErrorKind::NotFound {
                    Ok(None)
                } else {
                    Err(failed)
                }
            }
        }
    }

    /// The names of an API's stages and what they serve, a canary's deployment too.
    pub(crate) async fn stages(&self, api: &str) -> Result<Vec<(String, String)>, FailedCall> {
        let read = self.client.get_stages().rest_api_id(api).send().await;
        let read = read.map_err(|error| {
            self.failed_call("apigateway:GET", &format!("/{api}/stages"), &error)
        })?;
        let mut stages = Vec::new();
        for stage in read.item.unwrap_or_default() {
            let name = stage.stage_name.unwrap_or_default();
            let canary = stage
                .canary_settings
                .and_then(|canary| canary.deployment_id);
            stages.extend(
                [stage.deployment_id, canary]
                    .into_iter()
                    .flatten()
                    .map(|id| (name.clone(), id)),
            );
        }
        stages.sort();
        Ok(stages)
    }

    /// All deployments of an API, the oldest first.
    pub(crate) async fn deployments(&self, api: &str) -> Result<Vec<Deployment>, FailedCall> {
        let pages = self
            .client
            .get_deployments()
            .rest_api_id(api)
            .limit(PAGE)
            .into_paginator()
            .items()
            .send();
        let read: Vec<_> = pages.collect::<Result<_, _>>().await.map_err(|error| {
            self.failed_call("apigateway:GET", &format!("/{api}/deployments"), &error)
        })?;
        let mut deployments: Vec<_> = read
            .into_iter()
            .map(|read| Deployment {
                created: read.created_date.map_or(0, |at| at.secs()),
                id: read.id.unwrap_or_default(),
                description: read.description.unwrap_or_default(),
            })
            .collect();
        deployments.sort();
        Ok(deployments)
    }

    /// Replaces an API's definition and waits until the service has applied it. No stage changes. Returns the
    /// API's description, which is the document's.
    pub(crate) async fn import(&self, api: &str, body: &[u8]) -> Result<String, DeployApiError> {
        let imported = self
            .client
            .put_rest_api()
            .rest_api_id(api)
            .mode(PutMode::Overwrite)
            .fail_on_warnings(true)
            .body(Blob::new(body))
            .send()
            .await
            .map_err(|error| {
                let failed = self.failed_call("apigateway:PUT", &format!("/{api}"), &error);
                if failed.call.kind == CallErrorKind::Invalid {
                    DeployApiError::Import {
                        api: api.to_owned(),
                        source: failed.call,
                    }
                } else {
                    DeployApiError::call("import the document into", api, failed)
                }
            })?;
        let description = imported.description.unwrap_or_default();
        let mut status = imported.api_status;
        let mut message = imported.api_status_message;
        let limit = tokio::time::Instant::now() + SETTLE_LIMIT;
        while let Some(ApiStatus::Updating | ApiStatus::Pending) = status {
            if tokio::time::Instant::now() > limit {
                return Err(DeployApiError::ImportTimeout {
                    api: api.to_owned(),
                    limit: SETTLE_LIMIT,
                });
            }
            tokio::time::sleep(SETTLE_INTERVAL).await;
            let read = self
                .client
                .get_rest_api()
                .rest_api_id(api)
                .send()
                .await
                .map_err(|error| {
                    DeployApiError::call(
                        "read",
                        api,
                        self.failed_call("apigateway:GET", &format!("/{api}"), &error),
                    )
                })?;
            status = read.api_status;
            message = read.api_status_message;
        }
        if status == Some(ApiStatus::Failed) {
            return Err(DeployApiError::ImportFailed {
                api: api.to_owned(),
                message: message.unwrap_or_default(),
            });
        }
        Ok(description)
    }

    /// The API's description, which is that of the last imported document.
    pub(crate) async fn description(&self, api: &str) -> Result<String, FailedCall> {
        let read = self.client.get_rest_api().rest_api_id(api).send().await;
        let read =
            read.map_err(|error| self.failed_call("apigateway:GET", &format!("/{api}"), &error))?;
        Ok(read.description.unwrap_or_default())
    }

    /// Replaces a deployment's description.
    pub(crate) async fn describe_deployment(
        &self,
        api: &str,
        id: &str,
        description: &str,
    ) -> Result<(), FailedCall> {
        let replace = PatchOperation::builder()
            .op(Op::Replace)
            .path("/description")
            .value(description)
            .build();
        let update = self
            .client
            .update_deployment()
            .rest_api_id(api)
            .deployment_id(id);
        let updated = update.patch_operations(replace).send().await;
        let path = format!("/{api}/deployments/{id}");
        updated
            .map(drop)
            .map_err(|error| self.failed_call("apigateway:PATCH", &path, &error))
    }

    /// Takes a snapshot of an API; no stage serves it yet.
    pub(crate) async fn create_deployment(
        &self,
        api: &str,
        description: &str,
    ) -> Result<Deployment, FailedCall> {
        let made = self
            .client
            .create_deployment()
            .rest_api_id(api)
            .description(description)
            .send()
            .await;
        let made = made.map_err(|error| {
            self.failed_call("apigateway:POST", &format!("/{api}/deployments"), &error)
        })?;
        Ok(Deployment {
            created: made.created_date.map_or(0, |at| at.secs()),
            id: made.id.unwrap_or_default(),
            description: description.to_owned(),
        })
    }

    /// Whether a deployment exists.
    pub(crate) async fn has_deployment(&self, api: &str, id: &str) -> Result<bool, FailedCall> {
        let read = self
            .client
            .get_deployment()
            .rest_api_id(api)
            .deployment_id(id)
            .send()
            .await;
        match read {
            Ok(_) => Ok(true),
            Err(error) => {
                let failed = self.failed_call(
                    "apigateway:GET",
                    &format!("/{api}/deployments/{id}"),
                    &error,
                );
                if failed.call.kind == CallErrorKind::NotFound {
                    Ok(false)
                } else {
                    Err(failed)
                }
            }
        }
    }

    /// Moves a stage and sets its variables in one call: all of it or nothing.
    pub(crate) async fn update_stage(
        &self,
        api: &str,
        stage: &str,
        deployment: Option<&str>,
        variables: &BTreeMap<&str, &str>,
    ) -> Result<(), FailedCall> {
        let replace = |path: String, value: &str| {
            PatchOperation::builder()
                .op(Op::Replace)
                .path(path)
                .value(value)
                .build()
        };
        let variables = variables
            .iter()
            .map(|(name, value)| replace(format!("/variables/{name}"), value));
        let deployment = deployment.map(|id| replace("/deploymentId".to_owned(), id));
        let patch: Vec<_> = variables.chain(deployment).collect();
        let update = self
            .client
            .update_stage()
            .rest_api_id(api)
            .stage_name(stage);
        update
            .set_patch_operations(Some(patch))
            .send()
            .await
            .map_err(|error| {
                self.failed_call(
                    "apigateway:PATCH",
                    &format!("/{api}/stages/{stage}"),
                    &error,
                )
            })?;
        Ok(())
    }

    /// Removes a deployment; one that does not exist counts as removed.
    pub(crate) async fn delete_deployment(&self, api: &str, id: &str) -> Result<(), FailedCall> {
        let deleted = self
            .client
            .delete_deployment()
            .rest_api_id(api)
            .deployment_id(id)
            .send()
            .await;
        match deleted {
            Ok(_) => Ok(()),
            Err(error) => {
                let failed = self.failed_call(
                    "apigateway:DELETE",
                    &format!("/{api}/deployments/{id}"),
                    &error,
                );
                if failed.call.kind == CallErrorKind::NotFound {
                    Ok(())
                } else {
                    Err(failed)
                }
            }
        }
    }

    fn failed_call<E>(
        &self,
        action: &'static str,
        path: &str,
        error: &SdkError<E, HttpResponse>,
    ) -> FailedCall
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let retry_after = error
            .raw_response()
            .and_then(|response| response.headers().get("retry-after"))
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs);
        FailedCall {
            call: CallError::new(action, format!("{}{path}", self.resources), error),
            retry_after,
        }
    }
}
