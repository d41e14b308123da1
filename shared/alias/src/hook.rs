//! Hooks: functions of the application that say whether a rollout may go on.
//!
//! The verdict is what the function returns. Hooks of `CodeDeploy` call it back instead, which needs a permission
//! and a way to it, and a hook that cannot call back holds its deployment for an hour.

use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{InvocationType, LogType};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use delivery_action::aws::CallError;
use delivery_rollout::{Hook, Rollout};
use serde::Deserialize;
use serde_json::{Value, json};

/// Of a hook's log, in a message: the last lines, where the error is.
const LOG_LINES: usize = 10;

/// One call of a hook.
#[derive(Clone, Copy, Debug)]
pub struct HookCall<'a> {
    /// The hook's function: `FUNCTION` or `FUNCTION:QUALIFIER`.
    pub hook_function: &'a str,
    /// When it is called.
    pub hook: Hook,
    /// The function that is deployed.
    pub function: &'a str,
    /// Its alias.
    pub alias: &'a str,
    /// Which version it gets.
    pub rollout: &'a Rollout,
}

/// What a hook returns.
#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(default)]
    message: Option<String>,
}

impl HookCall<'_> {
    /// The event: the two keys of `CodeDeploy`, and what its users miss. The execution's id is the same when the hook
    /// is called again for the same rollout.
    fn event(&self) -> Value {
        let Rollout {
            id,
            stable,
            new,
            revision,
            ..
        } = self.rollout;
        let hook = match self.hook {
            Hook::BeforeTraffic => "BeforeAllowTraffic",
            Hook::AfterTraffic => "AfterAllowTraffic",
        };
        json!({
            "DeploymentId": format!("d-{}", id.to_uppercase()),
            "LifecycleEventHookExecutionId": format!("{id}-{hook}"),
            "Delivery": {
                "Hook": hook,
                "Function": self.function,
                "Alias": self.alias,
                "CurrentVersion": stable,
                "TargetVersion": new,
                "Revision": revision,
            },
        })
    }
}

/// Calls a hook and waits for its verdict, at most `time`: `Err` has what it said.
///
/// # Errors
///
/// [`CallError`] if Lambda could not call it.
pub async fn call_hook(
    lambda: &Client,
    call: HookCall<'_>,
    time: Duration,
) -> Result<Result<(), String>, CallError> {
    let timeouts = TimeoutConfig::builder()
        .read_timeout(time)
        .operation_timeout(time)
        .build();
    // A second attempt would call the hook a second time while the first still runs.
    let once = aws_sdk_lambda::config::Config::builder()
        .timeout_config(timeouts)
        .retry_config(RetryConfig::disabled());
    let sent = lambda
        .invoke()
        .function_name(call.hook_function)
        .invocation_type(InvocationType::RequestResponse)
        .log_type(LogType::Tail)
        .payload(Blob::new(call.event().to_string()))
        .customize()
        .config_override(once)
        .send()
        .await;
    let answer = match sent {
        Ok(answer) => answer,
        Err(error) => {
            let error = CallError::new("lambda:InvokeFunction", call.hook_function, &error);
            if error.outcome_unknown {
                return Ok(Err(format!(
                    "`{}` did not answer within {} seconds",
                    call.hook_function,
                    time.as_secs()
                )));
            }
            return Err(error);
        }
    };
    let payload = answer.payload().map(Blob::as_ref).unwrap_or_default();
    let said = verdict(payload, answer.function_error());
    Ok(said.map_err(|said| said + &log_tail(answer.log_result())))
}

/// Whatever is not a clear yes is a no.
fn verdict(payload: &[u8], function_error: Option<&str>) -> Result<(), String> {
    if let Some(kind) = function_error {
        let error: Value = serde_json::from_slice(payload).unwrap_or_default();
        let text = |key: &str| error.get(key).and_then(Value::as_str);
        let message = text("errorMessage").unwrap_or("it gave no message");
        return Err(match text("errorType") {
            Some(name) => format!("it failed ({kind}): {name}: {message}"),
            None => format!("it failed ({kind}): {message}"),
        });
    }
    let Ok(Answer { status, message }) = serde_json::from_slice(payload) else {
        return Err(format!(
            "it returned `{}`, not `{{\"status\": \"Succeeded\"}}`",
            String::from_utf8_lossy(payload)
        ));
    };
    match (status.as_str(), message) {
        ("Succeeded", _) => Ok(()),
        ("Failed", Some(message)) => Err(message),
        ("Failed", None) => Err("it returned `Failed` without a message".to_owned()),
        (other, _) => Err(format!(
            "it returned the status `{other}`, not `Succeeded` or `Failed`"
        )),
    }
}

fn log_tail(log: Option<&str>) -> String {
    let Some(log) = log.and_then(|log| BASE64_STANDARD.decode(log).ok()) else {
        return String::new();
    };
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(LOG_LINES);
    lines[from..]
        .iter()
        .map(|line| format!("\n  {line}"))
        .collect::<Vec<_>>()
        .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case(r#"{"status": "Succeeded"}"#, None, "yes")]
    #[test_case(
        r#"{"status": "Failed", "message": "orders fail"}"#,
        None,
        "orders fail"
    )]
    #[test_case(
        r#"{"status": "Failed"}"#,
        None,
        "it returned `Failed` without a message"
    )]
    #[test_case(
        r#"{"status": "succeeded"}"#,
        None,
        "it returned the status `succeeded`, not `Succeeded` or `Failed`"
    )]
    #[test_case("null", None, "it returned `null`, not `{\"status\": \"Succeeded\"}`"; "a hook of CodeDeploy's")]
    #[test_case("", None, "it returned ``, not `{\"status\": \"Succeeded\"}`"; "nothing")]
    #[test_case(
        r#"{"errorType": "Error", "errorMessage": "no table"}"#,
        Some("Unhandled"),
        "it failed (Unhandled): Error: no table"
    )]
    #[test_case("", Some("Unhandled"), "it failed (Unhandled): it gave no message"; "no message")]
    fn whatever_is_not_a_clear_yes_is_a_no(payload: &str, error: Option<&str>, expected: &str) {
        let said = verdict(payload.as_bytes(), error);
        assert_eq!(
            said.map_or_else(|said| said, |()| "yes".to_owned()),
            expected
        );
    }
}
