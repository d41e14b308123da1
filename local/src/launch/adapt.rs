//! The copy of a template that is launched on one machine: the same resources with the same properties,
//! except for what only the local AWS needs to know. No template and no action knows about it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// The function behind the pipeline's custom resource.
const PIPELINE_FUNCTION: &str = include_str!("pipeline_resource.py");

/// Its logical id; no template of ours has a resource of that name.
const PIPELINE_FUNCTION_ID: &str = "LocalPipelineResource";

/// How the templates spell an API's address on AWS.
const API_ON_AWS: [&str; 2] = [
    "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/",
    "https://${Api}.execute-api.${AWS::Region}.amazonaws.com/",
];

/// How the templates spell the address of the bucket with the nested templates.
const TEMPLATES_ON_AWS: &str = "https://${CodeBucket}.s3.${AWS::Region}.${AWS::URLSuffix}/";

/// Where the copy will run.
#[derive(Clone, Debug)]
pub struct Locally<'a> {
    /// The endpoint of the local AWS.
    pub endpoint: &'a str,
    /// The endpoint of the CodePipeline engine.
    pub codepipeline: &'a str,
    /// The addresses of the sites, by their bucket's logical id ([`sites`]).
    pub sites: &'a BTreeMap<String, String>,
}

/// The logical ids of the buckets that are websites.
#[must_use]
pub fn sites(template: &Value) -> BTreeSet<String> {
    let resources = template["Resources"].as_object().into_iter().flatten();
    resources
        .filter(|(_, resource)| resource["Properties"].get("WebsiteConfiguration").is_some())
        .map(|(id, _)| id.clone())
        .collect()
}

/// The copy of a template.
#[must_use]
pub fn adapt(template: &Value, locally: &Locally<'_>) -> Value {
    let mut copy = addresses(template, locally);
    let Some(resources) = copy.get_mut("Resources").and_then(Value::as_object_mut) else {
        return copy;
    };
    let mut has_pipeline = false;
    for resource in resources.values_mut() {
        match resource["Type"].as_str() {
            Some("AWS::Lambda::Function") => {
                add_environment(&mut resource["Properties"], locally);
                drop_storage_parameter(&mut resource["Properties"]);
            }
            Some("AWS::CodePipeline::Pipeline") => {
                has_pipeline = true;
                resource["Type"] = json!("Custom::Pipeline");
                resource["Properties"]["ServiceToken"] =
                    json!({ "Fn::GetAtt": [PIPELINE_FUNCTION_ID, "Arn"] });
            }
            _ => {}
        }
    }
    if has_pipeline {
        resources.insert(PIPELINE_FUNCTION_ID.to_owned(), pipeline_function(locally));
    }
    copy
}

