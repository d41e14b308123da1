//! Continuation tokens: the state that one job of an action passes to the next.
//!
//! A token can be older than the deployed function, so its content has a version, and an action also reads the
//! version before its own. It comes back from a service that others can write to, so it is validated like any input.
//! It must not contain secrets: CodePipeline shows it to everyone who may read jobs.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::failure::{ActionError, FailureType};

/// Longest token, in characters (`API_PutJobSuccessResult`, `continuationToken`: 1 to 2048).
pub const MAX_TOKEN_CHARS: usize = 2_048;

/// The state that an action keeps between two jobs of one action execution.
pub trait Progress: Serialize + DeserializeOwned {
    /// The action whose token it is.
    const ACTION: &'static str;
    /// The version of the content; increment it with every change that older code cannot read.
    const VERSION: u32;

    /// Reads the content of an older version; `None` if that version is not supported.
    #[must_use]
    fn from_older(version: u32, content: serde_json::Value) -> Option<Self> {
        let _unread = (version, content);
        None
    }
}

/// A token of 1 to [`MAX_TOKEN_CHARS`] characters.
#[derive(Clone, PartialEq, Eq)]
pub struct ContinuationToken(String);

impl fmt::Debug for ContinuationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ContinuationToken({} characters)",
            self.0.chars().count()
        )
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<T> {
    action: String,
    version: u32,
    content: T,
}

impl ContinuationToken {
    /// Writes a token.
    ///
    /// # Errors
    ///
    /// [`ContinuationError::TooLong`] if the content does not fit.
    pub fn new<P: Progress>(progress: &P) -> Result<Self, ContinuationError> {
        let envelope = Envelope {
            action: P::ACTION.to_owned(),
            version: P::VERSION,
            content: progress,
        };
        let text = serde_json::to_string(&envelope).map_err(ContinuationError::Write)?;
        let length = text.chars().count();
        if length > MAX_TOKEN_CHARS {
            return Err(ContinuationError::TooLong { length });
        }
        Ok(Self(text))
    }

    /// Reads the progress in a job's token.
    ///
    /// # Errors
    ///
    /// [`ContinuationError`] if the token belongs to another action or has an unsupported version.
    pub fn read<P: Progress>(token: &str) -> Result<P, ContinuationError> {
        let envelope: Envelope<serde_json::Value> =
            serde_json::from_str(token).map_err(|_| ContinuationError::Unreadable)?;
        if envelope.action != P::ACTION {
            return Err(ContinuationError::OtherAction {
                action: envelope.action,
                expected: P::ACTION,
            });
        }
        if envelope.version == P::VERSION {
            return P::deserialize(envelope.content).map_err(|_| ContinuationError::Unreadable);
        }
        P::from_older(envelope.version, envelope.content).ok_or(ContinuationError::Version {
            version: envelope.version,
            newest: P::VERSION,
        })
    }

    /// The token as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A token that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ContinuationError {
    /// The progress does not fit into a token.
    #[error(
        "the continuation token would be {length} characters long; the limit is {MAX_TOKEN_CHARS}"
    )]
    TooLong {
        /// Its length, in characters.
        length: usize,
    },
    /// The progress cannot be written as JSON.
    #[error("the continuation token cannot be written")]
    Write(#[source] serde_json::Error),
    /// The text is not a token of this library.
    #[error("the continuation token cannot be read")]
    Unreadable,
    /// The token is another action's.
    #[error("the continuation token belongs to action `{action}`, not `{expected}`")]
    OtherAction {
        /// The token's action.
        action: String,
        /// The action that reads it.
        expected: &'static str,
    },
    /// The token has a version that this code does not support.
    #[error(
        "the continuation token has version {version}; this function reads versions up to {newest}"
    )]
    Version {
        /// The token's version.
        version: u32,
        /// The newest supported version.
        newest: u32,
    },
}

impl ActionError for ContinuationError {
    fn failure_type(&self) -> FailureType {
        FailureType::JobFailed
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::TooLong { .. } | Self::Write(_) => {
                "report this as a bug, with the action's configuration".to_owned()
            }
            _ => "retry the stage: the action then starts over".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Attempts {
        failed: Vec<String>,
    }

    impl Progress for Attempts {
        const ACTION: &'static str = "sample";
        const VERSION: u32 = 2;

        fn from_older(version: u32, content: serde_json::Value) -> Option<Self> {
            (version == 1).then(|| Self {
                failed: vec![content.as_str().unwrap_or("").to_owned()],
            })
        }
    }

    #[test]
    fn a_token_gives_back_what_it_was_made_of() {
        let progress = Attempts {
            failed: vec!["one".to_owned()],
        };
        let token = ContinuationToken::new(&progress).unwrap();
        assert_eq!(
            token.as_str(),
            r#"{"action":"sample","version":2,"content":{"failed":["one"]}}"#
        );
        assert_eq!(
            ContinuationToken::read::<Attempts>(token.as_str()).unwrap(),
            progress
        );
        assert_eq!(format!("{token:?}"), "ContinuationToken(60 characters)");
    }

    #[test]
    fn the_version_before_is_still_read() {
        let old = r#"{"action":"sample","version":1,"content":"one"}"#;
        let read = ContinuationToken::read::<Attempts>(old).unwrap();
        assert_eq!(
            read,
            Attempts {
                failed: vec!["one".to_owned()]
            }
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let progress = Attempts {
            failed: vec!["x".repeat(MAX_TOKEN_CHARS)],
        };
        let error = ContinuationToken::new(&progress).unwrap_err();
        assert!(
            matches!(error, ContinuationError::TooLong { length: 2_105 }),
            "{error}"
        );
    }

    #[test_case::test_case("", "the continuation token cannot be read"; "empty")]
    #[test_case::test_case(r#"{"action":"e2e","version":2,"content":{}}"#, "the continuation token belongs to action `e2e`, not `sample`"; "other action")]
    #[test_case::test_case(r#"{"action":"sample","version":9,"content":{}}"#, "the continuation token has version 9; this function reads versions up to 2"; "newer")]
    #[test_case::test_case(r#"{"action":"sample","version":2,"content":{"evil":1}}"#, "the continuation token cannot be read"; "foreign content")]
    fn a_foreign_token_is_refused(token: &str, message: &str) {
        assert_eq!(
            ContinuationToken::read::<Attempts>(token)
                .unwrap_err()
                .to_string(),
            message
        );
    }
}
