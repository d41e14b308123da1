//! Tables whose keys are known: declared once, for reading, for the JSON schema and for the reference.

use crate::form::Shape;

/// A key of a section, as it is documented.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    /// What applies without it, in words.
    pub(crate) default: Option<&'static str>,
    /// A value, as TOML.
    pub(crate) example: Option<&'static str>,
    /// It is read and checked, and nothing applies it.
    pub(crate) not_yet: bool,
    pub(crate) about: &'static str,
    pub(crate) shape: Shape,
}

impl Key {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            required: false,
            default: None,
            example: None,
            not_yet: false,
            about: "",
            shape: Shape::Truth,
        }
    }

    pub(crate) fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    pub(crate) fn default(self, words: &'static str) -> Self {
        Self {
            default: Some(words),
            ..self
        }
    }

    pub(crate) fn example(self, toml: &'static str) -> Self {
        Self {
            example: Some(toml),
            ..self
        }
    }

    pub(crate) fn not_yet(self) -> Self {
        Self {
            not_yet: true,
            ..self
        }
    }

    pub(crate) fn is(self, about: &'static str, shape: Shape) -> Self {
        Self {
            about,
            shape,
            ..self
        }
    }
}

/// A table whose keys are known.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) about: &'static str,
    /// The key that a text instead of the table sets.
    pub(crate) short: Option<&'static str>,
    pub(crate) keys: Vec<Key>,
}

/// Declares a section: its struct, how it is read, and how it is documented.
///
/// `short = FIELD` lets a text stand for a table with that one key, which is named like the field.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        pub struct $section:ident $(, short = $short:ident)? {
            $( $(#[doc = $doc:literal])+ $field:ident: $form:ty = $key:expr; )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $section {
            $( $(#[doc = $doc])+ pub $field: $form, )+
        }

        impl $crate::form::Form for $section {
            fn shape() -> $crate::form::Shape {
                let short: &[&'static str] = &[$(stringify!($short))?];
                $crate::form::Shape::Table($crate::section::Section {
                    about: concat!($($about, "\n"),+),
                    short: short.first().copied(),
                    keys: vec![$(
                        $key.is(concat!($($doc, "\n"),+), <$form as $crate::form::Form>::shape())
                    ),+],
                })
            }

            fn read(
                value: &$crate::reader::Value<'_>,
                reader: &mut $crate::reader::Reader,
            ) -> Option<Self> {
                let mut section = Self::default();
                $(
                    if matches!(value.get_ref(), toml::de::DeValue::String(_)) {
                        section.$short = $crate::form::Form::read(value, reader)?;
                        return Some(section);
                    }
                )?
                let short: &[&str] = &[$(stringify!($short))?];
                let expected = if short.is_empty() { "a table" } else { "text or a table" };
                let entries = reader.table(value, expected)?;
                for entry in &entries {
                    $(
                        if entry.name == $key.name {
                            let read = reader.key(&$key, entry.line, |reader| {
                                <$form as $crate::form::Form>::read(entry.value, reader)
                            });
                            if let Some(read) = read {
                                section.$field = read;
                            }
                            continue;
                        }
                    )+
                    reader.unknown(entry.name, entry.line, &[$($key.name),+]);
                }
                let known = [$($key.name),+];
                $(
                    if $key.required {
                        reader.missing(reader.line(&value.span()), &$key, &entries, &known);
                    }
                )+
                Some(section)
            }
        }
    };
}

pub(crate) use section;
