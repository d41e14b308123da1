//! The templates, and what tests take out of them.

#![expect(clippy::unwrap_used, reason = "the helpers of tests are tests, too")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use delivery_stack::yaml;
use serde_json::{Value, json};

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../cloudformation")
}

pub(crate) fn templates() -> BTreeMap<String, Value> {
    let entries = std::fs::read_dir(folder()).unwrap().flatten();
    let read = entries.map(|entry| {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        (
            entry.file_name().into_string().unwrap(),
            yaml::parse(&text).unwrap(),
        )
    });
    read.collect()
}

/// The templates with all conditions true, and with all false.
pub(crate) fn variants() -> Vec<(String, Value)> {
    let both = |(name, template): (String, Value)| {
        [true, false].map(|met| (format!("{name}, conditions {met}"), decided(&template, met)))
    };
    templates().into_iter().flat_map(both).collect()
}

/// One template with all conditions true.
pub(crate) fn with_all(name: &str) -> Value {
    decided(&templates()[name], true)
}

/// A value with every `If` decided one way, and without what then is `AWS::NoValue`.
pub(crate) fn decided(value: &Value, met: bool) -> Value {
    let none = json!({ "Ref": "AWS::NoValue" });
    match value {
        Value::Array(items) => {
            let items = items.iter().map(|item| decided(item, met));
            items.filter(|item| *item != none).collect()
        }
        Value::Object(object) => {
            if let Some(branches) = object.get("Fn::If") {
                return decided(&branches[if met { 1 } else { 2 }], met);
            }
            let left_out =
                |entry: &Value| !met && entry.get("Condition").is_some_and(Value::is_string);
            let entries = object.iter().filter(|(_, entry)| !left_out(entry));
            let entries = entries.map(|(key, entry)| (key.clone(), decided(entry, met)));
            Value::Object(entries.filter(|(_, entry)| *entry != none).collect())
        }
        other => other.clone(),
    }
}

pub(crate) fn resources<'a>(
    template: &'a Value,
    kind: &'a str,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let all = template["Resources"].as_object().unwrap().iter();
    all.filter(move |(_, resource)| resource["Type"] == kind)
}

/// A value that may be one or a list.
pub(crate) fn list(value: &Value) -> Vec<Value> {
    value
        .as_array()
        .cloned()
        .unwrap_or_else(|| vec![value.clone()])
}

pub(crate) fn statements(role: &Value) -> Vec<Value> {
    let policies = role["Properties"]["Policies"].as_array().unwrap().iter();
    policies
        .flat_map(|policy| list(&policy["PolicyDocument"]["Statement"]))
        .collect()
}
