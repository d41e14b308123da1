//! Parts of documents that are made from the code: between `<!-- generated: NAME -->` and
//! `<!-- end -->`.

use std::fs;
use std::sync::Mutex;

use pipeline_tests::checkout;

/// If set, the parts are rewritten instead of compared.
const UPDATE: &str = "DELIVERY_UPDATE_DOCS";

/// Two tests may write parts of one document.
static WRITING: Mutex<()> = Mutex::new(());

/// Compares a part of a document with the code, or rewrites it.
pub(crate) fn check(path: &str, name: &str, expected: &str) {
    let _one_at_a_time = WRITING
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let file = checkout::root().join(path);
    let text = fs::read_to_string(&file).unwrap();
    let begin = format!("<!-- generated: {name} -->\n");
    let (before, rest) = text
        .split_once(&begin)
        .unwrap_or_else(|| panic!("{path} has no `{}`", begin.trim()));
    let (part, after) = rest
        .split_once("<!-- end -->")
        .unwrap_or_else(|| panic!("{path}: `{}` has no end", begin.trim()));
    let expected = format!("\n{}\n\n", expected.trim());
    if part == expected {
        return;
    }
    if delivery_action::env::var(UPDATE).is_some() {
        let text = format!("{before}{begin}{expected}<!-- end -->{after}");
        // Other tests read the document at the same time: they must see the old or the new text, never half of it.
        let rewritten = file.with_extension("md.new");
        fs::write(&rewritten, text).unwrap();
        fs::rename(rewritten, file).unwrap();
        return;
    }
    panic!(
        "{path}: the part `{name}` differs from the code; rewrite it with\n  \
         {UPDATE}=1 cargo test --workspace --bin delivery --test documentation\nexpected:\n{expected}"
    );
}

/// A Markdown table.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        let cells: Vec<_> = row
            .iter()
            .map(|cell| cell.replace('|', "\\|").replace('\n', " "))
            .collect();
        text.push_str("| ");
        text.push_str(&cells.join(" | "));
        text.push_str(" |\n");
    }
    text
}

/// A text as code, whatever marks are in it.
pub(crate) fn code(text: &str) -> String {
    if text.starts_with('`') || text.ends_with('`') {
        format!("`` {text} ``")
    } else if text.contains('`') {
        format!("``{text}``")
    } else {
        format!("`{text}`")
    }
}
