//! What was seen of the new version, and what it says.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::plan::{Plan, Rollout};
use crate::strategy::Share;

/// Fewer errors than these prove nothing, whatever part of the requests they are: one failed request of two is half.
const FEWEST_ERRORS: u64 = 3;

/// The new version may have this many times the errors of the stable one, relative to their requests,
const ERRORS_FACTOR: u64 = 2;

/// or this much more, in thousandths of its requests, whichever allows more: where the stable version has hardly any
/// errors, twice as many are hardly any either.
const ERRORS_MARGIN_PERMILLE: u64 = 10;

/// Requests that the new version should have served, before it is said that it seems to get none.
const EXPECTED_REQUESTS: u64 = 10;

/// Requests and those of them that ended in an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// All.
    pub served: u64,
    /// Those that ended in an error of the function.
    pub failed: u64,
}

impl Requests {
    /// The errors in thousandths of the requests.
    fn failed_permille(self) -> u64 {
        match self.served {
            0 => 0,
            // The two metrics are not read at the same instant: there may be more errors than requests.
            served => (self.failed.min(served) * 1000).div_ceil(served),
        }
    }
}

impl fmt::Display for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let permille = self.failed_permille();
        write!(
            f,
            "{} of {} requests failed ({}.{} %)",
            self.failed,
            self.served,
            permille / 10,
            permille % 10
        )
    }
}

/// The requests since the rollout began, by the version that served them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Of the new version.
    pub new: Requests,
    /// Of the stable version.
    pub stable: Requests,
}

/// An alarm, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: AlarmState,
    /// How long it takes to look at all that it needs: its periods together.
    pub window: Duration,
    /// What it looks at, for people: `Errors of FunctionName=greeter`.
    pub subject: String,
}

/// The state of an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlarmState {
    /// OK.
    Quiet,
    /// ALARM.
    Ringing {
        /// Since when.
        since: Timestamp,
        /// CloudWatch's reason.
        reason: String,
    },
    /// `INSUFFICIENT_DATA`.
    NoData,
    /// There is no such alarm.
    Missing,
}

/// What could not be read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(pub String);

/// All that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The plan's alarms.
    pub alarms: Result<Vec<Alarm>, Unreadable>,
    /// The requests, if the plan needs them.
    pub traffic: Result<Traffic, Unreadable>,
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            alarms: Ok(Vec::new()),
            traffic: Ok(Traffic::default()),
        }
    }
}

/// What the evidence says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything that the plan asks for was seen, and it is good.
    Good,
    /// Something that the plan asks for was not seen.
    Missing(Missing),
    /// The new version is bad.
    Bad(String),
}

/// What was not seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// There is no data.
    Data(String),
    /// It cannot be read.
    Unreadable(String),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Data(text) | Self::Unreadable(text)) = self;
        f.write_str(text)
    }
}

impl Evidence {
    /// How long a step must have lasted before quiet alarms say something about it. What an alarm looked at before the
    /// new version had this share of the traffic proves nothing.
    #[must_use]
    pub fn needs(&self, plan: &Plan) -> Duration {
        let windows = self.alarms.iter().flatten().map(|alarm| alarm.window);
        let slowest = windows.max().unwrap_or_default();
        if plan.watch.is_any() {
            slowest + plan.metrics_delay
        } else {
            Duration::ZERO
        }
    }

    /// What it says about a new version that has this share of the traffic, or all, in a rollout that began then.
    #[must_use]
    pub fn verdict(
        &self,
        plan: &Plan,
        rollout: &Rollout,
        share: Option<Share>,
        began: Timestamp,
    ) -> Verdict {
        let of_alarms = self.of_alarms(plan, began);
        if matches!(of_alarms, Verdict::Bad(_)) {
            return of_alarms;
        }
        match self.of_traffic(plan, rollout, share) {
            Verdict::Good => of_alarms,
            other => other,
        }
    }

