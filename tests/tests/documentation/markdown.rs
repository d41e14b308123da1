//! The repository's documents as their readers see them: headings, links, code.

use std::fs;
use std::path::{Path, PathBuf};

use pipeline_tests::checkout;
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// Folders whose documents are not the repository's own.
const NOT_OURS: [&str; 3] = ["target", "node_modules", "corpus"];

/// One Markdown file.
pub(crate) struct Document {
    /// Its path, relative to the checkout.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
    /// Its fenced code.
    pub(crate) blocks: Vec<Block>,
    /// Its headings, in order.
    pub(crate) headings: Vec<Heading>,
    /// Where its links lead.
    pub(crate) links: Vec<String>,
    /// Code inside of sentences and tables.
    pub(crate) spans: Vec<String>,
}

/// Fenced code.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// The line that it begins at, from 1.
    pub(crate) line: usize,
    /// The language.
    pub(crate) language: String,
    /// What follows the language.
    pub(crate) notes: String,
    /// The code.
    pub(crate) text: String,
}

/// A heading.
#[derive(Clone, Debug)]
pub(crate) struct Heading {
    /// From 1.
    pub(crate) level: usize,
    /// Its text, with the marks of code.
    pub(crate) text: String,
    /// What a link to it ends with.
    pub(crate) anchor: String,
}

/// Every document of the repository, by path.
pub(crate) fn documents() -> Vec<Document> {
    let root = checkout::root();
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
            read(name)
        })
        .collect()
}

/// One document, by its path relative to the checkout.
pub(crate) fn read(path: &str) -> Document {
    let text = fs::read_to_string(checkout::root().join(path))
        .unwrap_or_else(|error| panic!("{path} cannot be read: {error}"));
    parse(path, text)
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        if name.starts_with('.') || NOT_OURS.contains(&name.as_str()) {
            continue;
        }
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
}

fn parse(path: &str, text: String) -> Document {
    let mut document = Document {
        path: path.to_owned(),
        text,
        blocks: Vec::new(),
        headings: Vec::new(),
        links: Vec::new(),
        spans: Vec::new(),
    };
    let text = document.text.clone();
    let mut block: Option<Block> = None;
    let mut heading: Option<(usize, String)> = None;
    for (event, range) in Parser::new_ext(&text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                let line = text[..range.start].matches('\n').count() + 1;
                block = Some(begin(line, &kind));
            }
            Event::End(TagEnd::CodeBlock) => document.blocks.extend(block.take()),
            Event::Start(Tag::Heading { level, .. }) => {
                heading = Some((level as usize, String::new()));
            }
            Event::End(TagEnd::Heading(_)) => {
                let (level, text) = heading.take().unwrap();
                document.add_heading(level, text);
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                document.links.push(dest_url.into_string());
            }
            Event::Code(code) => {
                if let Some((_, text)) = &mut heading {
                    text.push('`');
                    text.push_str(&code);
                    text.push('`');
                }
                document.spans.push(code.into_string());
            }
            Event::Text(part) => {
                if let Some(block) = &mut block {
                    block.text.push_str(&part);
                } else if let Some((_, text)) = &mut heading {
                    text.push_str(&part);
                }
            }
            _ => {}
        }
    }
    document
}

fn begin(line: usize, kind: &CodeBlockKind<'_>) -> Block {
    let info = match kind {
        CodeBlockKind::Fenced(info) => info.trim(),
        CodeBlockKind::Indented => "",
    };
    let (language, notes) = info.split_once(' ').unwrap_or((info, ""));
    Block {
        line,
        language: language.to_owned(),
        notes: notes.trim().to_owned(),
        text: String::new(),
    }
}

impl Document {
    fn add_heading(&mut self, level: usize, text: String) {
        let plain = anchor(&text);
        let before = self
            .headings
            .iter()
            .filter(|other| anchor(&other.text) == plain);
        let anchor = match before.count() {
            0 => plain,
            earlier => format!("{plain}-{earlier}"),
        };
        self.headings.push(Heading {
            level,
            text,
            anchor,
        });
    }
}

/// What GitHub makes of a heading: letters, digits, `-` and `_` stay, blanks become `-`.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || matches!(c, '-' | '_') => Some(c),
            _ => None,
        })
        .collect()
}

#[test]
fn anchors_are_those_that_github_makes() {
    assert_eq!(anchor("`delivery local env`"), "delivery-local-env");
    assert_eq!(anchor("What it costs, in all"), "what-it-costs-in-all");
    let document = parse("x.md", "# A b\n\n## A b\n".to_owned());
    let anchors: Vec<_> = document
        .headings
        .iter()
        .map(|h| h.anchor.as_str())
        .collect();
    assert_eq!(anchors, ["a-b", "a-b-1"]);
}
