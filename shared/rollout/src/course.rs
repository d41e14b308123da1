//! How far a rollout is, as the summary of its action says it: written by deploy-app, read again for the curve on a run's page.

use std::fmt;
use std::str::FromStr;

use crate::evidence::{Requests, Traffic};

/// What a rollout says of itself while nothing holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// The function's alias.
    pub alias: String,
    /// The version that gets more and more.
    pub version: String,
    /// Its share in thousandths.
    pub permille: u16,
    /// How long it has had this share, in seconds.
    pub seconds: u64,
    /// How long it is to have it.
    pub planned: u64,
    /// The step from 1, and how many there are; none while it has all traffic.
    pub step: Option<(usize, usize)>,
    /// The old version, and what both served, where that is known.
    pub traffic: Option<(String, Traffic)>,
}

impl Course {
    /// All traffic, in thousandths.
    pub const ALL: u16 = 1_000;
}

impl fmt::Display for Course {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            alias,
            version,
            seconds,
            planned,
            ..
        } = self;
        if self.permille == Self::ALL {
            write!(
                f,
                "`{alias}`: all traffic on version {version}, watched for {seconds} of {planned} s"
            )?;
        } else {
            let share = f64::from(self.permille) / 10.0;
            write!(
                f,
                "`{alias}`: {share} % on version {version} for {seconds} of {planned} s"
            )?;
        }
        if let Some((step, steps)) = self.step {
            write!(f, " (step {step} of {steps})")?;
        }
        if let Some((stable, Traffic { new, stable: old })) = &self.traffic {
            write!(f, "; version {version}: {new}; version {stable}: {old}")?;
        }
        Ok(())
    }
}

/// A text that is no [`Course`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotACourse;

impl FromStr for Course {
    type Err = NotACourse;

    /// Reads it from the beginning of a text; the place of a log may follow.
    fn from_str(text: &str) -> Result<Self, NotACourse> {
        read(text).ok_or(NotACourse)
    }
}

fn read(text: &str) -> Option<Course> {
    let (alias, rest) = text.strip_prefix('`')?.split_once("`: ")?;
    let (permille, version, rest) = if let Some(rest) = rest.strip_prefix("all traffic on version ")
    {
        let (version, rest) = rest.split_once(", watched for ")?;
        (Course::ALL, version, rest)
    } else {
        let (share, rest) = rest.split_once(" % on version ")?;
        let (version, rest) = rest.split_once(" for ")?;
        (permille(share)?, version, rest)
    };
    let (seconds, rest) = rest.split_once(" of ")?;
    let (planned, rest) = rest.split_once(" s")?;
    let (step, rest) = match rest.strip_prefix(" (step ") {
        Some(step) => {
            let (step, rest) = step.split_once(')')?;
            let (step, steps) = step.split_once(" of ")?;
            (Some((step.parse().ok()?, steps.parse().ok()?)), rest)
        }
        None => (None, rest),
    };
    Some(Course {
        alias: alias.to_owned(),
        version: version.to_owned(),
        permille,
        seconds: seconds.parse().ok()?,
        planned: planned.parse().ok()?,
        step,
        traffic: traffic(rest),
    })
}

fn permille(share: &str) -> Option<u16> {
    let (percent, tenths) = share.split_once('.').unwrap_or((share, "0"));
    let tenths: u16 = tenths.parse().ok().filter(|tenths| *tenths < 10)?;
    let permille = percent.parse::<u16>().ok()?.checked_mul(10)? + tenths;
    (permille < Course::ALL).then_some(permille)
}

fn traffic(text: &str) -> Option<(String, Traffic)> {
    let (new, old) = text.strip_prefix("; version ")?.split_once("; version ")?;
    let (_, new) = new.split_once(": ")?;
    let (stable, old) = old.split_once(": ")?;
    let traffic = Traffic {
        new: requests(new)?,
        stable: requests(old)?,
    };
    Some((stable.to_owned(), traffic))
}

fn requests(text: &str) -> Option<Requests> {
    let (failed, rest) = text.split_once(" of ")?;
    let (served, _) = rest.split_once(" requests failed")?;
    Some(Requests {
        served: served.parse().ok()?,
        failed: failed.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course() -> Course {
        Course {
            alias: "greeter:prod".to_owned(),
            version: "8".to_owned(),
            permille: 125,
            seconds: 12,
            planned: 60,
            step: Some((1, 2)),
            traffic: None,
        }
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let traffic = Traffic {
            new: Requests {
                served: 120,
                failed: 3,
            },
            stable: Requests {
                served: 1080,
                failed: 0,
            },
        };
        let with_traffic = Course {
            traffic: Some(("7".to_owned(), traffic)),
            ..course()
        };
        let watched = Course {
            permille: Course::ALL,
            step: None,
            ..with_traffic.clone()
        };
        for course in [course(), with_traffic.clone(), watched] {
            assert_eq!(course.to_string().parse(), Ok(course.clone()));
            assert_eq!(format!("{course} (log: g s)").parse(), Ok(course));
        }
        assert_eq!(
            with_traffic.to_string(),
            "`greeter:prod`: 12.5 % on version 8 for 12 of 60 s (step 1 of 2); version 8: 3 of 120 requests failed (2.5 \
             %); version 7: 0 of 1080 requests failed (0.0 %)"
        );
    }

    #[test]
    fn other_summaries_are_none() {
        for text in [
            "",
            "rollout of `greeter:prod` under way",
            "`greeter:prod`: held, because there were too few requests",
            "`a`: 101 % on version 8 for 1 of 2 s",
            "`a`: 10.50 % on version 8 for 1 of 2 s",
        ] {
            assert_eq!(text.parse::<Course>(), Err(NotACourse), "{text}");
        }
    }
}
