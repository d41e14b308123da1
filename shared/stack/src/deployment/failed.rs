//! The text of a deployment that failed.

use super::error::listed;
use crate::failure::FirstFailure;

/// A deployment that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedDeployment {
    /// What was deployed.
    pub subject: String,
    /// The stack.
    pub stack: String,
    /// CloudFormation's word for how it ended.
    pub status: String,
    /// The commit or the digest that was not deployed.
    pub release: Option<String>,
    /// What failed first.
    pub first: Option<FirstFailure>,
    /// What would have been deployed after it.
    pub not_tried: Vec<String>,
}

impl FailedDeployment {
    pub(super) fn outcome(&self) -> String {
        let Self {
            subject, status, ..
        } = self;
        match status.as_str() {
            "UPDATE_ROLLBACK_COMPLETE" => format!("{subject} is as it was before ({status})"),
            "ROLLBACK_COMPLETE" => format!("{subject} was not created ({status})"),
            _ => format!("{subject} is {status}"),
        }
    }

    pub(super) fn not_deployed(&self) -> String {
        let release = self.release.as_ref();
        release.map_or_else(String::new, |release| {
            format!("; {release} was not deployed")
        })
    }

    pub(super) fn first_failure(&self) -> String {
        let Some(first) = &self.first else {
            return String::new();
        };
        let FirstFailure {
            stack,
            resource,
            kind,
            status,
            reason,
        } = first;
        format!("\n  first failure: {stack} / {resource} ({kind}), {status}\n  {reason}")
    }

    pub(super) fn not_tried(&self) -> String {
        match self.not_tried.as_slice() {
            [] => String::new(),
            names => format!("\n  not tried after it: {}", listed(names)),
        }
    }
}
