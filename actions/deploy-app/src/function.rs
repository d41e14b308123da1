//! The function's code and versions, one call each.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{LastUpdateStatus, State};
use delivery_action::aws::{CallError, CallErrorKind};
use delivery_action::job::Artifact;
use delivery_rollout::Settings;

use crate::error::DeployAppError;
use crate::params::DeployAppParams;

/// The description of the version that `application.yaml` makes for the aliases to begin on. It answers every request with
/// 503, so no traffic is to stay on it.
pub(crate) const PLACEHOLDER: &str = "The placeholder until the first deployment";

/// A function, or one of its versions, as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) code_sha256: String,
    pub(crate) revision_id: String,
    pub(crate) description: String,
    pub(crate) settings: Settings,
    pub(crate) condition: Condition,
}

/// Whether it can be worked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// It is not being updated.
    Settled,
    /// It is being made or updated.
    Busy,
    /// Its making or last update ended badly.
    Failed {
        /// Lambda's code, such as `ImageAccessDenied`.
        code: String,
        /// Lambda's words.
        reason: String,
    },
}

/// Reads the function, or one version of it.
pub(crate) async fn read(
    lambda: &Client,
    params: &DeployAppParams,
    version: Option<&str>,
) -> Result<Snapshot, DeployAppError> {
    let function = params.function.as_str();
    let sent = lambda
        .get_function_configuration()
        .function_name(function)
        .set_qualifier(version.map(str::to_owned))
        .send()
        .await;
    let output = sent.map_err(|error| {
        let error = CallError::new("lambda:GetFunctionConfiguration", function, &error);
        if error.is_code("ResourceNotFoundException") {
            return DeployAppError::FunctionMissing {
                function: function.to_owned(),
                source: Box::new(error),
            };
        }
        DeployAppError::from(error)
    })?;
    Ok(Snapshot {
        code_sha256: output.code_sha256().unwrap_or_default().to_owned(),
        revision_id: output.revision_id().unwrap_or_default().to_owned(),
        description: output.description().unwrap_or_default().to_owned(),
        settings: Settings {
            role: output.role().map(str::to_owned),
            dead_letter_queue: output
                .dead_letter_config()
                .and_then(|config| config.target_arn())
                .filter(|arn| !arn.is_empty())
                .map(str::to_owned),
        },
        condition: condition(
            output.state(),
            output.last_update_status(),
            || {
                let code = output.state_reason_code().map_or("", |code| code.as_str());
                (
                    code.to_owned(),
                    output.state_reason().unwrap_or_default().to_owned(),
                )
            },
            || {
                let code = output
                    .last_update_status_reason_code()
                    .map_or("", |code| code.as_str());
                let reason = output.last_update_status_reason().unwrap_or_default();
                (code.to_owned(), reason.to_owned())
            },
        ),
    })
}

/// A function whose last update failed still runs its old code and can be updated again, so the failure matters
/// only to the deployment that made that update; a function in state `Failed` has never run.
fn condition(
    state: Option<&State>,
    update: Option<&LastUpdateStatus>,
    state_reason: impl Fn() -> (String, String),
    update_reason: impl Fn() -> (String, String),
) -> Condition {
    match (state, update) {
        (Some(State::Pending), _) | (_, Some(LastUpdateStatus::InProgress)) => Condition::Busy,
        (Some(State::Failed), _) => {
            let (code, reason) = state_reason();
            Condition::Failed { code, reason }
        }
        (_, Some(LastUpdateStatus::Failed)) => {
            let (code, reason) = update_reason();
            Condition::Failed { code, reason }
        }
        _ => Condition::Settled,
    }
}

/// Sends the artifact's location to Lambda, if nobody has changed the function since `snapshot`. Returns the hash of the code
/// that Lambda has read.
pub(crate) async fn update_code(
    lambda: &Client,
    params: &DeployAppParams,
    artifact: &Artifact,
    snapshot: &Snapshot,
) -> Result<Option<String>, DeployAppError> {
    let function = params.function.as_str();
    let sent = lambda
        .update_function_code()
        .function_name(function)
        .s3_bucket(&artifact.bucket)
        .s3_key(&artifact.key)
        .revision_id(&snapshot.revision_id)
        .send()
        .await;
    let output = sent.map_err(|error| {
        let error = CallError::new("lambda:UpdateFunctionCode", function, &error);
        code_error(error, artifact)
    })?;
    Ok(output.code_sha256)
}

/// Lambda reads the artifact with its caller's rights and puts S3's answer into its own error message. This
/// tells errors about the artifact from errors about the function.
fn code_error(error: CallError, artifact: &Artifact) -> DeployAppError {
    let artifact = artifact.clone();
    let says = |text: &str| error.message.contains(text);
    let is_answer = matches!(error.kind, CallErrorKind::Denied | CallErrorKind::Invalid);
    if !is_answer || TEMPORARY_S3_CODES.iter().any(|code| says(code)) {
        let kind = if is_answer {
            CallErrorKind::Unavailable
        } else {
            error.kind
        };
        return DeployAppError::from(CallError { kind, ..error });
    }
    if says("S3") && (says("denied") || says("AccessDenied") || says("Forbidden")) {
        return DeployAppError::ArtifactDenied {
            artifact,
            source: Box::new(error),
        };
    }
    if says("S3") || says("unzip") || says("Unzipped size") {
        return DeployAppError::CodeRefused {
            artifact,
            source: Box::new(error),
        };
    }
    DeployAppError::from(error)
}

/// S3's codes for temporary errors, which Lambda puts into its message (`API_Error`, "List of error codes"):
/// the artifact is not at fault.
const TEMPORARY_S3_CODES: [&str; 5] = [
    "SlowDown",
    "InternalError",
    "ServiceUnavailable",
    "RequestTimeout",
    "OperationAborted",
];

/// Publishes the code with this hash as a version, if the function still is as in `snapshot`. If the last version
/// has the same code and configuration, Lambda returns that version.
pub(crate) async fn publish(
    lambda: &Client,
    params: &DeployAppParams,
    code_sha256: &str,
    snapshot: &Snapshot,
) -> Result<String, DeployAppError> {
    let function = params.function.as_str();
    let sent = lambda
        .publish_version()
        .function_name(function)
        .code_sha256(code_sha256)
        .revision_id(&snapshot.revision_id)
        .set_description(params.revision.as_deref().map(description))
        .send()
        .await;
    let output = sent.map_err(|error| {
        let mut error = CallError::new("lambda:PublishVersion", function, &error);
        // Lambda reports a wrong hash as an invalid parameter; in truth the function's code has changed.
        if error.message.contains("CodeSHA256") {
            error.kind = CallErrorKind::Conflict;
        }
        DeployAppError::from(error)
    })?;
    if output.code_sha256() != Some(code_sha256) {
        return Err(DeployAppError::CodeChanged {
            function: function.to_owned(),
        });
    }
    output
        .version()
        .map(str::to_owned)
        .ok_or_else(|| DeployAppError::NoVersion {
            function: function.to_owned(),
        })
}

/// Longest description of a version or alias, in characters (`API_PublishVersion`, `Description`).
pub(crate) const MAX_DESCRIPTION_CHARS: usize = 256;

fn description(revision: &str) -> String {
    format!("revision {revision}")
        .chars()
        .take(MAX_DESCRIPTION_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::PLACEHOLDER;

    #[test]
    fn the_placeholder_is_that_of_the_template() {
        let template = include_str!("../../../cloudformation/application.yaml");
        assert!(template.contains(&format!("      Description: {PLACEHOLDER}\n")));
    }
}
