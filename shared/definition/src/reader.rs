//! Reads values one after the other and goes on after each mistake.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::lines::Lines;
use crate::mistake::Mistake;
use crate::nearest::{advice, nearest};
use crate::section::Key;
use crate::support::NotYet;

pub(crate) type Value<'a> = Spanned<DeValue<'a>>;

/// Keys of the file that were once known, and what to do instead.
const REMOVED: [(&str, &str); 1] = [(
    "packages",
    "remove it and pass the folder with `--packages DIR` or `DELIVERY_PACKAGES`: packages run with the permissions of \
     the deploy functions, so the delivered repository must not choose them",
)];

/// Where in the file the reader is, and what it has found.
#[derive(Debug)]
pub(crate) struct Reader {
    lines: Lines,
    path: Vec<Place>,
    /// All that is wrong so far.
    pub(crate) mistakes: Vec<Mistake>,
    /// Whether some of them are values that could not be read: what is checked then may lack them.
    pub(crate) values_are_missing: bool,
    /// The keys that are read and not applied.
    pub(crate) not_yet: Vec<NotYet>,
    absent: Vec<Absent>,
}

/// A name of something that does not exist.
#[derive(Debug)]
struct Absent {
    /// `service` or `environment`.
    kind: &'static str,
    name: String,
    line: usize,
    place: String,
    next: String,
}

#[derive(Debug)]
struct Place {
    name: String,
    /// `key = "value"`, of a key that is documented.
    example: Option<String>,
}

impl Reader {
    pub(crate) fn new(text: &[u8]) -> Self {
        Self {
            lines: Lines::of(text),
            path: Vec::new(),
            mistakes: Vec::new(),
            values_are_missing: false,
            not_yet: Vec::new(),
            absent: Vec::new(),
        }
    }

    pub(crate) fn line(&self, span: &Range<usize>) -> usize {
        self.lines.at(span.start)
    }

    /// The keys that lead here: `services.restapi.build`.
    pub(crate) fn path(&self) -> String {
        let mut path = String::new();
        for place in &self.path {
            if !path.is_empty() && !place.name.starts_with('[') {
                path.push('.');
            }
            path.push_str(&place.name);
        }
        path
    }

    pub(crate) fn report(&mut self, line: usize, what: impl AsRef<str>, next: impl AsRef<str>) {
        self.mistakes
            .push(Mistake::new(line, what.as_ref(), next.as_ref()));
    }

    /// Notes that something is named which does not exist; [`Self::report_absent`] reports it.
    pub(crate) fn absent(
        &mut self,
        kind: &'static str,
        name: &str,
        line: usize,
        place: &str,
        next: String,
    ) {
        self.absent.push(Absent {
            kind,
            name: name.to_owned(),
            line,
            place: place.to_owned(),
            next,
        });
    }

    /// Reports each name of something that does not exist once, whatever names it. What stands on a line with another mistake
    /// may only follow from that.
    pub(crate) fn report_absent(&mut self, is_wrong: impl Fn(usize) -> bool) {
        let mut absent = std::mem::take(&mut self.absent);
        absent.retain(|one| !is_wrong(one.line));
        absent.sort_by_key(|one| one.line);
        let mut lines: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for one in &absent {
            let key = (one.kind, one.name.clone());
            lines.entry(key).or_default().push(one.line);
        }
        for first in absent {
            let Absent { kind, name, .. } = &first;
            let Some(lines) = lines.remove(&(*kind, name.clone())) else {
                continue; // it was reported with the first
            };
            let place = &first.place;
            let what = format!("{place} names the {kind} `{name}`, which does not exist");
            let mistake = Mistake::new(first.line, &what, &first.next);
            self.mistakes.push(mistake.on(&lines));
        }
    }

    /// Reads what a documented key has.
    pub(crate) fn key<T>(
        &mut self,
        key: &Key,
        line: usize,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let example = key.example.map(|value| format!("{} = {value}", key.name));
        self.path.push(Place {
            name: key.name.to_owned(),
            example,
        });
        if key.not_yet {
            self.not_yet.push(NotYet::new(line, self.path()));
        }
        let read = read(self);
        self.path.pop();
        read
    }

    /// Reads what stands under a name of the user's, or at a position (`[2]`).
    pub(crate) fn under<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(Place {
            name: name.to_owned(),
            example: None,
        });
        let read = read(self);
        self.path.pop();
        read
    }

    /// The entries of a table in the order of the file.
    pub(crate) fn table<'v, 'i>(
        &mut self,
        value: &'v Value<'i>,
        expected: &str,
    ) -> Option<Vec<Entry<'v, 'i>>> {
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong_type(value, expected);
            return None;
        };
        Some(self.entries(table))
    }

    fn entries<'v, 'i>(&self, table: &'v DeTable<'i>) -> Vec<Entry<'v, 'i>> {
        let mut entries: Vec<_> = table
            .iter()
            .map(|(name, value)| (name.span().start, name, value))
            .collect();
        // The parser sorts them by name.
        entries.sort_by_key(|(start, ..)| *start);
        entries
            .into_iter()
            .map(|(_, name, value)| Entry {
                name: name.get_ref(),
                line: self.line(&name.span()),
                value,
            })
            .collect()
    }

    pub(crate) fn wrong_type(&mut self, value: &Value<'_>, expected: &str) {
        let what = format!(
            "`{}` is {}; it must be {expected}",
            self.path(),
            type_of(value.get_ref())
        );
        let next = self.example();
        self.report(self.line(&value.span()), what, next);
    }

    pub(crate) fn wrong_value(&mut self, value: &Value<'_>, shown: &str, why: &str) {
        let what = format!("`{}` is `{shown}`: {why}", self.path());
        let next = self.example();
        self.report(self.line(&value.span()), what, next);
    }

    pub(crate) fn unknown(&mut self, name: &str, line: usize, known: &[&'static str]) {
        let inside = match self.path() {
            path if path.is_empty() => String::new(),
            path => format!(" in `{path}`"),
        };
        let next = match REMOVED.iter().find(|(key, _)| *key == name) {
            Some((_, instead)) if inside.is_empty() => (*instead).to_owned(),
            _ => advice(name, known.iter().copied(), "keys"),
        };
        self.report(line, format!("unknown key `{name}`{inside}"), next);
    }

    /// Reports that a table lacks a key, unless one of its unknown keys is that one misspelt, which was reported.
    pub(crate) fn missing(
        &mut self,
        line: usize,
        key: &Key,
        entries: &[Entry<'_, '_>],
        known: &[&'static str],
    ) {
        let is_meant = |entry: &Entry<'_, '_>| {
            entry.name == key.name || nearest(entry.name, known.iter().copied()) == Some(key.name)
        };
        if entries.iter().any(is_meant) {
            return;
        }
        let what = format!("`{}` has no `{}`", self.path(), key.name);
        let next = format!(
            "add it, for example: {} = {}",
            key.name,
            key.example.unwrap_or("\"...\"")
        );
        self.report(line, what, next);
    }

    /// How the nearest documented key around is written.
    fn example(&self) -> String {
        let example = self
            .path
            .iter()
            .rev()
            .find_map(|place| place.example.as_deref());
        match example {
            Some(example) => format!("for example: {example}"),
            None => "correct it, or remove it".to_owned(),
        }
    }
}

/// One entry of a table.
#[derive(Debug)]
pub(crate) struct Entry<'v, 'i> {
    pub(crate) name: &'v str,
    pub(crate) line: usize,
    pub(crate) value: &'v Value<'i>,
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
