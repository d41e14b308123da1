//! Errors in `UserParameters`.

use super::MAX_RESOLVED_CHARS;
use crate::failure::{ActionError, FailureType};

/// An error in an action's `UserParameters`. Values are never shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParametersError {
    /// Longer than any action reads.
    #[error("`UserParameters` is {length} characters long; the limit is {MAX_RESOLVED_CHARS}")]
    TooLong {
        /// Its length, in characters.
        length: usize,
    },
    /// It begins with `{` and is not one JSON object of strings, numbers and booleans.
    #[error(
        "`UserParameters` is not one JSON object of strings, numbers and booleans \
         (line {line}, column {column})"
    )]
    Json {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A part of the query string has no `=`.
    #[error("`UserParameters` has `{key}` without a value")]
    NoValue {
        /// The key.
        key: String,
    },
    /// A part of the query string has nothing before its `=`.
    #[error("`UserParameters` has a value without a key")]
    NoKey,
    /// A `%` that is not followed by two hexadecimal digits, or escapes that are not UTF-8.
    #[error("`UserParameters` has a broken percent escape at `{key}`")]
    Escape {
        /// The key.
        key: String,
    },
    /// A duplicate key.
    #[error("`UserParameters` has `{key}` twice")]
    Twice {
        /// The key.
        key: String,
    },
    /// A key that the action does not take.
    #[error("`UserParameters` has an unknown key `{key}`; known keys are {}", quoted(.known))]
    Unknown {
        /// The key.
        key: String,
        /// The known keys.
        known: Vec<String>,
    },
    /// A key that the action needs.
    #[error("`UserParameters` lacks `{key}`")]
    Missing {
        /// The key.
        key: String,
    },
    /// An invalid value.
    #[error("`{key}` in `UserParameters` is not valid: expected {expected}")]
    Invalid {
        /// The key.
        key: String,
        /// What is expected.
        expected: String,
    },
}

impl ActionError for ParametersError {
    fn failure_type(&self) -> FailureType {
        FailureType::ConfigurationError
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::TooLong { .. } => "shorten the action's `UserParameters`",
                Self::Json { .. } => {
                    "write one object such as {\"task\":\"package\"}, without nesting"
                }
                Self::NoValue { .. } | Self::NoKey => {
                    "write `key=value` pairs joined by `&`, such as `task=package&runner=npm`"
                }
                Self::Escape { .. } => "write `%` in a value as `%25`",
                Self::Twice { .. } => "remove one of the two from the action's `UserParameters`",
                Self::Unknown { .. } => {
                    "correct or remove the key in the action's `UserParameters`"
                }
                Self::Missing { .. } => "add the key to the action's `UserParameters`",
                Self::Invalid { .. } => "correct the value in the action's `UserParameters`",
            }
            .to_owned(),
        )
    }
}

pub(super) fn quoted<S: AsRef<str>>(names: &[S]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names
        .iter()
        .map(|name| format!("`{}`", name.as_ref()))
        .collect::<Vec<_>>()
        .join(", ")
}
