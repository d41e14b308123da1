//! How many uploads run at once: a window that grows while that makes uploads faster, and shrinks when
//! the bucket throttles.
//!
//! Problem: no fixed number is right. An upload is mostly waiting (20 ms and more for a request), so 16 at once
//! leave a fast bucket idle; 128 at once make a slow one, or a function with little CPU, slower, and bring
//! answers of `503 SlowDown` where others write to the same prefix (`docs/decisions/0125-uploads-find-their-number.md`).
//!
//! Solution: measure. A *round* is as many finished uploads as the window is wide.
//!
//! - While each round finishes clearly more uploads a second than the one before, the window doubles. The first
//!   round that does not ends the growth; if it was worse, the window goes one step back.
//! - After each doubling one round goes unmeasured: its uploads open connections, which takes longer than
//!   uploading does.
//! - When the bucket throttles, the window is halved, and from then on it grows by one a round, as TCP's
//!   does. It is halved once for all requests that were under way: they were sent before the window
//!   shrank, so what they say is not new.

use tokio::time::Instant;

/// Uploads at once in the beginning: S3 takes these from anybody, and they hide the latency of a request
/// for a site of some hundred files.
pub(crate) const INITIAL_UPLOADS: usize = 16;

/// Most uploads at once. An upload takes 20 ms or more, so these reach the 3,500 writes a second
/// that S3 takes below a prefix (S3 User Guide, "Best practices design patterns"), and more.
pub(crate) const MAX_UPLOADS: usize = 128;

/// A round is faster if it has this many times the rate of the one before it; less is chance.
const CLEARLY_FASTER: f64 = 1.2;

/// A round is slower if it has less than this part of the rate of the one before it.
const CLEARLY_SLOWER: f64 = 0.9;

/// How many uploads may run at once.
#[derive(Clone, Debug)]
pub(crate) struct UploadWindow {
    limit: usize,
    growth: Growth,
    /// When the round began.
    round_began: Instant,
    /// Uploads that finished in the round.
    finished: usize,
    /// How many uploads have to finish before the next round is measured.
    unmeasured: usize,
    /// How many uploads have to finish before throttling says something new.
    until_next_throttle: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Growth {
    /// The window doubles as long as a round is clearly faster than this many uploads a second.
    Doubling(f64),
    /// More uploads at once were not faster: the window stays.
    Settled,
    /// The bucket has throttled: the window grows by one a round.
    Cautious,
}

impl UploadWindow {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            limit: INITIAL_UPLOADS,
            growth: Growth::Doubling(0.0),
            round_began: now,
            finished: 0,
            unmeasured: 0,
            until_next_throttle: 0,
        }
    }

    /// How many uploads may run now; at least one.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// One upload has finished, whatever came of it.
    pub(crate) fn upload_finished(&mut self, now: Instant) {
        self.until_next_throttle = self.until_next_throttle.saturating_sub(1);
        if self.unmeasured > 0 {
            self.unmeasured -= 1;
            self.round_began = now;
            return;
        }
        self.finished += 1;
        if self.finished < self.limit {
            return;
        }
        match self.growth {
            Growth::Doubling(before) => {
                let rate = rate(self.finished, now, self.round_began);
                if rate > before * CLEARLY_FASTER && self.limit < MAX_UPLOADS {
                    self.growth = Growth::Doubling(rate);
                    self.limit = (self.limit * 2).min(MAX_UPLOADS);
                    self.unmeasured = self.limit;
                } else {
                    self.growth = Growth::Settled;
                    if rate < before * CLEARLY_SLOWER {
                        self.limit = (self.limit / 2).max(INITIAL_UPLOADS);
                    }
                }
            }
            Growth::Settled => {}
            Growth::Cautious => self.limit = (self.limit + 1).min(MAX_UPLOADS),
        }
        self.begin_round(now);
    }

    /// The bucket has refused a request because there were too many.
    pub(crate) fn throttled(&mut self, now: Instant) {
        // Requests that were sent before the window was halved do not halve it again.
        if self.until_next_throttle > 0 {
            return;
        }
        self.until_next_throttle = self.limit;
        self.growth = Growth::Cautious;
        self.unmeasured = 0;
        self.limit = (self.limit / 2).max(1);
        self.begin_round(now);
    }

    fn begin_round(&mut self, now: Instant) {
        self.round_began = now;
        self.finished = 0;
    }
}

fn rate(finished: usize, now: Instant, since: Instant) -> f64 {
    let count = u32::try_from(finished).unwrap_or(u32::MAX);
    f64::from(count) / now.saturating_duration_since(since).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A bucket that ends this many uploads a second at most, each after 20 ms at least.
    struct Bucket {
        now: Instant,
        most_a_second: u32,
    }

    impl Bucket {
        fn round(&mut self, window: &mut UploadWindow) -> usize {
            let count = u32::try_from(window.limit()).unwrap();
            let work = Duration::from_secs(1) * count / self.most_a_second;
            self.now += work.max(Duration::from_millis(20));
            for _upload in 0..count {
                window.upload_finished(self.now);
            }
            window.limit()
        }
    }

    fn rounds(most_a_second: u32, count: usize) -> Vec<usize> {
        let now = Instant::now();
        let mut bucket = Bucket { now, most_a_second };
        let mut window = UploadWindow::new(now);
        (0..count).map(|_| bucket.round(&mut window)).collect()
    }

    #[test]
    fn it_grows_as_long_as_that_is_faster() {
        assert_eq!(rounds(1_000_000, 7), [32, 32, 64, 64, 128, 128, 128]);
        assert_eq!(
            rounds(1_600, 7),
            [32, 32, 64, 64, 64, 64, 64],
            "32 in 20 ms are all there is"
        );
        assert_eq!(rounds(100, 3), [32, 32, 32]);
    }

    #[test]
    fn it_goes_a_step_back_if_more_is_slower() {
        let begun = Instant::now();
        let mut window = UploadWindow::new(begun);
        let (mut now, mut limits) = (begun, Vec::new());
        for _round in 0..6 {
            // 800 a second with 16, half of that with more.
            let count = window.limit();
            now += Duration::from_millis(if count > INITIAL_UPLOADS { 80 } else { 20 });
            (0..count).for_each(|_| window.upload_finished(now));
            limits.push(window.limit());
        }
        assert_eq!(
            limits,
            [
                32,
                32,
                INITIAL_UPLOADS,
                INITIAL_UPLOADS,
                INITIAL_UPLOADS,
                INITIAL_UPLOADS
            ]
        );
    }

    #[test]
    fn it_is_halved_once_a_round_and_grows_slowly_then() {
        let mut window = UploadWindow::new(Instant::now());
        for _request in 0..10 {
            window.throttled(Instant::now());
        }
        assert_eq!(window.limit(), INITIAL_UPLOADS / 2);
        for _upload in 0..INITIAL_UPLOADS / 2 {
            window.upload_finished(Instant::now());
        }
        assert_eq!(window.limit(), INITIAL_UPLOADS / 2 + 1);
        for _upload in 0..INITIAL_UPLOADS / 2 {
            window.upload_finished(Instant::now());
        }
        window.throttled(Instant::now());
        assert_eq!(window.limit(), INITIAL_UPLOADS / 4);
    }

    #[test]
    fn it_never_closes() {
        let mut window = UploadWindow::new(Instant::now());
        for _upload in 0..1_000 {
            window.throttled(Instant::now());
            window.upload_finished(Instant::now());
        }
        assert!((1..=2).contains(&window.limit()), "{window:?}");
    }
}
