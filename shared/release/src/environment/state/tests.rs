use std::collections::BTreeMap;

use super::*;
use crate::manifest::ReleaseId;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + seconds).unwrap()
}

fn release(digit: char) -> ReleaseId {
    digit.to_string().repeat(16).parse().unwrap()
}

fn request(owner: &str, action: Action) -> Request {
    Request {
        owner: owner.to_owned(),
        by: "Anna".to_owned(),
        reason: None,
        action,
        until: None,
    }
}

fn deploy(digit: char) -> Action {
    Action::Deploy {
        release: release(digit),
    }
}

fn to(action: &Action) -> Option<Target> {
    match action {
        Action::Deploy { release } => Some(Target {
            release: release.clone(),
            origin: None,
        }),
        _ => None,
    }
}

fn begun(state: &State, owner: &str, action: Action) -> State {
    let target = to(&action);
    state.begun(&request(owner, action), target, BTreeMap::new(), at(0))
}

fn ended(state: &State, outcome: Outcome) -> State {
    let ending = Ending {
        outcome,
        services: BTreeMap::new(),
    };
    state.ended(state.lease.as_ref().unwrap(), ending, at(60))
}

fn failed() -> Outcome {
    Outcome::Failed {
        message: "no".to_owned(),
    }
}

fn back(state: &State) -> Back<'_> {
    state.back()
}

#[test]
fn a_lease_is_its_owners_until_it_has_run_out() {
    let state = begun(&State::default(), "a", deploy('1'));
    let lease = state.lease.as_ref().unwrap();
    assert_eq!(lease.until, at(20 * 60));
    let other = request("b", deploy('1'));
    assert_eq!(state.find(&other, at(20 * 60)), Found::Busy(lease));
    assert_eq!(state.find(&other, at(20 * 60 + 1)), Found::Stale(lease));
    // A job that is delivered again late goes on, if nobody has taken over.
    let same = request("a", deploy('1'));
    assert_eq!(state.find(&same, at(60 * 60)), Found::Own(lease));
    // The same owner with another wish is somebody else.
    let wish = request("a", deploy('2'));
    assert_eq!(state.find(&wish, at(0)), Found::Busy(lease));
}

#[test]
fn who_goes_on_with_it_is_named_in_the_lease_and_in_the_record() {
    let state = begun(&State::default(), "a", Action::Remove);
    let joined = state.joined(state.lease.as_ref().unwrap(), "b", at(30));
    let again = joined.joined(joined.lease.as_ref().unwrap(), "b", at(40));
    let lease = again.lease.as_ref().unwrap();
    let names = BTreeSet::from(["b".to_owned()]);
    assert_eq!((&lease.joined, lease.passes), (&names, 3));
    assert_eq!(lease.deployment.owner, "a");
    assert_eq!(lease.until, at(20 * 60 + 40));
    assert_eq!(
        ended(&again, Outcome::Succeeded).last.unwrap().joined,
        names
    );
}

#[test]
fn a_lease_is_renewed_and_never_shortened() {
    let state = begun(&State::default(), "a", deploy('1'));
    let lease = state.lease.as_ref().unwrap();
    let until = |now| state.renewed(lease, at(now)).lease.unwrap().until;
    assert_eq!(until(100), at(100 + 20 * 60));
    assert_eq!(until(-100), at(20 * 60));
}

#[test]
fn what_has_ended_is_not_begun_again_by_a_duplicate() {
    let state = ended(&begun(&State::default(), "a", deploy('1')), failed());
    let last = state.last.as_ref().unwrap();
    assert_eq!(
        state.find(&request("a", deploy('1')), at(70)),
        Found::Ended(last)
    );
    assert_eq!(state.find(&request("b", deploy('1')), at(70)), Found::Free);
}

#[test]
fn a_rollback_follows_what_came_first_and_not_the_numbers() {
    let mut state = State::default();
    for digit in ['1', '2', '2'] {
        state = ended(&begun(&state, "a", deploy(digit)), Outcome::Succeeded);
    }
    // What was deployed again came first with the second deployment.
    let current = state.current.as_ref().unwrap();
    assert_eq!(
        (current.deployment.number(), current.origin.number()),
        (3, 2)
    );
    assert_eq!(back(&state), Back::Before(current));
}

#[test]
fn after_a_failure_a_rollback_brings_back_what_the_environment_had() {
    let good = ended(
        &begun(&State::default(), "a", deploy('1')),
        Outcome::Succeeded,
    );
    let half = ended(&begun(&good, "b", deploy('2')), failed());
    assert_eq!(half.current, good.current);
    assert_eq!(back(&half), Back::To(good.current.as_ref().unwrap().into()));
}

#[test]
fn a_rollback_that_failed_is_tried_again() {
    let mut state = State::default();
    for digit in ['1', '2'] {
        state = ended(&begun(&state, "a", deploy(digit)), Outcome::Succeeded);
    }
    let first = Target {
        release: release('1'),
        origin: Some(DeploymentId::new(1, at(0))),
    };
    let rollback = request("b", Action::Rollback { release: None });
    let tried = state.begun(&rollback, Some(first.clone()), BTreeMap::new(), at(0));
    assert_eq!(back(&ended(&tried, failed())), Back::To(first));
    let done = ended(&tried, Outcome::Succeeded);
    let current = done.current.as_ref().unwrap();
    assert_eq!(current.release, release('1'));
    // It came first with the first deployment, before which there was nothing.
    assert_eq!(
        (current.deployment.number(), current.origin.number()),
        (3, 1)
    );
}

#[test]
fn an_environment_that_was_taken_down_has_nothing_to_go_back_to() {
    let state = ended(
        &begun(&State::default(), "a", deploy('1')),
        Outcome::Succeeded,
    );
    let state = ended(&begun(&state, "b", Action::Remove), Outcome::Succeeded);
    assert_eq!(state.current, None);
    assert_eq!(back(&state), Back::Nothing);
    assert_eq!(state.deployments, 2);
}

#[test]
fn who_has_succeeded_leaves_a_success() {
    let first = ended(
        &begun(&State::default(), "a", deploy('1')),
        Outcome::Succeeded,
    );
    let late = at(60 * 60);
    let outcome = |state: &State| {
        let ended = state.out_of_time(state.lease.as_ref().unwrap(), late);
        ended.last.unwrap().outcome
    };
    assert_eq!(
        outcome(&begun(&first, "a", deploy('1'))),
        Outcome::Succeeded
    );
    let others = [
        begun(&first, "b", deploy('1')),
        begun(&first, "a", deploy('2')),
        begun(&first, "a", Action::Remove),
        begun(&ended(&first_again(&first), failed()), "a", deploy('1')),
    ];
    for other in others {
        assert!(!outcome(&other).is_success(), "{other:?}");
    }
}

fn first_again(first: &State) -> State {
    begun(first, "a", deploy('1'))
}
