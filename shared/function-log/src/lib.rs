#![doc = include_str!("../README.md")]

mod group;
mod line;
mod read;
mod telling;

pub use group::{Group, default as default_group, of_function, of_stack as groups_of_stack};
pub use line::{fields, lines};
pub use read::{Span, read, read_when_complete};
pub use telling::telling;

use aws_sdk_cloudwatchlogs::Client;
use delivery_action::aws::CallError;

/// The lines that say most of what was logged to these groups in that time, of all of them together. A group that cannot be read
/// is left out as long as others have lines.
///
/// # Errors
///
/// [`CallError`] where no group has lines, and CloudWatch Logs refuses one or does not answer.
pub async fn telling_lines(
    client: &Client,
    groups: &[Group],
    span: Span,
) -> Result<Vec<String>, CallError> {
    let mut events = Vec::new();
    let mut refused = None;
    for group in groups {
        match read_when_complete(client, &group.name, span).await {
            Ok(read) => events.extend(read.into_iter().filter(|event| group.has(event))),
            Err(error) => refused = Some(error),
        }
    }
    if let (Some(error), true) = (refused, events.is_empty()) {
        return Err(error);
    }
    events.sort_by_key(|event| event.timestamp().unwrap_or_default());
    let lines = events
        .iter()
        .flat_map(|event| lines(event.message().unwrap_or_default()));
    Ok(telling(lines.collect()))
}
