//! How long calls may fail while an execution is followed.
//!
//! The pipeline goes on when AWS or the network does not answer for a while, so giving up at the first failure
//! would report an execution as failed that is not. Only errors that may pass are tolerated, and each answer
//! starts the time anew.

use std::time::{Duration, Instant};

use crate::error::CliError;

/// How long AWS may fail to answer or throttle: longer than a change of network or a failover of a regional API
/// takes, and short enough that nobody waits long for a network that is gone.
pub(crate) const AWS_OUTAGE_LIMIT: Duration = Duration::from_mins(2);

/// How long the engine may fail to answer; it is on this machine.
pub(super) const ENGINE_OUTAGE_LIMIT: Duration = Duration::from_secs(10);

/// Counts how long calls have failed.
#[derive(Debug)]
pub(crate) struct Outage {
    limit: Duration,
    since: Option<Instant>,
}

impl Outage {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, since: None }
    }

    /// The answer; `None` if the call failed and should be tried again.
    ///
    /// # Errors
    ///
    /// If trying again is useless, or calls have failed for too long.
    pub(crate) fn tolerate<T>(
        &mut self,
        answer: Result<T, CliError>,
    ) -> Result<Option<T>, CliError> {
        match answer {
            Ok(answer) => {
                self.since = None;
                Ok(Some(answer))
            }
            Err(error) => {
                let since = *self.since.get_or_insert_with(Instant::now);
                if error.is_transient() && since.elapsed() < self.limit {
                    tracing::info!("no answer, trying again: {}", error.message());
                    Ok(None)
                } else {
                    Err(error)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use delivery_action::aws::{CallError, CallErrorKind};

    use super::*;

    fn error(kind: CallErrorKind) -> CliError {
        let error = CallError {
            action: "codepipeline:GetPipelineExecution",
            resource: "p".to_owned(),
            kind,
            code: None,
            message: "no answer".to_owned(),
            outcome_unknown: false,
            request_id: None,
        };
        error.into()
    }

    #[test]
    fn only_passing_errors_are_tolerated_and_only_for_so_long() {
        let mut outage = Outage::new(Duration::from_mins(1));
        let failed = Err::<(), _>(error(CallErrorKind::Unavailable));
        assert!(outage.tolerate(failed).unwrap().is_none());
        assert!(outage.tolerate(Ok(())).unwrap().is_some());
        assert!(outage.since.is_none(), "an answer resets it");
        let denied = Err::<(), _>(error(CallErrorKind::Denied));
        outage.tolerate(denied).unwrap_err();

        let mut over = Outage::new(Duration::ZERO);
        let failed = Err::<(), _>(error(CallErrorKind::Unavailable));
        over.tolerate(failed).unwrap_err();
    }
}
