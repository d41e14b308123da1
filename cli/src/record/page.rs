//! The page of a run: one HTML file that loads nothing from elsewhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use sha2::{Digest as _, Sha256};

use super::folder::LogTail;
use super::run::{RunRecord, State};
use super::view::PageView;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page. Every value is escaped by the template engine; only style and script are not.
pub(super) fn page(
    record: &RunRecord,
    state: State,
    logs: Vec<LogTail>,
) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let context = context! {
        page => Serde(PageView::of(record, state, logs)),
        policy => policy(),
        style => STYLE,
        script => SCRIPT,
    };
    environment.render_str(TEMPLATE, context)
}

/// The page's own style and script are all that a browser takes from it: a second barrier behind the escaping.
fn policy() -> String {
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}
