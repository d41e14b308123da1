//! What commands report while they work.
//!
//! A command makes messages and knows nothing of where they go; [`crate::output::Reporter`] turns each into
//! a line of text, a line of JSON, or a change of the live view. Commands that print one answer and end have
//! none: they print a [`crate::output::answer::CommandAnswer`].

mod log;
mod run;
mod stack;

use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use log::LogLine;
pub(crate) use run::{
    ActionReport, Cause, Failure, Finding, PipelineResult, ResultError, RunMessage, RunResult,
    Severity, StageShape, StageUrls, Step, TestReport,
};
pub(crate) use stack::{Change, ResourceAction, StackMessage};

#[cfg(test)]
pub(crate) use log::tests::examples as log_examples;
#[cfg(test)]
pub(crate) use run::tests::{action as run_action, examples as run_examples};
#[cfg(test)]
pub(crate) use stack::tests::examples as stack_examples;

/// One thing that happened: in JSON an object whose `type` names the variant.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Message {
    /// In a run of the pipeline.
    Run(RunMessage),
    /// To a stack.
    Stack(StackMessage),
    /// In the past, as a log has it.
    Log(LogLine),
}

impl Message {
    /// Whether people read it also with `--quiet`.
    pub(crate) fn is_essential(&self) -> bool {
        match self {
            Self::Run(message) => {
                matches!(message, RunMessage::Failure(_) | RunMessage::Result(_))
            }
            Self::Stack(message) => matches!(
                message,
                StackMessage::StackFailure { .. }
                    | StackMessage::ConnectionPending { .. }
                    | StackMessage::Left { .. }
            ),
            // It is what was asked for.
            Self::Log(_) => true,
        }
    }
}

impl From<RunMessage> for Message {
    fn from(message: RunMessage) -> Self {
        Self::Run(message)
    }
}

impl From<StackMessage> for Message {
    fn from(message: StackMessage) -> Self {
        Self::Stack(message)
    }
}

impl From<LogLine> for Message {
    fn from(line: LogLine) -> Self {
        Self::Log(line)
    }
}
