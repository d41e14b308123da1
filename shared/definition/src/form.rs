//! What a value has to look like: how it is read, and how it is described.

use toml::de::DeValue;

use crate::reader::{Reader, Value};
use crate::section::Section;

/// What a value is, for the JSON schema and the reference.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// `true` or `false`.
    Truth,
    /// A whole number.
    Number { least: u32, most: u32 },
    /// Text.
    Text {
        /// What it is: "a duration".
        is: &'static str,
        /// A regular expression that each such text matches.
        pattern: Option<&'static str>,
    },
    /// One of some texts.
    Choice(&'static [&'static str]),
    /// Text, a number or a boolean: what becomes a parameter's value.
    Scalar,
    /// A list.
    List(Box<Shape>),
    /// A table whose keys are names of the user's.
    Map(Box<Shape>),
    /// A table whose keys are known.
    Table(Section),
}

/// A type that is read from a value.
pub(crate) trait Form: Sized {
    fn shape() -> Shape;

    /// `None` where something is wrong, which the reader was told.
    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self>;
}

/// A type that is read from text.
pub(crate) trait TextForm: Sized {
    /// What it is: "a duration, such as ...".
    const IS: &'static str;
    const PATTERN: Option<&'static str> = None;

    /// The error says why not.
    fn parse(text: &str) -> Result<Self, String>;
}

impl<T: TextForm> Form for T {
    fn shape() -> Shape {
        Shape::Text {
            is: T::IS,
            pattern: T::PATTERN,
        }
    }

    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        let DeValue::String(text) = value.get_ref() else {
            reader.wrong_type(value, "text");
            return None;
        };
        T::parse(text)
            .map_err(|why| reader.wrong_value(value, text, &why))
            .ok()
    }
}

/// That it has to be what its type is.
pub(crate) fn must_be<T: TextForm>() -> String {
    format!("it must be {}", T::IS)
}

impl TextForm for String {
    const IS: &'static str = "text";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

/// Declares an enum that is written as one of some words.
macro_rules! choice {
    (
        $(#[$about:meta])+
        pub enum $choice:ident { $( $(#[$doc:meta])+ $variant:ident = $word:literal, )+ }
    ) => {
        $(#[$about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $choice { $( $(#[$doc])+ $variant, )+ }

        impl $choice {
            /// The word in the file.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }
        }

        impl std::fmt::Display for $choice {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl $crate::form::Form for $choice {
            fn shape() -> $crate::form::Shape {
                $crate::form::Shape::Choice(&[$($word),+])
            }

            fn read(
                value: &$crate::reader::Value<'_>,
                reader: &mut $crate::reader::Reader,
            ) -> Option<Self> {
                let word = <String as $crate::form::Form>::read(value, reader)?;
                match word.as_str() {
                    $( $word => Some(Self::$variant), )+
                    _ => {
                        $crate::form::not_a_choice(value, reader, &word, &[$($word),+]);
                        None
                    }
                }
            }
        }
    };
}

pub(crate) use choice;

pub(crate) fn not_a_choice(
    value: &Value<'_>,
    reader: &mut Reader,
    word: &str,
    words: &[&'static str],
) {
    let what = format!("`{}` cannot be `{word}`", reader.path());
    let next = crate::nearest::advice(word, words.iter().copied(), "values");
    reader.report(reader.line(&value.span()), what, next);
}

impl Form for bool {
    fn shape() -> Shape {
        Shape::Truth
    }

    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        let truth = value.get_ref().as_bool();
        if truth.is_none() {
            reader.wrong_type(value, "`true` or `false`, without quotes");
        }
        truth
    }
}

/// A whole number within limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Number<const LEAST: u32, const MOST: u32>(pub u32);

impl<const LEAST: u32, const MOST: u32> Form for Number<LEAST, MOST> {
    fn shape() -> Shape {
        Shape::Number {
            least: LEAST,
            most: MOST,
        }
    }

    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        let DeValue::Integer(written) = value.get_ref() else {
            reader.wrong_type(value, "a whole number");
            return None;
        };
        let number = u32::from_str_radix(written.as_str(), written.radix()).ok();
        let within = number.filter(|number| (LEAST..=MOST).contains(number));
        if within.is_none() {
            let why = format!("it must be from {LEAST} to {MOST}");
            reader.wrong_value(value, &written.to_string(), &why);
        }
        within.map(Self)
    }
}

impl<T: Form> Form for Option<T> {
    fn shape() -> Shape {
        T::shape()
    }

    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        T::read(value, reader).map(Some)
    }
}

impl<T: Form> Form for Vec<T> {
    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }

    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        let DeValue::Array(items) = value.get_ref() else {
            reader.wrong_type(value, "a list");
            return None;
        };
        let items: Vec<_> = items
            .iter()
            .enumerate()
            .map(|(place, item)| {
                reader.under(&format!("[{}]", place + 1), |reader| T::read(item, reader))
            })
            .collect();
        items.into_iter().collect()
    }
}

/// A value and the line that it is on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its line, from 1.
    pub line: usize,
}

impl<T: Form> Form for Located<T> {
    fn shape() -> Shape {
        T::shape()
    }

    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        let line = reader.line(&value.span());
        T::read(value, reader).map(|value| Self { value, line })
    }
}

/// What a value of a parameter is written as; `CloudFormation` takes all of them as text.
pub(crate) fn scalar(value: &Value<'_>, reader: &mut Reader) -> Option<String> {
    let text = match value.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Float(number) => {
            let finite = number.as_str().parse().is_ok_and(f64::is_finite);
            finite.then(|| number.as_str().to_owned())
        }
        DeValue::Integer(number) => {
            let read = i64::from_str_radix(number.as_str(), number.radix()).ok();
            if read.is_none() {
                let what = format!("`{}` is a number with too many digits", reader.path());
                reader.report(
                    reader.line(&value.span()),
                    what,
                    "write it as text, in quotes",
                );
            }
            return read.map(|number| number.to_string());
        }
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    };
    if text.is_none() {
        reader.wrong_type(
            value,
            "text, a number or a boolean; write a list as text: \"a,b\"",
        );
    }
    text
}

/// A parameter's value that is taken as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scalar(pub String);

impl Form for Scalar {
    fn shape() -> Shape {
        Shape::Scalar
    }

    fn read(value: &Value<'_>, reader: &mut Reader) -> Option<Self> {
        scalar(value, reader).map(Self)
    }
}
