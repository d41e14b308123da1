//! How long calls may fail while something is followed: the pipeline goes on, whether it is seen or not.

use std::time::{Duration, Instant};

use crate::error::CliError;

/// How long AWS may not answer, or only throttle: longer than a connection is changed or a region's API fails
/// over, and short enough that nobody waits for a network that is gone.
pub(crate) const AWS_OUTAGE_LIMIT: Duration = Duration::from_mins(2);

/// How long the engine may not answer, which is on this machine.
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

    /// The answer; `None` where there is none this time, and it may come the next time.
    ///
    /// # Errors
    ///
    /// Where it is no use to ask again, or it has been none for too long.
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
                    tracing::info!("no answer, asked again: {}", error.message());
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
    fn only_what_may_pass_is_borne_and_only_for_so_long() {
        let mut outage = Outage::new(Duration::from_mins(1));
        let failed = Err::<(), _>(error(CallErrorKind::Unavailable));
        assert!(outage.tolerate(failed).unwrap().is_none());
        assert!(outage.tolerate(Ok(())).unwrap().is_some());
        assert!(outage.since.is_none(), "an answer begins it anew");
        let denied = Err::<(), _>(error(CallErrorKind::Denied));
        outage.tolerate(denied).unwrap_err();

        let mut over = Outage::new(Duration::ZERO);
        let failed = Err::<(), _>(error(CallErrorKind::Unavailable));
        over.tolerate(failed).unwrap_err();
    }
}
