//! The reference of `delivery.toml` as Markdown.

use std::fmt::Write;

use crate::file::File;
use crate::form::{Form, Shape};
use crate::schema::{ID, text};
use crate::section::{Key, Section};

/// A file that shows how the keys are used; a test reads it.
const EXAMPLE: &str = include_str!("example.toml");

/// The page, with a line break at its end.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# delivery.toml\n\nWhat the keys of `delivery.toml` mean. This page and the JSON schema \
         [delivery.schema.json](delivery.schema.json), for editors, are made from the code that reads the file. A key that is \
         not listed here is an error.\n\n",
    );
    write(
        &mut page,
        format_args!(
            "Editors that use Taplo check the file as you type if it begins with this line:\n\n```toml\n#:schema {ID}\n```\n\n"
        ),
    );
    write(&mut page, format_args!("```toml\n{EXAMPLE}```\n\n"));
    if let Shape::Table(section) = File::shape() {
        write_section(&mut page, "", &section);
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

/// Writing to a `String` cannot fail.
fn write(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a String takes all text");
}

/// The section, and then those that its keys have.
fn write_section(page: &mut String, path: &str, section: &Section) {
    if path.is_empty() {
        page.push_str("## The keys of the file\n\n");
    } else {
        write(page, format_args!("## `{path}`\n\n"));
    }
    write(
        page,
        format_args!(
            "{}\n\n| key | type | default | example | meaning |\n|---|---|---|---|---|\n",
            text(section.about)
        ),
    );
    for key in &section.keys {
        write_key(page, key);
    }
    page.push('\n');
    for key in &section.keys {
        let path = if path.is_empty() {
            key.name.to_owned()
        } else {
            format!("{path}.{}", key.name)
        };
        if let Some((path, section)) = section_in(path, &key.shape) {
            write_section(page, &path, section);
        }
    }
}

fn section_in(path: String, shape: &Shape) -> Option<(String, &Section)> {
    match shape {
        Shape::Table(section) => Some((path, section)),
        Shape::Map(values) => section_in(format!("{path}.NAME"), values),
        _ => None,
    }
}

fn write_key(page: &mut String, key: &Key) {
    let not_yet = if key.not_yet { " Not applied yet." } else { "" };
    let default = match key.default {
        _ if key.required => "required",
        Some(default) => default,
        None => "none",
    };
    let example = key.example.unwrap_or_default();
    write(
        page,
        format_args!(
            "| `{}` | {} | {} | `{example}` | {}{not_yet} |\n",
            key.name,
            shape_words(&key.shape),
            cell(default),
            cell(&text(key.about)),
        ),
    );
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn shape_words(shape: &Shape) -> String {
    match shape {
        Shape::Truth => "`true` or `false`".to_owned(),
        Shape::Number { least, most } => format!("a whole number from {least} to {most}"),
        Shape::Text { is, .. } => (*is).to_owned(),
        Shape::Choice(words) => {
            let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
            format!("one of {}", words.join(", "))
        }
        Shape::Scalar => "text, a number or a boolean".to_owned(),
        Shape::List(items) => format!("a list; each item: {}", shape_words(items)),
        Shape::Map(values) => format!("a table of names; each value: {}", shape_words(values)),
        Shape::Table(Section {
            short: Some(key), ..
        }) => format!("a table, or text: its `{key}`"),
        Shape::Table(_) => "a table".to_owned(),
    }
}
