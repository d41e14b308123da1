//! The two forms of the text: a query string and a JSON object.

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::ParametersError;

pub(super) fn query_pairs(text: &str) -> Result<Vec<(String, String)>, ParametersError> {
    let mut pairs = Vec::new();
    for part in text.split('&').filter(|part| !part.is_empty()) {
        let Some((key, _)) = part.split_once('=') else {
            return Err(ParametersError::NoValue {
                key: decoded_key(part),
            });
        };
        if key.is_empty() {
            return Err(ParametersError::NoKey);
        }
        if has_broken_escape(part) {
            return Err(ParametersError::Escape {
                key: decoded_key(key),
            });
        }
        pairs.extend(form_urlencoded::parse(part.as_bytes()).into_owned());
    }
    Ok(pairs)
}

fn decoded_key(part: &str) -> String {
    form_urlencoded::parse(part.as_bytes())
        .next()
        .map_or_else(String::new, |(key, _)| key.into_owned())
}

/// Whether a `%` is not followed by two hexadecimal digits, or they decode to invalid UTF-8. The standard parser would
/// silently accept both.
fn has_broken_escape(part: &str) -> bool {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
            return true;
        };
        bytes.push(u8::try_from(high * 16 + low).expect("two hexadecimal digits make a byte"));
    }
    std::str::from_utf8(&bytes).is_err()
}

pub(super) fn json_pairs(text: &str) -> Result<Vec<(String, String)>, ParametersError> {
    let object: JsonObject = serde_json::from_str(text).map_err(|error| ParametersError::Json {
        line: error.line(),
        column: error.column(),
    })?;
    Ok(object.0)
}

/// A JSON object as a list, because a map would hide duplicate keys.
struct JsonObject(Vec<(String, String)>);

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;
        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = JsonObject;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonObject, A::Error> {
                let mut pairs = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, JsonScalar>()? {
                    pairs.push((key, value.0));
                }
                Ok(JsonObject(pairs))
            }
        }
        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// A string, number or boolean, as text.
struct JsonScalar(String);

impl<'de> Deserialize<'de> for JsonScalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self(text)),
            value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_)) => {
                Ok(Self(value.to_string()))
            }
            _ => Err(de::Error::custom("a string, number or boolean is expected")),
        }
    }
}
