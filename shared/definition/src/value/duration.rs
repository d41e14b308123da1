//! A length of time: `30s`, `5m`, `4h`, `7d`.

use std::time::Duration;

use crate::form::{TextForm, must_be};

/// The longest length of time: what is meant to last longer has no limit at all.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl TextForm for Span {
    const IS: &'static str = "a duration: a number and `s`, `m`, `h` or `d`";
    const PATTERN: Option<&'static str> = Some("^[0-9]{1,8}[smhd]$");

    fn parse(text: &str) -> Result<Self, String> {
        let duration = parse(text).ok_or_else(must_be::<Self>)?;
        if duration.is_zero() {
            return Err("it must be longer than nothing".to_owned());
        }
        if duration > LONGEST {
            return Err("it must be at most `365d`".to_owned());
        }
        Ok(Self(duration))
    }
}

/// A number and a unit; nothing else is a duration.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let number = text.strip_suffix(['s', 'm', 'h', 'd'])?;
    let whole =
        !number.is_empty() && number.len() <= 8 && number.bytes().all(|b| b.is_ascii_digit());
    let number: u64 = whole.then(|| number.parse().ok())??;
    let unit = match text.as_bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 60 * 60,
        _ => 24 * 60 * 60,
    };
    Some(Duration::from_secs(number * unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case("30s", Some(30))]
    #[test_case("5m", Some(300))]
    #[test_case("4h", Some(14_400))]
    #[test_case("7d", Some(604_800))]
    #[test_case("4", None; "no unit")]
    #[test_case("h", None; "no number")]
    #[test_case("-4h", None; "a sign")]
    #[test_case("1h30m", None; "two units")]
    #[test_case("999999999h", None; "more digits than anyone means")]
    fn durations_are_a_number_and_a_unit(text: &str, seconds: Option<u64>) {
        assert_eq!(parse(text), seconds.map(Duration::from_secs));
    }

    #[test_case("0h", "it must be longer than nothing")]
    #[test_case("366d", "it must be at most `365d`")]
    fn durations_have_limits(text: &str, why: &str) {
        assert_eq!(Span::parse(text), Err(why.to_owned()));
    }
}
