//! An alias, what is seen of it, and the jobs of one action execution.

mod laws;

use std::collections::BTreeMap;
use std::time::Duration;

use delivery_rollout::{
    Alarm, AlarmState, Alias, Change, Decision, Description, Difference, Evidence, Failure, Hint,
    Hook, Marker, Phase, Plan, Provisioning, Requests, Rollout, Seen, Settings, Traffic,
    Unreadable, abort, decide, finish, put_back_unwatched, stable_version,
};
use jiff::Timestamp;

use crate::generate::{AlarmKind, Op, Start};

pub(crate) const STABLE: &str = "1";
pub(crate) const NEW: &str = "2";
pub(crate) const FOREIGN: &str = "3";
const ID: &str = "r1";
const EXECUTION: &str = "11112222-3333";

struct Job {
    rollout: Rollout,
    hint: Hint,
    decided: Option<(Decision, Seen, u64)>,
    result: Option<Result<(), Failure>>,
}

pub(crate) struct World {
    now: Timestamp,
    plan: Plan,
    hooks: (bool, bool),
    alias: Option<Alias>,
    revision: u64,
    good: Option<Alias>,
    alarm: AlarmState,
    readable: bool,
    traffic: Traffic,
    provisioning: Provisioning,
    differences: Vec<Difference>,
    token: Option<(Rollout, Hint)>,
    jobs: Vec<Job>,
    /// What this rollout wrote last, or found.
    own: Option<(String, BTreeMap<String, u16>)>,
    /// A person or the guard ended it.
    ended: bool,
    looks: usize,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn alias(version: &str) -> Alias {
    Alias {
        version: version.to_owned(),
        ..Alias::default()
    }
}

impl World {
    pub(crate) fn new(plan: Plan, hooks: (bool, bool), start: Start, has_new_role: bool) -> Self {
        let now = at(1_000_000);
        let new = Settings {
            role: has_new_role.then(|| "other".to_owned()),
            ..Settings::default()
        };
        let (found, good) = match start {
            Start::Nothing => (None, None),
            Start::Stable => (Some(alias(STABLE)), None),
            Start::StableAndGood => (Some(alias(STABLE)), Some(alias(STABLE))),
            Start::Done => (Some(alias(NEW)), Some(alias(NEW))),
            Start::Other { over, promoted } => {
                (Some(in_other_rollout(over, promoted)), Some(alias(STABLE)))
            }
        };
        let mut world = Self {
            now,
            plan,
            hooks,
            alias: found,
            revision: 0,
            good,
            alarm: AlarmState::Quiet,
            readable: true,
            traffic: Traffic::default(),
            provisioning: Provisioning::Ready,
            differences: new.differences_from(&Settings::default()),
            token: None,
            jobs: Vec::new(),
            own: None,
            ended: false,
            looks: 0,
        };
        world.own = world.state();
        world
    }

    fn seen(&self) -> Seen {
        let refused = || Unreadable("access denied".to_owned());
        let alarms = self.plan.watch.alarms.iter().map(|name| Alarm {
            name: name.clone(),
            state: self.alarm.clone(),
            window: Duration::from_mins(1),
            subject: "Errors".to_owned(),
        });
        Seen {
            alias: self.alias.clone(),
            good: self.good.clone(),
            provisioning: self.provisioning.clone(),
            differences: self.differences.clone(),
            evidence: Evidence {
                alarms: if self.readable {
                    Ok(alarms.collect())
                } else {
                    Err(refused())
                },
                traffic: if self.readable {
                    Ok(self.traffic)
                } else {
                    Err(refused())
                },
            },
        }
    }

    fn state(&self) -> Option<(String, BTreeMap<String, u16>)> {
        let alias = self.alias.as_ref();
        alias.map(|alias| (alias.version.clone(), alias.weights.clone()))
    }

    /// The alias's version, and the others that have a share.
    pub(crate) fn versions(&self) -> (&str, Vec<&str>) {
        let alias = self.alias.as_ref().unwrap();
        let others = alias.weights.keys().map(String::as_str).collect();
        (&alias.version, others)
    }

    fn good_version(&self) -> Option<String> {
        self.good.as_ref().map(|good| good.version.clone())
    }

