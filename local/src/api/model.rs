//! The service's model: the input and output shapes of the served operations, as AWS publishes them
//! (botocore 1.44.8, `codepipeline/2015-07-09`).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex_lite::Regex;
use serde::Deserialize;

#[derive(Deserialize)]
struct Model {
    operations: BTreeMap<String, Operation>,
    shapes: BTreeMap<String, Shape>,
}

#[derive(Deserialize)]
struct Operation {
    input: String,
    output: Option<String>,
}

/// One shape of the model.
#[derive(Deserialize)]
pub(crate) struct Shape {
    #[serde(flatten)]
    pub(crate) kind: Kind,
    pub(crate) min: Option<i64>,
    pub(crate) max: Option<i64>,
    #[serde(default, deserialize_with = "pattern")]
    pub(crate) pattern: Option<(String, Regex)>,
    #[serde(rename = "enum")]
    pub(crate) allowed: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) sensitive: bool,
}

/// The type of a shape. CodePipeline's model has no others: no blobs and no floating-point numbers.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Kind {
    Structure {
        #[serde(default)]
        members: BTreeMap<String, String>,
        #[serde(default)]
        required: Vec<String>,
    },
    List {
        member: String,
    },
    Map {
        key: String,
        value: String,
    },
    String,
    Integer,
    Boolean,
    Timestamp,
}

impl Kind {
    /// What messages call it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Structure { .. } => "structure",
            Self::List { .. } => "list",
            Self::Map { .. } => "map",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Timestamp => "timestamp",
        }
    }
}

fn pattern<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<(String, Regex)>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let whole = Regex::new(&format!("^(?:{text})$")).map_err(serde::de::Error::custom)?;
    Ok(Some((text, whole)))
}

static MODEL: LazyLock<Model> = LazyLock::new(|| {
    serde_json::from_str(include_str!("model.json"))
        .expect("the model is part of the program and a test reads it")
});

/// The shape of an operation's input; `None` for an operation that is not served.
pub(crate) fn input(operation: &str) -> Option<&'static Shape> {
    shape(&MODEL.operations.get(operation)?.input)
}

/// The shape of an operation's output; `None` for an operation without one.
pub(crate) fn output(operation: &str) -> Option<&'static Shape> {
    shape(MODEL.operations.get(operation)?.output.as_deref()?)
}

/// The shape of this name.
pub(crate) fn shape(name: &str) -> Option<&'static Shape> {
    MODEL.shapes.get(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_that_is_named_is_there() {
        for shape in MODEL.shapes.values() {
            let named: Vec<&String> = match &shape.kind {
                Kind::Structure { members, .. } => members.values().collect(),
                Kind::List { member } => vec![member],
                Kind::Map { key, value } => vec![key, value],
                _ => vec![],
            };
            assert!(named.iter().all(|name| MODEL.shapes.contains_key(*name)));
        }
        assert_eq!(MODEL.operations.len(), 22);
        for name in MODEL.operations.keys() {
            assert!(input(name).is_some());
        }
        let with_output = MODEL
            .operations
            .keys()
            .filter(|name| output(name).is_some());
        assert_eq!(with_output.count(), 17);
    }
}
