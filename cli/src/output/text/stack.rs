//! Messages of a stack's commands as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anstyle::Style;

use super::heartbeat;
use crate::message::{Change, ResourceAction, StackMessage};
use crate::output::style::{BAD, DIM, GOOD, WAITING};

/// The line for people; `None` where it tells them nothing new.
pub(super) fn line(message: &StackMessage) -> Option<String> {
    Some(match message {
        StackMessage::BucketMade { bucket } => {
            format!("{GOOD}✓{GOOD:#} bucket {bucket} created: private, encrypted, TLS only")
        }
        StackMessage::Object {
            key,
            bytes,
            uploaded,
        } => object_line(key, *bytes, *uploaded),
        StackMessage::Change(change) => change_line(change),
        StackMessage::StackEvent { .. } => event_line(message)?,
        StackMessage::StackWorking {
            stack,
            status,
            seconds,
            running,
        } => heartbeat(&format!("{stack} is {status} after"), *seconds, running),
        StackMessage::Stack { name, status, .. } => {
            let (symbol, style) = status_mark(status);
            format!("{style}{symbol} {status}{style:#} {name}")
        }
        StackMessage::ConnectionPending { name, url, .. } => format!(
            "{WAITING}• the connection `{name}` is pending{WAITING:#}: the pipeline cannot fetch its source \
             until the handshake is completed in the console (\"Update pending connection\"):\n    {url}"
        ),
        StackMessage::ExecutionStatus {
            execution,
            status,
            waiting,
        } => execution_line(execution, status, waiting),
        StackMessage::Going { .. } | StackMessage::Left { .. } => resource_line(message)?,
        StackMessage::Emptying {
            bucket,
            deleted,
            done,
        } => emptying_line(bucket, *deleted, *done),
        StackMessage::Service {
            service,
            stack,
            changed,
            outputs,
            ..
        } => service_line(service, stack, *changed, outputs),
        StackMessage::BucketDeleted { bucket } => format!("{GOOD}✓{GOOD:#} deleted s3://{bucket}"),
        // The command prints these as its data or as its error.
        StackMessage::Published { .. } | StackMessage::StackFailure { .. } => return None,
    })
}

fn service_line(
    service: &str,
    stack: &str,
    changed: bool,
    outputs: &BTreeMap<String, String>,
) -> String {
    let what = if changed { "deployed" } else { "unchanged" };
    let outputs = outputs
        .iter()
        .map(|(name, value)| format!("\n    {name}: {value}"));
    let outputs: String = outputs.collect();
    format!("{GOOD}✓ {what:<9}{GOOD:#} {service} {DIM}{stack}{DIM:#}{outputs}")
}

fn object_line(key: &str, size: u64, uploaded: bool) -> String {
    let verb = if uploaded { "sent" } else { "there" };
    format!(
        "{GOOD}✓{GOOD:#} {verb:<5} {key} {DIM}{}{DIM:#}",
        bytes(size)
    )
}

fn event_line(message: &StackMessage) -> Option<String> {
    let StackMessage::StackEvent {
        stack,
        resource,
        resource_type,
        status,
        reason,
        ..
    } = message
    else {
        return None;
    };
    let (symbol, style) = status_mark(status);
    let why = reason
        .as_ref()
        .map(|text| format!(" {DIM}{text}{DIM:#}"))
        .unwrap_or_default();
    Some(format!(
        "{style}{symbol} {status:<20}{style:#} {stack} / {resource} {DIM}{resource_type}{DIM:#}{why}"
    ))
}

fn execution_line(execution: &str, status: &str, waiting: &[String]) -> String {
    let waits = if waiting.is_empty() {
        String::new()
    } else {
        format!(
            "; {} waits for approval (`delivery approve`)",
            waiting.join(", ")
        )
    };
    format!("execution {execution}: {status}{waits}")
}

/// A resource that a deletion removes, keeps, or left behind.
fn resource_line(message: &StackMessage) -> Option<String> {
    let (mark, style, path, resource_type, physical_id) = match message {
        StackMessage::Going {
            path,
            resource_type,
            physical_id,
            stays,
        } => {
            let (verb, style) = if *stays {
                ("  stays", WAITING)
            } else {
                ("  goes ", BAD)
            };
            (verb, style, path, resource_type, physical_id)
        }
        StackMessage::Left {
            path,
            resource_type,
            physical_id,
            wanted,
        } => {
            let (mark, style) = if *wanted {
                ("· left", WAITING)
            } else {
                ("✗ left", BAD)
            };
            (mark, style, path, resource_type, physical_id)
        }
        _ => return None,
    };
    let physical_id = physical_id
        .as_ref()
        .map(|id| format!(" {DIM}{id}{DIM:#}"))
        .unwrap_or_default();
    Some(format!(
        "{style}{mark}{style:#} {path} {DIM}{resource_type}{DIM:#}{physical_id}"
    ))
}

fn emptying_line(bucket: &str, deleted: u64, done: bool) -> String {
    let (symbol, style) = if done { ("✓", GOOD) } else { ("•", DIM) };
    let verb = if done { "empty" } else { "emptying" };
    format!("{style}{symbol}{style:#} {verb} s3://{bucket}: {deleted} deleted")
}

fn change_line(change: &Change) -> String {
    let (words, style) = action_words(change.action);
    let mut text = format!(
        "  {style}{words:<10}{style:#} {} {DIM}{}{DIM:#}",
        change.path, change.resource_type
    );
    if !change.properties.is_empty() {
        let _infallible = write!(text, " ({})", change.properties.join(", "));
    }
    if change.loses_data {
        let _infallible = write!(text, " {BAD}its data is lost{BAD:#}");
    } else if change.is_critical() {
        let _infallible = write!(text, " {WAITING}its data stays behind{WAITING:#}");
    }
    text
}

fn action_words(action: ResourceAction) -> (&'static str, Style) {
    match action {
        ResourceAction::Add => ("+ add", GOOD),
        ResourceAction::Change => ("~ change", WAITING),
        ResourceAction::Replace => ("± replace", BAD),
        ResourceAction::MayReplace => ("± may replace", BAD),
        ResourceAction::Remove => ("- remove", BAD),
        ResourceAction::Leave => ("  leave", DIM),
        ResourceAction::Import => ("+ import", GOOD),
    }
}

/// The mark of a resource's or a stack's status.
fn status_mark(status: &str) -> (&'static str, Style) {
    if status.ends_with("_FAILED") {
        ("✗", BAD)
    } else if status.contains("ROLLBACK") {
        ("↩", BAD)
    } else if status == "DELETE_SKIPPED" {
        ("·", WAITING)
    } else if status.ends_with("_COMPLETE") {
        ("✓", GOOD)
    } else {
        ("•", DIM)
    }
}

fn bytes(bytes: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = KIB * KIB;
    match bytes {
        0..KIB => format!("{bytes} B"),
        KIB..MIB => format!("{} KiB", bytes.div_ceil(KIB)),
        _ => format!("{}.{} MiB", bytes / MIB, bytes % MIB * 10 / MIB),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::stack_examples;

    #[test]
    fn each_is_a_line_for_people_or_none() {
        let lines: Vec<String> = stack_examples()
            .iter()
            .map(|message| {
                let line = line(message).unwrap_or_else(|| "-".to_owned());
                anstream::adapter::strip_str(&line).to_string()
            })
            .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
