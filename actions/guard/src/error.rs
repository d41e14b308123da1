//! Why the guard could not look after all aliases.

use std::fmt;

use delivery_action::aws::CallError;
use delivery_action::failure::{ActionError, FailureType};

use crate::watched::WatchedError;

/// Why the guard could not look after all aliases.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// Its configuration is wrong.
    #[error(transparent)]
    Configuration(#[from] WatchedError),
    /// Calls failed.
    #[error("{}", Unwatched(.of, .failed))]
    Calls {
        /// How many aliases it watches.
        of: usize,
        /// What failed, one for each alias that was not looked after; there is at least one.
        failed: Vec<CallError>,
    },
}

struct Unwatched<'a>(&'a usize, &'a [CallError]);

impl fmt::Display for Unwatched<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(of, failed) = self;
        write!(
            f,
            "{} of {of} watched aliases could not be looked after",
            failed.len()
        )?;
        for error in *failed {
            write!(f, "; {error}")?;
        }
        Ok(())
    }
}

impl ActionError for GuardError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::Configuration(_) => FailureType::ConfigurationError,
            Self::Calls { failed, .. } => failed
                .first()
                .map_or(FailureType::SystemUnavailable, CallError::failure_type),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Configuration(_) => Some(
                "set it to the aliases and the actions that move them, such as `greeter:prod=Production/deploy-app`"
                    .to_owned(),
            ),
            Self::Calls { failed, .. } => failed.first().and_then(CallError::hint),
        }
    }
}
