//! A pipeline's properties in CloudFormation's spelling, as the declaration that the API takes.

use serde_json::{Map, Value, json};

/// Properties that are CloudFormation's own, or go into other calls.
const NOT_DECLARED: [&str; 5] = [
    "Name",
    "Tags",
    "ArtifactStores",
    "DisableInboundStageTransitions",
    "RestartExecutionOnUpdate",
];

/// Keys whose values are numbers in the API; a template may have them as texts.
const NUMBERS: [&str; 2] = ["RunOrder", "TimeoutInMinutes"];

/// The declaration, named `name`.
pub(super) fn of(properties: &Value, name: &str) -> Result<Value, String> {
    let properties = properties
        .as_object()
        .ok_or("`ResourceProperties` is not an object")?;
    let mut declared = Map::new();
    declared.insert("name".to_owned(), json!(name));
    for (key, value) in properties {
        if !NOT_DECLARED.contains(&key.as_str()) {
            declared.insert(lower_first(key), translate(key, value)?);
        }
    }
    if let Some(stores) = properties.get("ArtifactStores").and_then(Value::as_array) {
        let mut by_region = Map::new();
        for store in stores {
            let region = store["Region"].as_str().unwrap_or_default().to_owned();
            by_region.insert(region, translate("ArtifactStore", &store["ArtifactStore"])?);
        }
        declared.insert("artifactStores".to_owned(), Value::Object(by_region));
    }
    Ok(Value::Object(declared))
}

/// The pipeline's tags.
pub(super) fn tags(properties: &Value) -> Value {
    let tags = properties["Tags"].as_array().into_iter().flatten();
    tags.map(|tag| json!({ "key": tag["Key"], "value": tag["Value"] }))
        .collect()
}

/// A value below `key`. The keys inside a `Configuration` belong to the provider and stay.
fn translate(key: &str, value: &Value) -> Result<Value, String> {
    if NUMBERS.contains(&key) {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), ToOwned::to_owned);
        let number: u64 = text
            .parse()
            .map_err(|_| format!("`{key}` must be a number, not `{text}`"))?;
        return Ok(json!(number));
    }
    match value {
        Value::Object(_) if key == "Configuration" => Ok(value.clone()),
        Value::Object(object) => {
            let translated = object
                .iter()
                .map(|(key, value)| Ok((lower_first(key), translate(key, value)?)));
            translated
                .collect::<Result<Map<_, _>, String>>()
                .map(Value::Object)
        }
        Value::Array(items) => {
            let translated = items.iter().map(|item| translate("", item));
            translated
                .collect::<Result<Vec<_>, String>>()
                .map(Value::Array)
        }
        other => Ok(other.clone()),
    }
}

fn lower_first(key: &str) -> String {
    let mut letters = key.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_become_the_declaration_of_the_api() {
        let properties = json!({
            "PipelineType": "V2",
            "RoleArn": "role",
            "ArtifactStore": { "Type": "S3", "Location": "bucket" },
            "Tags": [{ "Key": "k", "Value": "v" }],
            "Stages": [{
                "Name": "Source",
                "Actions": [{
                    "Name": "a",
                    "RunOrder": "2",
                    "ActionTypeId": { "Category": "Source", "Version": "1" },
                    "Configuration": { "BranchName": "main" },
                    "OutputArtifacts": [{ "Name": "Out" }],
                }],
            }],
        });
        let expected = json!({
            "name": "p",
            "pipelineType": "V2",
            "roleArn": "role",
            "artifactStore": { "type": "S3", "location": "bucket" },
            "stages": [{
                "name": "Source",
                "actions": [{
                    "name": "a",
                    "runOrder": 2,
                    "actionTypeId": { "category": "Source", "version": "1" },
                    "configuration": { "BranchName": "main" },
                    "outputArtifacts": [{ "name": "Out" }],
                }],
            }],
        });
        assert_eq!(of(&properties, "p").unwrap(), expected);
        assert_eq!(tags(&properties), json!([{ "key": "k", "value": "v" }]));
    }

    #[test]
    fn a_run_order_that_is_no_number_is_named() {
        let properties = json!({ "Stages": [{ "Actions": [{ "RunOrder": "first" }] }] });
        assert_eq!(
            of(&properties, "p").unwrap_err(),
            "`RunOrder` must be a number, not `first`"
        );
    }

    #[test]
    fn artifact_stores_are_kept_by_region() {
        let store =
            json!({ "Region": "eu-west-1", "ArtifactStore": { "Type": "S3", "Location": "b" } });
        let declared = of(&json!({ "ArtifactStores": [store] }), "p").unwrap();
        assert_eq!(
            declared["artifactStores"]["eu-west-1"],
            json!({ "type": "S3", "location": "b" })
        );
    }
}
