//! What an execution had done before its stage was retried.
//!
//! A retry goes on with the same execution, and CodePipeline shows its earlier end for a moment: who follows the retry must not
//! take the old failure for the new one.

use std::collections::BTreeSet;

use super::Snapshot;

/// What was there before a retry; of an execution that was just started, nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BeforeRetry {
    status: String,
    actions: BTreeSet<String>,
    /// Whether nothing of the retry has been seen, so that an end is the earlier one.
    may_be_stale: bool,
}

impl BeforeRetry {
    /// `look` is the last one before the retry.
    pub(crate) fn of(look: &Snapshot) -> Self {
        Self {
            status: look.status.clone(),
            actions: look
                .actions
                .iter()
                .map(|action| action.id.clone())
                .collect(),
            may_be_stale: look.is_over(),
        }
    }

    /// A look as it is of the retry: without what failed before, and in progress until CodePipeline shows something newer than
    /// the earlier end.
    pub(crate) fn left_out(&mut self, mut now: Snapshot) -> Snapshot {
        let is_earlier = |id: &String| self.actions.contains(id);
        now.actions
            .retain(|action| !is_earlier(&action.id) || action.status == "Succeeded");
        let mut later = now.actions.iter().filter(|one| !is_earlier(&one.id));
        // One that fails again between two looks leaves the status as it was.
        let has_failed_again = now.running().is_empty()
            && later.any(|action| matches!(action.status.as_str(), "Failed" | "Abandoned"));
        if now.status != self.status || has_failed_again {
            self.may_be_stale = false;
        }
        if self.may_be_stale {
            "InProgress".clone_into(&mut now.status);
        }
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::follow::ActionSnapshot;

    fn look(status: &str, actions: &[(&str, &str)]) -> Snapshot {
        let action = |(id, status): &(&str, &str)| ActionSnapshot {
            id: (*id).to_owned(),
            stage: "Commit".to_owned(),
            action: (*id).to_owned(),
            status: (*status).to_owned(),
            started: 0.0,
            seconds: 0.0,
            summary: None,
            outputs: std::collections::BTreeMap::new(),
            request: None,
            error: None,
        };
        Snapshot {
            execution: "e".to_owned(),
            status: status.to_owned(),
            actions: actions.iter().map(action).collect(),
            ..Snapshot::default()
        }
    }

    const EARLIER: [(&str, &str); 2] = [("1", "Succeeded"), ("2", "Failed")];

    fn failed() -> BeforeRetry {
        BeforeRetry::of(&look("Failed", &EARLIER))
    }

    #[test]
    fn an_end_that_is_still_shown_is_not_that_of_the_retry() {
        let mut before = failed();
        let shown = before.left_out(look("Failed", &EARLIER));
        assert_eq!(shown, look("InProgress", &[("1", "Succeeded")]));
        // The action has begun, and the execution's status is the old one.
        let begun = [EARLIER.as_slice(), &[("3", "InProgress")]].concat();
        assert!(!before.left_out(look("Failed", &begun)).is_over());
        assert!(!before.left_out(look("InProgress", &begun)).is_over());
        let ended = [EARLIER.as_slice(), &[("3", "Failed")]].concat();
        let ended = before.left_out(look("Failed", &ended));
        assert_eq!(
            ended,
            look("Failed", &[("1", "Succeeded"), ("3", "Failed")])
        );
    }

    #[test]
    fn a_retry_that_ends_between_two_looks_has_ended() {
        let again = [EARLIER.as_slice(), &[("3", "Failed")]].concat();
        assert!(failed().left_out(look("Failed", &again)).is_over());
        let beside = [again.as_slice(), &[("4", "InProgress")]].concat();
        assert!(!failed().left_out(look("Failed", &beside)).is_over());
        let succeeded = [EARLIER.as_slice(), &[("3", "Succeeded")]].concat();
        assert!(failed().left_out(look("Succeeded", &succeeded)).is_over());
    }

    #[test]
    fn a_look_at_an_execution_that_was_not_retried_is_as_it_is() {
        let now = look("Failed", &EARLIER);
        assert_eq!(BeforeRetry::default().left_out(now.clone()), now);
    }
}
