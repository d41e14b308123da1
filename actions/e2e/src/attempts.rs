//! The attempts that failed so far, which go from job to job in the continuation token.

use delivery_action::continuation::Progress;
use delivery_action::failure::cut_end;
use delivery_action::text::one_line;
use delivery_node::task::TaskError;
use serde::{Deserialize, Serialize};

/// Longest description of one failed attempt, in characters: even with every character escaped, the maximum
/// number of attempts fits into a token.
const MAX_ATTEMPT_CHARS: usize = 80;

/// The attempts that failed, one line each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempts {
    failed: Vec<String>,
}

impl Progress for Attempts {
    const ACTION: &'static str = "e2e";
    const VERSION: u32 = 1;
}

impl Attempts {
    /// How many attempts failed.
    #[must_use]
    pub fn failed(&self) -> u32 {
        u32::try_from(self.failed.len()).unwrap_or(u32::MAX)
    }

    /// How the last of them failed.
    #[must_use]
    pub fn last(&self) -> Option<&str> {
        self.failed.last().map(String::as_str)
    }

    /// Adds an attempt that failed.
    pub(crate) fn add(&mut self, error: &TaskError) {
        let text = match error {
            TaskError::Failed {
                report: Some(report),
                ..
            } if report.failed > 0 => {
                format!(
                    "{} of {} tests: {}",
                    report.failed,
                    report.tests,
                    report.failed_names.join(", ")
                )
            }
            TaskError::Failed { ended, .. } => ended.to_string(),
            other => other.to_string(),
        };
        // CodePipeline shows tokens, so no secrets in them.
        self.failed
            .push(cut_end(&one_line(&text), MAX_ATTEMPT_CHARS));
    }
}

impl std::fmt::Display for Attempts {
    /// `1: 2 of 5 tests: a, b; 2: 1 of 5 tests: a`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, attempt) in self.failed.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {attempt}", index + 1)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use delivery_action::continuation::ContinuationToken;

    use super::*;
    use crate::MAX_RETRIES;

    #[test]
    fn the_most_and_longest_attempts_fit_into_a_token() {
        let attempts = Attempts {
            failed: vec!["\"".repeat(MAX_ATTEMPT_CHARS); MAX_RETRIES as usize],
        };
        let token = ContinuationToken::new(&attempts).unwrap();
        assert_eq!(
            ContinuationToken::read::<Attempts>(token.as_str()).unwrap(),
            attempts
        );
    }

    #[test]
    fn the_recorded_token_of_version_1_is_read() {
        let token = include_str!("../tests/it/data/tokens/1.json").trim_end();
        let attempts = ContinuationToken::read::<Attempts>(token).unwrap();
        assert_eq!(attempts.to_string(), "1: 1 of 5 tests: greeter answers");
        assert_eq!(ContinuationToken::new(&attempts).unwrap().as_str(), token);
    }
}
