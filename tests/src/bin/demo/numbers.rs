//! What visitors and the alias tell about a release that was taken back.

use std::time::{Duration, Instant};

use delivery_rollout::Traffic;

use crate::alias::Seen;
use crate::traffic::Visit;

/// What a canary of 10 % may have, in thousandths.
const CANARY_PERMILLE: u16 = 100;

/// A release that was taken back, as it was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TakenBack<'a> {
    pub(crate) visits: &'a [Visit],
    /// The states of the alias, in their order.
    pub(crate) seen: &'a [Seen],
    /// The version that stays, and the commit that it answers with.
    pub(crate) stable: (&'a str, &'a str),
    /// The version that is taken back, and its commit.
    pub(crate) bad: (&'a str, &'a str),
    /// What Lambda counted for both.
    pub(crate) counted: Traffic,
}

/// When the bad version had traffic, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Numbers {
    /// All requests of the demonstration, and those that failed.
    pub(crate) all: Share,
    /// Those that were answered while the alias gave the bad version some.
    pub(crate) during: Share,
    /// From the first bad answer until the alias gave all to the stable version.
    pub(crate) back_after: Duration,
    /// From the first bad answer to the last.
    pub(crate) last_bad_after: Duration,
}

/// A part of requests that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) failed: usize,
    pub(crate) of: usize,
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let permille = (self.failed * 1000)
            .checked_div(self.of)
            .unwrap_or_default();
        let (percent, tenth) = (permille / 10, permille % 10);
        write!(
            f,
            "{} of {} requests failed ({percent}.{tenth} %)",
            self.failed, self.of
        )
    }
}

impl TakenBack<'_> {
    /// The numbers, or what is not as it has to be.
    pub(crate) fn numbers(&self) -> Result<Numbers, String> {
        let (began, back) = self.canary()?;
        let failed = |visit: &&Visit| visit.answer.is_err();
        let bad: Vec<&Visit> = self.visits.iter().filter(failed).collect();
        let (Some(first), Some(last)) = (bad.first(), bad.last()) else {
            return Err("no request failed, so nothing was found out".to_owned());
        };
        self.check_who_failed(bad.len())?;
        let during = self
            .visits
            .iter()
            .filter(|visit| (began..=back).contains(&visit.at));
        Ok(Numbers {
            all: share(self.visits.iter()),
            during: share(during),
            back_after: back.saturating_duration_since(first.at),
            last_bad_after: last.at.duration_since(first.at),
        })
    }

    /// When the alias was first seen to give the bad version requests, and when to give it none any more.
    fn canary(&self) -> Result<(Instant, Instant), String> {
        let (version, _) = self.bad;
        let has_some = |seen: &&Seen| seen.alias.weights.contains_key(version);
        let began = self.seen.iter().find(has_some);
        let began = began.ok_or("the alias was not seen to give the bad version requests")?;
        let more = self.seen.iter().find(|seen| {
            let weight = seen.alias.weights.get(version);
            seen.alias.version == version || weight.is_some_and(|share| *share > CANARY_PERMILLE)
        });
        if let Some(more) = more {
            return Err(format!(
                "the bad version had more than 10 %: {:?}",
                more.alias
            ));
        }
        let (stable, _) = self.stable;
        let mut after = self.seen.iter().filter(|seen| seen.at > began.at);
        let back = after.find(|seen| seen.alias.is_wholly_on(stable));
        let back = back.ok_or("the alias was not seen to give the stable version all again")?;
        Ok((began.at, back.at))
    }

    /// Fails unless each request that failed was one of the bad version's, by Lambda's own count.
    fn check_who_failed(&self, failed: usize) -> Result<(), String> {
        let Traffic { new, stable } = self.counted;
        if stable.failed > 0 {
            return Err(format!("the stable version failed: {stable}"));
        }
        let (_, commit) = self.bad;
        let answered = self.answered_by(commit);
        if (new.failed, new.served) == (as_u64(failed), as_u64(failed + answered)) {
            return Ok(());
        }
        Err(format!(
            "visitors saw {failed} failures and {answered} answers of the bad version; Lambda counted for it: {new}"
        ))
    }

    /// The answers of a commit.
    pub(crate) fn answered_by(&self, commit: &str) -> usize {
        let by = |visit: &&Visit| visit.answer.as_deref() == Ok(commit);
        self.visits.iter().filter(by).count()
    }
}

