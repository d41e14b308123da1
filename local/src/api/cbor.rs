//! CBOR to and from the JSON value that the operations take and give, by the shapes of the model.
//!
//! The shape is what tells a timestamp (tag 1) from a number, so both directions follow it. It also
//! bounds the depth: members that it does not name are skipped, not read.

use aws_smithy_cbor::data::Type;
use aws_smithy_cbor::decode::DeserializeError;
use aws_smithy_cbor::{Decoder, Encoder};
use aws_smithy_types::DateTime;
use serde_json::{Map, Value, json};

use super::failure::ApiError;
use super::model::{self, Kind, Shape};

/// Reads an input; an empty body is a structure without members.
pub(crate) fn decode(shape: &Shape, body: &[u8]) -> Result<Value, ApiError> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    let mut decoder = Decoder::new(body);
    let value = read(&mut decoder, shape).map_err(|error| unreadable(&error))?;
    if decoder.position() != body.len() {
        let message = "something follows the input structure";
        return Err(ApiError::Serialization(message.to_owned()));
    }
    Ok(value)
}

fn unreadable(error: &DeserializeError) -> ApiError {
    ApiError::Serialization(error.to_string())
}

fn read(decoder: &mut Decoder<'_>, shape: &Shape) -> Result<Value, DeserializeError> {
    if matches!(decoder.datatype()?, Type::Null | Type::Undefined) {
        decoder.skip()?;
        return Ok(Value::Null);
    }
    Ok(match &shape.kind {
        Kind::Structure { members, .. } => {
            let mut read_members = Map::new();
            let count = decoder.map()?;
            each(decoder, count, |decoder| {
                let name = decoder.str()?;
                match members.get(&*name).and_then(|member| model::shape(member)) {
                    Some(member) => {
                        let value = read(decoder, member)?;
                        read_members.insert(name.into_owned(), value);
                        Ok(())
                    }
                    None => decoder.skip(),
                }
            })?;
            Value::Object(read_members)
        }
        Kind::Map { value, .. } => {
            let mut entries = Map::new();
            let count = decoder.map()?;
            each(decoder, count, |decoder| {
                let key = decoder.string()?;
                entries.insert(key, read(decoder, named(value))?);
                Ok(())
            })?;
            Value::Object(entries)
        }
        Kind::List { member } => {
            let mut items = Vec::new();
            let count = decoder.list()?;
            each(decoder, count, |decoder| {
                items.push(read(decoder, named(member))?);
                Ok(())
            })?;
            Value::Array(items)
        }
        Kind::String => Value::String(decoder.string()?),
        Kind::Integer => json!(decoder.long()?),
        Kind::Boolean => Value::Bool(decoder.boolean()?),
        Kind::Timestamp => json!(decoder.timestamp()?.as_secs_f64()),
    })
}

/// Reads this many elements, or as many as come before the break of an indefinite length.
fn each<'b>(
    decoder: &mut Decoder<'b>,
    count: Option<u64>,
    mut element: impl FnMut(&mut Decoder<'b>) -> Result<(), DeserializeError>,
) -> Result<(), DeserializeError> {
    let mut left = count;
    loop {
        match &mut left {
            Some(0) => return Ok(()),
            Some(left) => *left -= 1,
            None if decoder.datatype()? == Type::Break => return decoder.skip(),
            None => {}
        }
        element(decoder)?;
    }
}

fn named(shape: &str) -> &'static Shape {
    model::shape(shape).expect("a test finds every shape that the model names")
}

/// Writes an output.
pub(crate) fn encode(shape: &Shape, value: &Value) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    write(&mut encoder, shape, value);
    encoder.into_writer()
}

/// Writes texts by name, such as an error.
pub(crate) fn encode_texts(members: &[(&str, &str)]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    encoder.map(members.len());
    for (name, text) in members {
        encoder.str(name).str(text);
    }
    encoder.into_writer()
}

fn write(encoder: &mut Encoder, shape: &Shape, value: &Value) {
    match (&shape.kind, value) {
        (Kind::Structure { members, .. }, Value::Object(given)) => {
            let known = given.iter().filter_map(|(name, value)| {
                let shape = members.get(name).and_then(|member| model::shape(member))?;
                (!value.is_null()).then_some((name, shape, value))
            });
            let known: Vec<_> = known.collect();
            encoder.map(known.len());
            for (name, shape, value) in known {
                write(encoder.str(name), shape, value);
            }
        }
        (Kind::Map { value: shape, .. }, Value::Object(entries)) => {
            encoder.map(entries.len());
            for (key, value) in entries {
                write(encoder.str(key), named(shape), value);
            }
        }
        (Kind::List { member }, Value::Array(items)) => {
            encoder.array(items.len());
            for item in items {
                write(encoder, named(member), item);
            }
        }
        (Kind::String, Value::String(text)) => {
            encoder.str(text);
        }
        (Kind::Boolean, Value::Bool(value)) => {
            encoder.boolean(*value);
        }
        (Kind::Integer, Value::Number(number)) => {
            encoder.long(number.as_i64().unwrap_or_default());
        }
        (Kind::Timestamp, Value::Number(number)) => {
            let seconds = number.as_f64().unwrap_or_default();
            encoder.timestamp(&DateTime::from_secs_f64(seconds));
        }
        _ => {
            encoder.null();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(operation: &str, body: &[u8]) -> Result<Value, String> {
        decode(model::input(operation).unwrap(), body).map_err(|error| error.to_string())
    }

    #[test]
    fn indefinite_lengths_half_floats_and_unknown_members_are_read() {
        let mut body = vec![0xbf]; // a map of indefinite length
        body.extend(b"\x65jobId\x61x");
        body.extend(b"\x6foutputVariables\xbf\x61a\x7f\x61b\x61c\xff\xff"); // {"a": (_ "b", "c")}
        body.extend(b"\x6fcurrentRevision\xa1\x67created\xc1\xf9\x3e\x00"); // tag 1, half float 1.5
        body.extend(b"\x67unknown\x9f\x01\xff");
        body.push(0xff);
        assert_eq!(
            decoded("PutJobSuccessResult", &body).unwrap(),
            json!({"jobId": "x", "outputVariables": {"a": "bc"}, "currentRevision": {"created": 1.5}})
        );
    }

    #[test]
    fn what_is_no_input_is_refused_without_reading_deep() {
        let mut deep = b"\xa1\x61x".to_vec();
        deep.extend(vec![0x81; 100_000]); // 100,000 lists in one another
        deep.push(0x00);
        assert_eq!(decoded("ListPipelines", &deep).unwrap(), json!({}));
        for body in [
            &b"\x80"[..],                            // a list
            b"\xa1\x6amaxResults\x61x",              // a text for a number
            b"\xa1\x6amaxResults",                   // cut off
            b"\xa1\x69nextToken\x62\xff\xfe",        // not UTF-8
            b"\xa0\xa0",                             // two structures
            b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff", // a map of 2^64 - 1 members
        ] {
            assert!(decoded("ListPipelines", body).is_err(), "{body:x?}");
        }
    }

    #[test]
    fn an_output_is_written_by_its_shape() {
        let shape = model::output("PutApprovalResult").unwrap();
        let body = encode(
            shape,
            &json!({"approvedAt": 1.5, "unknown": 1, "none": null}),
        );
        assert_eq!(body, b"\xa1\x6aapprovedAt\xc1\xfb\x3f\xf8\0\0\0\0\0\0");
    }
}
