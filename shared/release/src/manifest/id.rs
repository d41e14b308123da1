//! The id of a release: the hash of its manifest.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::digest::Digest;

/// Digits of an id. 64 bits tell apart 6 million releases with one chance in a million that two of them meet, and two that
/// meet are told apart by their bytes when the second is published.
const DIGITS: usize = 16;

/// The id of a release: the first 16 hexadecimal digits of its manifest's SHA-256.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseId(String);

impl ReleaseId {
    /// The id of a manifest of these bytes.
    #[must_use]
    pub fn of(manifest: &[u8]) -> Self {
        let digits = Digest::of(manifest).to_string();
        Self(digits[..DIGITS].to_owned())
    }

    /// Its digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReleaseId({self})")
    }
}

/// A text is not the id of a release.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the id of a release: expected {DIGITS} lower-case hexadecimal digits")]
pub struct NotAnId(pub String);

impl FromStr for ReleaseId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == DIGITS && text.bytes().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAnId(text.to_owned()))
        }
    }
}

impl Serialize for ReleaseId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ReleaseId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for ReleaseId {
    fn schema_name() -> Cow<'static, str> {
        "ReleaseId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The id of a release: the first 16 digits of its manifest's SHA-256.",
            "type": "string",
            "pattern": "^[0-9a-f]{16}$",
        })
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test]
    fn an_id_is_what_sha256sum_says_of_the_file() {
        let id = ReleaseId::of(b"abc");
        assert_eq!(id.as_str(), "ba7816bf8f01cfea");
        assert_eq!("ba7816bf8f01cfea".parse(), Ok(id));
    }

    #[test_case("ba7816bf8f01cfe"; "short")]
    #[test_case("BA7816BF8F01CFEA"; "upper case")]
    #[test_case("../../secret-key"; "a path")]
    fn other_texts_are_refused(text: &str) {
        assert_eq!(text.parse::<ReleaseId>(), Err(NotAnId(text.to_owned())));
    }
}
