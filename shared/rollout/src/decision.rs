//! The next thing to do.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::description::{Description, End, Marker, Phase};
use crate::difference::Difference;
use crate::evidence::{AlarmState, Evidence, Missing, Unreadable, Verdict};
use crate::failure::Failure;
use crate::intervention::back;
use crate::plan::{OnNoData, Plan, Rollout};
use crate::standing::{Alias, Provisioning, Standing, is_under_way};
use crate::strategy::Share;

/// How long the guard leaves a rollout alone after a step's time and patience: CodePipeline starts a job again within
/// minutes, and gives up a job after twenty.
const WATCHED_LONGER: Duration = Duration::from_mins(20);

/// Who finishes a rollout that was watched to its end.
const ACTION: &str = "deploy-app";

/// A function of the application that says whether the rollout may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Before the new version gets traffic.
    BeforeTraffic,
    /// When it has all traffic and was watched.
    AfterTraffic,
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BeforeTraffic => "pre-traffic",
            Self::AfterTraffic => "post-traffic",
        })
    }
}

/// What earlier looks found out and the alias does not say. Losing it costs another call of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// When the action began.
    pub began: Timestamp,
    /// What the hook before traffic said, if it was called: `Err` has its message.
    pub before_hook: Option<Result<(), String>>,
    /// What the hook after traffic said, if it was called.
    pub after_hook: Option<Result<(), String>>,
}

/// What was seen just now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The alias.
    pub alias: Option<Alias>,
    /// The alias that names the last good version.
    pub good: Option<Alias>,
    /// The alias's provisioned concurrency.
    pub provisioning: Provisioning,
    /// Why Lambda would not split traffic between the two versions.
    pub differences: Vec<Difference>,
    /// Alarms and requests.
    pub evidence: Evidence,
}

/// One call that changes the alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The version that gets what the share leaves.
    pub version: String,
    /// The other version and its share.
    pub share: Option<(String, Share)>,
    /// What the alias says afterwards.
    pub description: Description,
}

/// How far a rollout is, while nothing is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The step, from 0; none while the new version has all traffic, or before it has any.
    pub step: Option<usize>,
    /// The new version's share; none for nothing or all.
    pub share: Option<Share>,
    /// When the step began.
    pub since: Timestamp,
    /// When it is over, if nothing is missing.
    pub due: Timestamp,
    /// What is missing, and how long it is waited for.
    pub held: Option<(Missing, Timestamp)>,
}

/// The next thing to do; then look again, unless it is `Done` or `Fail`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Ask a hook.
    Call(Hook),
    /// Change the alias.
    Set(Change),
    /// Give the stable version all traffic back, for this reason.
    PutBack(Change, String),
    /// Make the alias that names the last good version name this one.
    Keep {
        /// The version.
        version: String,
        /// The last good version before it.
        before: Option<String>,
    },
    /// Look again later.
    Wait(Progress),
    /// The new version has all traffic, and was watched.
    Done,
    /// It failed, and the alias is as it should be or as somebody else left it.
    Fail(Failure),
}

/// When the new version got its first traffic: requests from then on count. Steps that were held began a little earlier.
#[must_use]
pub fn began(plan: &Plan, rollout: &Rollout, alias: &Alias) -> Option<Timestamp> {
    let marker = alias.description.marker.as_ref()?;
    match (&marker.phase, marker.id == rollout.id) {
        (Phase::Step { index, since, .. }, true) => Some(earlier(*since, plan.before(*index))),
        (Phase::Bake { since, .. }, true) => Some(earlier(*since, plan.strategy.lasts())),
        _ => None,
    }
}

/// Puts a rollout of one's own back because it cannot be continued; `None` where the alias is not in it.
#[must_use]
pub fn give_up(rollout: &Rollout, alias: &Alias, why: &str) -> Option<Change> {
    let marker = alias.description.marker.as_ref()?;
    let is_own = marker.id == rollout.id && is_under_way(alias, marker, None);
    let end = End::PutBack(why.to_owned());
    is_own.then(|| back(alias, marker, marker.stable.clone(), end))
}

