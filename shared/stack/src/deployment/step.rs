//! What to do with a stack as it was found. Pure.

use crate::state::State;

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

/// What this action may still do to a stack that cannot be changed as it is; each once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recovery {
    /// Delete a stack that holds nothing, because its creation was taken back.
    pub(crate) delete_empty: bool,
    /// Delete a stack that may hold something.
    pub(crate) delete_broken: bool,
    /// Continue a rollback that failed.
    pub(crate) continue_rollback: bool,
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

impl Step {
    /// Whether it changes a stack that is there, or says how to: that has to be the application's own.
    pub(crate) fn is_about_what_is_there(self) -> bool {
        matches!(
            self,
            Self::Update | Self::Delete | Self::ContinueRollback | Self::Stuck | Self::Broken
        )
    }
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
        (State::StuckUpdate, _) if recovery.continue_rollback => Step::ContinueRollback,
        (State::StuckUpdate, _) => Step::Stuck,
        // Its creation failed and was taken back: nothing is in it.
        (State::NeverCreated, _) if recovery.delete_empty => Step::Delete,
        (State::Broken, _) if recovery.delete_broken => Step::Delete,
        (State::NeverCreated | State::Broken, _) => Step::Broken,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::StackStatus;

    use super::*;

    /// An environment that is kept, before anything was tried.
    const KEPT: Recovery = Recovery {
        delete_empty: true,
        delete_broken: false,
        continue_rollback: false,
    };

    #[test]
    fn every_status_has_a_step() {
        let all = Recovery {
            delete_broken: true,
            continue_rollback: true,
            ..KEPT
        };
        let again = Recovery {
            delete_empty: false,
            ..KEPT
        };
        let mut lines = vec![format!(
            "no stack: {:?}",
            step(None, Latest::BeforeOurs, KEPT)
        )];
        for status in StackStatus::values() {
            let state = Some(State::of(status));
            let steps = [
                step(state, Latest::BeforeOurs, KEPT),
                step(state, Latest::BeforeOurs, all),
                step(state, Latest::BeforeOurs, again),
                step(state, Latest::Ours, KEPT),
                step(state, Latest::OurRecovery, all),
                step(state, Latest::AfterOurs, KEPT),
            ];
            lines.push(format!("{status}: {steps:?}"));
        }
        insta::assert_snapshot!(lines.join("\n"));
    }
}
