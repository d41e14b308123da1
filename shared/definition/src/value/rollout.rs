//! How an alias moves from the old version to the new one.

use delivery_rollout::{Strategy, StrategyError};

use crate::form::{TextForm, must_be};

impl TextForm for Strategy {
    const IS: &'static str = Self::FORM;

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error| match error {
            StrategyError::Form => must_be::<Self>(),
            error => error.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case("blue-green", &must_be::<Strategy>())]
    #[test_case("canary:100@5m", "`100` must be a percentage from 0.1 to 99.9")]
    fn other_strategies_are_refused(text: &str, why: &str) {
        assert_eq!(Strategy::parse(text), Err(why.to_owned()));
    }
}
