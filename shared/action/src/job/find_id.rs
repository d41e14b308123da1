//! Finds the job id in an event that cannot be parsed as a whole.
//!
//! Problem: a failure can only be reported with the job's id. An event that does not parse would leave the
//! pipeline waiting for 20 minutes, although the id is usually intact.
//!
//! Seen: events that `serde_json::from_str` refuses because a part of them is nested deeper than its recursion limit,
//! contains half a surrogate pair or a number out of range, or is cut off. The input of one pipeline action can cause
//! this, for example by its `UserParameters`.
//!
//! Solution: a visitor that follows only the path `CodePipeline.job` / `id`, and skips everything else with
//! `IgnoredAny`, which neither recurses nor decodes strings. The id counts even if parsing fails after it. Like
//! in a map, the last of several equal keys wins.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{EVENT_KEY, JobId};

/// The job id in the text of an event, whatever else the text contains; `None` if there is no id.
#[must_use]
pub fn job_id_in(event: &str) -> Option<JobId> {
    let mut found = None;
    let member = Member {
        path: &[EVENT_KEY, "id"],
        found: &mut found,
    };
    // An error after the id does not matter; one before it leaves `found` empty.
    let _ignored = member.deserialize(&mut serde_json::Deserializer::from_str(event));
    found
        .filter(|id| !id.is_empty())
        .map(|id| JobId::from(&*id))
}

/// The string at the end of a path of keys.
struct Member<'a> {
    path: &'a [&'a str],
    found: &'a mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for Member<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Member<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = map.next_key()? {
            match self.path.split_first() {
                Some((name, rest)) if key == name.as_bytes() => {
                    map.next_value_seed(Member {
                        path: rest,
                        found: &mut *self.found,
                    })?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if self.path.is_empty() {
            *self.found = Some(text.to_owned());
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _other: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _other: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _other: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _other: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// A key as bytes, because a key with half a surrogate pair is not a valid string and must not end the search.
struct Key(Vec<u8>);

impl<'de> serde::Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Key, E> {
                Ok(Key(bytes.to_owned()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Key, E> {
                Ok(Key(text.as_bytes().to_owned()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::job_id_in;

    #[test_case(&format!(r#"{{"CodePipeline.job":{{"data":{}{},"id":"j"}}}}"#, "[".repeat(50_000), "]".repeat(50_000)), Some("j"); "nested deep before it")]
    #[test_case(r#"{"CodePipeline.job":{"id":"j","data":"\ud800","n":1e999}}"#, Some("j"); "broken strings and numbers")]
    #[test_case(r#"{"\ud800":1,"CodePipeline.job":{"\udc00":[],"id":"j"}}"#, Some("j"); "broken keys")]
    #[test_case(r#"{"CodePipeline.job":{"id":"j","data":{"#, Some("j"); "cut off after it")]
    #[test_case(r#"{"CodePipeline.job":{"id":"a","id":"b"}}"#, Some("b"); "twice")]
    #[test_case(r#"{"CodePipeline.job":{"id":"a"},"CodePipeline.job":7}"#, Some("a"); "another of its name")]
    #[test_case(r#"{"CodePipeline.job":{"id":""}}"#, None; "empty")]
    #[test_case(r#"{"CodePipeline.job":{"id":7}}"#, None; "a number")]
    #[test_case(r#"{"CodePipeline.job":[{"id":"j"}]}"#, None; "a list")]
    #[test_case(r#"{"job":{"CodePipeline.job":{"id":"j"}}}"#, None; "elsewhere")]
    #[test_case("", None; "nothing")]
    fn the_id_is_found_whatever_else_there_is(event: &str, id: Option<&str>) {
        assert_eq!(job_id_in(event).as_ref().map(super::JobId::as_str), id);
    }
}
