//! What both spellings of an OpenAPI document have in common.

use serde_json::Value;

/// The methods of a path item, as API Gateway calls them.
pub(super) const METHODS: [(&str, &str); 8] = [
    ("get", "GET"),
    ("put", "PUT"),
    ("post", "POST"),
    ("delete", "DELETE"),
    ("patch", "PATCH"),
    ("head", "HEAD"),
    ("options", "OPTIONS"),
    ("x-amazon-apigateway-any-method", "ANY"),
];

/// Each operation with its path, its method and its path item.
pub(super) fn operations(
    document: &Value,
) -> impl Iterator<Item = (&str, &'static str, &Value, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        METHODS.iter().filter_map(move |(key, method)| {
            let operation = item.get(key)?;
            Some((path.as_str(), *method, operation, item))
        })
    })
}

/// The security schemes by their names.
pub(super) fn security_schemes(document: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let schemes = document
        .get("securityDefinitions")
        .or_else(|| document.pointer("/components/securitySchemes"));
    schemes.and_then(Value::as_object).into_iter().flatten()
}

/// The models by their names.
pub(super) fn schemas(document: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let schemas = document
        .get("definitions")
        .or_else(|| document.pointer("/components/schemas"));
    schemas.and_then(Value::as_object).into_iter().flatten()
}

/// The value itself, or what it refers to in the document.
pub(super) fn followed<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    value["$ref"]
        .as_str()
        .and_then(|reference| document.pointer(reference.strip_prefix('#')?))
        .unwrap_or(value)
}
