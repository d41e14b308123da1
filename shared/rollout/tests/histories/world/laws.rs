//! What always holds: I1 to I12 of a rollout.

use std::time::Duration;

use delivery_rollout::{
    AlarmState, Alias, Change, Decision, End, Failure, Hook, Marker, OnNoData, Phase, Provisioning,
    Rollout, Seen, Verdict, under_way,
};
use jiff::Timestamp;

use super::{FOREIGN, ID, NEW, STABLE, World};
use crate::generate::Op;

/// Looks of one undisturbed rollout: more than any plan of these tests needs.
const MOST_LOOKS: usize = 200;

impl World {
    pub(super) fn check_write(
        &self,
        rollout: &Rollout,
        change: &Change,
        seen: &Seen,
        why: Option<&str>,
    ) {
        assert!(!self.ended, "I9: a write after the end: {change:?}");
        let rollout = &as_written(rollout, seen);
        let of = |alias: &Alias| alias.description.marker.clone();
        let before = seen.alias.as_ref().and_then(of);
        let before = before.filter(|marker| marker.id == ID);
        let before = before.as_ref().map(|marker| &marker.phase);
        let phase = change.description.marker.as_ref();
        let phase = phase.map(|marker| &marker.phase);
        self.check_base(rollout, change, seen, before, phase);
        match phase {
            Some(Phase::Step { index, count, .. }) => {
                assert_eq!(*count, self.plan.strategy.steps.len());
                self.check_step(rollout, change, seen, before, *index);
            }
            Some(Phase::Bake { .. }) => self.check_all_traffic(rollout, change, seen, before),
            Some(Phase::Ended(End::Finished { .. })) => {
                assert!(
                    matches!(before, Some(Phase::Bake { .. })),
                    "I8: finished after {before:?}"
                );
                assert!(
                    seen.alias
                        .as_ref()
                        .is_some_and(|alias| alias.is_wholly_on(NEW))
                );
                assert_eq!((change.version.as_str(), &change.share), (NEW, &None));
            }
            Some(Phase::Ended(_)) => check_end(rollout, change, why),
            None => assert!(seen.alias.is_none(), "I8: only a new alias has no marker"),
        }
    }

    /// What may be written over.
    fn check_base(
        &self,
        rollout: &Rollout,
        change: &Change,
        seen: &Seen,
        before: Option<&Phase>,
        phase: Option<&Phase>,
    ) {
        let found = seen.alias.as_ref();
        if before.is_none() && !matches!(phase, Some(Phase::Ended(_))) {
            // Whatever happened before: nothing begins but from one version with all traffic.
            let is_whole = found.is_none_or(|found| {
                found.weights.is_empty() && Some(&found.version) == rollout.stable.as_ref()
            });
            assert!(is_whole, "I7: a beginning on {found:?}");
        } else if before.is_none() {
            // Another rollout that was abandoned, whatever its share.
            let good = seen.good.as_ref().map(|good| good.version.as_str());
            let other = found.and_then(|found| under_way(found, good));
            assert!(other.is_some(), "I7: nothing was abandoned: {found:?}");
        } else if !self.looks_like_provisioning(rollout, before, found) {
            let state = found.map(|found| (found.version.clone(), found.weights.clone()));
            assert_eq!(
                state, self.own,
                "I7: a write over somebody else's change: {change:?}"
            );
        }
    }

    fn check_step(
        &self,
        rollout: &Rollout,
        change: &Change,
        seen: &Seen,
        before: Option<&Phase>,
        index: usize,
    ) {
        let stable = rollout.stable.as_ref();
        assert_eq!(Some(&change.version), stable, "I2: the primary");
        assert_eq!(seen.differences, [], "I2: Lambda refuses the share");
        let share = self.plan.strategy.steps[index].share;
        assert_eq!(change.share, Some((NEW.to_owned(), share)), "I2: the share");
        match before {
            None => assert_eq!(index, 0, "I6: the first step"),
            Some(Phase::Step {
                index: last, since, ..
            }) => {
                assert_eq!(index, last + 1, "I6: the next step");
                self.check_good_look(rollout, seen, *last, *since);
            }
            other => panic!("I8: a step after {other:?}"),
        }
    }

    fn check_all_traffic(
        &self,
        rollout: &Rollout,
        change: &Change,
        seen: &Seen,
        before: Option<&Phase>,
    ) {
        assert_eq!((change.version.as_str(), &change.share), (NEW, &None));
        match before {
            Some(Phase::Step {
                index,
                count,
                since,
                ..
            }) => {
                assert_eq!(index + 1, *count, "I6: the last step");
                self.check_good_look(rollout, seen, *index, *since);
            }
            None => assert!(
                self.plan.strategy.steps.is_empty() || was_good(seen),
                "I6: all traffic without a step"
            ),
            other => panic!("I8: all traffic after {other:?}"),
        }
    }

    /// A weight on the stable version is what Lambda itself sets while it moves provisioned concurrency.
    fn looks_like_provisioning(
        &self,
        rollout: &Rollout,
        before: Option<&Phase>,
        found: Option<&Alias>,
    ) -> bool {
        let stable = rollout.stable.as_ref();
        matches!(before, Some(Phase::Bake { .. }))
            && found.is_some_and(|found| {
                self.own
                    .as_ref()
                    .is_some_and(|(version, _)| found.version == *version)
                    && found.weights.keys().all(|version| Some(version) == stable)
            })
    }