    pub(crate) fn start(&mut self, with_token: bool) {
        let token = self.token.clone().filter(|_| with_token);
        let (rollout, hint) = token.unwrap_or_else(|| self.first_event());
        self.jobs.push(Job {
            rollout,
            hint,
            decided: None,
            result: None,
        });
    }

    /// What a first event finds, also when it is delivered again.
    fn first_event(&mut self) -> (Rollout, Hint) {
        let found = self.alias.as_ref();
        let marker = found.and_then(|alias| alias.description.marker.as_ref());
        // Nothing was written yet: what is there now is what the rollout begins with.
        if marker.is_none_or(|marker| marker.id != ID) {
            self.own = self.state();
        }
        let good = self.good_version();
        let rollout = Rollout {
            id: ID.to_owned(),
            execution: Some(EXECUTION.to_owned()),
            stable: stable_version(ID, self.alias.as_ref(), good.as_deref()),
            new: NEW.to_owned(),
            revision: Some("abc".to_owned()),
        };
        let hint = Hint {
            began: self.now,
            before_hook: None,
            after_hook: None,
        };
        (rollout, hint)
    }

    fn step(&mut self, index: usize) {
        let running = self
            .jobs
            .iter()
            .enumerate()
            .filter(|(_, job)| job.result.is_none());
        let Some(index) = running.map(|(index, _)| index).nth(index) else {
            return;
        };
        match self.jobs[index].decided.take() {
            None => {
                self.looks += 1;
                let seen = self.seen();
                let job = &mut self.jobs[index];
                let decision = decide(self.now, &self.plan, &job.rollout, &job.hint, &seen);
                job.decided = Some((decision, seen, self.revision));
            }
            Some((decision, seen, revision)) => self.act(index, decision, &seen, revision),
        }
    }

    fn act(&mut self, index: usize, decision: Decision, seen: &Seen, revision: u64) {
        let rollout = self.jobs[index].rollout.clone();
        match decision {
            Decision::Call(hook) => {
                let passes = match hook {
                    Hook::BeforeTraffic => self.hooks.0,
                    Hook::AfterTraffic => self.hooks.1,
                };
                let said = if passes { Ok(()) } else { Err("no".to_owned()) };
                let hint = &mut self.jobs[index].hint;
                match hook {
                    Hook::BeforeTraffic => hint.before_hook = Some(said),
                    Hook::AfterTraffic => hint.after_hook = Some(said),
                }
            }
            Decision::Set(change) => self.write(&rollout, change, seen, revision, None),
            Decision::PutBack(change, why) => {
                self.write(&rollout, change, seen, revision, Some(&why));
            }
            Decision::Keep { version, before } => {
                let wholly = seen
                    .alias
                    .as_ref()
                    .is_some_and(|alias| alias.is_wholly_on(&version));
                assert!(
                    wholly,
                    "I10: {version} is kept while the alias is {:?}",
                    seen.alias
                );
                self.good = Some(Alias {
                    description: Description {
                        before,
                        ..Description::default()
                    },
                    ..alias(&version)
                });
            }
            Decision::Wait(_) => {
                self.token = Some((rollout, self.jobs[index].hint.clone()));
                self.jobs.remove(index);
            }
            Decision::Done => {
                let on_new = seen
                    .alias
                    .as_ref()
                    .is_some_and(|alias| alias.version == NEW);
                assert!(on_new, "I5: done with {:?}", seen.alias);
                self.jobs[index].result = Some(Ok(()));
            }
            Decision::Fail(failure) => {
                self.check_failure(&failure, &rollout, seen);
                self.jobs[index].result = Some(Err(failure));
            }
        }
    }

    /// A conditional write: what was read must still be there.
    fn write(
        &mut self,
        rollout: &Rollout,
        change: Change,
        seen: &Seen,
        revision: u64,
        why: Option<&str>,
    ) {
        if revision != self.revision {
            return;
        }
        self.check_write(rollout, &change, seen, why);
        let ours = change
            .description
            .marker
            .as_ref()
            .is_none_or(|marker| marker.id == ID);
        self.set(change);
        self.own = self.state();
        if why.is_some() {
            self.ended = ours;
        }
    }

    fn set(&mut self, change: Change) {
        let text = change.description.to_string();
        let description = Description::parse(&text);
        assert!(text.chars().count() <= 256, "{text}");
        let marker = change.description.marker.as_ref();
        assert_eq!(description.marker.is_some(), marker.is_some(), "{text}");
        self.alias = Some(Alias {
            version: change.version,
            weights: change
                .share
                .into_iter()
                .map(|(version, share)| (version, share.permille()))
                .collect(),
            description,
        });
        self.revision += 1;
    }

