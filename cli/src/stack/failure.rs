//! How an operation on a stack can end badly.

use delivery_stack::description::Description;
use delivery_stack::events::StackEvent;
use delivery_stack::failure::FirstFailure;

use crate::error::Explained;
use crate::exit::Exit;

use crate::message::StackMessage;
use crate::output::foreign;

/// Why a command about a stack did not reach its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StackError {
    /// The operation failed.
    #[error("the stack `{stack}` is {status}{}", .first.as_ref().map(clause).unwrap_or_default())]
    Failed {
        /// Its name.
        stack: String,
        /// CloudFormation's word.
        status: String,
        /// What failed first, where an event says it.
        first: Option<FirstFailure>,
    },
    /// The time ran out.
    #[error("the stack `{stack}` is still {status} after {}", humantime::format_duration(*.after))]
    TimedOut {
        /// Its name.
        stack: String,
        /// CloudFormation's word.
        status: String,
        /// How long was waited.
        after: std::time::Duration,
    },
    /// CloudFormation is at work on it.
    #[error("the stack `{stack}` is busy: it is {status}{}", .since.as_ref().map(|since| format!(" since {since}")).unwrap_or_default())]
    Busy {
        /// Its name.
        stack: String,
        /// CloudFormation's word.
        status: String,
        /// Since when and why, if its events say so.
        since: Option<String>,
    },
    /// Someone else changed it between showing the change and executing it.
    #[error(
        "the stack `{stack}` was changed by someone else in the meantime; this change was not started"
    )]
    Overtaken {
        /// Its name.
        stack: String,
    },
}

/// What failed first, as a message; `status` is the stack's.
pub(crate) fn failure_message(first: &FirstFailure, status: &str) -> StackMessage {
    StackMessage::StackFailure {
        stack: first.stack.clone(),
        resource: first.resource.clone(),
        resource_type: first.kind.clone(),
        status: status.to_owned(),
        reason: foreign::text(&first.reason),
    }
}

fn clause(first: &FirstFailure) -> String {
    foreign::text(&format!("; the first failure was {first}"))
}

impl StackError {
    /// The failure of an operation that came to its end.
    pub(crate) fn failed(stack: &Description, operation: &[StackEvent]) -> Self {
        Self::Failed {
            stack: stack.name.clone(),
            status: stack.status.clone(),
            first: FirstFailure::of(operation),
        }
    }
}

impl Explained for StackError {
    fn exit(&self) -> Exit {
        match self {
            Self::Failed { .. } => Exit::PipelineFailed,
            Self::TimedOut { .. } => Exit::TimedOut,
            Self::Busy { .. } | Self::Overtaken { .. } => Exit::Failed,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Failed { .. } => "stack",
            Self::TimedOut { .. } => "timeout",
            Self::Busy { .. } | Self::Overtaken { .. } => "busy",
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Failed { status, .. } => match status.as_str() {
                "ROLLBACK_COMPLETE" => {
                    "fix what the reason says and run `delivery up` again: it deletes what is left of this stack and \
                     creates it again; `delivery log --failed` shows all failures"
                }
                "UPDATE_ROLLBACK_COMPLETE" => {
                    "the stack is as it was before; fix what the reason says and run `delivery up` again; \
                     `delivery log --failed` shows all failures"
                }
                "UPDATE_ROLLBACK_FAILED" => {
                    "fix what the reason says and run `delivery up` again: it first continues the rollback"
                }
                "DELETE_FAILED" => "fix what the reason says and run `delivery down` again",
                "ROLLBACK_FAILED" | "CREATE_FAILED" => {
                    "delete what is left of it: `delivery down`; `delivery log --failed` shows all failures"
                }
                _ => "`delivery log --failed` shows all failures",
            },
            Self::TimedOut { .. } => {
                "CloudFormation continues; follow it with `delivery wait`, and `--timeout` to wait longer"
            }
            Self::Busy { .. } => "wait for it with `delivery wait`, then try again",
            Self::Overtaken { .. } => {
                "see its current state with `delivery status`, then run `delivery up` again"
            }
        };
        Some(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::CliError;

    #[test]
    fn every_end_says_what_happened_and_what_to_do() {
        let stack = || "shop".to_owned();
        let first = Some(FirstFailure {
            stack: "shop-Application-X".to_owned(),
            resource: "ProdSite".to_owned(),
            kind: "AWS::S3::Bucket".to_owned(),
            status: "CREATE_FAILED".to_owned(),
            reason: "www.example.com already exists".to_owned(),
        });
        let statuses = [
            "ROLLBACK_COMPLETE",
            "UPDATE_ROLLBACK_COMPLETE",
            "UPDATE_ROLLBACK_FAILED",
            "DELETE_FAILED",
            "ROLLBACK_FAILED",
        ];
        let failed = |status: &str| StackError::Failed {
            stack: stack(),
            status: status.to_owned(),
            first: first.clone(),
        };
        let mut errors: Vec<StackError> = statuses.into_iter().map(failed).collect();
        errors.push(StackError::TimedOut {
            stack: stack(),
            status: "CREATE_IN_PROGRESS".to_owned(),
            after: std::time::Duration::from_mins(20),
        });
        errors.push(StackError::Busy {
            stack: stack(),
            status: "UPDATE_IN_PROGRESS".to_owned(),
            since: Some("2026-11-21T09:00:00Z (User Initiated)".to_owned()),
        });
        errors.push(StackError::Overtaken { stack: stack() });
        let messages: Vec<String> = errors
            .into_iter()
            .map(|error| {
                let error = CliError::from(error);
                format!("{} {}", error.exit().code(), error.message())
            })
            .collect();
        insta::assert_snapshot!(messages.join("\n\n"));
    }
}
