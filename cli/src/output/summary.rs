//! What a run leaves a person with: where each stage answers, and how long each action took.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use super::text::{duration, mark};
use crate::message::RunResult;

/// The tables, their last line feed included; empty where there is nothing to show. That of the actions is there only
/// `with_actions`.
pub(crate) fn summary(result: &RunResult, with_actions: bool) -> String {
    let mut text = String::new();
    if with_actions && !result.actions.is_empty() {
        let _infallible = writeln!(text, "{}\n", actions(result));
    }
    if !result.urls.is_empty() {
        let _infallible = writeln!(text, "{}", urls(result));
    }
    text
}

/// How the local AWS that stays up is reached and stopped.
pub(crate) const KEPT: &str = "\
# Everything stays up until `delivery local stop`. For other commands, `aws` and SDKs to reach it from this shell:
eval \"$(delivery local env)\"
";

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

fn actions(result: &RunResult) -> String {
    let mut table = table();
    let columns = ["PIPELINE", "STAGE", "ACTION", "STATUS", "TIME"];
    // One pipeline needs no name.
    let hidden = usize::from(result.pipelines.is_empty());
    table.set_header(&columns[hidden..]);
    for action in &result.actions {
        let mut pipelines = result.pipelines.iter();
        let pipeline = pipelines.find(|one| one.execution == action.execution);
        let status = anstream::adapter::strip_str(&mark(&action.status)).to_string();
        let row = [
            pipeline.map(|one| one.name.clone()).unwrap_or_default(),
            action.stage.clone(),
            action.action.clone(),
            status.trim_end().to_owned(),
            duration(action.seconds),
        ];
        table.add_row(&row[hidden..]);
    }
    if let Some(column) = table.column_mut(columns.len() - 1 - hidden) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    trimmed(&table)
}

fn urls(result: &RunResult) -> String {
    let mut table = table();
    for (stage, urls) in &result.urls {
        for (what, url) in urls.named() {
            table.add_row([stage, what.as_str(), url]);
        }
    }
    trimmed(&table)
}

fn trimmed(table: &Table) -> String {
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{RunMessage, run_examples};

    #[test]
    fn the_summary_shows_times_and_urls() {
        let summaries: Vec<String> = run_examples()
            .iter()
            .filter_map(|message| match message {
                RunMessage::Result(result) => Some(summary(result, true)),
                _ => None,
            })
            .collect();
        insta::assert_snapshot!(summaries.join("---\n"));
    }
}