/// The template with its AWS addresses replaced by local ones.
fn addresses(value: &Value, locally: &Locally<'_>) -> Value {
    match value {
        Value::String(text) => json!(local_address(text, locally)),
        Value::Array(items) => items.iter().map(|item| addresses(item, locally)).collect(),
        Value::Object(object) => {
            if let Some(site) = website_url(object).and_then(|id| locally.sites.get(id)) {
                return json!(site);
            }
            let copied = object
                .iter()
                .map(|(key, value)| (key.clone(), addresses(value, locally)));
            Value::Object(copied.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

fn local_address(text: &str, locally: &Locally<'_>) -> String {
    let mut text = text.replace(
        TEMPLATES_ON_AWS,
        &format!("{}/${{CodeBucket}}/", locally.endpoint),
    );
    for api in API_ON_AWS {
        text = text.replace(
            api,
            &format!("{}/_aws/execute-api/${{Api}}/", locally.endpoint),
        );
    }
    text
}

/// The logical id in `!GetAtt ID.WebsiteURL`.
fn website_url(object: &Map<String, Value>) -> Option<&str> {
    let arguments = object.get("Fn::GetAtt")?.as_array()?;
    match arguments.as_slice() {
        [id, attribute] if attribute == "WebsiteURL" => id.as_str(),
        _ => None,
    }
}

/// Tells a function where AWS is, and where it logs, which Lambda would tell it by itself.
fn add_environment(properties: &mut Value, locally: &Locally<'_>) {
    let log_group = properties["LoggingConfig"].get("LogGroup").cloned();
    if properties.get("Environment").is_none() {
        properties["Environment"] = json!({ "Variables": {} });
    }
    let variables = &mut properties["Environment"]["Variables"];
    variables["AWS_ENDPOINT_URL"] = json!(locally.endpoint);
    variables["AWS_ENDPOINT_URL_CODEPIPELINE"] = json!(locally.codepipeline);
    if let Some(log_group) = log_group {
        variables["AWS_LAMBDA_LOG_GROUP_NAME"] = log_group;
    }
}

/// The gap: `MiniStack` 1.5.33 keeps a size that comes from a parameter as a text, and no SDK can read its
/// `GetFunction` and `ListFunctions` then. It limits no function's disk anyway.
fn drop_storage_parameter(properties: &mut Value) {
    let size = properties
        .get("EphemeralStorage")
        .map(|storage| &storage["Size"]);
    if size.is_some_and(|size| !size.is_number()) {
        properties
            .as_object_mut()
            .expect("it has properties")
            .remove("EphemeralStorage");
    }
}

fn pipeline_function(locally: &Locally<'_>) -> Value {
    json!({
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Description": "Stands in for CloudFormation's own handler of pipelines",
            "Runtime": "python3.12",
            "Handler": "index.handler",
            "Timeout": 60,
            "Role": { "Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/local" },
            "Environment": { "Variables": { "AWS_ENDPOINT_URL": locally.endpoint } },
            "Code": { "ZipFile": PIPELINE_FUNCTION },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapted(template: &Value) -> Value {
        let sites = BTreeMap::from([("Site".to_owned(), "http://127.0.0.1:2".to_owned())]);
        let locally = Locally {
            endpoint: "http://127.0.0.1:1",
            codepipeline: "http://127.0.0.1:3",
            sites: &sites,
        };
        adapt(template, &locally)
    }

    #[test]
    fn a_pipeline_becomes_a_custom_resource_with_the_same_properties() {
        let properties = json!({ "RoleArn": "r", "Stages": [] });
        let template = json!({
            "Resources": { "P": { "Type": "AWS::CodePipeline::Pipeline", "Properties": properties } },
        });
        let copy = adapted(&template);
        let pipeline = &copy["Resources"]["P"];
        assert_eq!(pipeline["Type"], "Custom::Pipeline");
        assert_eq!(pipeline["Properties"]["RoleArn"], "r");
        assert_eq!(
            pipeline["Properties"]["ServiceToken"]["Fn::GetAtt"],
            json!([PIPELINE_FUNCTION_ID, "Arn"])
        );
        assert_eq!(
            copy["Resources"][PIPELINE_FUNCTION_ID]["Type"],
            "AWS::Lambda::Function"
        );
    }

    #[test]
    fn a_function_keeps_its_own_variables_beside_the_endpoints() {
        let properties = json!({
            "Environment": { "Variables": { "MINE": "1" } },
            "LoggingConfig": { "LogGroup": { "Ref": "LogGroup" } },
        });
        let template = json!({ "Resources": { "F": { "Type": "AWS::Lambda::Function", "Properties": properties } } });
        let variables =
            &adapted(&template)["Resources"]["F"]["Properties"]["Environment"]["Variables"];
        let expected = json!({
            "MINE": "1",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            "AWS_ENDPOINT_URL_CODEPIPELINE": "http://127.0.0.1:3",
            "AWS_LAMBDA_LOG_GROUP_NAME": { "Ref": "LogGroup" },
        });
        assert_eq!(variables, &expected);
    }

    #[test]
    fn addresses_of_aws_become_local_ones() {
        let template = json!({ "Outputs": {
            "Api": { "Fn::Sub": "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/test" },
            "Site": { "Fn::GetAtt": ["Site", "WebsiteURL"] },
            "Arn": { "Fn::GetAtt": ["Site", "Arn"] },
        } });
        let expected = json!({ "Outputs": {
            "Api": { "Fn::Sub": "http://127.0.0.1:1/_aws/execute-api/${Api}/test" },
            "Site": "http://127.0.0.1:2",
            "Arn": { "Fn::GetAtt": ["Site", "Arn"] },
        } });
        assert_eq!(adapted(&template), expected);
    }
}
