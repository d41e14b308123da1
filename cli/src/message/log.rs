//! What `delivery log` reports. It is data: also for people it goes to standard output.

use schemars::JsonSchema;
use serde::Serialize;

use crate::pipeline::state::ActionFailure;

/// One line of a log.
#[expect(
    clippy::enum_variant_names,
    reason = "they are the types of the JSON lines"
)]
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(
    tag = "type",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub(crate) enum LogLine {
    /// Something that happened to a resource of the stack, or of a stack nested in it.
    StackLog {
        /// When (RFC 3339).
        at: String,
        /// The stack, which may be a nested one.
        stack: String,
        /// The resource's logical id.
        resource: String,
        /// The resource's type.
        resource_type: String,
        /// CloudFormation's status.
        status: String,
        /// The reason that CloudFormation gives for the status.
        reason: Option<String>,
    },
    /// The lines that follow are those of this action's function.
    ActionLog {
        /// The execution.
        execution: String,
        /// The stage.
        stage: String,
        /// The action.
        action: String,
        /// CodePipeline's status.
        status: String,
        /// How long it took, or has taken so far.
        seconds: f64,
        /// The function's log group; `null` where the action invokes no function.
        log_group: Option<String>,
        /// Why it failed.
        error: Option<ActionFailure>,
    },
    /// A line that the function logged.
    FunctionLog {
        /// The stage.
        stage: String,
        /// The action.
        action: String,
        /// When (RFC 3339).
        at: String,
        /// The request id of the invocation, where it is known.
        request: Option<String>,
        /// The line, without secrets.
        message: String,
    },
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn examples() -> Vec<LogLine> {
        vec![
            LogLine::StackLog {
                at: "2026-11-21T09:40:11Z".to_owned(),
                stack: "greeter-Application-X".to_owned(),
                resource: "ProdSite".to_owned(),
                resource_type: "AWS::S3::Bucket".to_owned(),
                status: "CREATE_FAILED".to_owned(),
                reason: Some("www.example.com already exists".to_owned()),
            },
            LogLine::ActionLog {
                execution: "3f2a6c1e-0000-4000-8000-000000000000".to_owned(),
                stage: "Commit".to_owned(),
                action: "test-and-package".to_owned(),
                status: "Failed".to_owned(),
                seconds: 8.25,
                log_group: Some("/aws/lambda/test-and-package".to_owned()),
                error: Some(ActionFailure {
                    code: "JobFailed".to_owned(),
                    message: "1 test failed: greetings greets\nhint: run `npx gulp package`"
                        .to_owned(),
                }),
            },
            LogLine::FunctionLog {
                stage: "Commit".to_owned(),
                action: "test-and-package".to_owned(),
                at: "2026-11-21T09:40:11.123Z".to_owned(),
                request: Some("r-1".to_owned()),
                message: "1 failing".to_owned(),
            },
        ]
    }
}
