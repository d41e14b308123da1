//! The documents that are refused: those that API Gateway refuses, and those that the local API Gateway cannot import so that
//! the API is as protected, and answers the same, as on AWS.

use regex_lite::Regex;
use serde_json::Value;

use super::super::openapi;

/// What API Gateway answers to an import, one line a problem; in its own words where these are known
/// (amazon-archives/aws-apigateway-importer#194, #202, hashicorp/terraform-provider-aws#17971).
pub(super) fn by_aws(document: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, _) in openapi::schemas(document) {
        if !name.chars().all(|c| c.is_ascii_alphanumeric()) {
            problems.push(format!(
                "Unable to create model for '{name}': Model name must be alphanumeric: {name}"
            ));
        }
    }
    dangling(document, document, &mut problems);
    paths(document, &mut problems);
    for (path, method, operation, _) in openapi::operations(document) {
        if let Some(integration) = operation.get("x-amazon-apigateway-integration")
            && let Err(reason) = target(integration)
        {
            problems.push(format!(
                "Unable to put integration on '{method}' for resource at path '{path}': {reason}"
            ));
        }
    }
    problems
}

/// What refuses an import only with `failonwarnings`.
pub(super) fn warnings(document: &Value) -> Vec<String> {
    openapi::operations(document)
        .filter(|(_, _, operation, _)| operation.get("responses").is_none())
        .map(|(path, method, _, _)| {
            let method = method.to_lowercase();
            format!("Parse issue: attribute paths.'{path}'({method}).responses is missing")
        })
        .collect()
}

/// References to what the document does not have.
fn dangling(document: &Value, value: &Value, problems: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            if let Some(reference) = object.get("$ref").and_then(Value::as_str)
                && reference
                    .strip_prefix('#')
                    .is_none_or(|pointer| document.pointer(pointer).is_none())
            {
                problems.push(format!(
                    "Invalid model reference specified: the document has no '{reference}'"
                ));
            }
            for (key, value) in object {
                // Data, in which `$ref` means nothing.
                if !matches!(key.as_str(), "example" | "examples" | "default" | "enum") {
                    dangling(document, value, problems);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                dangling(document, item, problems);
            }
        }
        _ => {}
    }
}

/// The resources of all paths: their names, and one variable a level.
fn paths(document: &Value, problems: &mut Vec<String>) {
    let part_of_path =
        Regex::new(r"^([A-Za-z0-9._:-]+|\{[A-Za-z0-9._:-]+\+?\})$").expect("a valid pattern");
    let mut variables = std::collections::HashMap::<String, &str>::new();
    for path in document["paths"]
        .as_object()
        .into_iter()
        .flat_map(serde_json::Map::keys)
    {
        let mut parent = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let so_far = format!("{parent}/{part}");
            let unable = format!("Unable to create resource at path '{so_far}': ");
            if !part_of_path.is_match(part) {
                problems.push(format!(
                    "{unable}Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly \
                     braces at the beginning and the end."
                ));
            } else if part.starts_with('{') {
                let first = *variables.entry(parent.clone()).or_insert(part);
                if first != part {
                    problems.push(format!(
                        "{unable}A sibling ({first}) of this resource already has a variable path part -- only one is \
                         allowed"
                    ));
                }
            }
            parent = so_far;
        }
    }
}

