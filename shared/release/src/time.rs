//! Points in time as they stand in keys and documents: whole seconds, in UTC.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serializer, de};

/// The form in keys: sorted as texts they are sorted by time.
const COMPACT: &str = "%Y%m%dT%H%M%SZ";

/// A point in time without fractions of a second.
pub(crate) fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// As it stands in keys: `20261127T203350Z`.
pub(crate) fn compact(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime(COMPACT).to_string()
}

/// Reads what [`compact`] wrote.
pub(crate) fn from_compact(text: &str) -> Option<Timestamp> {
    let civil = jiff::civil::DateTime::strptime(COMPACT, text).ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

pub(crate) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(de::Error::custom)
}

/// A point in time that may be missing.
pub(crate) mod optional {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(transparent)]
    struct At(#[serde(with = "super")] Timestamp);

    #[expect(clippy::ref_option, reason = "serde passes references")]
    pub(crate) fn serialize<S: Serializer>(
        at: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => super::serialize(at, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let at = Option::<At>::deserialize(deserializer)?;
        Ok(at.map(|At(at)| at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_it_is_written() {
        let at: Timestamp = "2026-11-27T20:33:50.25Z".parse().unwrap();
        let whole = whole_seconds(at);
        assert_eq!(whole.to_string(), "2026-11-27T20:33:50Z");
        assert_eq!(compact(at), "20261127T203350Z");
        assert_eq!(from_compact("20261127T203350Z"), Some(whole));
        assert_eq!(from_compact("2026-11-27"), None);
    }
}
