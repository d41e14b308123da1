//! What happens in a stack and in the stacks nested in it, as CloudFormation's events tell it.

use std::collections::HashSet;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types;
use delivery_action::aws::CallError;
use delivery_action::text;
use jiff::Timestamp;

use crate::NESTED_STACK;
use crate::description::timestamp;

/// With what an operation on a stack begins. `ROLLBACK_IN_PROGRESS` and the like are not here: they go on
/// with the operation that failed.
const BEGINNINGS: [&str; 5] = [
    "CREATE_IN_PROGRESS",
    "UPDATE_IN_PROGRESS",
    "DELETE_IN_PROGRESS",
    "IMPORT_IN_PROGRESS",
    "REVIEW_IN_PROGRESS",
];

/// What CloudFormation says of resources that it gives up because another one failed.
const CANCELLED: &str = "cancelled";

/// One thing that happened to a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackEvent {
    /// Its id, unique.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// The name of the stack, which may be a nested one.
    pub stack: String,
    /// The id of that stack.
    pub stack_id: String,
    /// The resource's logical id.
    pub resource: String,
    /// Its type.
    pub kind: String,
    /// Its physical id, as soon as it has one.
    pub physical: Option<String>,
    /// CloudFormation's word for the resource's status.
    pub status: String,
    /// What CloudFormation says of the status, without what a terminal would obey.
    pub reason: Option<String>,
    /// The token that the operation was begun with.
    pub token: Option<String>,
}

impl StackEvent {
    /// Whether it is about the stack itself.
    #[must_use]
    pub fn is_of_the_stack(&self) -> bool {
        self.kind == NESTED_STACK && self.physical.as_deref() == Some(self.stack_id.as_str())
    }

    /// Whether an operation on its stack begins with it.
    #[must_use]
    pub fn is_beginning(&self) -> bool {
        self.is_of_the_stack() && BEGINNINGS.contains(&self.status.as_str())
    }

    /// Whether the resource failed, for a reason of its own.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        let cancelled = |reason: &String| reason.contains(CANCELLED);
        self.status.ends_with("_FAILED") && !self.reason.as_ref().is_some_and(cancelled)
    }

    /// The nested stack that it is about, seen from the stack around it.
    fn nested(&self) -> Option<&str> {
        let id = self.physical.as_deref()?;
        (self.kind == NESTED_STACK && id != self.stack_id && id.contains(":stack/")).then_some(id)
    }
}

/// Reads one stack's events from the newest on, as long as `wanted`.
async fn newest_first(
    client: &Client,
    stack: &str,
    mut wanted: impl FnMut(&StackEvent) -> bool,
) -> Result<Vec<StackEvent>, CallError> {
    let mut pages = client
        .describe_stack_events()
        .stack_name(stack)
        .into_paginator()
        .send();
    let mut events = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page
            .map_err(|error| CallError::new("cloudformation:DescribeStackEvents", stack, &error))?;
        for event in page.stack_events.unwrap_or_default() {
            let Some(event) = read(event) else { continue };
            if !wanted(&event) {
                return Ok(events);
            }
            events.push(event);
        }
    }
    Ok(events)
}

fn read(event: types::StackEvent) -> Option<StackEvent> {
    Some(StackEvent {
        at: event.timestamp.as_ref().and_then(timestamp)?,
        id: event.event_id?,
        stack: event.stack_name.unwrap_or_default(),
        stack_id: event.stack_id.unwrap_or_default(),
        resource: event.logical_resource_id.unwrap_or_default(),
        kind: event.resource_type.unwrap_or_default(),
        physical: event.physical_resource_id.filter(|id| !id.is_empty()),
        status: event.resource_status?.as_str().to_owned(),
        reason: event
            .resource_status_reason
            .filter(|text| !text.is_empty())
            .map(|text| text::plain(&text).into_owned()),
        token: event.client_request_token.filter(|text| !text.is_empty()),
    })
}

/// The newest event of a stack, those of nested stacks left out; `None` where CloudFormation keeps none.
///
/// # Errors
///
/// The call failed.
pub async fn newest(client: &Client, stack_id: &str) -> Result<Option<StackEvent>, CallError> {
    let mut newest = None;
    newest_first(client, stack_id, |event| {
        newest = Some(event.clone());
        false
    })
    .await?;
    Ok(newest)
}

/// The events of the latest operation on a stack, in its nested stacks too, the oldest first.
///
/// # Errors
///
/// A call failed.
pub async fn latest_operation(
    client: &Client,
    stack_id: &str,
) -> Result<Vec<StackEvent>, CallError> {
    Follower::of_the_latest(client, stack_id)
        .await?
        .new_events(client)
        .await
}