    /// What the alarms say. One that rang before the rollout began, and has rung since, does not count if the plan is
    /// to fix what makes it ring.
    fn of_alarms(&self, plan: &Plan, began: Timestamp) -> Verdict {
        let alarms = match &self.alarms {
            Ok(alarms) => alarms,
            Err(Unreadable(why)) => {
                return Verdict::Missing(Missing::Unreadable(format!(
                    "the alarms cannot be read: {why}"
                )));
            }
        };
        let mut missing = None;
        for Alarm {
            name,
            state,
            subject,
            ..
        } in alarms
        {
            match state {
                AlarmState::Ringing { since, .. } if plan.fix_forward && *since < began => {}
                AlarmState::Ringing { since, reason } => {
                    return Verdict::Bad(format!(
                        "alarm `{name}` is in ALARM since {since}: {reason}"
                    ));
                }
                AlarmState::Quiet => {}
                AlarmState::NoData => {
                    missing.get_or_insert(Missing::Data(format!(
                        "alarm `{name}` has no data ({subject})"
                    )));
                }
                AlarmState::Missing => {
                    missing = Some(Missing::Unreadable(format!("there is no alarm `{name}`")));
                }
            }
        }
        missing.map_or(Verdict::Good, Verdict::Missing)
    }

    /// What requests and errors say.
    fn of_traffic(&self, plan: &Plan, rollout: &Rollout, share: Option<Share>) -> Verdict {
        if !plan.watch.needs_traffic() {
            return Verdict::Good;
        }
        let Traffic { new, stable } = match &self.traffic {
            Ok(traffic) => *traffic,
            Err(Unreadable(why)) => {
                return Verdict::Missing(Missing::Unreadable(format!(
                    "the requests cannot be counted: {why}"
                )));
            }
        };
        let version = &rollout.new;
        if new.failed >= FEWEST_ERRORS {
            let rate = new.failed_permille();
            if let Some(most) = plan.watch.max_error_permille
                && rate > u64::from(most)
            {
                return Verdict::Bad(format!(
                    "version {version} fails too often: {new}; the limit is {}.{} %",
                    most / 10,
                    most % 10
                ));
            }
            let usual = stable.failed_permille();
            let most = (usual * ERRORS_FACTOR).max(usual + ERRORS_MARGIN_PERMILLE);
            if plan.watch.compare && rate > most {
                return Verdict::Bad(format!(
                    "version {version} fails more often than version {}: {new}, and before {stable}",
                    rollout.stable.as_deref().unwrap_or("none")
                ));
            }
        }
        let least = plan.watch.min_requests;
        if new.served < least {
            let unused = match share {
                Some(share) if new.served == 0 && is_unused(stable, share) => {
                    "; its callers do not seem to use the alias"
                }
                _ => "",
            };
            return Verdict::Missing(Missing::Data(format!(
                "version {version} has served {} of {least} requests{unused}",
                new.served
            )));
        }
        Verdict::Good
    }
}

