//! How many uploads are under way at once: as many as bring something, and fewer where the bucket asks
//! for it.
//!
//! A round is as many ended uploads as may be under way. While each round ends clearly more uploads in
//! a second than the one before, the next may have twice as many; the first that does not is the last,
//! and where it ends fewer it goes one step back. Between two rounds as many uploads end unmeasured: they open
//! connections. A bucket that refuses to take so many halves the number, once a round; from then on it
//! grows by one a round, as TCP's does.

use tokio::time::Instant;

/// Uploads under way at the beginning: what S3 takes of anyone, and hides a request's latency from a
/// site of some hundred files.
pub(crate) const FIRST: usize = 16;

/// Most uploads under way. An upload takes 20 ms or more, so these are up to the 3,500 writes a second
/// that S3 takes below a prefix (S3 User Guide, "Best practices design patterns"), and beyond.
pub(crate) const MOST: usize = 128;

/// What a round has to be better by than the one before it: less is chance.
const CLEARLY_BETTER: f64 = 1.2;

/// What a round that is no better has of the one before it, at least, unless it is worse.
const NO_WORSE: f64 = 0.9;

/// How many uploads may be under way.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    limit: usize,
    growth: Growth,
    /// When the round began.
    since: Instant,
    /// Uploads that ended in it.
    ended: usize,
    /// How many uploads are to end before a round begins.
    unmeasured: usize,
    /// How many uploads are to end before a refusal says something new.
    unheard: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Growth {
    /// It doubles while that is clearly better than this many uploads a second.
    Doubling(f64),
    /// More brought nothing.
    Over,
    /// The bucket was asked too much: carefully from here on.
    Careful,
}

impl Window {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            limit: FIRST,
            growth: Growth::Doubling(0.0),
            since: now,
            ended: 0,
            unmeasured: 0,
            unheard: 0,
        }
    }

    /// How many uploads may be under way now; at least one.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// One upload has ended.
    pub(crate) fn ended(&mut self, now: Instant) {
        self.unheard = self.unheard.saturating_sub(1);
        if self.unmeasured > 0 {
            self.unmeasured -= 1;
            self.since = now;
            return;
        }
        self.ended += 1;
        if self.ended < self.limit {
            return;
        }
        match self.growth {
            Growth::Doubling(before) => {
                let rate = rate(self.ended, now, self.since);
                if rate > before * CLEARLY_BETTER && self.limit < MOST {
                    self.growth = Growth::Doubling(rate);
                    self.limit = (self.limit * 2).min(MOST);
                    self.unmeasured = self.limit;
                } else {
                    self.growth = Growth::Over;
                    if rate < before * NO_WORSE {
                        self.limit = (self.limit / 2).max(FIRST);
                    }
                }
            }
            Growth::Over => {}
            Growth::Careful => self.limit = (self.limit + 1).min(MOST),
        }
        self.begin(now);
    }

    /// The bucket has refused a request because there were too many. Those that were under way then do
    /// not count again.
    pub(crate) fn slow_down(&mut self, now: Instant) {
        if self.unheard > 0 {
            return;
        }
        self.unheard = self.limit;
        self.growth = Growth::Careful;
        self.unmeasured = 0;
        self.limit = (self.limit / 2).max(1);
        self.begin(now);
    }

    fn begin(&mut self, now: Instant) {
        self.since = now;
        self.ended = 0;
    }
}

fn rate(ended: usize, now: Instant, since: Instant) -> f64 {
    let count = u32::try_from(ended).unwrap_or(u32::MAX);
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
        fn round(&mut self, window: &mut Window) -> usize {
            let count = u32::try_from(window.limit()).unwrap();
            let work = Duration::from_secs(1) * count / self.most_a_second;
            self.now += work.max(Duration::from_millis(20));
            for _upload in 0..count {
                window.ended(self.now);
            }
            window.limit()
        }
    }

    fn rounds(most_a_second: u32, count: usize) -> Vec<usize> {
        let now = Instant::now();
        let mut bucket = Bucket { now, most_a_second };
        let mut window = Window::new(now);
        (0..count).map(|_| bucket.round(&mut window)).collect()
    }

    #[test]
    fn it_grows_as_long_as_that_brings_something() {
        assert_eq!(rounds(1_000_000, 7), [32, 32, 64, 64, 128, 128, 128]);
        assert_eq!(
            rounds(1_600, 7),
            [32, 32, 64, 64, 64, 64, 64],
            "32 in 20 ms are all there is"
        );
        assert_eq!(rounds(100, 3), [32, 32, 32]);
    }

    #[test]
    fn it_goes_a_step_back_where_more_is_worse() {
        let begun = Instant::now();
        let mut window = Window::new(begun);
        let (mut now, mut limits) = (begun, Vec::new());
        for _round in 0..6 {
            // 800 a second with 16, half of that with more.
            let count = window.limit();
            now += Duration::from_millis(if count > FIRST { 80 } else { 20 });
            (0..count).for_each(|_| window.ended(now));
            limits.push(window.limit());
        }
        assert_eq!(limits, [32, 32, FIRST, FIRST, FIRST, FIRST]);
    }

    #[test]
    fn it_is_halved_once_a_round_and_grows_slowly_then() {
        let mut window = Window::new(Instant::now());
        for _refusal in 0..10 {
            window.slow_down(Instant::now());
        }
        assert_eq!(window.limit(), FIRST / 2);
        for _upload in 0..FIRST / 2 {
            window.ended(Instant::now());
        }
        assert_eq!(window.limit(), FIRST / 2 + 1);
        for _upload in 0..FIRST / 2 {
            window.ended(Instant::now());
        }
        window.slow_down(Instant::now());
        assert_eq!(window.limit(), FIRST / 4);
    }

    #[test]
    fn it_never_closes() {
        let mut window = Window::new(Instant::now());
        for _upload in 0..1_000 {
            window.slow_down(Instant::now());
            window.ended(Instant::now());
        }
        assert!((1..=2).contains(&window.limit()), "{window:?}");
    }
}
