//! What a release says about a site: its version, and the values of its `config.json`.

use aws_sdk_cloudformation::Client;
use delivery_action::aws::SdkConfig;
use delivery_release::part::ReleasedService;
use delivery_stack::service::DefinedService;

use crate::error::DeploySiteError;
use crate::params::{API_BASEURL, DeploySiteParams, VERSION};

/// The parameters with what the release says. What the action's own parameters say counts more.
///
/// References are resolved here, with the outputs that the environment has now: a release that is brought back finds the API
/// that is there, whatever address it had then.
pub(crate) async fn params(
    config: &SdkConfig,
    params: &DeploySiteParams,
    service: &ReleasedService,
) -> Result<DeploySiteParams, DeploySiteError> {
    let own = service.definition.services().get(&service.name);
    let values = own.into_iter().flat_map(|own| own.config.iter());
    let values = values.map(|one| (one.name.as_str(), &one.value.value));
    let defined = DefinedService::released(service)?;
    let addresses = params.release.as_ref().map(|release| &release.addresses);
    let defined = defined.with_addresses(addresses.cloned().unwrap_or_default());
    let client = Client::new(config);
    let mut said = defined.resolve(&client, values).await?;
    let api_baseurl = said.remove(API_BASEURL);
    let version = said.remove(VERSION);
    let version = version.unwrap_or_else(|| service.revision.clone());
    said.extend(params.config.clone());
    Ok(DeploySiteParams {
        api_baseurl: params.api_baseurl.clone().or(api_baseurl),
        version: params.version.clone().or(Some(version)),
        config: said,
        ..params.clone()
    })
}
