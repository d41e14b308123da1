//! What `delivery log` prints: data, so also for people it goes to standard output.

use anstyle::Style;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::Global;
use crate::output::foreign;
use crate::output::lines::{duration, mark, short};
use crate::output::style::{BAD, DIM};
use crate::output::teller::{Teller, Told};
use crate::output::write_stdout;
use crate::pipeline::state::ActionFailure;

/// One line of a log.
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
        /// CloudFormation's word for its status.
        status: String,
        /// What CloudFormation says of the status.
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
        /// CodePipeline's word for its status.
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
    /// Something that a person should know.
    Notice {
        /// The sentence.
        message: String,
    },
}

impl Told for LogLine {
    fn line(&self) -> Option<String> {
        match self {
            Self::Notice { message } => Some(message.clone()),
            _ => None,
        }
    }
}

/// Prints lines as they come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Printer {
    teller: Teller,
}

impl Printer {
    pub(super) fn new(global: &Global) -> Self {
        Self {
            teller: Teller::new(global),
        }
    }

    /// Prints a line of data.
    pub(super) fn print(self, line: &LogLine) {
        self.teller.tell(line);
        if !self.teller.is_json()
            && let Some(text) = text(line)
        {
            write_stdout(&format!("{text}\n"));
        }
    }

    /// Tells what is not data.
    pub(super) fn notice(self, message: impl Into<String>) {
        self.teller.tell(&LogLine::Notice {
            message: message.into(),
        });
    }
}

/// A line for people.
pub(super) fn text(line: &LogLine) -> Option<String> {
    match line {
        LogLine::StackLog {
            at,
            stack,
            resource,
            resource_type,
            status,
            reason,
        } => {
            let style = if status.ends_with("_FAILED") || status.contains("ROLLBACK") {
                BAD
            } else {
                Style::new()
            };
            let reason = reason.as_ref().map(|reason| format!("  {reason}"));
            Some(format!(
                "{DIM}{at}{DIM:#}  {style}{status:<28}{style:#}  {stack} / {resource} {DIM}({resource_type}){DIM:#}{}",
                reason.unwrap_or_default()
            ))
        }
        LogLine::ActionLog {
            execution,
            stage,
            action,
            status,
            seconds,
            log_group,
            error,
        } => {
            let mut lines = vec![format!(
                "{} {stage} / {action} {DIM}{}, execution {}{DIM:#}",
                mark(status),
                duration(*seconds),
                short(execution)
            )];
            if let Some(error) = error {
                lines.push(format!("{BAD}error[{}]{BAD:#}:", error.code));
                lines.extend(
                    error
                        .message
                        .lines()
                        .map(|line| format!("  {}", foreign::quoted(line))),
                );
            }
            if let Some(group) = log_group {
                lines.push(format!("{DIM}log of {group}:{DIM:#}"));
            }
            Some(lines.join("\n"))
        }
        LogLine::FunctionLog { at, message, .. } => {
            Some(format!("  {DIM}{at}{DIM:#}  {}", foreign::quoted(message)))
        }
        LogLine::Notice { .. } => None,
    }
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
            LogLine::Notice {
                message: "nothing has failed".to_owned(),
            },
        ]
    }

    #[test]
    fn the_failure_comes_before_the_lines() {
        let lines: Vec<String> = examples().iter().filter_map(text).collect();
        insta::assert_snapshot!(anstream::adapter::strip_str(&lines.join("\n")).to_string());
    }
}
