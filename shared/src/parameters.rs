//! `UserParameters`: a query string (`task=package&Env.URL=https%3A%2F%2Fexample.com`) or, if the
//! text begins with `{`, one JSON object of the same keys.
//!
//! A key given twice, unknown or missing is an error that names it and lists the keys there are.
//! Values never appear in an error: a parameter may hold what its owner regards as secret.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::{self, DeserializeOwned, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};

use crate::failure::{ActionError, FailureType};
use crate::job::Job;

/// Longest value of an action's configuration, in characters (`API_ActionDeclaration`:
/// `ActionConfigurationValue`, maximum 1000). It is counted before variables are resolved, so a
/// resolved text may be longer; see [`MAX_RESOLVED_CHARS`].
pub const MAX_CONFIGURED_CHARS: usize = 1_000;

/// Longest text that is read: a resolved configuration may be 100 KB in all (CodePipeline User
/// Guide, "Quotas"), and nothing that an action takes comes near it.
pub const MAX_RESOLVED_CHARS: usize = 100_000;

/// The typed parameters of one action.
pub trait Params: Sized + Send {
    /// Reads them. Keys that carry names of the user's own are taken with
    /// [`UserParameters::take_prefixed`] and [`UserParameters::take`], the others with
    /// [`UserParameters::deserialize`].
    ///
    /// # Errors
    ///
    /// [`ParametersError`] names the key that is wrong.
    fn from_user_parameters(parameters: UserParameters, job: &Job)
    -> Result<Self, ParametersError>;
}

/// The keys and values of one action's `UserParameters`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct UserParameters {
    entries: BTreeMap<String, String>,
    also_known: Vec<String>,
}

impl fmt::Debug for UserParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UserParameters")
            .field(&self.entries.keys())
            .finish()
    }
}

impl UserParameters {
    /// Reads the text of the action's configuration; `None` is an empty set.
    ///
    /// # Errors
    ///
    /// [`ParametersError`] for a text that is too long, is no such form, or has a key twice.
    pub fn parse(text: Option<&str>) -> Result<Self, ParametersError> {
        let text = text.unwrap_or_default().trim();
        let length = text.chars().count();
        if length > MAX_RESOLVED_CHARS {
            return Err(ParametersError::TooLong { length });
        }
        let pairs = if text.starts_with('{') {
            json_pairs(text)?
        } else {
            query_pairs(text)?
        };
        let mut entries = BTreeMap::new();
        for (key, value) in pairs {
            if entries.contains_key(&key) {
                return Err(ParametersError::Twice { key });
            }
            entries.insert(key, value);
        }
        Ok(Self {
            entries,
            also_known: Vec::new(),
        })
    }

    /// Takes out every key that begins with `prefix` (such as `Env.`), under the name that follows.
    ///
    /// # Errors
    ///
    /// [`ParametersError::Invalid`] where no name follows the prefix.
    pub fn take_prefixed(
        &mut self,
        prefix: &str,
    ) -> Result<BTreeMap<String, String>, ParametersError> {
        self.also_known.push(format!("{prefix}NAME"));
        let keys: Vec<_> = self
            .entries
            .keys()
            .filter(|key| key.starts_with(prefix))
            .cloned()
            .collect();
        let mut taken = BTreeMap::new();
        for key in keys {
            let Some(value) = self.entries.remove(&key) else {
                continue;
            };
            let name = key[prefix.len()..].to_owned();
            if name.is_empty() {
                return Err(ParametersError::Invalid {
                    key,
                    expected: "a name after the dot".to_owned(),
                });
            }
            taken.insert(name, value);
        }
        Ok(taken)
    }

    /// Takes out one key whose name is the user's own, such as an output artifact's.
    pub fn take(&mut self, key: &str) -> Option<String> {
        self.also_known.push(key.to_owned());
        self.entries.remove(key)
    }

