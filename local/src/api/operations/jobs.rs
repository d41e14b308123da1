//! Jobs: what functions ask and report.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::failure::ApiError;
use crate::engine::driver::Driver;
use crate::engine::execution::CurrentRevision;
use crate::engine::message::{Event, SuccessReport};
use crate::engine::{Details, ErrorDetails, JobId};

use super::{Answer, read};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GetInput {
    job_id: JobId,
}

pub(super) fn get(driver: &Arc<Driver>, input: Value) -> Answer {
    let GetInput { job_id } = read(input)?;
    let details = driver.state().read_job(&job_id, &driver.credentials)?;
    Ok(Some(json!({"jobDetails": details})))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SuccessInput {
    job_id: JobId,
    current_revision: Option<CurrentRevision>,
    continuation_token: Option<String>,
    #[serde(default)]
    execution_details: Details,
    #[serde(default)]
    output_variables: BTreeMap<String, String>,
}

pub(super) fn succeed(driver: &Arc<Driver>, input: Value) -> Answer {
    let input: SuccessInput = read(input)?;
    if input.continuation_token.is_some() && !input.output_variables.is_empty() {
        return Err(ApiError::Validation(
            "outputVariables cannot be given with a continuationToken: they belong to the action's last job"
                .to_owned(),
        ));
    }
    let report = SuccessReport {
        continuation_token: input.continuation_token,
        details: input.execution_details,
        revision: input.current_revision,
        output_variables: input.output_variables,
    };
    driver.apply(Event::JobSucceeded {
        job: input.job_id,
        report: Box::new(report),
    })?;
    Ok(None)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FailureInput {
    job_id: JobId,
    failure_details: FailureDetails,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FailureDetails {
    #[serde(rename = "type")]
    kind: String,
    message: String,
    external_execution_id: Option<String>,
}

pub(super) fn fail(driver: &Arc<Driver>, input: Value) -> Answer {
    let FailureInput {
        job_id,
        failure_details: details,
    } = read(input)?;
    let event = Event::JobFailed {
        job: job_id,
        error: ErrorDetails {
            code: details.kind,
            message: details.message,
        },
        external_execution_id: details.external_execution_id,
    };
    driver.apply(event)?;
    Ok(None)
}
