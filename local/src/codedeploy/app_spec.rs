//! The `AppSpec` of a deployment: which alias moves from which version to which, and which hooks are asked.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::failure::Refusal;

/// What is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AppSpec {
    pub(super) function: String,
    pub(super) alias: String,
    pub(super) current: String,
    pub(super) target: String,
    /// The function of the hook `BeforeAllowTraffic`.
    pub(super) before: Option<String>,
    /// The function of the hook `AfterAllowTraffic`.
    pub(super) after: Option<String>,
}

/// As the document has it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    #[serde(rename = "version")]
    _version: Value,
    resources: Vec<Map<String, Value>>,
    #[serde(default)]
    hooks: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Resource {
    #[serde(rename = "Type")]
    kind: String,
    properties: Properties,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Properties {
    name: String,
    alias: String,
    current_version: Value,
    target_version: Value,
}

impl AppSpec {
    /// Reads the revision of `CreateDeployment`.
    pub(super) fn of_revision(revision: &Value) -> Result<Self, Refusal> {
        let kind = revision["revisionType"].as_str().unwrap_or_default();
        let content = match kind {
            "AppSpecContent" => &revision["appSpecContent"]["content"],
            "String" => &revision["string"]["content"],
            other => {
                return Err(Refusal::unsupported(&format!(
                    "a revision of the type `{other}` is not read; give the AppSpec itself (`AppSpecContent`)"
                )));
            }
        };
        Self::parse(content.as_str().unwrap_or_default())
            .map_err(|why| Refusal::new("InvalidRevisionException", why))
    }

    /// Reads the document, which is YAML or JSON.
    fn parse(text: &str) -> Result<Self, String> {
        let invalid = |why: &dyn std::fmt::Display| format!("the AppSpec is not valid: {why}");
        let value: Value = serde_saphyr::from_str(text).map_err(|error| invalid(&error))?;
        let document: Document = serde_json::from_value(value).map_err(|error| invalid(&error))?;
        let mut resources = document.resources.into_iter().flatten();
        let (Some((_, resource)), None) = (resources.next(), resources.next()) else {
            return Err(invalid(&"`Resources` must have one resource"));
        };
        let resource: Resource =
            serde_json::from_value(resource).map_err(|error| invalid(&error))?;
        if resource.kind != "AWS::Lambda::Function" {
            return Err(invalid(&format_args!(
                "the type of its resource is `{}`, not `AWS::Lambda::Function`",
                resource.kind
            )));
        }
        let Properties {
            name,
            alias,
            current_version,
            target_version,
        } = resource.properties;
        let (mut before, mut after) = (None, None);
        for (name, function) in document.hooks.into_iter().flatten() {
            let function = function.as_str().map(ToOwned::to_owned);
            match name.as_str() {
                "BeforeAllowTraffic" => before = function,
                "AfterAllowTraffic" => after = function,
                _ => {
                    return Err(invalid(&format_args!(
                        "a function has no hook `{name}`, only `BeforeAllowTraffic` and `AfterAllowTraffic`"
                    )));
                }
            }
        }
        Ok(Self {
            function: name,
            alias,
            current: version(&current_version).map_err(|why| invalid(&why))?,
            target: version(&target_version).map_err(|why| invalid(&why))?,
            before,
            after,
        })
    }

    /// That of the deployment which takes this one back: no hook is asked.
    pub(super) fn back(&self) -> Self {
        Self {
            current: self.target.clone(),
            target: self.current.clone(),
            before: None,
            after: None,
            ..self.clone()
        }
    }

    /// The revision that has this document.
    pub(super) fn revision(&self) -> Value {
        let content = json!({
            "version": 0.0,
            "Resources": [{ &self.function: {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Name": self.function,
                    "Alias": self.alias,
                    "CurrentVersion": self.current,
                    "TargetVersion": self.target,
                },
            } }],
        });
        json!({
            "revisionType": "AppSpecContent",
            "appSpecContent": { "content": content.to_string() },
        })
    }
}

/// Versions are positive integers, written as such or as text.
fn version(value: &Value) -> Result<String, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let is_version = text.parse::<u64>().is_ok_and(|number| number > 0);
    is_version
        .then(|| text.clone())
        .ok_or(format!("`{text}` is not a published version"))
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    const DOCUMENT: &str = r#"
version: 0.0
Resources:
  - Greeter:
      Type: AWS::Lambda::Function
      Properties: { Name: greeter, Alias: live, CurrentVersion: 1, TargetVersion: "2" }
Hooks:
  - BeforeAllowTraffic: check
"#;

    fn of(content: &str) -> Result<AppSpec, Refusal> {
        let revision = json!({
            "revisionType": "AppSpecContent",
            "appSpecContent": { "content": content },
        });
        AppSpec::of_revision(&revision)
    }

    #[test]
    fn yaml_and_json_are_read() {
        let spec = AppSpec {
            function: "greeter".to_owned(),
            alias: "live".to_owned(),
            current: "1".to_owned(),
            target: "2".to_owned(),
            before: Some("check".to_owned()),
            after: None,
        };
        assert_eq!(of(DOCUMENT), Ok(spec.clone()));
        let back = AppSpec::of_revision(&spec.back().revision()).unwrap();
        assert_eq!((back.current.as_str(), back.target.as_str()), ("2", "1"));
    }

    #[test_case("AWS::Lambda::Function", "AWS::ECS::Service"; "another platform")]
    #[test_case("CurrentVersion: 1", "CurrentVersion: $LATEST"; "no version")]
    #[test_case("BeforeAllowTraffic", "BeforeInstall"; "another hook")]
    #[test_case("Alias: live, ", ""; "no alias")]
    #[test_case("version: 0.0", "files: []"; "another document")]
    fn others_are_refused(from: &str, to: &str) {
        let refused = of(&DOCUMENT.replace(from, to)).unwrap_err();
        assert_eq!(refused.code(), "InvalidRevisionException");
    }

    #[test]
    fn a_revision_in_a_bucket_is_refused() {
        let refused = AppSpec::of_revision(&json!({ "revisionType": "S3" })).unwrap_err();
        assert_eq!(refused.code(), "InvalidInputException");
    }
}
