//! The status for people.

use std::fmt::Write as _;

use anstyle::Style;
use comfy_table::CellAlignment;
use delivery_stack::state::State;

use super::StatusDocument;
use crate::output::style::{BAD, BUSY, GOOD, WAITING};
use crate::output::table::{plain, trimmed};
use crate::output::text::{duration, short, short_summary};
use crate::pipeline::connection::Connection;
use crate::pipeline::environments;
use crate::pipeline::rollback::{open_command, readable_reason};
use crate::pipeline::state::{ActionState, PipelineState, StageState, short_form};

/// The signs of the table, and how each is coloured with the word behind it.
const SIGNS: [(&str, Style); 6] = [
    ("✓", GOOD),
    ("✗", BAD),
    ("⊘", WAITING),
    ("■", WAITING),
    ("◦", WAITING),
    ("•", BUSY),
];

pub(super) fn text(shown: &StatusDocument) -> String {
    let mut text = head(shown);
    for pipeline in shown.all_pipelines() {
        if shown.all_pipelines().nth(1).is_some() {
            let _infallible = write!(text, "\npipeline {}", pipeline.name);
        }
        let _infallible = writeln!(text, "\n{}", coloured(&table(pipeline)));
        for stage in &pipeline.stages {
            text.push_str(&notes(pipeline, &shown.choice(pipeline), stage));
        }
    }
    if !shown.environments.is_empty() {
        let _infallible = write!(text, "\n{}", environments::text(&shown.environments));
    }
    if let Some(connection) = shown.connection.as_ref().filter(|found| found.is_pending()) {
        text.push_str(&pending(connection));
    }
    if !shown.stack.outputs.is_empty() {
        text.push('\n');
        let mut table = plain();
        for (name, value) in &shown.stack.outputs {
            table.add_row([name, value]);
        }
        let _infallible = writeln!(text, "{}", trimmed(table));
    }
    if !shown.next.is_empty() {
        let _infallible = writeln!(text, "\nnext: {}", shown.next.join("\n      "));
    }
    text
}

fn head(shown: &StatusDocument) -> String {
    let stack = &shown.stack;
    let sign = match State::of(&stack.status) {
        State::Complete => "✓",
        State::Review => "◦",
        state if state.is_failure() => "✗",
        _ => "•",
    };
    let mut table = plain();
    let status = format!("{sign} {}", stack.status);
    let changed = stack.changed.clone().unwrap_or_default();
    table.add_row(["stack", &stack.name, &status, &changed]);
    for pipeline in shown.all_pipelines() {
        table.add_row(["pipeline", &pipeline.name, "", ""]);
    }
    if let Some(connection) = &shown.connection {
        let status = match connection.status.as_deref() {
            Some(status @ "AVAILABLE") => format!("✓ {status}"),
            Some(status @ "PENDING") => format!("◦ {status}"),
            Some(status) => format!("✗ {status}"),
            None => "(cannot read its status)".to_owned(),
        };
        table.add_row(["connection", connection_id(&connection.arn), &status, ""]);
    }
    let text = coloured(&trimmed(table)) + "\n";
    match &stack.reason {
        Some(reason) => text.replacen('\n', &format!("\n  {reason}\n"), 1),
        None => text,
    }
}

fn connection_id(arn: &str) -> &str {
    arn.rsplit_once('/').map_or(arn, |(_, id)| id)
}

fn table(pipeline: &PipelineState) -> String {
    let mut table = plain();
    table.set_header(["STAGE / ACTION", "STATUS", "TIME", "CHANGED", "COMMIT"]);
    for stage in &pipeline.stages {
        let commit = stage
            .revision
            .as_ref()
            .map(|_| short_form(stage.revision.as_ref()));
        table.add_row([
            stage.name.clone(),
            stage_word(stage),
            String::new(),
            String::new(),
            commit.unwrap_or_default(),
        ]);
        for action in &stage.actions {
            let stale = stage.has_not_reached(action);
            let time = action.seconds.filter(|_| !stale).map(duration);
            let changed = action.changed.clone().filter(|_| !stale);
            table.add_row([
                format!("  {}", action.name),
                action_word(stage, action),
                time.unwrap_or_default(),
                changed.unwrap_or_default(),
                String::new(),
            ]);
        }
    }
    if let Some(column) = table.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    trimmed(table)
}

fn stage_word(stage: &StageState) -> String {
    word(stage.status.as_deref())
}

