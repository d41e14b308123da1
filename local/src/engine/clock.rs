//! The engine's clock: the system's, or one that tests move.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

/// Where the engine gets its time from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The system.
    #[default]
    System,
    /// A test.
    Simulated(SimulatedClock),
}

impl Clock {
    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => delivery_action::clock::timestamp(),
            Self::Simulated(clock) => clock.now(),
        }
    }

    /// Returns at a time, or at once where it has passed.
    pub(crate) async fn sleep_until(&self, at: Timestamp) {
        match self {
            Self::System => {
                let left = at.duration_since(self.now());
                tokio::time::sleep(Duration::try_from(left).unwrap_or_default()).await;
            }
            Self::Simulated(clock) => clock.sleep_until(at).await,
        }
    }
}

/// A clock that stands still until it is moved.
#[derive(Clone, Debug)]
pub struct SimulatedClock {
    time: Arc<watch::Sender<Timestamp>>,
    /// How many sleep until when.
    sleepers: Arc<Mutex<BTreeMap<Timestamp, usize>>>,
}

impl SimulatedClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self {
            time: Arc::new(watch::Sender::new(start)),
            sleepers: Arc::default(),
        }
    }

    /// The time it stands at.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        *self.time.borrow()
    }

    /// Moves it on; whoever sleeps until then or earlier wakes up.
    pub fn advance(&self, by: Duration) {
        self.time
            .send_modify(|time| *time = time.checked_add(by).unwrap_or(Timestamp::MAX));
    }

    /// The earliest time that someone sleeps until.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        let sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        sleepers.keys().next().copied()
    }

    async fn sleep_until(&self, at: Timestamp) {
        let _sleeper = Sleeper::new(&self.sleepers, at);
        let mut time = self.time.subscribe();
        // The sender lives in `self`, so waiting cannot end without the time having come.
        let _reached = time.wait_for(|now| *now >= at).await.is_ok();
    }
}

/// Counts a sleeper for as long as it lives.
struct Sleeper {
    sleepers: Arc<Mutex<BTreeMap<Timestamp, usize>>>,
    at: Timestamp,
}

impl Sleeper {
    fn new(sleepers: &Arc<Mutex<BTreeMap<Timestamp, usize>>>, at: Timestamp) -> Self {
        let mut all = sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        *all.entry(at).or_default() += 1;
        drop(all);
        Self {
            sleepers: Arc::clone(sleepers),
            at,
        }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let mut all = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.at) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.at);
            }
        }
    }
}
