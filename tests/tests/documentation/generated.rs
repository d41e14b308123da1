//! Parts of documents that are made from the code: between `<!-- generated: NAME -->` and
//! `<!-- end -->`.

use std::fs;
use std::sync::Mutex;

use pipeline_tests::checkout;

/// Setting this writes the parts anew instead of comparing them.
const UPDATE: &str = "DELIVERY_UPDATE_DOCS";

/// Two tests may write parts of one document.
static WRITING: Mutex<()> = Mutex::new(());

/// Holds a part of a document against what the code says, or writes it anew.
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
        // Other tests read the document meanwhile: they see all of it, or all of it as it was.
        let anew = file.with_extension("md.new");
        fs::write(&anew, text).unwrap();
        fs::rename(anew, file).unwrap();
        return;
    }
    panic!(
        "{path}: the part `{name}` is not what the code says; write it anew with\n  \
         {UPDATE}=1 cargo test --workspace --bin delivery --test documentation\nit should be:\n{expected}"
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
