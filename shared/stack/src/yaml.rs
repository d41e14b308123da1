//! A CloudFormation template in YAML as JSON, with the short forms of its intrinsics (`!Ref`, `!Sub`)
//! spelled out.

use granit_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value, json};

/// Why a template cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not YAML.
    #[error("it is not valid YAML: {0}")]
    Yaml(#[from] granit_parser::ScanError),
    /// It uses a YAML feature that CloudFormation does not support either.
    #[error("it uses {0}, which CloudFormation does not support")]
    Unsupported(&'static str),
    /// It stops in the middle.
    #[error("it ends too early")]
    Incomplete,
}

impl Error {
    /// The line where it cannot be read further, from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Yaml(error) => Some(error.marker().line()),
            Self::Unsupported(_) | Self::Incomplete => None,
        }
    }

    /// What is wrong there, without the line.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Yaml(error) => format!("this is not YAML: {}", error.info()),
            Self::Unsupported(_) | Self::Incomplete => self.to_string(),
        }
    }
}

/// Reads a template.
///
/// # Errors
///
/// When it is not YAML as CloudFormation takes it.
pub fn parse(text: &str) -> Result<Value, Error> {
    // Not only of no use: the parser refuses a text with more comments in a row than it keeps.
    let without_comments = granit_parser::options! { emit_comments: false };
    let mut events = Parser::new_from_str_with_options(text, without_comments);
    while let Some(next) = events.next() {
        match next?.0 {
            Event::StreamStart | Event::DocumentStart(..) => {}
            first => return node(&mut events, first),
        }
    }
    Err(Error::Incomplete)
}

type Events<'a> = Parser<'a, granit_parser::StrInput<'a>>;

fn next<'a>(events: &mut Events<'a>) -> Result<Event<'a>, Error> {
    Ok(events.next().ok_or(Error::Incomplete)??.0)
}

fn node<'a>(events: &mut Events<'a>, first: Event<'a>) -> Result<Value, Error> {
    let (value, tag) = match first {
        Event::Scalar(text, style, _, tag) => {
            let plain = style == ScalarStyle::Plain && tag.is_none();
            (if plain { scalar(&text) } else { json!(text) }, tag)
        }
        Event::SequenceStart(_, _, tag) => {
            let mut items = Vec::new();
            loop {
                match next(events)? {
                    Event::SequenceEnd => break,
                    event => items.push(node(events, event)?),
                }
            }
            (Value::Array(items), tag)
        }
        Event::MappingStart(_, _, tag) => (Value::Object(mapping(events)?), tag),
        Event::Alias(_) => return Err(Error::Unsupported("aliases (`*name`)")),
        _ => return Err(Error::Incomplete),
    };
    match tag {
        Some(tag) if tag.handle() == "!" => Ok(intrinsic(tag.suffix(), value)),
        _ => Ok(value),
    }
}

fn mapping(events: &mut Events<'_>) -> Result<Map<String, Value>, Error> {
    let mut map = Map::new();
    loop {
        let key = match next(events)? {
            Event::MappingEnd => return Ok(map),
            Event::Scalar(key, ..) => key.into_owned(),
            _ => return Err(Error::Unsupported("keys that are not strings")),
        };
        let value = next(events)?;
        map.insert(key, node(events, value)?);
    }
}

/// A plain scalar by YAML's core schema; anything else, dates too, is a text.
fn scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => json!(true),
        "false" => json!(false),
        _ => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let number = digits.starts_with(|first: char| first.is_ascii_digit())
                && !(digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0."));
            let parsed = number.then(|| serde_json::from_str(text).ok()).flatten();
            parsed.unwrap_or_else(|| json!(text))
        }
    }
}

/// The long form of an intrinsic.
fn intrinsic(name: &str, value: Value) -> Value {
    let (key, value) = match name {
        "Ref" | "Condition" => (name.to_owned(), value),
        "GetAtt" => {
            let parts = value
                .as_str()
                .and_then(|text| text.split_once('.'))
                .map(|(id, name)| json!([id, name]));
            ("Fn::GetAtt".to_owned(), parts.unwrap_or(value))
        }
        _ => (format!("Fn::{name}"), value),
    };
    json!({ key: value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_intrinsics_are_spelled_out() {
        let parsed = parse(
            "A: !Ref B\nC: !GetAtt D.Outputs.E\nF: !If [G, [!Sub '${H}'], !Ref 'AWS::NoValue']\n",
        );
        let expected = json!({
            "A": { "Ref": "B" },
            "C": { "Fn::GetAtt": ["D", "Outputs.E"] },
            "F": { "Fn::If": ["G", [{ "Fn::Sub": "${H}" }], { "Ref": "AWS::NoValue" }] },
        });
        assert_eq!(parsed.unwrap(), expected);
    }

    #[test]
    fn scalars_keep_their_kind() {
        let parsed = parse(
            "a: 30 # seconds\nb: '30'\nc: true\nd: 2012-10-17\ne: 0123\nf: -1.5\ng: |\n  x\n  y\n",
        );
        let expected = json!({
            "a": 30, "b": "30", "c": true, "d": "2012-10-17", "e": "0123", "f": -1.5, "g": "x\ny\n",
        });
        assert_eq!(parsed.unwrap(), expected);
    }

    #[test]
    fn a_text_may_have_any_number_of_comments() {
        let text = format!("a:\n{}  b: 1\n", "  # a comment\n".repeat(5_000));
        assert_eq!(parse(&text).unwrap(), json!({ "a": { "b": 1 } }));
    }

    #[test]
    fn what_cloudformation_does_not_take_is_refused() {
        assert!(matches!(
            parse("a: &x 1\nb: *x\n"),
            Err(Error::Unsupported(_))
        ));
        assert!(matches!(parse("a: [1"), Err(Error::Yaml(_))));
        let error = parse("a:\n  b: [1\n").unwrap_err();
        assert_eq!(error.line(), Some(2));
        assert_eq!(error.reason(), "this is not YAML: unclosed bracket '['");
        assert!(matches!(parse(""), Err(Error::Incomplete)));
    }
}
