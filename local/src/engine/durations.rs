//! How long the engine waits: delays and timeouts.

use std::time::Duration;

/// The waits of the engine; [`Durations::aws`] has the service's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durations {
    /// From a continuation token to the next job.
    pub continuation_delay: Duration,
    /// Longest silence of a Lambda action.
    pub silence: Duration,
    /// Longest run of a Lambda action, continuations included.
    pub lambda_action: Duration,
    /// Longest run of a source action.
    pub source_action: Duration,
    /// Longest run of a `Commands` action.
    pub commands_action: Duration,
    /// How long an approval waits where its declaration does not say.
    pub approval: Duration,
}

/// From a continuation token to the next job (User Guide 2022, integrations reference: "creates a new
/// job in another 30 seconds if a continuation is received").
const AWS_CONTINUATION_DELAY: Duration = Duration::from_secs(30);

/// The same on one machine, where a developer waits for it.
const LOCAL_CONTINUATION_DELAY: Duration = Duration::from_millis(500);

/// Silence of a Lambda action (User Guide, quotas: 20 minutes).
const SILENCE: Duration = Duration::from_mins(20);

/// Run of a Lambda action (User Guide, quotas: 24 hours).
const LAMBDA_ACTION: Duration = Duration::from_hours(24);

/// Run of any other action without a figure of its own (User Guide, quotas: 1 hour).
const SOURCE_ACTION: Duration = Duration::from_hours(1);

/// Run of a `Commands` action (User Guide, "Commands action reference": 55 minutes).
const COMMANDS_ACTION: Duration = Duration::from_mins(55);

/// Wait of a manual approval (User Guide, quotas: 7 days).
const APPROVAL: Duration = Duration::from_hours(7 * 24);

impl Durations {
    /// The waits of the service.
    #[must_use]
    pub const fn aws() -> Self {
        Self {
            continuation_delay: AWS_CONTINUATION_DELAY,
            silence: SILENCE,
            lambda_action: LAMBDA_ACTION,
            source_action: SOURCE_ACTION,
            commands_action: COMMANDS_ACTION,
            approval: APPROVAL,
        }
    }

    /// The waits of the service, but a short one before a continuation.
    #[must_use]
    pub const fn local() -> Self {
        Self {
            continuation_delay: LOCAL_CONTINUATION_DELAY,
            ..Self::aws()
        }
    }
}

impl Default for Durations {
    fn default() -> Self {
        Self::local()
    }
}
