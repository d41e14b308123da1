//! The clocks: the wall clock for timestamps, the monotonic clock for deadlines.

use std::time::{Duration, Instant, SystemTime};

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
/// If the system clock is beyond the year 9999.
#[must_use]
pub fn timestamp() -> Timestamp {
    Timestamp::try_from(now()).expect("the system clock is within the years that jiff knows")
}

/// The monotonic clock that deadlines are measured on.
///
/// Tokio's clock rather than the system's: inside a runtime a test can pause and advance it, and a deadline
/// then agrees with the timers that wait for it. Outside a runtime it is the system's clock.
fn monotonic() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// A point in time by which work must end. Monotonic: changes to the wall clock do not move it.
///
/// Needs no async runtime, except to wait for [`Deadline::instant`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// The point in time `duration` from now.
    #[must_use]
    pub fn after(duration: Duration) -> Self {
        Self(monotonic() + duration)
    }

    /// This deadline moved forward by `margin`, so that something else still has that time afterwards.
    #[must_use]
    pub fn earlier_by(self, margin: Duration) -> Self {
        Self(self.0.checked_sub(margin).unwrap_or_else(monotonic))
    }

    /// The earlier of two deadlines.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    /// The time left; zero once the deadline has passed.
    #[must_use]
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(monotonic())
    }

    /// The same point in time for tokio's timers, such as `tokio::time::sleep_until`.
    #[must_use]
    pub fn instant(self) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_needs_no_runtime() {
        let deadline = Deadline::after(Duration::from_mins(1));
        assert!(deadline.remaining() > Duration::from_secs(50));
        let earlier = deadline.earlier_by(Duration::from_secs(30));
        assert!(earlier.remaining() <= Duration::from_secs(30));
        assert_eq!(deadline.min(earlier), earlier);
        assert_eq!(Deadline::after(Duration::ZERO).remaining(), Duration::ZERO);
    }
}
