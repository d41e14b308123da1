//! What failed first in an operation on a stack.

use std::fmt;

use crate::codedeploy;
use crate::events::{StackEvent, first_failure};

/// What failed first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstFailure {
    /// The name of its stack, which may be a nested one.
    pub stack: String,
    /// Its logical id.
    pub resource: String,
    /// Its type.
    pub kind: String,
    /// CloudFormation's word for its status.
    pub status: String,
    /// Why.
    pub reason: String,
}

impl FirstFailure {
    /// Finds it in an operation's events; `None` where none of them tells of a failure.
    #[must_use]
    pub fn of(operation: &[StackEvent]) -> Option<Self> {
        let reason = |event: &StackEvent| {
            let reason = event.reason.as_deref()?;
            codedeploy::explained(reason).or_else(|| Some(reason.to_owned()))
        };
        first_failure(operation).map(|event| Self {
            stack: event.stack.clone(),
            resource: event.resource.clone(),
            kind: event.kind.clone(),
            status: event.status.clone(),
            reason: reason(event).unwrap_or_else(|| format!("{} without a reason", event.status)),
        })
    }
}

/// As it stands in a sentence: `` `Table` (AWS::DynamoDB::Table) in `shop`: reason ``.
impl fmt::Display for FirstFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` ({}) in `{}`: {}",
            self.resource, self.kind, self.stack, self.reason
        )
    }
}
