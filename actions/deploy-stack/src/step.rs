//! What to do with a stack as it was found. Pure.

use delivery_stack::state::State;

/// Whose the stack's latest operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Latest {
    /// It deploys what this action deploys, and this action began or follows it.
    Ours,
    /// It is this action's preparation: a deletion, or a rollback that is continued.
    OurRecovery,
    /// It came after this action's own.
    AfterOurs,
    /// It came before anything that this action did.
    BeforeOurs,
}

/// What this action may do to a stack that cannot be changed as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recovery {
    /// Whether nothing in the stack is worth keeping.
    pub(crate) removable: bool,
    /// Whether it has been deleted before.
    pub(crate) deleted: bool,
    /// Whether a rollback that failed may be continued.
    pub(crate) may_continue: bool,
    /// Whether it has been continued before.
    pub(crate) continued: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A change set of a new stack.
    Create,
    /// A change set of the stack.
    Update,
    /// The stack is deleted, and then created.
    Delete,
    /// The rollback is continued, and then the stack is updated.
    ContinueRollback,
    /// Its operation is this action's: it is followed.
    Follow,
    /// Its operation is someone else's: its end is waited for.
    WaitForOther,
    /// It is deployed.
    Done,
    /// Its deployment failed.
    Failed,
    /// Someone else changed it after this action.
    Overtaken,
    /// Its rollback failed, and may not be continued.
    Stuck,
    /// It can only be deleted, and may hold something.
    Broken,
}

/// The step for a stack in a state; `None` where there is no stack.
pub(crate) fn step(state: Option<State>, latest: Latest, recovery: Recovery) -> Step {
    let Some(state) = state else {
        return Step::Create;
    };
    match (state, latest) {
        (
            State::Working | State::GoingBack | State::Deleting,
            Latest::Ours | Latest::OurRecovery,
        ) => Step::Follow,
        (State::Working | State::GoingBack | State::Deleting, _) => Step::WaitForOther,
        (State::Gone | State::Review, _) => Step::Create,
        (_, Latest::AfterOurs) => Step::Overtaken,
        (State::Complete, Latest::Ours) => Step::Done,
        (State::StuckUpdate, Latest::Ours) => Step::Stuck,
        (_, Latest::Ours) => Step::Failed,
        (State::Complete | State::RolledBack | State::LeftFailed, _) => Step::Update,
        (State::StuckUpdate, _) if recovery.may_continue && !recovery.continued => {
            Step::ContinueRollback
        }
        (State::StuckUpdate, _) => Step::Stuck,
        // Its creation failed and was taken back: nothing is in it.
        (State::NeverCreated, _) if !recovery.deleted => Step::Delete,
        (State::Broken, _) if recovery.removable && !recovery.deleted => Step::Delete,
        (State::NeverCreated | State::Broken, _) => Step::Broken,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::StackStatus;

    use super::*;

    const NOTHING_ALLOWED: Recovery = Recovery {
        removable: false,
        deleted: false,
        may_continue: false,
        continued: false,
    };

    #[test]
    fn every_status_has_a_step() {
        let all = Recovery {
            removable: true,
            may_continue: true,
            ..NOTHING_ALLOWED
        };
        let again = Recovery {
            deleted: true,
            continued: true,
            ..all
        };
        let mut lines = vec![format!(
            "no stack: {:?}",
            step(None, Latest::BeforeOurs, NOTHING_ALLOWED)
        )];
        for status in StackStatus::values() {
            let state = Some(State::of(status));
            let steps = [
                step(state, Latest::BeforeOurs, NOTHING_ALLOWED),
                step(state, Latest::BeforeOurs, all),
                step(state, Latest::BeforeOurs, again),
                step(state, Latest::Ours, NOTHING_ALLOWED),
                step(state, Latest::OurRecovery, all),
                step(state, Latest::AfterOurs, NOTHING_ALLOWED),
            ];
            lines.push(format!("{status}: {steps:?}"));
        }
        insta::assert_snapshot!(lines.join("\n"));
    }
}
