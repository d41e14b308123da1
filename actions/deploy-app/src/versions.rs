//! Finds an existing version with the same code and configuration, so that an alias gets the very version that was
//! tested in another stage, even if other code was published since. (`PublishVersion` compares only with the last version.)

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{FunctionConfiguration, SnapStartResponse, State};
use delivery_action::aws::CallError;

use crate::error::DeployAppError;
use crate::params::DeployAppParams;

/// Lambda's name for the code and configuration that are not published.
const LATEST: &str = "$LATEST";

/// Most pages of versions that are searched: 50 versions each (`API_ListVersionsByFunction`, `MaxItems`). A
/// function with more gets another version of the same code, which does no harm.
const MAX_PAGES: usize = 100;

/// The newest version with this code and the present configuration of `$LATEST`.
pub(crate) async fn find(
    lambda: &Client,
    params: &DeployAppParams,
    code_sha256: &str,
) -> Result<Option<String>, DeployAppError> {
    let function = params.function.as_str();
    let mut pages = lambda
        .list_versions_by_function()
        .function_name(function)
        .into_paginator()
        .send();
    let mut latest = None;
    let mut found = None;
    for _ in 0..MAX_PAGES {
        let Some(page) = pages.next().await else {
            return Ok(found.map(|(version, _)| version));
        };
        let page = page.map_err(|error| {
            let error = CallError::new("lambda:ListVersionsByFunction", function, &error);
            DeployAppError::from(error)
        })?;
        for version in page.versions.unwrap_or_default() {
            if version.version() == Some(LATEST) {
                latest = Some(settings(version));
                continue;
            }
            let number = version.version().and_then(|number| number.parse().ok());
            let has_code = version.code_sha256() == Some(code_sha256);
            let can_run = version.state() != Some(&State::Failed);
            let (Some(number), true, true) = (number, has_code, can_run) else {
                continue;
            };
            let name = version.version().unwrap_or_default().to_owned();
            let newer = found
                .as_ref()
                .is_none_or(|(_, known): &(String, u64)| *known < number);
            if newer && latest.as_ref() == Some(&settings(version)) {
                found = Some((name, number));
            }
        }
    }
    tracing::warn!(function, "too many versions to search them all");
    Ok(found.map(|(version, _)| version))
}

/// What a version freezes besides its code: everything but the fields that are removed here. So a setting that
/// Lambda gets in future counts as a difference and leads to a new version.
fn settings(mut version: FunctionConfiguration) -> FunctionConfiguration {
    version.function_arn = None;
    version.master_arn = None;
    version.version = None;
    version.description = None;
    version.last_modified = None;
    version.revision_id = None;
    version.code_sha256 = None;
    version.code_size = 0;
    version.state = None;
    version.state_reason = None;
    version.state_reason_code = None;
    version.last_update_status = None;
    version.last_update_status_reason = None;
    version.last_update_status_reason_code = None;
    // Lambda updates the runtime of published versions, too.
    version.runtime_version_config = None;
    // Only a version has a snapshot; the setting is when one is made.
    version.snap_start = version.snap_start.map(|snap_start| {
        SnapStartResponse::builder()
            .set_apply_on(snap_start.apply_on)
            .build()
    });
    version
}