    pub(crate) fn apply(&mut self, op: Op) {
        match op {
            Op::Start { with_token } => {
                if self.jobs.iter().filter(|job| job.result.is_none()).count() < 4 {
                    self.start(with_token);
                }
            }
            Op::Step(job) => self.step(job),
            Op::Kill(job) => {
                if job < self.jobs.len() {
                    self.jobs.remove(job);
                }
            }
            Op::KillAfterCall(job) => {
                if job < self.jobs.len() && self.jobs[job].decided.is_some() {
                    self.step(job);
                    if job < self.jobs.len() {
                        self.jobs.remove(job);
                    }
                }
            }
            Op::Tick(seconds) => self.now += Duration::from_secs(seconds.into()),
            Op::Alarm(kind) => self.set_alarm(kind),
            Op::Readable(readable) => self.readable = readable,
            Op::Requests { new, stable } => {
                let add = |to: &mut Requests, (served, failed): (u8, u8)| {
                    to.served += u64::from(served);
                    to.failed += u64::from(failed.min(served));
                };
                add(&mut self.traffic.new, new);
                add(&mut self.traffic.stable, stable);
            }
            Op::Foreign { version, weight } => self.change_by_another_tool(version, weight),
            Op::Provisioning(state) => self.provisioning = state,
            Op::Abort => self.intervene(|alias, good| abort(alias, good, "Anna", "orders fail")),
            Op::Finish => self.intervene(|alias, good| finish(alias, good, "Anna")),
            Op::Guard { execution_failed } => {
                let (now, execution) = (self.now, execution_failed.then_some(EXECUTION));
                self.intervene(|alias, good| put_back_unwatched(now, alias, good, execution));
            }
        }
        self.check();
    }

    fn set_alarm(&mut self, kind: AlarmKind) {
        self.alarm = match (kind, &self.alarm) {
            (AlarmKind::Ringing, AlarmState::Ringing { .. }) => return,
            (AlarmKind::Ringing, _) => AlarmState::Ringing {
                since: self.now,
                reason: "5 > 1".to_owned(),
            },
            (AlarmKind::Quiet, _) => AlarmState::Quiet,
            (AlarmKind::NoData, _) => AlarmState::NoData,
            (AlarmKind::Missing, _) => AlarmState::Missing,
        };
    }

    fn change_by_another_tool(&mut self, version: &str, weight: Option<(&str, u16)>) {
        let Some(alias) = &mut self.alias else { return };
        let weights: BTreeMap<String, u16> = weight
            .filter(|(other, _)| *other != version)
            .map(|(other, permille)| (other.to_owned(), permille))
            .into_iter()
            .collect();
        version.clone_into(&mut alias.version);
        alias.weights = weights;
        self.revision += 1;
    }

    fn intervene(&mut self, change: impl FnOnce(&Alias, Option<&str>) -> Option<Change>) {
        let good = self.good_version();
        let Some(change) = self
            .alias
            .as_ref()
            .and_then(|alias| change(alias, good.as_deref()))
        else {
            return;
        };
        assert!(change.share.is_none());
        let is_of_this = change
            .description
            .marker
            .as_ref()
            .is_some_and(|marker| marker.id == ID);
        self.set(change);
        self.ended |= is_of_this;
    }
}

fn in_other_rollout(over: bool, promoted: bool) -> Alias {
    let watched_until = at(if over { 900_000 } else { 1_100_000 });
    let since = at(890_000);
    let phase = if promoted {
        Phase::Bake {
            since,
            watched_until,
        }
    } else {
        Phase::Step {
            index: 0,
            count: 1,
            since,
            watched_until,
        }
    };
    let marker = Marker {
        id: "other".to_owned(),
        execution: None,
        new: FOREIGN.to_owned(),
        stable: STABLE.to_owned(),
        phase,
    };
    Alias {
        version: if promoted { FOREIGN } else { STABLE }.to_owned(),
        weights: (!promoted)
            .then(|| (FOREIGN.to_owned(), 100))
            .into_iter()
            .collect(),
        description: Description {
            marker: Some(marker),
            ..Description::default()
        },
    }
}
