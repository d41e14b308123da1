//! What an environment must be like, told by its document alone: each change of it must be one that is allowed.

use std::collections::BTreeMap;
use std::time::Duration;

use delivery_release::environment::{Action, Deployment, DeploymentId, Outcome, State};
use delivery_release::manifest::ReleaseId;
use jiff::Timestamp;

use crate::generate::How;

/// A copy of a job comes at most so long after its deployment has ended.
const LATEST_COPY: Duration = Duration::from_hours(7);

/// An environment, as simply as it can be thought of: a stack of releases.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    state: State,
    /// What was there, the newest last.
    releases: Vec<ReleaseId>,
    left: Left,
    /// What has succeeded, and when.
    successes: Vec<(Deployment, Timestamp)>,
}

/// What the last deployment left behind.
#[derive(Clone, Debug, Default)]
enum Left {
    #[default]
    Whole,
    /// It did not succeed.
    Half,
    /// It was a rollback to this release, and did not succeed.
    HalfBack(ReleaseId),
}

impl Model {
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// The document was written.
    pub(crate) fn change(&mut self, next: &State, now: Timestamp) {
        let before = self.state.clone();
        if *next == before {
            return;
        }
        assert!(
            next.deployments >= before.deployments,
            "a number is used twice"
        );
        let has_ended = next.last != before.last;
        // Whoever takes a lease over ends its deployment by the same write.
        let is_taken = has_ended && next.lease.is_some();
        if has_ended {
            self.end(&before, next, now);
        }
        if is_taken {
            check_out_of_time(&before, next);
        }
        match (&before.lease, &next.lease) {
            (_, Some(lease)) if next.deployments == before.deployments => {
                assert!(!has_ended, "a deployment has ended and is under way");
                let old = before
                    .lease
                    .as_ref()
                    .expect("a lease has a number of its own");
                assert_eq!(old.deployment, lease.deployment, "the lease was given on");
            }
            (old, Some(lease)) => {
                assert_eq!(next.deployments, before.deployments + 1);
                assert_eq!(lease.deployment.id.number(), next.deployments);
                // One writer at a time: a lease is free, or it has run out and its deployment has ended by that.
                assert_eq!(old.is_some(), has_ended, "two are deploying");
                assert!(
                    old.as_ref().is_none_or(|old| old.until < now),
                    "a lease was stolen"
                );
                self.begin(next, now);
            }
            (_, None) => assert!(has_ended, "a lease is gone and nothing has ended"),
        }
        self.state = next.clone();
    }

    fn begin(&self, next: &State, now: Timestamp) {
        let lease = next.lease.as_ref().unwrap();
        let deployment = &lease.deployment;
        let is_late_copy = |(one, ended): &(Deployment, Timestamp)| {
            is_same(one, deployment) && now - LATEST_COPY < *ended
        };
        let is_removal = deployment.action == Action::Remove;
        let again = next.last.as_ref();
        let again = again.filter(|last| is_same(&last.deployment, deployment));
        if let Some(last) = again {
            let may_begin = match How::of(&deployment.owner) {
                How::Once => false,
                How::AfterFailure => !last.outcome.is_success(),
                How::Always => true,
            };
            assert!(may_begin, "what has ended begins again");
        }
        assert!(
            is_removal || again.is_some() || !self.successes.iter().any(is_late_copy),
            "a late copy deploys once more"
        );
        let mut there = again.map_or_else(BTreeMap::new, |last| last.services.clone());
        there.retain(|_, change| change.is_there());
        assert_eq!(lease.parts, there, "it does not know what is there");
        let top = self.releases.last();
        assert_eq!(deployment.from.as_ref().map(|from| &from.release), top);
        let to = deployment.to.as_ref().map(|to| &to.release);
        let repeated = again.filter(|last| last.outcome.is_success());
        let expected = match (&deployment.action, repeated) {
            (_, Some(_)) => top,
            (Action::Deploy { release } | Action::Promote { release, .. }, None) => Some(release),
            (Action::Remove, None) => None,
            (Action::Rollback { .. }, None) => {
                Some(self.before().expect("there is nothing to go back to"))
            }
        };
        assert_eq!(to, expected, "it goes somewhere else");
    }

    /// What a rollback must bring back.
    pub(crate) fn before(&self) -> Option<&ReleaseId> {
        let top = self.releases.last()?;
        match &self.left {
            Left::HalfBack(target) => Some(target),
            Left::Half => Some(top),
            Left::Whole => self.releases.iter().rev().nth(1),
        }
    }

    fn end(&mut self, before: &State, next: &State, now: Timestamp) {
        let old = before.lease.as_ref().expect("what ends was under way");
        let last = next.last.as_ref().unwrap();
        assert_eq!(
            last.deployment, old.deployment,
            "another deployment has ended"
        );
        let to = old.deployment.to.as_ref().map(|to| to.release.clone());
        let is_back = matches!(old.deployment.action, Action::Rollback { .. });
        match &last.outcome {
            Outcome::Succeeded => {
                self.successes.push((old.deployment.clone(), last.ended));
                let top = self.releases.last();
                match &to {
                    None => self.releases.clear(),
                    to if to.as_ref() == top => {}
                    Some(_) if is_back => drop(self.releases.pop()),
                    Some(to) => self.releases.push(to.clone()),
                }
                self.left = Left::Whole;
            }
            Outcome::Failed { .. } => self.left = half(to, is_back),
            Outcome::Abandoned { message } => {
                let by_time = message.contains("ran out");
                assert!(!by_time || old.until < now, "a lease that lasts was taken");
                self.left = half(to, is_back);
            }
        }
        let current = next.current.as_ref().map(|current| &current.release);
        assert_eq!(
            current,
            self.releases.last(),
            "the environment has something else"
        );
    }

    /// Each deployment has ended with a record, or can be seen not to have ended.
    pub(crate) fn check_records(&self, recorded: &[DeploymentId]) {
        let is_recorded = |number| recorded.iter().any(|id| id.number() == number);
        let lease = self
            .state
            .lease
            .as_ref()
            .map(|lease| lease.deployment.id.number());
        let last = self
            .state
            .last
            .as_ref()
            .map(|last| last.deployment.id.number());
        for number in 1..=self.state.deployments {
            if lease == Some(number) {
                assert!(
                    !is_recorded(number),
                    "deployment {number} has a record before it ended"
                );
            } else {
                let is_there = is_recorded(number) || last == Some(number);
                assert!(is_there, "deployment {number} has no record");
            }
        }
    }
}

/// Whether one owner wants the same twice.
fn is_same(one: &Deployment, other: &Deployment) -> bool {
    one.owner == other.owner && one.action == other.action
}

/// A lease has run out. What repeats a success leaves what passed the tests; nothing else has succeeded by time.
fn check_out_of_time(before: &State, next: &State) {
    let ended = next.last.as_ref().unwrap();
    let repeats = before.last.as_ref().is_some_and(|last| {
        last.outcome.is_success()
            && is_same(&last.deployment, &ended.deployment)
            && ended.deployment.action != Action::Remove
    });
    assert_eq!(ended.outcome.is_success(), repeats, "{ended:?}");
}

fn half(to: Option<ReleaseId>, is_back: bool) -> Left {
    to.filter(|_| is_back).map_or(Left::Half, Left::HalfBack)
}
