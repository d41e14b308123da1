//! `docs/reference.md`: every key and parameter, by name, from the pages that explain them.

use std::fs;

use pipeline_tests::checkout;

use crate::actions::ACTIONS;
use crate::generated::{self, table};

/// A key or a parameter.
struct Entry {
    name: String,
    /// Where it is written, with a link to its page.
    place: String,
    default: String,
    meaning: String,
}

#[test]
fn every_key_and_parameter_is_listed() {
    let mut entries = of_the_settings_file();
    entries.extend(of_the_template());
    for (action, _) in ACTIONS {
        entries.extend(of_the_action(action));
    }
    assert!(entries.len() > 130, "only {} were read", entries.len());
    entries.sort_by_key(|entry| (entry.name.to_lowercase(), entry.place.clone()));
    let rows: Vec<_> = entries
        .into_iter()
        .map(|entry| vec![entry.name, entry.place, entry.default, entry.meaning])
        .collect();
    let head = ["name", "of", "default", "meaning"];
    generated::check("docs/reference.md", "reference", &table(&head, &rows));
}

fn of_the_settings_file() -> Vec<Entry> {
    let text = page("delivery-toml.md");
    let mut entries = Vec::new();
    for section in text.split("\n## ").skip(1) {
        let title = section.lines().next().unwrap_or_default().trim_matches('`');
        let place = match title {
            "The keys of the file" => "[`delivery.toml`](delivery-toml.md)".to_owned(),
            title => format!("[`delivery.toml`, `{title}`](delivery-toml.md)"),
        };
        entries.extend(rows(section).map(|row| entry(&row, &place, 2, 4)));
    }
    entries
}

fn of_the_template() -> Vec<Entry> {
    let place = "[the pipeline's stack](parameters.md)";
    rows(&page("parameters.md"))
        .map(|row| entry(&row, place, 1, 3))
        .collect()
}

fn of_the_action(action: &str) -> Vec<Entry> {
    let text = page(&format!("actions/{action}.md"));
    let place = format!("[{action}](actions/{action}.md)");
    let section = text.split("\n## Parameters\n").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    rows(section).map(|row| entry(&row, &place, 1, 2)).collect()
}

fn page(name: &str) -> String {
    fs::read_to_string(checkout::root().join("docs").join(name)).unwrap()
}

/// The cells of each row that begins with code. A bar in a cell is written `\|`.
fn rows(text: &str) -> impl Iterator<Item = Vec<String>> {
    text.lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let line = line.replace("\\|", "\u{0}");
            let cells = line.trim_matches('|').split('|');
            cells
                .map(|cell| cell.trim().replace('\u{0}', "|"))
                .collect()
        })
}

fn entry(row: &[String], place: &str, default: usize, meaning: usize) -> Entry {
    // Links lead from the folder of this page.
    let meaning = row[meaning]
        .replace("](../", "](")
        .replace("](#", &format!("]({}#", target(place)));
    Entry {
        name: row[0].clone(),
        place: place.to_owned(),
        default: row[default].clone(),
        meaning,
    }
}

/// The page that a link leads to.
fn target(link: &str) -> &str {
    let (_, target) = link.rsplit_once('(').unwrap_or_default();
    target.trim_end_matches(')')
}