fn share<'a>(visits: impl Iterator<Item = &'a Visit>) -> Share {
    let mut share = Share { failed: 0, of: 0 };
    for visit in visits {
        share.of += 1;
        share.failed += usize::from(visit.answer.is_err());
    }
    share
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use delivery_rollout::{Alias, Requests};

    use super::*;

    struct Shown {
        began: Instant,
        visits: Vec<Visit>,
        seen: Vec<Seen>,
        counted: Traffic,
    }

    /// A canary from the second 10 to 14, with bad answers at 11 and 13.
    fn shown() -> Shown {
        let began = Instant::now();
        let at = |second| began + Duration::from_secs(second);
        let visit = |second, answer: Result<&str, &str>| Visit {
            at: at(second),
            answer: answer.map(str::to_owned).map_err(str::to_owned),
        };
        let seen = |second, weights: &[(&str, u16)]| {
            let weights = weights
                .iter()
                .map(|(name, share)| ((*name).to_owned(), *share));
            let alias = Alias {
                version: "2".to_owned(),
                weights: weights.collect(),
                ..Alias::default()
            };
            Seen {
                at: at(second),
                alias,
            }
        };
        let requests = |served, failed| Requests { served, failed };
        Shown {
            began,
            visits: vec![
                visit(1, Ok("good")),
                visit(11, Err("502")),
                visit(12, Ok("bad")),
                visit(13, Err("502")),
                visit(20, Ok("good")),
            ],
            seen: vec![seen(0, &[]), seen(10, &[("3", 100)]), seen(14, &[])],
            counted: Traffic {
                new: requests(3, 2),
                stable: requests(2, 0),
            },
        }
    }

    fn numbers(shown: &Shown) -> Result<Numbers, String> {
        TakenBack {
            visits: &shown.visits,
            seen: &shown.seen,
            stable: ("2", "good"),
            bad: ("3", "bad"),
            counted: shown.counted,
        }
        .numbers()
    }

    #[test]
    fn the_time_is_that_from_the_first_bad_answer_until_the_alias_is_back() {
        let numbers = numbers(&shown()).unwrap();
        assert_eq!(numbers.all, Share { failed: 2, of: 5 });
        assert_eq!(numbers.during, Share { failed: 2, of: 3 });
        assert_eq!(numbers.back_after, Duration::from_secs(3));
        assert_eq!(numbers.last_bad_after, Duration::from_secs(2));
        assert_eq!(
            numbers.during.to_string(),
            "2 of 3 requests failed (66.6 %)"
        );
    }

    #[test]
    fn an_error_of_the_stable_version_is_reported() {
        let mut shown = shown();
        shown.counted.stable.failed = 1;
        assert!(
            numbers(&shown)
                .unwrap_err()
                .contains("the stable version failed")
        );
    }

    #[test]
    fn a_failure_that_is_not_the_bad_versions_is_reported() {
        let mut shown = shown();
        let at = shown.began + Duration::from_secs(21);
        shown.visits.push(Visit {
            at,
            answer: Err("502".to_owned()),
        });
        assert!(
            numbers(&shown)
                .unwrap_err()
                .contains("visitors saw 3 failures")
        );
    }

    #[test]
    fn more_than_a_tenth_and_an_alias_that_stays_are_reported() {
        let mut too_much = shown();
        too_much.seen[1].alias.weights.insert("3".to_owned(), 500);
        assert!(numbers(&too_much).unwrap_err().contains("more than 10 %"));
        let mut stays = shown();
        stays.seen.pop();
        assert!(numbers(&stays).unwrap_err().contains("all again"));
    }
}