/// Whether the stable version has served so many requests that a version with this share should have had some.
fn is_unused(stable: Requests, share: Share) -> bool {
    stable.served * u64::from(share.permille()) >= EXPECTED_REQUESTS * 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{OnNoData, Watch};
    use crate::strategy::Strategy;
    use test_case::test_case;

    fn plan() -> Plan {
        Plan {
            strategy: Strategy::default(),
            bake: Duration::ZERO,
            watch: Watch::default(),
            patience: Duration::from_mins(10),
            on_no_data: OnNoData::Rollback,
            fix_forward: false,
            metrics_delay: Duration::from_mins(1),
            before_hook: false,
            after_hook: false,
        }
    }

    fn rollout() -> Rollout {
        Rollout {
            id: "7f3a".to_owned(),
            execution: None,
            stable: Some("6".to_owned()),
            new: "8".to_owned(),
            revision: None,
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn text(verdict: Verdict) -> String {
        match verdict {
            Verdict::Good => "good".to_owned(),
            Verdict::Missing(Missing::Data(text)) => format!("no data: {text}"),
            Verdict::Missing(Missing::Unreadable(text)) => format!("unreadable: {text}"),
            Verdict::Bad(text) => format!("bad: {text}"),
        }
    }

    #[test_case((0, 0), (0, 0), "good"; "no traffic")]
    #[test_case((2, 2), (1000, 0), "good"; "two errors prove nothing")]
    #[test_case((4, 3), (36, 0), "bad: version 8 fails more often than version 6: 3 of 4 requests failed (75.0 %), and before 0 of 36 requests failed (0.0 %)"; "three do")]
    #[test_case((300, 3), (1000, 0), "good"; "within the margin of one per cent")]
    #[test_case((200, 3), (1000, 0), "bad: version 8 fails more often than version 6: 3 of 200 requests failed (1.5 %), and before 0 of 1000 requests failed (0.0 %)"; "beyond it")]
    #[test_case((100, 10), (100, 5), "good"; "twice as often")]
    #[test_case((100, 11), (100, 5), "bad: version 8 fails more often than version 6: 11 of 100 requests failed (11.0 %), and before 5 of 100 requests failed (5.0 %)"; "more than twice as often")]
    fn errors_are_compared(new: (u64, u64), stable: (u64, u64), expected: &str) {
        let requests = |(served, failed)| Requests { served, failed };
        let evidence = Evidence {
            traffic: Ok(Traffic {
                new: requests(new),
                stable: requests(stable),
            }),
            ..Evidence::default()
        };
        let mut plan = plan();
        plan.watch.compare = true;
        assert_eq!(
            text(evidence.verdict(&plan, &rollout(), None, at(0))),
            expected
        );
    }

    #[test_case((100, 5), 50, "good"; "at the limit")]
    #[test_case((100, 6), 50, "bad: version 8 fails too often: 6 of 100 requests failed (6.0 %); the limit is 5.0 %"; "above it")]
    #[test_case((1, 1), 5, "no data: version 8 has served 1 of 20 requests"; "too few")]
    #[test_case((0, 0), 5, "no data: version 8 has served 0 of 20 requests; its callers do not seem to use the alias"; "none")]
    fn the_limit_and_the_fewest_requests_hold(
        (served, failed): (u64, u64),
        most: u32,
        expected: &str,
    ) {
        let evidence = Evidence {
            traffic: Ok(Traffic {
                new: Requests { served, failed },
                stable: Requests {
                    served: 100,
                    failed: 0,
                },
            }),
            ..Evidence::default()
        };
        let mut plan = plan();
        plan.watch.max_error_permille = Some(most);
        plan.watch.min_requests = 20;
        let share = Share::from_permille(100);
        assert_eq!(
            text(evidence.verdict(&plan, &rollout(), share, at(0))),
            expected
        );
    }

    fn ringing(seconds: i64) -> AlarmState {
        AlarmState::Ringing {
            since: at(seconds),
            reason: "5 > 1".to_owned(),
        }
    }

    #[test_case(AlarmState::Quiet, false, "good")]
    #[test_case(
        ringing(200),
        false,
        "bad: alarm `errors` is in ALARM since 1970-01-01T00:03:20Z: 5 > 1"
    )]
    #[test_case(ringing(50), true, "good"; "rang before")]
    #[test_case(ringing(200), true, "bad: alarm `errors` is in ALARM since 1970-01-01T00:03:20Z: 5 > 1"; "rings again")]
    #[test_case(
        AlarmState::NoData,
        false,
        "no data: alarm `errors` has no data (Errors of FunctionName=f)"
    )]
    #[test_case(AlarmState::Missing, false, "unreadable: there is no alarm `errors`")]
    fn alarms_speak(state: AlarmState, fix_forward: bool, expected: &str) {
        let evidence = Evidence {
            alarms: Ok(vec![Alarm {
                name: "errors".to_owned(),
                state,
                window: Duration::from_mins(2),
                subject: "Errors of FunctionName=f".to_owned(),
            }]),
            ..Evidence::default()
        };
        let mut plan = plan();
        plan.fix_forward = fix_forward;
        plan.watch.alarms = vec!["errors".to_owned()];
        assert_eq!(
            text(evidence.verdict(&plan, &rollout(), None, at(100))),
            expected
        );
        assert_eq!(evidence.needs(&plan), Duration::from_mins(3));
    }

    #[test]
    fn what_cannot_be_read_is_never_good() {
        let refused = || Unreadable("access denied".to_owned());
        let mut plan = plan();
        plan.watch.compare = true;
        let evidence = Evidence {
            traffic: Err(refused()),
            ..Evidence::default()
        };
        assert_eq!(
            text(evidence.verdict(&plan, &rollout(), None, at(0))),
            "unreadable: the requests cannot be counted: access denied"
        );
        let evidence = Evidence {
            alarms: Err(refused()),
            ..Evidence::default()
        };
        assert_eq!(
            text(evidence.verdict(&plan, &rollout(), None, at(0))),
            "unreadable: the alarms cannot be read: access denied"
        );
    }
}
