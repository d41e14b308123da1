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

/// The lines that say most of what was logged to these groups in that time, of all of them together.
///
/// # Errors
///
/// [`CallError`] where CloudWatch Logs refuses or does not answer.
pub async fn telling_lines(
    client: &Client,
    groups: &[Group],
    span: Span,
) -> Result<Vec<String>, CallError> {
    let mut events = Vec::new();
    for group in groups {
        let read = read_when_complete(client, &group.name, span).await?;
        events.extend(read.into_iter().filter(|event| group.has(event)));
    }
    events.sort_by_key(|event| event.timestamp().unwrap_or_default());
    let lines = events
        .iter()
        .flat_map(|event| lines(event.message().unwrap_or_default()));
    Ok(telling(lines.collect()))
}