    /// Reads all keys that were not taken into a struct with `#[serde(deny_unknown_fields)]`.
    ///
    /// # Errors
    ///
    /// [`ParametersError`] for an unknown or missing key and for a value that does not fit.
    pub fn deserialize<T: DeserializeOwned>(self) -> Result<T, ParametersError> {
        let mut access = Entries {
            entries: self.entries.into_iter(),
            current: None,
        };
        T::deserialize(de::value::MapAccessDeserializer::new(&mut access))
            .map_err(|error| error.into_public(&self.also_known))
    }
}

fn query_pairs(text: &str) -> Result<Vec<(String, String)>, ParametersError> {
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

/// Whether a `%` is not followed by two hexadecimal digits, or they decode to no UTF-8: the standard
/// parser would pass both over in silence.
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

fn json_pairs(text: &str) -> Result<Vec<(String, String)>, ParametersError> {
    let object: JsonObject = serde_json::from_str(text).map_err(|error| ParametersError::Json {
        line: error.line(),
        column: error.column(),
    })?;
    Ok(object.0)
}

/// A JSON object that keeps a key given twice, which a map would hide.
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

/// Hands the entries to serde one by one and remembers whose value is being read.
struct Entries {
    entries: std::collections::btree_map::IntoIter<String, String>,
    current: Option<(String, String)>,
}

impl<'de> MapAccess<'de> for &mut Entries {
    type Error = EntryError;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, EntryError> {
        self.current = self.entries.next();
        let Some((key, _)) = &self.current else {
            return Ok(None);
        };
        seed.deserialize(key.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, EntryError> {
        let (key, value) = self.current.take().unwrap_or_default();
        seed.deserialize(Text(value)).map_err(|error| error.at(key))
    }
}

/// One value: a text that is parsed strictly into what the field's type asks for.
struct Text(String);

macro_rules! parse_as {
    ($($method:ident $visit:ident $type:ty: $expected:literal),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, EntryError> {
            let value = self.0.parse::<$type>().map_err(|_| EntryError::expected($expected))?;
            visitor.$visit(value)
        }
    )*};
}

impl<'de> Deserializer<'de> for Text {
    type Error = EntryError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, EntryError> {
        visitor.visit_string(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, EntryError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, EntryError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, EntryError> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    parse_as! {
        deserialize_bool visit_bool bool: "`true` or `false`",
        deserialize_u8 visit_u8 u8: "a whole number from 0 to 255",
        deserialize_u16 visit_u16 u16: "a whole number from 0 to 65535",
        deserialize_u32 visit_u32 u32: "a whole number, 0 or more",
        deserialize_u64 visit_u64 u64: "a whole number, 0 or more",
        deserialize_i64 visit_i64 i64: "a whole number",
    }

    forward_to_deserialize_any! {
        i8 i16 i32 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map
        struct identifier ignored_any
    }
}

/// A duration such as `30s`, `5m` or `1h 30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HumanDuration(pub Duration);

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text)
            .map(Self)
            .map_err(|_| de::Error::custom("a duration such as `30s` or `5m`"))
    }
}

/// A parameter that is `on` or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// `on`
    On,
    /// `off`
    Off,
}

impl Switch {
    /// Whether it is `on`.
    #[must_use]
    pub fn is_on(self) -> bool {
        self == Self::On
    }
}

/// What serde says, kept in parts rather than as text.
#[derive(Debug)]
enum EntryError {
    Unknown {
        key: String,
        known: &'static [&'static str],
    },
    Missing {
        key: &'static str,
    },
    Value {
        key: Option<String>,
        expected: String,
    },
}

impl EntryError {
    fn expected(expected: &str) -> Self {
        Self::Value {
            key: None,
            expected: expected.to_owned(),
        }
    }

    fn at(self, at: String) -> Self {
        match self {
            Self::Value {
                key: None,
                expected,
            } => Self::Value {
                key: Some(at),
                expected,
            },
            Self::Unknown { known, .. } => Self::Value {
                key: Some(at),
                expected: format!("one of {}", quoted(known)),
            },
            other => other,
        }
    }

