//! Where an environment is: account, region and role.

use crate::form::{TextForm, must_be};

/// An AWS account: 12 digits, which may begin with zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account(pub String);

impl TextForm for Account {
    const IS: &'static str = "the 12 digits of an AWS account, in quotes";
    const PATTERN: Option<&'static str> = Some("^[0-9]{12}$");

    fn parse(text: &str) -> Result<Self, String> {
        let digits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits
            .then(|| Self(text.to_owned()))
            .ok_or_else(must_be::<Self>)
    }
}

/// An AWS region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region(pub String);

impl TextForm for Region {
    const IS: &'static str = "an AWS region, such as `eu-central-1`";
    const PATTERN: Option<&'static str> = Some("^[a-z]{2,4}(-[a-z]+)+-[0-9]$");

    fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<_> = text.split('-').collect();
        let word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
        let fits = parts.len() >= 3
            && (2..=4).contains(&parts[0].len())
            && parts[..parts.len() - 1].iter().all(word)
            && matches!(parts[parts.len() - 1].as_bytes(), [digit] if digit.is_ascii_digit());
        fits.then(|| Self(text.to_owned()))
            .ok_or_else(must_be::<Self>)
    }
}

/// The role that deploys in an account, by name or by ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role(pub String);

impl TextForm for Role {
    const IS: &'static str = "the name or the ARN of an IAM role";

    fn parse(text: &str) -> Result<Self, String> {
        // `arn:PARTITION:iam::ACCOUNT:role/PATH/NAME`
        let name = match text.strip_prefix("arn:") {
            None => Some(text),
            Some(arn) => match arn.split(':').collect::<Vec<_>>()[..] {
                [partition, "iam", "", account, role]
                    if partition.starts_with("aws") && Account::parse(account).is_ok() =>
                {
                    role.strip_prefix("role/")
                        .and_then(|path| path.rsplit('/').next())
                }
                _ => None,
            },
        };
        // https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html
        let fits = |name: &str| {
            (1..=64).contains(&name.len())
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
        };
        name.is_some_and(fits)
            .then(|| Self(text.to_owned()))
            .ok_or_else(must_be::<Self>)
    }
}

/// A time zone by its name in the tz database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeZone(pub String);

impl TextForm for TimeZone {
    const IS: &'static str = "a time zone, such as `Europe/Berlin` or `UTC`";
    const PATTERN: Option<&'static str> = Some("^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$");

    fn parse(text: &str) -> Result<Self, String> {
        let part = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"_+-".contains(&b))
        };
        let fits = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.split('/').all(part);
        fits.then(|| Self(text.to_owned()))
            .ok_or_else(must_be::<Self>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use test_case::test_case;

    #[test_case(Account::parse("012345678901").is_ok(), true)]
    #[test_case(Account::parse("12345678901").is_ok(), false)]
    #[test_case(Region::parse("us-gov-west-1").is_ok(), true)]
    #[test_case(Region::parse("eu-west").is_ok(), false)]
    #[test_case(Region::parse("EU-west-1").is_ok(), false)]
    #[test_case(Role::parse("workshop-deploy").is_ok(), true)]
    #[test_case(Role::parse("arn:aws:iam::012345678901:role/path/deploy").is_ok(), true)]
    #[test_case(Role::parse("arn:aws:iam::012345678901:user/deploy").is_ok(), false)]
    #[test_case(Role::parse("").is_ok(), false)]
    #[test_case(TimeZone::parse("America/Argentina/Ushuaia").is_ok(), true)]
    #[test_case(TimeZone::parse("Europe/").is_ok(), false)]
    fn places_have_a_form(fits: bool, expected: bool) {
        assert_eq!(fits, expected);
    }
}
