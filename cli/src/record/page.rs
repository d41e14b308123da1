//! The page of a run: one HTML file that loads nothing from elsewhere.

use minijinja::context;
use minijinja::value::Serde;

use super::folder::LogTail;
use super::run::{RunRecord, State};
use super::view::PageView;
use crate::output::html::{hash_source, render};

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page. Every value is escaped by the template engine; only style and script are not.
pub(super) fn page(
    record: &RunRecord,
    state: State,
    logs: Vec<LogTail>,
    reports: Vec<String>,
) -> Result<String, minijinja::Error> {
    let context = context! {
        page => Serde(PageView::of(record, state, logs)),
        reports,
        policy => policy(),
        style => STYLE,
        script => SCRIPT,
    };
    render(TEMPLATE, context)
}

/// The page's own style and script are all that a browser takes from it: a second barrier behind the escaping.
fn policy() -> String {
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        hash_source(STYLE),
        hash_source(SCRIPT)
    )
}