    fn into_public(self, also_known: &[String]) -> ParametersError {
        match self {
            Self::Unknown { key, known } => {
                let known = known.iter().map(|&name| name.to_owned());
                ParametersError::Unknown {
                    key,
                    known: known.chain(also_known.to_vec()).collect(),
                }
            }
            Self::Missing { key } => ParametersError::Missing {
                key: key.to_owned(),
            },
            Self::Value { key, expected } => ParametersError::Invalid {
                key: key.unwrap_or_default(),
                expected,
            },
        }
    }
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for EntryError {}

impl de::Error for EntryError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::expected(&message.to_string())
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::Unknown {
            key: field.to_owned(),
            known: expected,
        }
    }

    fn unknown_variant(_variant: &str, expected: &'static [&'static str]) -> Self {
        Self::expected(&format!("one of {}", quoted(expected)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing { key: field }
    }

    fn invalid_type(_found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::expected(&expected.to_string())
    }

    fn invalid_value(_found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::expected(&expected.to_string())
    }
}

fn quoted<S: AsRef<str>>(names: &[S]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names
        .iter()
        .map(|name| format!("`{}`", name.as_ref()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// What is wrong with an action's `UserParameters`. Values are never shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParametersError {
    /// Longer than any action reads.
    #[error(
        "`UserParameters` is {length} characters long, {MAX_RESOLVED_CHARS} is the most that is read"
    )]
    TooLong {
        /// Its length, in characters.
        length: usize,
    },
    /// It begins with `{` and is not one JSON object of strings, numbers and booleans.
    #[error(
        "`UserParameters` is not one JSON object of strings, numbers and booleans \
         (line {line}, column {column})"
    )]
    Json {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A part of the query string has no `=`.
    #[error("`UserParameters` has `{key}` without a value")]
    NoValue {
        /// The key.
        key: String,
    },
    /// A part of the query string has nothing before its `=`.
    #[error("`UserParameters` has a value without a key")]
    NoKey,
    /// A `%` that begins no escape, or escapes that are not UTF-8.
    #[error("`UserParameters` has a broken percent escape at `{key}`")]
    Escape {
        /// The key.
        key: String,
    },
    /// A key stands twice.
    #[error("`UserParameters` has `{key}` twice")]
    Twice {
        /// The key.
        key: String,
    },
    /// A key that the action does not take.
    #[error("`UserParameters` has an unknown key `{key}`; known keys are {}", quoted(.known))]
    Unknown {
        /// The key.
        key: String,
        /// What the action takes.
        known: Vec<String>,
    },
    /// A key that the action needs.
    #[error("`UserParameters` lacks `{key}`")]
    Missing {
        /// The key.
        key: String,
    },
    /// A value that does not fit.
    #[error("`{key}` in `UserParameters` is not valid: expected {expected}")]
    Invalid {
        /// The key.
        key: String,
        /// What would fit.
        expected: String,
    },
}