/// All events of a stack that CloudFormation keeps, in its nested stacks too, the oldest first.
///
/// # Errors
///
/// A call failed.
pub async fn all(client: &Client, stack_id: &str) -> Result<Vec<StackEvent>, CallError> {
    Follower::since(stack_id, None).new_events(client).await
}

/// The event that says what failed first and why; `None` where nothing did.
///
/// A nested stack fails after what is in it, so the first failure is where it really happened.
#[must_use]
pub fn first_failure(operation: &[StackEvent]) -> Option<&StackEvent> {
    let of_a_resource = operation
        .iter()
        .find(|event| event.is_failure() && !event.is_of_the_stack());
    let of_the_stack = || {
        operation.iter().find(|event| {
            event.is_of_the_stack()
                && event.reason.is_some()
                && (event.is_failure() || event.status.contains("ROLLBACK"))
        })
    };
    of_a_resource.or_else(of_the_stack)
}

/// Follows an operation on a stack: hands out each of its events once, in nested stacks too.
#[derive(Clone, Debug)]
pub struct Follower {
    stack_id: String,
    /// The newest event that does not belong to the operation.
    before: Option<String>,
    seen: HashSet<String>,
    nested: Vec<String>,
    since: Option<Timestamp>,
    begun: bool,
}

impl Follower {
    /// Follows what comes after an event, and everything where none is given.
    #[must_use]
    pub fn since(stack_id: &str, before: Option<String>) -> Self {
        Self {
            stack_id: stack_id.to_owned(),
            before,
            seen: HashSet::new(),
            nested: Vec::new(),
            since: None,
            begun: false,
        }
    }

    /// Follows what comes after now: made before an operation is begun.
    ///
    /// # Errors
    ///
    /// A call failed.
    pub async fn from_now(client: &Client, stack_id: &str) -> Result<Self, CallError> {
        let newest = newest(client, stack_id).await?;
        Ok(Self::since(stack_id, newest.map(|event| event.id)))
    }

    /// Follows the latest operation from its beginning.
    ///
    /// # Errors
    ///
    /// A call failed.
    pub async fn of_the_latest(client: &Client, stack_id: &str) -> Result<Self, CallError> {
        let (mut before, mut begun) = (None, false);
        newest_first(client, stack_id, |event| {
            if begun {
                before = Some(event.id.clone());
                return false;
            }
            begun = event.is_beginning();
            true
        })
        .await?;
        Ok(Self::since(stack_id, before))
    }

    /// Whether the operation has begun, so that the stack's status is that of this operation.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// What happened since the last call, the oldest first.
    ///
    /// # Errors
    ///
    /// A call failed; the events of the calls before it come with the next.
    pub async fn new_events(&mut self, client: &Client) -> Result<Vec<StackEvent>, CallError> {
        // On a copy: if a later call of the round fails, the events of the calls before it would count as seen and
        // never be handed out.
        let mut after = self.clone();
        let news = after.read_round(client).await?;
        *self = after;
        Ok(news)
    }

    async fn read_round(&mut self, client: &Client) -> Result<Vec<StackEvent>, CallError> {
        let root = self.stack_id.clone();
        let mut news = self.news_of(client, &root).await?;
        self.begun |= !news.is_empty();
        if self.since.is_none() {
            self.since = news.iter().map(|event| event.at).min();
        }
        self.remember_nested(&news);
        let mut next = 0;
        while let Some(nested) = self.nested.get(next).cloned() {
            next += 1;
            let found = self.news_of(client, &nested).await?;
            self.remember_nested(&found);
            news.extend(found);
        }
        Ok(in_order(news))
    }

    async fn news_of(
        &mut self,
        client: &Client,
        stack: &str,
    ) -> Result<Vec<StackEvent>, CallError> {
        let is_root = stack == self.stack_id;
        let found = newest_first(client, stack, |event| {
            !self.seen.contains(&event.id)
                && self.before.as_ref() != Some(&event.id)
                && (is_root || self.since.is_none_or(|since| event.at >= since))
        })
        .await?;
        self.seen.extend(found.iter().map(|event| event.id.clone()));
        Ok(found.into_iter().rev().collect())
    }

    fn remember_nested(&mut self, events: &[StackEvent]) {
        for nested in events.iter().filter_map(StackEvent::nested) {
            if !self.nested.iter().any(|known| known == nested) {
                self.nested.push(nested.to_owned());
            }
        }
    }
}