/// Decides what to do next.
#[must_use]
pub fn decide(
    now: Timestamp,
    plan: &Plan,
    rollout: &Rollout,
    hint: &Hint,
    seen: &Seen,
) -> Decision {
    let rollout = &rollout.as_begun(seen.alias.as_ref());
    let look = Look {
        now,
        plan,
        rollout,
        hint,
        seen,
    };
    let good = seen.good.as_ref().map(|good| good.version.as_str());
    let standing = Standing::of(
        seen.alias.as_ref(),
        good,
        &seen.provisioning,
        |index| plan.share(index),
        rollout,
        now,
    );
    match standing {
        Standing::New => look.create(),
        Standing::NotBegun => look.begin(),
        Standing::Step { index, since } => look.watch(Some(index), since),
        Standing::Bake { .. } if good == Some(&rollout.new) => Decision::Done,
        Standing::Bake { since } => look.watch(None, since),
        Standing::Done => look.after_all(),
        Standing::Ended(end) => Decision::Fail(look.ended(end)),
        Standing::Busy(marker) => Decision::Fail(Failure::Busy(Box::new(marker))),
        Standing::Abandoned { marker, version } => look.put_back_abandoned(&marker, version),
        Standing::Provisioning => look.wait_for_provisioning(hint.began),
        Standing::Split => Decision::Fail(look.split()),
        Standing::Changed => Decision::Fail(look.changed()),
    }
}

/// One look.
struct Look<'a> {
    now: Timestamp,
    plan: &'a Plan,
    rollout: &'a Rollout,
    hint: &'a Hint,
    seen: &'a Seen,
}

