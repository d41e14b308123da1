//! `docs/parameters.md`: every parameter of the root template, with its default and its limits.

use std::fs;

use pipeline_tests::checkout;
use serde_json::Value;

use crate::generated::{self, code, table};

#[test]
fn every_parameter_of_the_template_is_listed() {
    let path = checkout::root().join("cloudformation/delivery.yaml");
    let template = delivery_stack::yaml::parse(&fs::read_to_string(path).unwrap()).unwrap();
    let rows: Vec<_> = template["Parameters"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, parameter)| {
            let description = parameter["Description"].as_str().unwrap_or_default();
            vec![
                code(name),
                default(parameter),
                limits(parameter),
                description.to_owned(),
            ]
        })
        .collect();
    assert!(rows.len() > 20, "only {} parameters were read", rows.len());
    let head = ["parameter", "default", "takes", "is"];
    generated::check("docs/parameters.md", "parameters", &table(&head, &rows));
}

fn default(parameter: &Value) -> String {
    match &parameter["Default"] {
        Value::Null => "none: has to be given".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        value => code(&text(value)),
    }
}

/// What the template takes, in its own words.
fn limits(parameter: &Value) -> String {
    if let Some(values) = parameter["AllowedValues"].as_array() {
        let values: Vec<_> = values.iter().map(|value| code(&text(value))).collect();
        return values.join(", ");
    }
    let bounds = [("MinValue", "at least"), ("MaxValue", "at most")];
    let bounds: Vec<_> = bounds
        .iter()
        .filter(|(key, _)| !parameter[*key].is_null())
        .map(|(key, words)| format!("{words} {}", text(&parameter[*key])))
        .collect();
    if bounds.is_empty() {
        let words = parameter["ConstraintDescription"].as_str();
        words.unwrap_or_default().to_owned()
    } else {
        bounds.join(", ")
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
