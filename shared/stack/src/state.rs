//! What a stack's status means for what can be done next.

/// The statuses of a stack, classed by what can be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As the last change wanted it.
    Complete,
    /// As it was before the last change, which failed.
    RolledBack,
    /// A change set was made and never executed: nothing is there.
    Review,
    /// It could not be created; nothing is left of it but its name, which has to be deleted first.
    NeverCreated,
    /// The last change failed, and going back failed too: only going back can be continued.
    StuckUpdate,
    /// The last change failed and was left as it is; it can be changed again.
    LeftFailed,
    /// It cannot be changed, only deleted.
    Broken,
    /// It is deleted.
    Gone,
    /// CloudFormation is at work, and the end may be good.
    Working,
    /// CloudFormation is at work, and the end can only be a failure.
    GoingBack,
    /// CloudFormation is deleting it.
    Deleting,
}

impl State {
    /// Reads CloudFormation's word.
    #[must_use]
    pub fn of(status: &str) -> Self {
        match status {
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => Self::Complete,
            "UPDATE_ROLLBACK_COMPLETE" | "IMPORT_ROLLBACK_COMPLETE" => Self::RolledBack,
            "REVIEW_IN_PROGRESS" => Self::Review,
            "ROLLBACK_COMPLETE" => Self::NeverCreated,
            "UPDATE_ROLLBACK_FAILED" => Self::StuckUpdate,
            "UPDATE_FAILED" => Self::LeftFailed,
            "DELETE_COMPLETE" => Self::Gone,
            "DELETE_IN_PROGRESS" => Self::Deleting,
            "ROLLBACK_IN_PROGRESS"
            | "UPDATE_ROLLBACK_IN_PROGRESS"
            | "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
            | "IMPORT_ROLLBACK_IN_PROGRESS" => Self::GoingBack,
            _ if status.ends_with("_IN_PROGRESS") => Self::Working,
            _ => Self::Broken,
        }
    }

    /// Whether CloudFormation is at work, so that nothing else can be begun.
    #[must_use]
    pub fn is_in_progress(self) -> bool {
        matches!(self, Self::Working | Self::GoingBack | Self::Deleting)
    }

    /// Whether the last change did not come to a good end, or will not.
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(
            self,
            Self::RolledBack
                | Self::NeverCreated
                | Self::StuckUpdate
                | Self::LeftFailed
                | Self::Broken
                | Self::GoingBack
        )
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudformation::types::StackStatus;

    use super::*;

    #[test]
    fn every_status_is_classed() {
        let lines: Vec<String> = StackStatus::values()
            .iter()
            .map(|status| format!("{status}: {:?}", State::of(status)))
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
