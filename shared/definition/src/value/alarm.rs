//! Alarms that are watched in a rollout.

use delivery_rollout::MAX_ALARM_CHARS;

use crate::form::{TextForm, must_be};

/// The name of a `CloudWatch` alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmName(pub String);

impl TextForm for AlarmName {
    // deploy-app gets all names in one parameter, with commas between them.
    const IS: &'static str =
        "the name of a CloudWatch alarm, without commas and without blanks around it";
    const PATTERN: Option<&'static str> = Some("^[^,]{1,255}$");

    fn parse(text: &str) -> Result<Self, String> {
        let fits = (1..=MAX_ALARM_CHARS).contains(&text.chars().count());
        let is_plain = text.trim() == text && !text.contains(',');
        (fits && is_plain && !text.contains(char::is_control))
            .then(|| Self(text.to_owned()))
            .ok_or_else(must_be::<Self>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case("checkout-errors", true)]
    #[test_case("Fehler im Bezahlvorgang (Kasse)", true; "words")]
    #[test_case("", false; "nothing")]
    #[test_case("one,two", false; "two in one")]
    #[test_case(" one", false; "a blank before it")]
    #[test_case(&"x".repeat(256), false; "more than CloudWatch takes")]
    fn alarms_are_named(text: &str, fits: bool) {
        assert_eq!(AlarmName::parse(text).is_ok(), fits);
    }
}
