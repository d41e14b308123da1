//! What is read and checked, and not applied yet.

use std::fmt;

/// A key that is set and has no effect yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotYet {
    /// The line, from 1.
    pub line: usize,
    /// The keys that lead to it: `environments.qa.ttl`.
    pub key: String,
}

impl NotYet {
    pub(crate) fn new(line: usize, key: String) -> Self {
        Self { line, key }
    }
}

impl fmt::Display for NotYet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` in line {} is not applied yet", self.key, self.line)
    }
}