fn action_word(stage: &StageState, action: &ActionState) -> String {
    if action.waits_for_approval {
        return "◦ Waiting".to_owned();
    }
    if stage.has_not_reached(action) {
        return word(None);
    }
    match action.percent_complete {
        Some(percent) if action.status.as_deref() == Some("InProgress") => {
            format!("{} {percent} %", word(action.status.as_deref()))
        }
        _ => word(action.status.as_deref()),
    }
}

/// Symbol and word, so that colour is never the only sign.
fn word(status: Option<&str>) -> String {
    let symbol = match status {
        Some("Succeeded") => "✓",
        Some("Failed" | "Abandoned") => "✗",
        Some("Superseded" | "Cancelled" | "Skipped") => "⊘",
        Some("Stopped" | "Stopping") => "■",
        Some(_) => "•",
        None => return "· NotStarted".to_owned(),
    };
    format!("{symbol} {}", status.unwrap_or_default())
}

/// Why a stage does not go on, and what to do.
fn notes(pipeline: &PipelineState, choice: &str, stage: &StageState) -> String {
    let mut text = String::new();
    let name = &stage.name;
    for action in &stage.actions {
        if stage.has_not_reached(action) {
            continue;
        }
        if let Some(error) = &action.error {
            let cause = error.message.lines().next().unwrap_or_default();
            let _infallible = writeln!(
                text,
                "\n{name} / {} failed ({}): {}",
                action.name,
                error.code,
                delivery_action::logging::redact(cause)
            );
        }
        if action.waits_for_approval {
            text.push_str(&waits(stage, action, choice));
        } else if action.status.as_deref() == Some("InProgress")
            && let Some(summary) = action.summary.as_deref().and_then(short_summary)
        {
            // How far a rollout is, or whatever else is worked on through several jobs.
            let _infallible = writeln!(text, "\n{name} / {}: {summary}", action.name);
        }
    }
    for inbound in &stage.inbound {
        let who = format!(
            "execution {} of {}",
            short(&inbound.execution),
            short_form(inbound.revision.as_ref())
        );
        let _infallible = match (&inbound.waits_for, &stage.closed) {
            (Some(holder), _) => writeln!(
                text,
                "\n{who} waits for {name}, which execution {} holds",
                short(holder)
            ),
            (None, Some(_)) => writeln!(text, "\n{who} waits for {name}, which is closed"),
            (None, None) => writeln!(text, "\n{who} waits for {name}"),
        };
    }
    if let Some(closed) = &stage.closed {
        let since = closed.since.as_ref();
        let since = since.map(|since| format!(" since {since}"));
        let by = closed.by.as_ref().map(|by| format!(" by {by}"));
        let reason = closed.reason.as_deref().unwrap_or("no reason given");
        let open = open_command(&pipeline.name, name, reason);
        let reason = readable_reason(reason);
        let _infallible = writeln!(
            text,
            "\n{name} is closed to executions{}{}: {reason}\n  open it: {open}",
            since.unwrap_or_default(),
            by.unwrap_or_default(),
        );
    }
    text
}

fn waits(stage: &StageState, action: &ActionState, choice: &str) -> String {
    let since = action.changed.as_ref();
    let since = since.map(|since| format!(" since {since}"));
    let mut text = format!(
        "\n{} / {} waits for the approval of {}{}\n",
        stage.name,
        action.name,
        short_form(stage.revision.as_ref()),
        since.unwrap_or_default(),
    );
    if let Some(revision) = &stage.revision {
        let id = short(&revision.id);
        let _infallible = writeln!(
            text,
            "  approve it: delivery approve {id}{choice}\n  reject it: delivery reject {id}{choice}"
        );
    }
    text
}

fn pending(connection: &Connection) -> String {
    format!(
        "\nThe connection is PENDING: nothing is fetched until a person completes it\n  complete it: {}\n",
        connection.console
    )
}

/// Colours each sign and its word; the columns are aligned before, since colours would count as characters.
fn coloured(table: &str) -> String {
    let mut lines = Vec::new();
    for line in table.lines() {
        let found = SIGNS
            .iter()
            .find_map(|(sign, style)| Some((line.find(&format!(" {sign} "))? + 1, style)));
        let Some((start, style)) = found else {
            lines.push(line.to_owned());
            continue;
        };
        let (before, rest) = line.split_at(start);
        let words = rest.find("  ").unwrap_or(rest.len());
        let (sign, after) = rest.split_at(words);
        lines.push(format!("{before}{style}{sign}{style:#}{after}"));
    }
    lines.join("\n")
}
