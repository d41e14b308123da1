//! The JSON schema of `delivery.toml`, for editors.

use serde_json::{Map, Value, json};

use crate::file::File;
use crate::form::{Form, Shape};
use crate::section::{Key, Section};

/// Where the schema is published.
pub(crate) const ID: &str = "https://raw.githubusercontent.com/serverless-delivery/serverless-delivery/main/docs/delivery.schema.json";

/// The JSON schema of the file, with a line break at its end.
///
/// It accepts each file that [`parse`](crate::parse) accepts. What several keys say together, such as references, only
/// `parse` checks.
#[must_use]
pub fn json_schema() -> String {
    let mut schema = Map::new();
    schema.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    schema.insert("$id".to_owned(), json!(ID));
    schema.insert("title".to_owned(), json!("delivery.toml"));
    if let Value::Object(file) = of(&File::shape()) {
        schema.extend(file);
    }
    format!("{:#}\n", Value::Object(schema))
}

fn of(shape: &Shape) -> Value {
    match shape {
        Shape::Truth => json!({ "type": "boolean" }),
        Shape::Number { least, most } => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Shape::Text { pattern: None, .. } => json!({ "type": "string" }),
        Shape::Text {
            pattern: Some(pattern),
            ..
        } => json!({ "type": "string", "pattern": pattern }),
        Shape::Choice(words) => json!({ "enum": words }),
        Shape::Scalar => json!({ "type": ["string", "number", "boolean"] }),
        Shape::List(items) => json!({ "type": "array", "items": of(items) }),
        Shape::Map(values) => json!({ "type": "object", "additionalProperties": of(values) }),
        Shape::Table(section) => with_short_form(section),
    }
}

fn with_short_form(section: &Section) -> Value {
    let table = table(section);
    match section.short {
        None => table,
        Some(_) => json!({ "anyOf": [{ "type": "string" }, table] }),
    }
}

fn table(section: &Section) -> Value {
    let keys: Map<_, _> = section
        .keys
        .iter()
        .map(|key| (key.name.to_owned(), property(key)))
        .collect();
    let required: Vec<_> = section
        .keys
        .iter()
        .filter(|key| key.required)
        .map(|key| key.name)
        .collect();
    let mut table = json!({
        "description": text(section.about),
        "type": "object",
        "properties": keys,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        table["required"] = json!(required);
    }
    table
}

fn property(key: &Key) -> Value {
    let mut description = text(key.about);
    if let Some(default) = key.default {
        description.extend([" Default: ", default, "."]);
    }
    if key.not_yet {
        description.push_str(" Not applied yet.");
    }
    let mut property = of(&key.shape);
    property["description"] = json!(description);
    if let Some(example) = key.example.and_then(toml_value) {
        property["examples"] = json!([example]);
    }
    property
}

/// A documentation comment as one line.
pub(crate) fn text(about: &str) -> String {
    about.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn toml_value(example: &str) -> Option<Value> {
    let table: toml::Table = toml::from_str(&format!("value = {example}")).ok()?;
    serde_json::to_value(table.get("value")?).ok()
}
