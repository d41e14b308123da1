//! How an operation on a stack can end badly.

use crate::error::Explained;
use crate::exit::Exit;

use super::description::Description;
use super::events::{StackEvent, first_failure};
use crate::message::StackMessage;

/// Why a command about a stack did not reach its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StackError {
    /// The operation failed.
    #[error("the stack `{stack}` is {status}{}", .first.as_ref().map(FirstFailure::clause).unwrap_or_default())]
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

/// What failed first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FirstFailure {
    resource: String,
    kind: String,
    stack: String,
    reason: String,
}

impl FirstFailure {
    /// Finds it in an operation's events.
    pub(crate) fn of(operation: &[StackEvent]) -> Option<Self> {
        first_failure(operation).map(|event| Self {
            resource: event.resource.clone(),
            kind: event.kind.clone(),
            stack: event.stack.clone(),
            reason: event
                .reason
                .clone()
                .unwrap_or_else(|| format!("{} without a reason", event.status)),
        })
    }

    fn clause(&self) -> String {
        format!(
            "; the first failure was `{}` ({}) in `{}`: {}",
            self.resource, self.kind, self.stack, self.reason
        )
    }

    /// The same as a message.
    pub(crate) fn message(&self, status: &str) -> StackMessage {
        StackMessage::StackFailure {
            stack: self.stack.clone(),
            resource: self.resource.clone(),
            resource_type: self.kind.clone(),
            status: status.to_owned(),
            reason: self.reason.clone(),
        }
    }
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
    use super::super::events::tests::failed_creation;
    use super::*;
    use crate::error::CliError;

    #[test]
    fn every_end_says_what_happened_and_what_to_do() {
        let stack = || "shop".to_owned();
        let first = FirstFailure::of(&failed_creation());
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
