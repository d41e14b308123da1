//! Why `up` did not begin.

use std::time::Duration;

use crate::error::Explained;
use crate::exit::Exit;
use crate::stack::question::Answer;

/// Why `up` did not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpError {
    /// The template's address is none of an object.
    #[error("`{url}` is not the URL of an S3 object")]
    NotAnObject {
        /// The address.
        url: String,
    },
    /// The template cannot be read.
    #[error("cannot read the template at `{url}`")]
    Template {
        /// The address.
        url: String,
        /// Why.
        source: delivery_stack::yaml::Error,
    },
    /// CloudFormation refuses the change.
    #[error("CloudFormation rejected the change of the stack `{stack}`: {reason}")]
    Refused {
        /// The stack's name.
        stack: String,
        /// Its reason.
        reason: String,
    },
    /// A question was not answered with yes.
    #[error("nothing was changed: {what}")]
    NotConfirmed {
        /// What was asked about.
        what: String,
        /// What was answered instead.
        answer: Answer,
    },
    /// The stack cannot be changed, only deleted.
    #[error("the stack `{stack}` is {status}; it can only be deleted{}", .reason.as_ref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Broken {
        /// The stack's name.
        stack: String,
        /// CloudFormation's word.
        status: String,
        /// What CloudFormation says of it.
        reason: Option<String>,
    },
    /// CloudFormation did not work the change set out in time.
    #[error("CloudFormation did not compute the changes of the stack `{stack}` within {} s", .after.as_secs())]
    NotPrepared {
        /// The stack's name.
        stack: String,
        /// How long was waited.
        after: Duration,
    },
    /// A dry run cannot show changes of a stack in this state.
    #[error("the stack `{stack}` is {status}: in this state CloudFormation cannot compute changes")]
    NothingToShow {
        /// The stack's name.
        stack: String,
        /// CloudFormation's word.
        status: String,
    },
}

impl Explained for UpError {
    fn exit(&self) -> Exit {
        match self {
            Self::NotAnObject { .. } => Exit::Usage,
            Self::NotConfirmed { answer, .. } => answer.exit(),
            Self::NotPrepared { .. } => Exit::TimedOut,
            Self::Template { .. }
            | Self::Refused { .. }
            | Self::Broken { .. }
            | Self::NothingToShow { .. } => Exit::Failed,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::NotAnObject { .. } => "usage",
            Self::NotPrepared { .. } => "timeout",
            Self::Template { .. } | Self::Refused { .. } => "template",
            Self::NotConfirmed { .. } => "not-confirmed",
            Self::Broken { .. } | Self::NothingToShow { .. } => "stack",
        }
    }

    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NotAnObject { .. } => {
                "use the URL that `delivery publish` printed: https://BUCKET.s3.REGION.amazonaws.com/KEY"
            }
            Self::Template { .. } => "publish it again: `delivery publish`",
            Self::Refused { .. } => {
                "fix what the reason says; `delivery validate` checks templates and settings"
            }
            Self::NotConfirmed { answer, .. } => return answer.hint(),
            Self::NotPrepared { .. } => {
                "nothing was changed; try again, if need be with a longer `--timeout`"
            }
            Self::Broken { .. } => "delete it with `delivery down`, then run `delivery up` again",
            Self::NothingToShow { .. } => {
                "run `delivery up` without `--dry-run`: it explains what it is about to do and asks first"
            }
        };
        Some(text.to_owned())
    }
}
