//! A serde deserializer for string values, which are parsed strictly into the type of each field.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};

use super::error::{ParametersError, quoted};

/// Passes the entries to serde and remembers which one is being read.
pub(super) struct Entries {
    rest: std::collections::btree_map::IntoIter<String, String>,
    current: Option<(String, String)>,
    known: &'static [&'static str],
}

impl Entries {
    pub(super) fn new(entries: BTreeMap<String, String>) -> Self {
        Self {
            rest: entries.into_iter(),
            current: None,
            known: &[],
        }
    }
}

impl<'de> Deserializer<'de> for Entries {
    type Error = EntryError;

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, EntryError> {
        visitor.visit_map(&mut self)
    }

    // Keeps the fields' names, so that an unknown key is answered with them.
    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, EntryError> {
        self.known = fields;
        visitor.visit_map(&mut self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for &mut Entries {
    type Error = EntryError;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, EntryError> {
        self.current = self.rest.next();
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
        seed.deserialize(Text(value)).map_err(|error| match error {
            EntryError::Ignored => EntryError::Unknown {
                key,
                known: self.known,
            },
            error => error.at(key),
        })
    }
}

/// One value, which is parsed into the field's type.
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

    // serde asks for this where a struct lacks `deny_unknown_fields`; a mistyped key would be lost.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, EntryError> {
        Err(EntryError::Ignored)
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
        struct identifier
    }
}

/// Serde's errors as data rather than text.
#[derive(Debug)]
pub(super) enum EntryError {
    /// The struct has no field of that name and would pass over it.
    Ignored,
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

    pub(super) fn into_public(self, also_known: &[String]) -> ParametersError {
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
            // `Entries` turns it into `Unknown`, which names the key.
            Self::Ignored => ParametersError::Unknown {
                key: String::new(),
                known: also_known.to_vec(),
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