impl ActionError for ParametersError {
    fn failure_type(&self) -> FailureType {
        FailureType::ConfigurationError
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::TooLong { .. } => "shorten the action's `UserParameters`",
                Self::Json { .. } => {
                    "write one object such as {\"task\":\"package\"}, without nesting"
                }
                Self::NoValue { .. } | Self::NoKey => {
                    "write `key=value` pairs joined by `&`, such as `task=package&runner=npm`"
                }
                Self::Escape { .. } => "write `%` in a value as `%25`",
                Self::Twice { .. } => "remove one of the two from the action's `UserParameters`",
                Self::Unknown { .. } => {
                    "correct or remove the key in the action's `UserParameters`"
                }
                Self::Missing { .. } => "add the key to the action's `UserParameters`",
                Self::Invalid { .. } => "correct the value in the action's `UserParameters`",
            }
            .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use test_case::test_case;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct Sample {
        task: String,
        runner: Option<Runner>,
        #[serde(default)]
        retries: u32,
        timeout: Option<HumanDuration>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Runner {
        Gulp,
        Npm,
    }

    fn read(text: &str) -> Result<Sample, ParametersError> {
        let mut parameters = UserParameters::parse(Some(text))?;
        parameters.take_prefixed("Env.")?;
        parameters.deserialize()
    }

    #[test_case("task=package&runner=gulp&retries=2&timeout=5m&Env.URL=https%3A%2F%2Fa%2Bb"; "query string")]
    #[test_case(r#"{"task":"package","runner":"gulp","retries":2,"timeout":"5m","Env.URL":"x"}"#; "json")]
    fn both_forms_give_the_same_parameters(text: &str) {
        assert_eq!(
            read(text),
            Ok(Sample {
                task: "package".to_owned(),
                runner: Some(Runner::Gulp),
                retries: 2,
                timeout: Some(HumanDuration(Duration::from_mins(5))),
            })
        );
    }

    #[test]
    fn percent_escapes_and_plus_signs_are_decoded() {
        let mut parameters = UserParameters::parse(Some("Env.A=a%26b+c%3D&task=t")).unwrap();
        let env = parameters.take_prefixed("Env.").unwrap();
        assert_eq!(env["A"], "a&b c=");
    }

    #[test_case("task=a&task=b", "`UserParameters` has `task` twice"; "twice")]
    #[test_case(r#"{"task":"a","task":"b"}"#, "`UserParameters` has `task` twice"; "twice in json")]
    #[test_case("tsak=a", "`UserParameters` has an unknown key `tsak`; known keys are `task`, `runner`, `retries`, `timeout`, `Env.NAME`"; "unknown")]
    #[test_case("", "`UserParameters` lacks `task`"; "missing")]
    #[test_case("task", "`UserParameters` has `task` without a value"; "no value")]
    #[test_case("=x", "`UserParameters` has a value without a key"; "no key")]
    #[test_case("task=%zz", "`UserParameters` has a broken percent escape at `task`"; "escape")]
    #[test_case("task=%ff", "`UserParameters` has a broken percent escape at `task`"; "escape that is no text")]
    #[test_case("task=a&retries=two", "`retries` in `UserParameters` is not valid: expected a whole number, 0 or more"; "number")]
    #[test_case("task=a&runner=make", "`runner` in `UserParameters` is not valid: expected one of `gulp`, `npm`"; "choice")]
    #[test_case("task=a&timeout=5", "`timeout` in `UserParameters` is not valid: expected a duration such as `30s` or `5m`"; "duration")]
    #[test_case("task=a&Env.=x", "`Env.` in `UserParameters` is not valid: expected a name after the dot"; "nameless")]
    #[test_case("{\"task\":[1]}", "`UserParameters` is not one JSON object of strings, numbers and booleans (line 1, column 12)"; "nested json")]
    #[test_case("{", "`UserParameters` is not one JSON object of strings, numbers and booleans (line 1, column 1)"; "broken json")]
    fn what_is_wrong_is_named(text: &str, message: &str) {
        assert_eq!(read(text).unwrap_err().to_string(), message);
    }

    #[test]
    fn an_over_long_text_is_refused() {
        let text = format!("task={}", "x".repeat(MAX_RESOLVED_CHARS));
        assert_eq!(
            read(&text),
            Err(ParametersError::TooLong { length: 100_005 })
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in ".{0,200}") {
            let _outcome = read(&text);
        }

        #[test]
        fn every_pair_survives_the_query_string(pairs in proptest::collection::btree_map("[a-zA-Z.-]{1,8}", ".{0,16}", 0..6)) {
            let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            prop_assert_eq!(UserParameters::parse(Some(&text)).unwrap().entries, pairs);
        }
    }
}
