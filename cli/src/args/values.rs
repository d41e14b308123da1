//! How values are written on the command line.

use std::time::Duration;

/// A duration (`90s`, `20m`).
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write it as `90s` or `20m`"))
}

/// How many are shown.
pub(super) fn count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| "write a number from 1 on".to_owned())
}

/// A parameter of the template.
pub(super) fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as `KEY=VALUE`".to_owned()),
    }
}

/// The value of a flag's environment variable; the flag itself takes no value.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "on" => Ok(true),
        "" | "0" | "no" | "n" | "false" | "off" => Ok(false),
        _ => Err("write it as 1, 0, yes, no, true or false".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_of_a_flag_is_written_as_people_write_it() {
        for yes in ["1", "yes", "TRUE", "on"] {
            assert_eq!(boolean(yes), Ok(true), "{yes}");
        }
        for no in ["0", "no", "False", "off", ""] {
            assert_eq!(boolean(no), Ok(false), "{no}");
        }
        assert!(boolean("maybe").is_err());
    }

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
