//! The API's own constraints on requests: required members, types, lengths, ranges, patterns, enums.
//!
//! They are part of the service's model; this file walks its input shapes.

use serde_json::Value;

use super::failure::ApiError;
use super::model::{self, Kind, Shape};

/// Most violations that one message names; more would not help.
const MAX_VIOLATIONS: usize = 10;

/// Longest value that a message shows.
const MAX_SHOWN_CHARS: usize = 200;

/// Checks a request's input.
pub(crate) fn check(shape: &Shape, input: &Value) -> Result<(), ApiError> {
    let mut check = Check::default();
    check.value(shape, input, "")?;
    if check.violations.is_empty() {
        return Ok(());
    }
    let count = check.violations.len();
    let errors = if count == 1 { "error" } else { "errors" };
    check.violations.truncate(MAX_VIOLATIONS);
    Err(ApiError::Validation(format!(
        "{count} validation {errors} detected: {}",
        check.violations.join("; ")
    )))
}

#[derive(Default)]
struct Check {
    violations: Vec<String>,
}

impl Check {
    fn value(&mut self, shape: &Shape, value: &Value, path: &str) -> Result<(), ApiError> {
        match (&shape.kind, value) {
            (Kind::Structure { members, required }, Value::Object(given)) => {
                for name in required {
                    if given.get(name).is_none_or(Value::is_null) {
                        self.refuse("null", &join(path, name), "Member must not be null");
                    }
                }
                for (name, value) in given {
                    if let Some(member) = members.get(name).and_then(|name| model::shape(name))
                        && !value.is_null()
                    {
                        self.value(member, value, &join(path, name))?;
                    }
                }
            }
            (Kind::List { member }, Value::Array(items)) => {
                self.length(shape, items.len(), path);
                if let Some(member) = model::shape(member) {
                    for (index, item) in items.iter().enumerate() {
                        self.value(member, item, &format!("{path}.{}.member", index + 1))?;
                    }
                }
            }
            (Kind::Map { key, value }, Value::Object(entries)) => {
                self.length(shape, entries.len(), path);
                for (name, content) in entries {
                    if let Some(key) = model::shape(key) {
                        self.text(key, name, path);
                    }
                    if let Some(value) = model::shape(value) {
                        self.value(value, content, &join(path, name))?;
                    }
                }
            }
            (Kind::String, Value::String(text)) => self.text(shape, text, path),
            (Kind::Integer, Value::Number(number)) if number.is_i64() => {
                self.range(shape, number.as_i64().unwrap_or_default(), path);
            }
            (Kind::Boolean, Value::Bool(_)) | (Kind::Timestamp, Value::Number(_)) => {}
            (kind, _) => {
                let place = if path.is_empty() { "the request" } else { path };
                return Err(ApiError::Serialization(format!(
                    "{place} is not a {}",
                    kind.name()
                )));
            }
        }
        Ok(())
    }

    fn text(&mut self, shape: &Shape, text: &str, path: &str) {
        let shown = if shape.sensitive { "(hidden)" } else { text };
        self.length_of(shape, text.chars().count(), shown, path);
        if let Some((pattern, whole)) = &shape.pattern
            && !whole.is_match(text)
        {
            let rule = format!("Member must satisfy regular expression pattern: {pattern}");
            self.refuse(shown, path, &rule);
        }
        if let Some(allowed) = &shape.allowed
            && !allowed.iter().any(|value| value == text)
        {
            let rule = format!(
                "Member must satisfy enum value set: [{}]",
                allowed.join(", ")
            );
            self.refuse(shown, path, &rule);
        }
    }

    fn length(&mut self, shape: &Shape, length: usize, path: &str) {
        self.length_of(shape, length, &format!("{length} members"), path);
    }

    fn length_of(&mut self, shape: &Shape, length: usize, shown: &str, path: &str) {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        if let Some(max) = shape.max.filter(|max| length > *max) {
            let rule = format!("Member must have length less than or equal to {max}");
            self.refuse(shown, path, &rule);
        }
        if let Some(min) = shape.min.filter(|min| length < *min) {
            let rule = format!("Member must have length greater than or equal to {min}");
            self.refuse(shown, path, &rule);
        }
    }

    fn range(&mut self, shape: &Shape, number: i64, path: &str) {
        if let Some(max) = shape.max.filter(|max| number > *max) {
            let rule = format!("Member must have value less than or equal to {max}");
            self.refuse(&number.to_string(), path, &rule);
        }
        if let Some(min) = shape.min.filter(|min| number < *min) {
            let rule = format!("Member must have value greater than or equal to {min}");
            self.refuse(&number.to_string(), path, &rule);
        }
    }

    fn refuse(&mut self, value: &str, path: &str, rule: &str) {
        let value: String = value.chars().take(MAX_SHOWN_CHARS).collect();
        self.violations.push(format!(
            "Value '{value}' at '{path}' failed to satisfy constraint: {rule}"
        ));
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(operation: &str, input: &Value) -> String {
        check(model::input(operation).unwrap(), input)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_job_id_has_a_pattern() {
        assert_eq!(
            refused("GetJobDetails", &json!({"jobId": "x"})),
            "1 validation error detected: Value 'x' at 'jobId' failed to satisfy constraint: Member \
             must satisfy regular expression pattern: \
             [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
        );
    }

    #[test]
    fn lengths_ranges_and_missing_members_are_all_named() {
        let message = refused(
            "PutJobSuccessResult",
            &json!({"continuationToken": "t".repeat(2049), "executionDetails": {"percentComplete": 101}}),
        );
        assert!(
            message.starts_with("3 validation errors detected: "),
            "{message}"
        );
        assert!(message.contains("'null' at 'jobId'"), "{message}");
        assert!(
            message.contains("length less than or equal to 2048"),
            "{message}"
        );
        assert!(
            message.contains("value less than or equal to 100"),
            "{message}"
        );
    }

    #[test]
    fn a_member_of_another_type_is_a_serialization_error() {
        let error = check(model::input("GetPipeline").unwrap(), &json!({"name": 1})).unwrap_err();
        assert!(matches!(error, ApiError::Serialization(_)), "{error}");
    }
}
