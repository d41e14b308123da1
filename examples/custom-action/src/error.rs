//! Why a message could not be posted.

use std::time::Duration;

use delivery_action::failure::{ActionError, FailureType, JobError};
use http::StatusCode;

/// Why a message could not be posted. The webhook's address is never shown: it may hold a token.
#[derive(Debug, thiserror::Error)]
pub enum NotifyWebhookError {
    /// An error that any action can meet.
    #[error(transparent)]
    Job(JobError),
    /// The function does not know the address.
    #[error("the function's variable `WEBHOOK_URL` is not set")]
    NoUrl,
    /// The address is not one.
    #[error("the function's variable `WEBHOOK_URL` is not an HTTP address")]
    BadUrl,
    /// The system has no root certificates.
    #[error("the system's root certificates cannot be read")]
    NoCertificates(#[source] std::io::Error),
    /// No answer came.
    #[error("the webhook cannot be reached")]
    Unreachable(#[from] hyper_util::client::legacy::Error),
    /// No answer came in time.
    #[error("the webhook did not answer within {} s", .patience.as_secs())]
    Slow {
        /// How long it was waited for.
        patience: Duration,
    },
    /// The webhook answered with an error.
    #[error("the webhook answered with {status}: {answer}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// The first line of its answer.
        answer: String,
    },
}

// Lets `?` turn the errors of `delivery-action` into this one.
delivery_action::wraps_job_error!(NotifyWebhookError);

impl ActionError for NotifyWebhookError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::Job(error) => error.failure_type(),
            Self::NoUrl | Self::BadUrl | Self::NoCertificates(_) => FailureType::ConfigurationError,
            Self::Unreachable(_) | Self::Slow { .. } => FailureType::SystemUnavailable,
            Self::Refused { status, .. } if status.is_server_error() => {
                FailureType::SystemUnavailable
            }
            Self::Refused { .. } => FailureType::JobFailed,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Job(error) => return error.hint(),
            Self::NoUrl | Self::BadUrl => "set the parameter `WebhookUrl` of the function's stack",
            Self::NoCertificates(_) => "run the function on `provided.al2023`, which has them",
            Self::Unreachable(_) => {
                "check `WebhookUrl`, a parameter of the function's stack, and that the function's network reaches it; \
                 then retry the stage"
            }
            Self::Slow { .. } => "retry the stage, or raise `give-up-after` in `UserParameters`",
            Self::Refused { status, .. } if status.is_server_error() => "retry the stage later",
            Self::Refused { .. } => {
                "check `message` in `UserParameters`, and whether the webhook still exists"
            }
        };
        Some(hint.to_owned())
    }
}
