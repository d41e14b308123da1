//! How values are written on the command line.

use std::time::Duration;

/// A duration (`90s`, `20m`).
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write it as `90s` or `20m`"))
}

/// A parameter of the template.
pub(super) fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as `KEY=VALUE`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_keys_and_values() {
        assert_eq!(parameter("A=b=c"), Ok(("A".to_owned(), "b=c".to_owned())));
        assert_eq!(parameter("A"), Err("write it as `KEY=VALUE`".to_owned()));
        assert_eq!(parameter("=b"), Err("write it as `KEY=VALUE`".to_owned()));
    }

    #[test]
    fn a_wrong_duration_is_told_the_form() {
        assert_eq!(
            duration("soon").unwrap_err(),
            "expected number at 0; write it as `90s` or `20m`"
        );
    }
}
