//! Time, from one place.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// The current time.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the place that reads the clock"
)]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// The current time as a calendar timestamp.
///
/// # Panics
///
/// Where the system clock is beyond the year 9999.
#[must_use]
pub fn timestamp() -> Timestamp {
    Timestamp::try_from(now()).expect("the system clock is within the years that jiff knows")
}

/// A moment that work has to end before, on the monotonic clock: what the wall clock does meanwhile
/// does not move it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(tokio::time::Instant);

impl Deadline {
    /// The moment `duration` from now.
    #[must_use]
    pub fn after(duration: Duration) -> Self {
        Self(tokio::time::Instant::now() + duration)
    }

    /// The same moment, earlier by `margin`.
    #[must_use]
    pub fn earlier_by(self, margin: Duration) -> Self {
        Self(
            self.0
                .checked_sub(margin)
                .unwrap_or_else(tokio::time::Instant::now),
        )
    }

    /// The earlier of two deadlines.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    /// What is left; zero once the deadline has passed.
    #[must_use]
    pub fn remaining(self) -> Duration {
        self.0
            .saturating_duration_since(tokio::time::Instant::now())
    }

    /// The moment itself, for `tokio::time::sleep_until`.
    #[must_use]
    pub fn instant(self) -> tokio::time::Instant {
        self.0
    }
}