    /// Traffic may move on only after a look that had what the plan demands, at a time when it meant something.
    fn check_good_look(&self, rollout: &Rollout, seen: &Seen, step: usize, since: Timestamp) {
        let steps = &self.plan.strategy.steps;
        let age = Duration::try_from(self.now.duration_since(since)).unwrap_or_default();
        assert!(age >= steps[step].lasts, "I6: the step is {age:?} old");
        let began = since
            - steps[..step]
                .iter()
                .map(|step| step.lasts)
                .sum::<Duration>();
        let share = Some(steps[step].share);
        match seen.evidence.verdict(&self.plan, rollout, share, began) {
            Verdict::Good => {
                let ringing = matches!(alarm_of(seen), Some(AlarmState::Ringing { since, .. })
                    if !(self.plan.fix_forward && *since < began));
                assert!(!ringing, "I5: an alarm rang");
                assert!(seen.evidence.alarms.is_ok(), "I5: alarms could not be read");
            }
            Verdict::Missing(missing) => {
                assert_eq!(self.plan.on_no_data, OnNoData::Proceed, "I5: {missing}");
            }
            Verdict::Bad(why) => panic!("I6: traffic moves on although {why}"),
        }
    }

    /// A failure leaves the alias wholly on the stable version, or as somebody else set it.
    pub(super) fn check_failure(&self, failure: &Failure, rollout: &Rollout, seen: &Seen) {
        let rollout = &as_written(rollout, seen);
        let found = seen.alias.as_ref();
        let state = found.map(|found| (found.version.clone(), found.weights.clone()));
        let marker = found.and_then(|found| found.description.marker.as_ref());
        let is_foreign = state != self.own
            || marker.is_none_or(|marker| marker.id != ID)
            || matches!(
                failure,
                Failure::Busy(_) | Failure::Split { .. } | Failure::Changed { .. }
            );
        let is_whole = found.is_none_or(|found| {
            found.weights.is_empty()
                && (Some(&found.version) == rollout.stable.as_ref()
                    // A hook after traffic fails where there was nothing to go back to.
                    || matches!(failure, Failure::Hook { hook: Hook::AfterTraffic, .. }))
        });
        // Somebody may have changed it between the look and this moment; then the look is what was reported.
        assert!(
            is_foreign || is_whole || self.ended,
            "I3: {failure} with {found:?}"
        );
    }

    pub(super) fn check(&self) {
        let Some(alias) = &self.alias else { return };
        let versions = std::iter::once(&alias.version).chain(alias.weights.keys());
        for version in versions {
            assert!(
                [STABLE, NEW, FOREIGN].contains(&version.as_str()),
                "I1: {version}"
            );
        }
        if let Some(marker) = under_way(alias, self.good_version().as_deref())
            && let Phase::Step { .. } = marker.phase
        {
            assert_eq!(alias.version, marker.stable, "I2: before all traffic moves");
        }
    }

    /// Everything dies; the guard comes when all watching is over.
    pub(crate) fn check_that_the_guard_ends_it(&mut self) {
        self.jobs.clear();
        self.now += Duration::from_hours(48);
        self.apply(Op::Guard {
            execution_failed: false,
        });
        let Some(alias) = &self.alias else { return };
        assert_eq!(under_way(alias, self.good_version().as_deref()), None, "I4");
        if let Some(Marker {
            id,
            phase: Phase::Ended(_),
            ..
        }) = &alias.description.marker
            && id == ID
            && self.own == self.state()
        {
            assert!(alias.weights.is_empty(), "I4: {alias:?}");
        }
    }

    /// Whatever happened: one more job, undisturbed, comes to an end.
    pub(crate) fn check_that_a_job_ends_it(&mut self) {
        self.jobs.clear();
        self.provisioning = Provisioning::Ready;
        self.looks = 0;
        self.start(true);
        loop {
            self.step(0);
            let Some(job) = self.jobs.first() else {
                unreachable!("only a wait takes a job away, and that is answered below");
            };
            if job.result.is_some() {
                break;
            }
            if let Some((Decision::Wait(progress), ..)) = &job.decided {
                let until = progress
                    .held
                    .as_ref()
                    .map_or(progress.due, |(_, until)| *until);
                assert!(
                    until > self.now,
                    "I12: waits for what is over: {progress:?}"
                );
                self.now = until;
                self.jobs[0].decided = None;
            }
            assert!(self.looks < MOST_LOOKS, "I12: it never ends");
        }
    }
}

/// What a rollout goes back to is what its alias says, whatever this job found when it began.
fn as_written(rollout: &Rollout, seen: &Seen) -> Rollout {
    let mut rollout = rollout.clone();
    if let Some(alias) = &seen.alias
        && let Some(marker) = &alias.description.marker
        && marker.id == ID
    {
        rollout.stable = Some(marker.stable.clone());
    }
    rollout
}

fn was_good(seen: &Seen) -> bool {
    seen.good
        .as_ref()
        .is_some_and(|good| good.version == NEW || good.description.before.as_deref() == Some(NEW))
}

fn alarm_of(seen: &Seen) -> Option<&AlarmState> {
    let alarms = seen.evidence.alarms.as_ref().ok()?;
    alarms.first().map(|alarm| &alarm.state)
}

fn check_end(rollout: &Rollout, change: &Change, why: Option<&str>) {
    assert!(change.share.is_none());
    let marker = change.description.marker.as_ref();
    let is_own = marker.is_some_and(|marker| marker.id == ID);
    assert_eq!(why.is_some(), is_own);
    let stable = rollout.stable.as_ref();
    assert!(!is_own || Some(&change.version) == stable, "I3: put back");
}
