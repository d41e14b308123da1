//! The permissions boundary of the roles that a template makes. Pure.

use serde_json::{Value, json};

/// The types that make a role, and take its boundary as a property.
const TYPES: [&str; 4] = [
    "AWS::IAM::Role",
    "AWS::IAM::User",
    "AWS::Serverless::Function",
    "AWS::Serverless::StateMachine",
];

/// Gives a boundary to each role of a template that has none; returns whether there was one.
pub(super) fn set(template: &mut Value, boundary: &str) -> bool {
    let resources = template.get_mut("Resources").and_then(Value::as_object_mut);
    let mut changed = false;
    for resource in resources.into_iter().flat_map(serde_json::Map::values_mut) {
        let makes_a_role = resource["Type"]
            .as_str()
            .is_some_and(|kind| TYPES.contains(&kind));
        let Some(resource) = resource.as_object_mut().filter(|_| makes_a_role) else {
            continue;
        };
        let properties = resource.entry("Properties").or_insert_with(|| json!({}));
        if let Some(properties) = properties.as_object_mut()
            && !properties.contains_key("PermissionsBoundary")
        {
            properties.insert("PermissionsBoundary".to_owned(), json!(boundary));
            changed = true;
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_without_a_boundary_get_it() {
        let mut template = json!({ "Resources": {
            "Role": { "Type": "AWS::IAM::Role", "Properties": { "Path": "/" } },
            "Own": { "Type": "AWS::IAM::Role", "Properties": { "PermissionsBoundary": "own" } },
            "Function": { "Type": "AWS::Serverless::Function" },
            "Topic": { "Type": "AWS::SNS::Topic" },
        } });
        assert!(set(&mut template, "b"));
        let resources = &template["Resources"];
        assert_eq!(
            resources["Role"]["Properties"],
            json!({ "Path": "/", "PermissionsBoundary": "b" })
        );
        assert_eq!(resources["Own"]["Properties"]["PermissionsBoundary"], "own");
        assert_eq!(
            resources["Function"]["Properties"]["PermissionsBoundary"],
            "b"
        );
        assert_eq!(resources["Topic"], json!({ "Type": "AWS::SNS::Topic" }));
        assert!(!set(&mut template, "b"), "a second time");
    }
}
