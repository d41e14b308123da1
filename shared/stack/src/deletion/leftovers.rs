//! What a deleted stack left behind, found in its events.
//!
//! CloudFormation keeps the events of a deleted stack for 90 days, so what a deletion left is found also by
//! a later run.

use std::collections::{BTreeMap, HashSet};

use crate::NESTED_STACK;
use crate::events::StackEvent;

/// A resource that its stack left where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The id of its stack.
    pub stack_id: String,
    /// The name of its stack.
    pub stack: String,
    /// Its logical id.
    pub logical: String,
    /// Its type.
    pub kind: String,
    /// Its physical id.
    pub physical: Option<String>,
}

impl Leftover {
    /// Where it was.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}/{}", self.stack, self.logical)
    }
}

/// The resources that deletions skipped and that were not deleted since, but not those that an update left on
/// purpose. The order of the events decides: a `DELETE_SKIPPED` counts only after its own stack's deletion has
/// begun.
#[must_use]
pub fn leftovers(events: &[StackEvent]) -> Vec<Leftover> {
    let mut deleting = HashSet::new();
    let mut left = BTreeMap::new();
    for event in events {
        if event.is_of_the_stack() {
            if event.status == "DELETE_IN_PROGRESS" {
                deleting.insert(event.stack_id.clone());
            }
            continue;
        }
        let key = (
            event.stack_id.clone(),
            event.resource.clone(),
            event.physical.clone(),
        );
        if event.status == "DELETE_SKIPPED" && deleting.contains(&event.stack_id) {
            left.insert(key, event);
        } else if event.status == "DELETE_COMPLETE" {
            left.remove(&key);
        }
    }
    left.into_values()
        .filter(|event| event.kind != NESTED_STACK)
        .map(|event| Leftover {
            stack_id: event.stack_id.clone(),
            stack: event.stack.clone(),
            logical: event.resource.clone(),
            kind: event.kind.clone(),
            physical: event.physical.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "arn:aws:cloudformation:eu-west-1:111122223333:stack/shop/1";
    const NESTED: &str = "arn:aws:cloudformation:eu-west-1:111122223333:stack/shop-Application-X/2";

    /// An event; `second` orders it.
    fn event(
        second: i64,
        stack_id: &str,
        resource: &str,
        kind: &str,
        physical: &str,
        status: &str,
    ) -> StackEvent {
        StackEvent {
            id: format!("{second}-{resource}-{status}"),
            at: jiff::Timestamp::from_second(1_800_000_000 + second).unwrap(),
            stack: stack_id.split('/').nth(1).unwrap().to_owned(),
            stack_id: stack_id.to_owned(),
            resource: resource.to_owned(),
            kind: kind.to_owned(),
            physical: Some(physical.to_owned()),
            status: status.to_owned(),
            reason: None,
            token: None,
        }
    }

    #[test]
    fn what_deletions_skipped_is_left_and_what_updates_left_is_not() {
        let bucket = "AWS::S3::Bucket";
        let events = [
            event(1, NESTED, "OldSite", bucket, "old", "DELETE_SKIPPED"),
            event(2, ROOT, "shop", NESTED_STACK, ROOT, "DELETE_IN_PROGRESS"),
            event(
                3,
                NESTED,
                "shop-Application-X",
                NESTED_STACK,
                NESTED,
                "DELETE_IN_PROGRESS",
            ),
            event(4, NESTED, "ProdSite", bucket, "prod", "DELETE_SKIPPED"),
            event(
                5,
                NESTED,
                "Table",
                "AWS::DynamoDB::Table",
                "t",
                "DELETE_SKIPPED",
            ),
            event(6, NESTED, "Role", "AWS::IAM::Role", "r", "DELETE_COMPLETE"),
            event(
                7,
                NESTED,
                "Table",
                "AWS::DynamoDB::Table",
                "t",
                "DELETE_COMPLETE",
            ),
        ];
        let left = leftovers(&events);
        let paths: Vec<String> = left.iter().map(Leftover::path).collect();
        assert_eq!(paths, ["shop-Application-X/ProdSite"]);
    }
}
