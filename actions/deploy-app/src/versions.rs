//! Versions that are there already: the same code and configuration are published once, so that an alias gets
//! the version that another one was tested on, also where other code was published in between.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{FunctionConfiguration, SnapStartResponse, State};
use delivery_action::aws::CallError;

use crate::error::DeployAppError;
use crate::params::DeployAppParams;

/// What Lambda calls the code and configuration that are not published.
const LATEST: &str = "$LATEST";

/// Pages of versions that are looked through: 50 versions each (`API_ListVersionsByFunction`, `MaxItems`). A
/// function with more gets a further version of code that it has, which is no fault.
const MAX_PAGES: usize = 100;

/// The newest version that holds this code and what `$LATEST` is configured as now.
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
    tracing::warn!(function, "too many versions to look through");
    Ok(found.map(|(version, _)| version))
}

/// What a version freezes beside its code. What is not known here counts, so that a difference in it makes
/// another version.
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
    // Lambda updates the runtime of what is published, too.
    version.runtime_version_config = None;
    // Only a version has a snapshot; what is configured is when one is made.
    version.snap_start = version.snap_start.map(|snap_start| {
        SnapStartResponse::builder()
            .set_apply_on(snap_start.apply_on)
            .build()
    });
    version
}