/// By time; at the same time what is in a nested stack comes before what the stack around it says of it.
/// Events of one stack, which come in their order, stay in it.
fn in_order(events: Vec<StackEvent>) -> Vec<StackEvent> {
    let mut numbered: Vec<(usize, StackEvent)> = events.into_iter().enumerate().collect();
    numbered.sort_by(|(a_place, a), (b_place, b)| {
        let of_one_stack = a.stack_id == b.stack_id;
        let tie = if of_one_stack {
            a_place.cmp(b_place)
        } else {
            // Nested stacks are read after the stacks around them.
            b_place.cmp(a_place)
        };
        a.at.cmp(&b.at).then(tie)
    });
    numbered.into_iter().map(|(_, event)| event).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "arn:aws:cloudformation:eu-west-1:111122223333:stack/shop/1";
    const NESTED: &str = "arn:aws:cloudformation:eu-west-1:111122223333:stack/shop-Application-X/2";

    /// An event of the stack `shop` or of one nested in it; `second` orders it.
    fn event(
        second: i64,
        stack_id: &str,
        resource: &str,
        kind: &str,
        physical: &str,
        status: &str,
        reason: &str,
    ) -> StackEvent {
        StackEvent {
            id: format!("{second}-{resource}-{status}"),
            at: Timestamp::from_second(1_800_000_000 + second).unwrap(),
            stack: stack_id.split('/').nth(1).unwrap().to_owned(),
            stack_id: stack_id.to_owned(),
            resource: resource.to_owned(),
            kind: kind.to_owned(),
            physical: Some(physical.to_owned()).filter(|id| !id.is_empty()),
            status: status.to_owned(),
            reason: Some(reason.to_owned()).filter(|text| !text.is_empty()),
            token: None,
        }
    }

    /// A creation that fails in a nested stack.
    fn failed_creation() -> Vec<StackEvent> {
        vec![
            event(
                0,
                ROOT,
                "shop",
                NESTED_STACK,
                ROOT,
                "CREATE_IN_PROGRESS",
                "",
            ),
            event(
                1,
                ROOT,
                "Application",
                NESTED_STACK,
                NESTED,
                "CREATE_IN_PROGRESS",
                "",
            ),
            event(
                2,
                NESTED,
                "Role",
                "AWS::IAM::Role",
                "r",
                "CREATE_FAILED",
                "Resource creation cancelled",
            ),
            event(
                3,
                NESTED,
                "ProdSite",
                "AWS::S3::Bucket",
                "",
                "CREATE_FAILED",
                "www.example.com already exists",
            ),
            event(
                4,
                ROOT,
                "Application",
                NESTED_STACK,
                NESTED,
                "CREATE_FAILED",
                "Embedded stack was not successfully created: The following resource(s) failed to create: [ProdSite].",
            ),
            event(
                5,
                ROOT,
                "shop",
                NESTED_STACK,
                ROOT,
                "ROLLBACK_IN_PROGRESS",
                "The following resource(s) failed to create: [Application]. Rollback requested by user.",
            ),
        ]
    }

    #[test]
    fn the_first_failure_is_where_it_really_happened() {
        let events = failed_creation();
        let first = first_failure(&events).unwrap();
        assert_eq!(
            (first.resource.as_str(), first.stack.as_str()),
            ("ProdSite", "shop-Application-X")
        );
    }

    #[test]
    fn a_stack_that_fails_without_a_resource_says_why_itself() {
        let events = [event(
            0,
            ROOT,
            "shop",
            NESTED_STACK,
            ROOT,
            "ROLLBACK_IN_PROGRESS",
            "the template's macro failed",
        )];
        let first = first_failure(&events).unwrap();
        assert_eq!(first.reason.as_deref(), Some("the template's macro failed"));
        let good = [event(
            0,
            ROOT,
            "shop",
            NESTED_STACK,
            ROOT,
            "CREATE_COMPLETE",
            "",
        )];
        assert_eq!(first_failure(&good), None);
    }

    #[test]
    fn at_the_same_time_what_is_nested_comes_first() {
        let mut events = failed_creation();
        for event in &mut events {
            event.at = Timestamp::from_second(1).unwrap();
        }
        // As they are read: the root's, then the nested stack's.
        events.sort_by_key(|event| event.stack_id != ROOT);
        let first = in_order(events);
        assert_eq!(first_failure(&first).unwrap().resource, "ProdSite");
    }
}