impl Look<'_> {
    /// There is nothing to go back to, so nothing is watched: the hooks alone decide.
    fn create(&self) -> Decision {
        self.before_hook().unwrap_or_else(|| {
            Decision::Set(Change {
                version: self.rollout.new.clone(),
                share: None,
                description: self.description(None, None),
            })
        })
    }

    /// All traffic is on the stable version.
    fn begin(&self) -> Decision {
        if let Some(decision) = self.refusal() {
            return decision;
        }
        match &self.seen.provisioning {
            Provisioning::Ready => {}
            Provisioning::Moving => return self.wait_for_provisioning(self.hint.began),
            Provisioning::Failed(why) => {
                return Decision::Fail(Failure::Provisioning(not_provided(why)));
            }
        }
        let stable = self.stable();
        // Named by an alias, a version cannot be deleted while it is what the traffic goes back to.
        if self.good_version() != Some(stable) {
            return self.keep(stable);
        }
        if let Some(decision) = self.before_hook() {
            return decision;
        }
        if self.was_good() || self.plan.strategy.steps.is_empty() {
            return self.promote();
        }
        self.shift(0)
    }

    /// Why it cannot begin.
    fn refusal(&self) -> Option<Decision> {
        let is_gradual = !self.plan.strategy.steps.is_empty() && !self.was_good();
        if is_gradual && !self.seen.differences.is_empty() {
            return Some(Decision::Fail(Failure::Unlike {
                stable: self.stable().to_owned(),
                new: self.rollout.new.clone(),
                differences: self.seen.differences.clone(),
            }));
        }
        let failure = match &self.seen.evidence.alarms {
            Err(Unreadable(why)) => {
                Failure::Unreadable(format!("the alarms cannot be read: {why}"))
            }
            Ok(alarms) => alarms.iter().find_map(|alarm| match &alarm.state {
                AlarmState::Missing => Some(Failure::NoAlarm(alarm.name.clone())),
                AlarmState::Ringing { since, reason } if !self.plan.fix_forward => {
                    Some(Failure::Alarm(format!(
                        "alarm `{}` is in ALARM since {since}: {reason}",
                        alarm.name
                    )))
                }
                _ => None,
            })?,
        };
        Some(Decision::Fail(failure))
    }

    /// Calls the hook before traffic; `None` once it has passed.
    fn before_hook(&self) -> Option<Decision> {
        if !self.plan.before_hook {
            return None;
        }
        match &self.hint.before_hook {
            None => Some(Decision::Call(Hook::BeforeTraffic)),
            Some(Ok(())) => None,
            Some(Err(message)) => Some(Decision::Fail(Failure::Hook {
                hook: Hook::BeforeTraffic,
                message: message.clone(),
            })),
        }
    }

    /// The new version has a share, or all traffic where there is no step.
    fn watch(&self, step: Option<usize>, since: Timestamp) -> Decision {
        if let Some(decision) = self.not_provisioned(step, since) {
            return decision;
        }
        let (plan, evidence) = (self.plan, &self.seen.evidence);
        let (share, lasts, before) = match step {
            Some(index) => (
                plan.share(index),
                plan.step(index).map(|step| step.lasts).unwrap_or_default(),
                plan.before(index),
            ),
            None => (None, plan.bake, plan.strategy.lasts()),
        };
        // Without a bake nothing is watched once all traffic is moved.
        let is_watched = step.is_some() || !plan.bake.is_zero();
        let began = earlier(since, before);
        let verdict = if is_watched {
            evidence.verdict(plan, self.rollout, share, began)
        } else {
            Verdict::Good
        };
        let needed = if is_watched {
            evidence.needs(plan)
        } else {
            Duration::ZERO
        };
        let due = later(since, lasts.max(needed));
        let progress = Progress {
            step,
            share,
            since,
            due,
            held: None,
        };
        match verdict {
            Verdict::Bad(why) => self.put_back_bad(&why, &progress),
            _ if self.now < due => Decision::Wait(progress),
            Verdict::Good => self.next(step),
            Verdict::Missing(missing) => self.hold(missing, &progress),
        }
    }

    /// Provisioned concurrency comes first: until it is there, Lambda splits the traffic itself.
    fn not_provisioned(&self, step: Option<usize>, since: Timestamp) -> Option<Decision> {
        match &self.seen.provisioning {
            // Lambda's own weights may have been read just before it was ready.
            Provisioning::Ready if step.is_none() && !self.weights().is_empty() => {
                Some(self.wait_for_provisioning(since))
            }
            Provisioning::Ready => None,
            Provisioning::Moving => Some(self.wait_for_provisioning(since)),
            Provisioning::Failed(why) => Some(self.put_back(not_provided(why))),
        }
    }

    fn put_back_bad(&self, why: &str, progress: &Progress) -> Decision {
        let traffic = progress
            .share
            .map_or_else(|| "all".to_owned(), |share| share.to_string());
        let seconds = self.now.duration_since(progress.since).as_secs().max(0);
        self.put_back(format!(
            "{why}, after version {} had {traffic} of the traffic for {seconds} s",
            self.rollout.new
        ))
    }

    /// A step whose time is over waits for what is missing as long as the plan has patience.
    fn hold(&self, missing: Missing, progress: &Progress) -> Decision {
        let patient_until = later(progress.due, self.plan.patience);
        if self.now < patient_until {
            return Decision::Wait(Progress {
                held: Some((missing, patient_until)),
                ..progress.clone()
            });
        }
        match (&missing, self.plan.on_no_data) {
            (Missing::Data(_), OnNoData::Proceed) => self.next(progress.step),
            _ => self.put_back(format!(
                "{missing}, after {} seconds of patience",
                self.plan.patience.as_secs()
            )),
        }
    }

    /// After a good look.
    fn next(&self, step: Option<usize>) -> Decision {
        match step {
            Some(index) if index + 1 < self.plan.strategy.steps.len() => self.shift(index + 1),
            Some(_) => self.promote(),
            None => self.after_all(),
        }
    }

    /// The new version has all traffic, and it was watched as long as the plan says.
    fn after_all(&self) -> Decision {
        if self.plan.after_hook && !self.was_finished() {
            match &self.hint.after_hook {
                None => return Decision::Call(Hook::AfterTraffic),
                Some(Ok(())) => {}
                Some(Err(message)) if self.may_put_back() => {
                    return self
                        .put_back(format!("the {} hook failed: {message}", Hook::AfterTraffic));
                }
                Some(Err(message)) => {
                    return Decision::Fail(Failure::Hook {
                        hook: Hook::AfterTraffic,
                        message: message.clone(),
                    });
                }
            }
        }
        if self.is_promoted() {
            return self.finish();
        }
        if self.good_version() == Some(&self.rollout.new) {
            return Decision::Done;
        }
        self.keep(&self.rollout.new)
    }

    /// Whether the alias still says that this rollout gave all traffic to the new version.
    fn is_promoted(&self) -> bool {
        self.marker().is_some_and(|marker| {
            marker.id == self.rollout.id && matches!(marker.phase, Phase::Bake { .. })
        })
    }

    /// Ends the rollout on its own alias first. Only this call is refused if the guard or a person has ended it meanwhile: the
    /// alias of the last good version does not change with that, and would name what was taken back.
    fn finish(&self) -> Decision {
        let end = End::Finished {
            by: ACTION.to_owned(),
        };
        let marker = self.own(Phase::Ended(end));
        Decision::Set(Change {
            version: self.rollout.new.clone(),
            share: None,
            description: self.description(Some(marker), Some(self.stable().to_owned())),
        })
    }

    /// Whether the alias is as this rollout left it.
    fn may_put_back(&self) -> bool {
        self.marker().is_some_and(|marker| {
            marker.id == self.rollout.id && marker.phase.watched_until().is_some()
        })
    }

    /// Whether a person gave the new version all traffic, with a command or by the console, which leaves the step's
    /// description: they want no hook to take it back.
    fn was_finished(&self) -> bool {
        self.marker().is_some_and(|marker| {
            marker.id == self.rollout.id && !matches!(marker.phase, Phase::Bake { .. })
        })
    }

    fn shift(&self, index: usize) -> Decision {
        let Some(step) = self.plan.step(index) else {
            return self.promote();
        };
        let phase = Phase::Step {
            index,
            count: self.plan.strategy.steps.len(),
            since: self.second(),
            watched_until: self.watched_until(step.lasts),
        };
        Decision::Set(Change {
            version: self.stable().to_owned(),
            share: Some((self.rollout.new.clone(), step.share)),
            description: Description {
                marker: Some(self.own(phase)),
                // The stable version's.
                revision: self
                    .seen_description()
                    .and_then(|seen| seen.revision.clone()),
                before: self.seen_description().and_then(|seen| seen.before.clone()),
            },
        })
    }

    fn promote(&self) -> Decision {
        let phase = Phase::Bake {
            since: self.second(),
            watched_until: self.watched_until(self.plan.bake),
        };
        Decision::Set(Change {
            version: self.rollout.new.clone(),
            share: None,
            description: self.description(Some(self.own(phase)), Some(self.stable().to_owned())),
        })
    }

    /// Asked only where this rollout has changed the alias, so there is one.
    fn put_back(&self, why: String) -> Decision {
        let alias = self.seen.alias.clone().unwrap_or_default();
        let stable = self.stable().to_owned();
        let end = End::PutBack(why.clone());
        let marker = self.own(Phase::Ended(end.clone()));
        Decision::PutBack(back(&alias, &marker, stable, end), why)
    }

    /// Another rollout was left as it was; it must not be mixed with this one.
    fn put_back_abandoned(&self, marker: &Marker, version: String) -> Decision {
        let alias = self.seen.alias.clone().unwrap_or_default();
        let end = End::PutBack("nobody watched it any more".to_owned());
        Decision::Set(back(&alias, marker, version, end))
    }

    fn keep(&self, version: &str) -> Decision {
        Decision::Keep {
            version: version.to_owned(),
            before: self.good_version().map(str::to_owned),
        }
    }

    /// Waits for Lambda to move provisioned concurrency; after the plan's patience something is wrong with it.
    fn wait_for_provisioning(&self, since: Timestamp) -> Decision {
        let due = later(since, self.plan.patience);
        if self.now < due {
            let missing = Missing::Data("provisioned concurrency is not ready".to_owned());
            return Decision::Wait(Progress {
                step: None,
                share: None,
                since,
                due,
                held: Some((missing, due)),
            });
        }
        let why = format!(
            "provisioned concurrency is not ready after {} seconds",
            self.plan.patience.as_secs()
        );
        if self.may_put_back() {
            self.put_back(why)
        } else {
            Decision::Fail(Failure::Provisioning(why))
        }
    }

    fn ended(&self, end: End) -> Failure {
        let stable = self.alias_version();
        match end {
            End::PutBack(why) => Failure::PutBack { why, stable },
            End::PutBackByGuard(why) => Failure::PutBackByGuard { why, stable },
            End::Aborted { by, why } => Failure::Aborted { by, why, stable },
            // Whoever finished it has changed the alias since.
            End::Finished { .. } => self.changed(),
        }
    }

    fn split(&self) -> Failure {
        Failure::Split {
            version: self.alias_version(),
            weights: self.weights(),
        }
    }

    fn changed(&self) -> Failure {
        let weights = self.weights();
        Failure::Changed {
            version: self.alias_version(),
            weights: if weights.is_empty() {
                weights
            } else {
                format!(", with {weights}")
            },
        }
    }

    fn alias_version(&self) -> String {
        let alias = self.seen.alias.as_ref();
        alias.map(|alias| alias.version.clone()).unwrap_or_default()
    }

    fn weights(&self) -> String {
        let alias = self.seen.alias.as_ref();
        alias.map(Alias::weights_text).unwrap_or_default()
    }

    /// Whether this code was the last good version, or the one before: it needs no canary again.
    fn was_good(&self) -> bool {
        self.seen.good.as_ref().is_some_and(|good| {
            good.version == self.rollout.new
                || good.description.before.as_ref() == Some(&self.rollout.new)
        })
    }

    fn good_version(&self) -> Option<&str> {
        self.seen.good.as_ref().map(|good| good.version.as_str())
    }

    /// Only asked where there is one: with nothing to go back to nothing is shifted.
    fn stable(&self) -> &str {
        self.rollout.stable.as_deref().unwrap_or(&self.rollout.new)
    }

    fn marker(&self) -> Option<&Marker> {
        self.seen_description()?.marker.as_ref()
    }

    fn seen_description(&self) -> Option<&Description> {
        self.seen.alias.as_ref().map(|alias| &alias.description)
    }

    fn own(&self, phase: Phase) -> Marker {
        Marker {
            id: self.rollout.id.clone(),
            execution: self.rollout.execution.clone(),
            new: self.rollout.new.clone(),
            stable: self.stable().to_owned(),
            phase,
        }
    }

    fn description(&self, marker: Option<Marker>, before: Option<String>) -> Description {
        Description {
            marker,
            revision: self.rollout.revision.clone(),
            before,
        }
    }

    fn watched_until(&self, lasts: Duration) -> Timestamp {
        let needed = lasts.max(self.seen.evidence.needs(self.plan));
        later(self.second(), needed + self.plan.patience + WATCHED_LONGER)
    }

    /// The next whole second: a description has room for no more, and a step must not seem older than it is.
    fn second(&self) -> Timestamp {
        let round_up = i64::from(self.now.subsec_nanosecond() > 0);
        Timestamp::from_second(self.now.as_second() + round_up).unwrap_or(self.now)
    }
}

fn not_provided(why: &str) -> String {
    format!("Lambda could not provide the provisioned concurrency: {why}")
}

/// Saturates at the end of time.
fn later(time: Timestamp, by: Duration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

fn earlier(time: Timestamp, by: Duration) -> Timestamp {
    time.saturating_sub(by).unwrap_or(Timestamp::MIN)
}
