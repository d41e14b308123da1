//! The attempts of a change that others may come before.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How often a change is tried. Each time that it is not first, another change was: a wave of a stage may deploy dozens of
/// services at once, and each changes the document twice.
pub(crate) const MAX_ATTEMPTS: u32 = 20;

/// The pause before an attempt is at least this: about as long as another's read and write take.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

/// And at most this, so that a dozen who come at once are spread over the time that their writes need.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The attempts that were begun.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    begun: u32,
}

impl Attempts {
    /// Begins the next attempt; `false` if there were enough. The second one comes at once, as only one other was in between.
    pub(super) async fn begin(&mut self) -> bool {
        if self.begun == MAX_ATTEMPTS {
            return false;
        }
        if self.begun > 1 {
            tokio::time::sleep(pause()).await;
        }
        self.begun += 1;
        true
    }
}

/// A pause that is different for each of those who wait.
fn pause() -> Duration {
    // The keys of the standard library's maps come from the system's source of random numbers.
    let random = RandomState::new().hash_one(());
    let range = LONGEST_PAUSE.saturating_sub(SHORTEST_PAUSE).as_millis();
    let range = u64::try_from(range).unwrap_or(u64::MAX);
    SHORTEST_PAUSE + Duration::from_millis(random % range)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn pauses_differ_and_are_neither_short_nor_long() {
        let pauses: BTreeSet<_> = (0..100).map(|_| pause()).collect();
        assert!(pauses.len() > 20, "{pauses:?}");
        assert!(pauses.first() >= Some(&SHORTEST_PAUSE));
        assert!(pauses.last() < Some(&LONGEST_PAUSE));
    }
}
