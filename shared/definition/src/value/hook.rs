//! Functions that are asked in a rollout.

use crate::form::{TextForm, must_be};

/// The most characters of a function's name and of an alias's (`API_CreateFunction`, `API_CreateAlias`).
const LONGEST_NAME: usize = 64;
const LONGEST_ALIAS: usize = 128;

/// A Lambda function in the pipeline's account and region: `NAME`, `NAME:ALIAS` or `NAME:VERSION`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct HookFunction(pub String);

impl TextForm for HookFunction {
    const IS: &'static str = "the name of a function in the pipeline's account and region, with `:ALIAS` or `:VERSION` if one is meant";
    const PATTERN: Option<&'static str> = Some("^[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9_-]{1,128})?$");

    fn parse(text: &str) -> Result<Self, String> {
        let is_word = |word: &str, most: usize| {
            let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            (1..=most).contains(&word.len()) && word.bytes().all(known)
        };
        let fits = match text.split_once(':') {
            None => is_word(text, LONGEST_NAME),
            Some((name, alias)) => is_word(name, LONGEST_NAME) && is_word(alias, LONGEST_ALIAS),
        };
        fits.then(|| Self(text.to_owned()))
            .ok_or_else(must_be::<Self>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case("check-release", true)]
    #[test_case("check-release:live", true; "an alias")]
    #[test_case("check_release:12", true; "a version")]
    #[test_case("", false; "nothing")]
    #[test_case("check release", false; "a blank")]
    #[test_case("check:", false; "no alias")]
    #[test_case("check:a:b", false; "two aliases")]
    #[test_case("check:$LATEST", false; "what has no version")]
    #[test_case("arn:aws:lambda:eu-west-1:111111111111:function:check", false; "an ARN")]
    fn functions_are_named(text: &str, fits: bool) {
        assert_eq!(HookFunction::parse(text).is_ok(), fits);
    }
}