/// Whether an integration names what it calls.
fn target(integration: &Value) -> Result<(), &'static str> {
    let kind = integration["type"]
        .as_str()
        .unwrap_or_default()
        .to_lowercase();
    if kind == "mock" {
        return Ok(());
    }
    if !matches!(kind.as_str(), "aws" | "aws_proxy" | "http" | "http_proxy") {
        return Err(
            "Enumeration value for IntegrationType must be one of AWS, AWS_PROXY, HTTP, HTTP_PROXY, MOCK",
        );
    }
    let Some(uri) = integration["uri"].as_str() else {
        return Err("Invalid URI specified: it is not a text");
    };
    if !integration["httpMethod"].is_string() {
        return Err("Enumeration value for HttpMethod must be non-empty");
    }
    let stage_variable =
        Regex::new(r"\$\{stageVariables\.[A-Za-z0-9_]+\}").expect("a valid pattern");
    let filled = stage_variable.replace_all(uri, "x");
    let arn = Regex::new(r"^arn:[^:]+:apigateway:[^:]*:[^:]+:(path|action)/.+$")
        .expect("a valid pattern");
    match kind.starts_with("aws") {
        true if filled.contains("${") => Err("Invalid ARN specified in the request"),
        true if !arn.is_match(&filled) => {
            Err("AWS ARN for integration must contain path or action")
        }
        false if !filled.starts_with("http") => Err("Invalid HTTP endpoint specified for URI"),
        _ => Ok(()),
    }
}

/// What `CreateDeployment` refuses.
pub(in super::super) fn deployment(document: &Value) -> Option<&'static str> {
    let mut operations = openapi::operations(document).peekable();
    if operations.peek().is_none() {
        return Some("The REST API doesn't contain any methods");
    }
    operations
        .any(|(_, _, operation, _)| operation.get("x-amazon-apigateway-integration").is_none())
        .then_some("No integration defined for method")
}

/// What works on AWS and not here; one line each.
pub(super) fn here(document: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    if document.get("x-amazon-apigateway-policy").is_some() {
        problems.push("the resource policy (`x-amazon-apigateway-policy`)".to_owned());
    }
    if document["x-amazon-apigateway-api-key-source"] == "AUTHORIZER" {
        problems.push(
            "API keys that an authorizer names (`x-amazon-apigateway-api-key-source`)".to_owned(),
        );
    }
    for (name, scheme) in openapi::security_schemes(document) {
        let kind = &scheme["x-amazon-apigateway-authorizer"]["type"];
        let known = ["cognito_user_pools", "token", "request"];
        if let Some(kind) = kind.as_str()
            && !known.contains(&kind.to_lowercase().as_str())
        {
            problems.push(format!("the authorizer `{name}` of type `{kind}`"));
        }
    }
    for (path, method, operation, _) in openapi::operations(document) {
        let integration = &operation["x-amazon-apigateway-integration"];
        if let Some(what) = unmapped(integration) {
            problems.push(format!("{method} {path}: {what}"));
        }
    }
    problems
}

/// An integration of a template, in the form of a document's.
pub(in super::super) fn integration(integration: &Value) -> Result<(), String> {
    match unmapped(integration) {
        Some(what) => Err(format!(
            "The local API Gateway does not support this and would answer differently from AWS: {what}"
        )),
        None => Ok(()),
    }
}

/// What an integration wants translated that the local API Gateway hands on as it is.
fn unmapped(integration: &Value) -> Option<&'static str> {
    let kind = integration["type"]
        .as_str()
        .unwrap_or_default()
        .to_lowercase();
    if integration["connectionType"] == "VPC_LINK" {
        return Some("an integration through a VPC link");
    }
    match kind.as_str() {
        "aws" => Some("an integration of type `aws` (use `aws_proxy`)"),
        "http" => Some("an integration of type `http` (use `http_proxy`)"),
        "mock" => {
            let of_responses = integration["responses"].as_object().into_iter().flatten();
            let mut templates = of_responses
                .flat_map(|(_, response)| {
                    [
                        &response["responseTemplates"],
                        &response["responseParameters"],
                    ]
                })
                .chain([&integration["requestTemplates"]])
                .filter_map(Value::as_object)
                .flatten();
            templates
                .any(|(_, text)| text.as_str().is_some_and(is_computed))
                .then_some("a mapping template with variables in an integration of type `mock`")
        }
        _ => None,
    }
}

