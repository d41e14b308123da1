//! How a deployment ends that does not succeed, in CodeDeploy's words.

use super::deployment::{Status, Stop};
use super::group::{AutoRollback, RollbackEvent};

/// Why a deployment does not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Alarms are in ALARM.
    Alarms(Vec<String>),
    /// It is not known whether they are.
    NoAlarms(String),
    /// A hook has reported `Failed`, or could not be called.
    Hook,
    /// A hook has reported nothing.
    HookTimeout,
    /// Somebody stopped it.
    Stopped,
    /// The alias is not as the `AppSpec` says, or somebody changed it meanwhile.
    OtherAlias(String),
    /// Lambda refused a call.
    Call(String),
}

impl Cause {
    pub(super) fn status(&self) -> Status {
        match self {
            Self::Alarms(_) | Self::NoAlarms(_) | Self::Stopped => Status::Stopped,
            _ => Status::Failed,
        }
    }

    /// CodeDeploy's code and message (`API_ErrorInformation`). The messages without a story of their own are CodeDeploy's.
    pub(super) fn error(&self) -> (&'static str, String) {
        match self {
            Self::Alarms(names) => {
                let names: Vec<String> = names.iter().map(|name| format!("<{name}>")).collect();
                let message = format!(
                    "One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, \
                     and the affected deployments have been stopped. Activated alarms: {}",
                    names.join(" ")
                );
                ("ALARM_ACTIVE", message)
            }
            Self::NoAlarms(why) => ("ALARM_ACTIVE", format!("the state of the alarms is not known: {why}")),
            Self::Hook => (
                "HOOK_EXECUTION_FAILURE",
                "The deployment failed because one or more of the lifecycle event validation functions failed."
                    .to_owned(),
            ),
            Self::HookTimeout => (
                "TIMEOUT",
                "The deployment timed out while waiting for a status callback. CodeDeploy expects a status callback \
                 within one hour after a deployment hook is invoked."
                    .to_owned(),
            ),
            Self::Stopped => ("MANUAL_STOP", "the deployment was stopped by a request".to_owned()),
            Self::OtherAlias(why) => (
                "INVALID_LAMBDA_CONFIGURATION",
                format!(
                    "The deployment failed because the AppSpec file that specifies the AWS Lambda deployment \
                     configuration is missing or has an invalid configuration. {why}"
                ),
            ),
            Self::Call(why) => ("INVALID_LAMBDA_FUNCTION", why.clone()),
        }
    }

    /// Whether the deployment is taken back.
    pub(super) fn is_taken_back(&self, configured: &AutoRollback, stop: Option<Stop>) -> bool {
        let event = match self {
            Self::Alarms(_) | Self::NoAlarms(_) => RollbackEvent::StopOnAlarm,
            Self::Stopped => RollbackEvent::StopOnRequest,
            _ => RollbackEvent::Failure,
        };
        let asked = stop
            .filter(|_| *self == Self::Stopped)
            .and_then(|stop| stop.rollback);
        asked.unwrap_or_else(|| configured.is_on(event))
    }
}
