//! How long an environment stays.

use crate::form::{TextForm, must_be};
use crate::value::duration::{self, Span};

/// When an environment is removed by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// So long after its last deployment.
    After(Span),
    /// At the next such time of day, in the environment's `timezone`.
    At {
        /// From 0 to 23.
        hour: u8,
        /// From 0 to 59.
        minute: u8,
    },
}

impl TextForm for Ttl {
    const IS: &'static str =
        "a duration since the last deployment (`4h`) or a time of day (`20:00`), in quotes";
    const PATTERN: Option<&'static str> =
        Some("^([0-9]{1,8}[smhd]|([01][0-9]|2[0-3]):[0-5][0-9])$");

    fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((hour, minute)) => {
                let hour = two_digits(hour, 23).ok_or_else(must_be::<Self>)?;
                let minute = two_digits(minute, 59).ok_or_else(must_be::<Self>)?;
                Ok(Self::At { hour, minute })
            }
            None if duration::parse(text).is_some() => Span::parse(text).map(Self::After),
            None => Err(must_be::<Self>()),
        }
    }
}

fn two_digits(text: &str, most: u8) -> Option<u8> {
    let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok())??;
    (number <= most).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use test_case::test_case;

    #[test_case("4h", Ttl::After(Span(Duration::from_hours(4))))]
    #[test_case("20:00", Ttl::At { hour: 20, minute: 0 })]
    #[test_case("07:59", Ttl::At { hour: 7, minute: 59 })]
    fn environments_end_after_or_at(text: &str, expected: Ttl) {
        assert_eq!(Ttl::parse(text), Ok(expected));
    }

    #[test_case("24:00")]
    #[test_case("7:00"; "one digit")]
    #[test_case("20:60")]
    #[test_case("20:00:00"; "seconds")]
    #[test_case("tonight")]
    fn other_texts_are_refused(text: &str) {
        assert_eq!(Ttl::parse(text), Err(must_be::<Ttl>()));
    }
}
