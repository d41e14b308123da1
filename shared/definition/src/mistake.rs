//! What is wrong in a file: where, what, and what to do next.

use std::collections::BTreeMap;
use std::fmt;

/// The longest text of a mistake, in characters: what a file repeats or nests without end is not worth reading.
const LONGEST: usize = 2000;

/// Further lines of a mistake that are named one by one.
const MOST_LINES: usize = 5;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1; it is a line of the file.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to do next.
    pub next: String,
}

impl Mistake {
    /// `what` and `next` may have text of the file: a terminal must not take it as commands.
    #[must_use]
    pub fn new(line: usize, what: &str, next: &str) -> Self {
        Self {
            line,
            what: printable(what),
            next: printable(next),
        }
    }

    /// The same mistake on several lines, of which its own is the first.
    #[must_use]
    pub(crate) fn on(mut self, lines: &[usize]) -> Self {
        let mut others: Vec<usize> = lines.to_vec();
        others.sort_unstable();
        others.dedup();
        others.retain(|line| *line != self.line);
        let listed: Vec<String> = others.iter().map(usize::to_string).collect();
        let also = match listed.as_slice() {
            [] => return self,
            [line] => format!(" (also on line {line})"),
            many if many.len() > MOST_LINES => format!(" (also on {} other lines)", many.len()),
            [lines @ .., last] => format!(" (also on lines {} and {last})", lines.join(", ")),
        };
        self.what.push_str(&also);
        self
    }
}

/// On one line, without control characters, and not too long.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for (place, letter) in text.chars().enumerate() {
        if place == LONGEST {
            printable.push_str("...");
            break;
        }
        if letter.is_control() {
            printable.extend(letter.escape_default());
        } else {
            printable.push(letter);
        }
    }
    printable
}

/// All that is wrong in a file, in the order of its lines; there is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    file: String,
    mistakes: Vec<Mistake>,
}

impl Mistakes {
    /// `None` where nothing is wrong. `file` is what messages call the file.
    #[must_use]
    pub fn new(file: &str, mut mistakes: Vec<Mistake>) -> Option<Self> {
        if mistakes.is_empty() {
            return None;
        }
        mistakes.sort_by_key(|mistake| mistake.line);
        Some(Self {
            file: file.to_owned(),
            mistakes: merged(mistakes),
        })
    }

    /// The file, as the caller named it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The mistakes, in the order of their lines.
    pub fn iter(&self) -> std::slice::Iter<'_, Mistake> {
        self.mistakes.iter()
    }
}

/// What is wrong in the same way on several lines is one mistake. They are in the order of their lines.
fn merged(mistakes: Vec<Mistake>) -> Vec<Mistake> {
    let key = |one: &Mistake| (one.what.clone(), one.next.clone());
    let mut lines: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for one in &mistakes {
        lines.entry(key(one)).or_default().push(one.line);
    }
    let first = |one: Mistake| {
        let lines = lines.remove(&key(&one))?;
        Some(one.on(&lines))
    };
    mistakes.into_iter().filter_map(first).collect()
}

impl IntoIterator for Mistakes {
    type Item = Mistake;
    type IntoIter = std::vec::IntoIter<Mistake>;

    fn into_iter(self) -> Self::IntoIter {
        self.mistakes.into_iter()
    }
}

impl<'a> IntoIterator for &'a Mistakes {
    type Item = &'a Mistake;
    type IntoIter = std::slice::Iter<'a, Mistake>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, mistake) in self.mistakes.iter().enumerate() {
            if place > 0 {
                writeln!(f)?;
            }
            writeln!(f, "{}:{}: {}", self.file, mistake.line, mistake.what)?;
            write!(f, "  {}", mistake.next)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