/// Whether a template is more than a fixed text: a variable or directive of VTL, or a mapped value.
fn is_computed(template: &str) -> bool {
    let text = template.trim();
    text.contains('$')
        || text.contains("#set")
        || text.contains("#if")
        || text.contains("#foreach")
        || ["context.", "integration.", "stageVariables."]
            .iter()
            .any(|start| text.starts_with(start))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FUNCTION: &str = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:\
                            000000000000:function:${stageVariables.function}:${stageVariables.alias}/invocations";

    fn operation(uri: &Value) -> Value {
        let integration = json!({ "type": "aws_proxy", "httpMethod": "POST", "uri": uri });
        json!({ "get": { "responses": {}, "x-amazon-apigateway-integration": integration } })
    }

    fn refused(paths: &Value) -> String {
        by_aws(&json!({ "openapi": "3.0.1", "paths": paths })).join("\n")
    }

    #[test]
    fn a_good_document_is_taken() {
        let good = operation(&json!(FUNCTION));
        let paths =
            json!({ "/a/{id}/b": good, "/a/{id}/c": good, "/a/x": good, "/p/{proxy+}": good });
        assert_eq!(refused(&paths), "");
        assert_eq!(deployment(&json!({ "paths": paths })), None);
    }

    #[test]
    fn a_level_has_one_variable() {
        let good = operation(&json!(FUNCTION));
        let said = refused(&json!({ "/user/{a}/x": good, "/user/{b}/y": good }));
        let expected = "Unable to create resource at path '/user/{b}': A sibling ({a}) of this resource already has a \
                        variable path part -- only one is allowed";
        assert_eq!(said, expected);
        let said = refused(&json!({ "/a{b}c": good }));
        assert!(said.contains("path part only allow"), "{said}");
    }

    #[test]
    fn an_integration_names_what_it_calls() {
        for (uri, reason) in [
            (json!({ "Fn::Sub": "arn:aws:..." }), "not a text"),
            (
                json!(
                    "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${F.Arn}/invocations"
                ),
                "Invalid ARN",
            ),
            (
                json!("arn:aws:lambda:us-east-1:000000000000:function:f"),
                "must contain path or action",
            ),
        ] {
            let said = refused(&json!({ "/a": operation(&uri) }));
            assert!(
                said.contains("Unable to put integration on 'GET' for resource at path '/a'"),
                "{said}"
            );
            assert!(said.contains(reason), "{said}");
        }
        let without = json!({ "paths": { "/a": { "get": { "responses": {} } } } });
        assert_eq!(
            deployment(&without),
            Some("No integration defined for method")
        );
        assert_eq!(
            deployment(&json!({ "paths": { "/a": {} } })),
            Some("The REST API doesn't contain any methods")
        );
    }

    #[test]
    fn names_of_models_and_references_are_checked() {
        let get = json!({ "responses": { "200": { "schema": { "$ref": "#/definitions/None" } } } });
        let document =
            json!({ "paths": { "/a": { "get": get } }, "definitions": { "My_Model": {} } });
        let said = by_aws(&document).join("\n");
        assert!(
            said.contains("Model name must be alphanumeric: My_Model"),
            "{said}"
        );
        assert!(said.contains("'#/definitions/None'"), "{said}");
    }

    #[test]
    fn what_is_not_done_here_is_named() {
        let mock = |template: &str| json!({ "type": "mock", "responses": { "default": { "responseTemplates": { "application/json": template } } } });
        let at = |integration: &Value| {
            here(&json!({ "paths": { "/a": { "get": { "x-amazon-apigateway-integration": integration } } } })).join("\n")
        };
        assert_eq!(at(&mock("{\"ok\": true}")), "");
        assert!(at(&mock("$context.requestId")).starts_with("GET /a: a mapping template"));
        assert!(at(&json!({ "type": "AWS" })).contains("`aws_proxy`"));
        let policy = json!({ "x-amazon-apigateway-policy": {}, "paths": {} });
        assert!(here(&policy)[0].contains("resource policy"));
    }
}
