//! Where a template can name a file of its own tree. Pure.
//!
//! The list is that of `aws cloudformation package` and the SAM CLI (`awscli/customizations/cloudformation/artifact_exporter.py`,
//! `samcli/lib/package/packageable_resources.py`), and what SAM's `Globals` can set for it.

use serde_json::{Value, json};

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Content {
    /// A folder or file that becomes a zip, or a zip.
    Code,
    /// A file that is uploaded as it is.
    Document,
    /// A template, whose own paths are looked for, too.
    Template,
}

/// How the property names the object in S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `s3://bucket/key`.
    Uri,
    /// `https://bucket.s3.region.amazonaws.com/key`.
    Url,
    /// An object with `S3Bucket` and `S3Key`.
    S3BucketAndKey,
    /// An object with `Bucket` and `Key`.
    BucketAndKey,
}

impl Form {
    /// The property's value for an object.
    pub(crate) fn value(self, bucket: &str, key: &str, url: &str) -> Value {
        match self {
            Self::Uri => json!(format!("s3://{bucket}/{key}")),
            Self::Url => json!(url),
            Self::S3BucketAndKey => json!({ "S3Bucket": bucket, "S3Key": key }),
            Self::BucketAndKey => json!({ "Bucket": bucket, "Key": key }),
        }
    }
}

/// A property that can hold a path: the resource's type, the property, what it leads to, and its form in S3.
type Property = (&'static str, &'static str, Content, Form);

const PROPERTIES: [Property; 22] = [
    (
        "AWS::Serverless::Function",
        "CodeUri",
        Content::Code,
        Form::Uri,
    ),
    (
        "AWS::Serverless::LayerVersion",
        "ContentUri",
        Content::Code,
        Form::Uri,
    ),
    (
        "AWS::Serverless::Api",
        "DefinitionUri",
        Content::Document,
        Form::Uri,
    ),
    (
        "AWS::Serverless::HttpApi",
        "DefinitionUri",
        Content::Document,
        Form::Uri,
    ),
    (
        "AWS::Serverless::StateMachine",
        "DefinitionUri",
        Content::Document,
        Form::Uri,
    ),
    (
        "AWS::Serverless::Application",
        "Location",
        Content::Template,
        Form::Url,
    ),
    (
        "AWS::Lambda::Function",
        "Code",
        Content::Code,
        Form::S3BucketAndKey,
    ),
    (
        "AWS::Lambda::LayerVersion",
        "Content",
        Content::Code,
        Form::S3BucketAndKey,
    ),
    (
        "AWS::ApiGateway::RestApi",
        "BodyS3Location",
        Content::Document,
        Form::BucketAndKey,
    ),
    (
        "AWS::ApiGatewayV2::Api",
        "BodyS3Location",
        Content::Document,
        Form::BucketAndKey,
    ),
    (
        "AWS::CloudFormation::Stack",
        "TemplateURL",
        Content::Template,
        Form::Url,
    ),
    (
        "AWS::StepFunctions::StateMachine",
        "DefinitionS3Location",
        Content::Document,
        Form::BucketAndKey,
    ),
    (
        "AWS::AppSync::GraphQLSchema",
        "DefinitionS3Location",
        Content::Document,
        Form::Uri,
    ),
    (
        "AWS::AppSync::Resolver",
        "RequestMappingTemplateS3Location",
        Content::Document,
        Form::Uri,
    ),
    (
        "AWS::AppSync::Resolver",
        "ResponseMappingTemplateS3Location",
        Content::Document,
        Form::Uri,
    ),
    (
        "AWS::AppSync::Resolver",
        "CodeS3Location",
        Content::Document,
        Form::Uri,
    ),
    (
        "AWS::AppSync::FunctionConfiguration",
        "RequestMappingTemplateS3Location",
        Content::Document,
        Form::Uri,
    ),
    (
        "AWS::AppSync::FunctionConfiguration",
        "ResponseMappingTemplateS3Location",
        Content::Document,
        Form::Uri,
    ),
    (
        "AWS::AppSync::FunctionConfiguration",
        "CodeS3Location",
        Content::Document,
        Form::Uri,
    ),
    (
        "AWS::Glue::Job",
        "Command/ScriptLocation",
        Content::Document,
        Form::Uri,
    ),
    // Sections of SAM's `Globals`, whose values are those of each such resource.
    ("Function", "CodeUri", Content::Code, Form::Uri),
    ("Api", "DefinitionUri", Content::Document, Form::Uri),
];

/// The sections of the table above that are not types of resources.
const GLOBALS: [&str; 2] = ["Function", "Api"];

/// A property that begins like a path and is none: `./index.handler` names an export.
const NOT_A_PATH: [&str; 1] = ["Handler"];

/// A path in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    /// The JSON pointer of the value.
    pub(crate) pointer: String,
    /// The resource's logical id, or the section where it is in none.
    pub(crate) resource: String,
    /// The property, as messages name it: `Command.ScriptLocation`.
    pub(crate) property: String,
    /// The path as it stands there.
    pub(crate) path: String,
    /// What it leads to; `None` where such a property is not known to hold a path.
    pub(crate) target: Option<(Content, Form)>,
}

/// All local paths of a template, and the values that look like one where none is known to be.
pub(crate) fn find(template: &Value) -> Vec<Location> {
    let mut found = Vec::new();
    let resources = template.get("Resources").and_then(Value::as_object);
    for (id, resource) in resources.into_iter().flatten() {
        let kind = resource["Type"].as_str().unwrap_or_default();
        let place = format!("/Resources/{}/Properties", escaped(id));
        of_properties(&mut found, kind, id, &place, &resource["Properties"]);
        strays(&mut found, kind, id, &place, &resource["Properties"]);
    }
    for section in GLOBALS {
        let place = format!("/Globals/{section}");
        let name = format!("Globals.{section}");
        of_properties(
            &mut found,
            section,
            &name,
            &place,
            &template["Globals"][section],
        );
    }
    includes(&mut found, template, &mut Vec::new());
    found
}

fn of_properties(
    found: &mut Vec<Location>,
    kind: &str,
    resource: &str,
    place: &str,
    properties: &Value,
) {
    for (_, property, content, form) in PROPERTIES.iter().filter(|row| row.0 == kind) {
        let value = properties.pointer(&format!("/{property}"));
        if let Some(path) = value.and_then(Value::as_str).filter(|text| is_local(text)) {
            found.push(Location {
                pointer: format!("{place}/{property}"),
                resource: resource.to_owned(),
                property: property.replace('/', "."),
                path: path.to_owned(),
                target: Some((*content, *form)),
            });
        }
    }
}

/// Values right in a resource's properties that begin as only paths do. Deeper ones are the application's own, such as
/// the environment variables of a function.
fn strays(found: &mut Vec<Location>, kind: &str, resource: &str, place: &str, properties: &Value) {
    for (property, value) in properties.as_object().into_iter().flatten() {
        let is_known = PROPERTIES
            .iter()
            .any(|row| row.0 == kind && row.1 == property);
        let path = value.as_str().unwrap_or_default();
        let looks_local = path.starts_with("./") || path.starts_with("../");
        if looks_local && !is_known && !NOT_A_PATH.contains(&property.as_str()) {
            found.push(Location {
                pointer: format!("{place}/{}", escaped(property)),
                resource: resource.to_owned(),
                property: property.clone(),
                path: path.to_owned(),
                target: None,
            });
        }
    }
}

/// The locations of `AWS::Include`, which may stand anywhere.
fn includes(found: &mut Vec<Location>, value: &Value, place: &mut Vec<String>) {
    let is_include = value["Name"] == "AWS::Include";
    let path = value
        .pointer("/Parameters/Location")
        .and_then(Value::as_str);
    if let Some(path) = path.filter(|path| is_include && is_local(path)) {
        let resource = match (place.first().map(String::as_str), place.get(1)) {
            (Some("Resources"), Some(id)) => id.clone(),
            (section, _) => section.unwrap_or_default().to_owned(),
        };
        let steps: Vec<String> = place.iter().map(|step| escaped(step)).collect();
        found.push(Location {
            pointer: format!("/{}/Parameters/Location", steps.join("/")),
            resource,
            property: "AWS::Include.Location".to_owned(),
            path: path.to_owned(),
            target: Some((Content::Document, Form::Uri)),
        });
        return;
    }
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), value))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(place, value)| (place.to_string(), value))
            .collect(),
        _ => return,
    };
    for (step, child) in children {
        place.push(step);
        includes(found, child, place);
        place.pop();
    }
}

/// Whether a text is a path, and not an address.
fn is_local(text: &str) -> bool {
    let schemes = ["s3://", "http://", "https://", "arn:", "{{resolve:"];
    !text.is_empty() && !schemes.iter().any(|scheme| text.starts_with(scheme))
}

/// A key as a step of a JSON pointer (RFC 6901).
fn escaped(step: &str) -> String {
    step.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::parse;

    #[test]
    fn each_property_of_the_list_is_found() {
        let mut resources = serde_json::Map::new();
        for (place, (kind, property, ..)) in PROPERTIES.iter().enumerate() {
            if GLOBALS.contains(kind) {
                continue;
            }
            let mut value = json!("some/path");
            for step in property.rsplit('/') {
                value = json!({ step: value });
            }
            let resource = json!({ "Type": kind, "Properties": value });
            resources.insert(format!("R{place}"), resource);
        }
        let template = json!({
            "Globals": { "Function": { "CodeUri": "src" }, "Api": { "DefinitionUri": "api.yaml" } },
            "Resources": resources,
        });
        let found = find(&template);
        assert_eq!(found.len(), PROPERTIES.len());
        for location in found {
            let path = template.pointer(&location.pointer).unwrap();
            assert_eq!(path, &json!(location.path), "{}", location.pointer);
            assert!(location.target.is_some());
        }
    }

    #[test]
    fn addresses_intrinsics_and_the_applications_own_values_are_left_alone() {
        let template = parse(
            "Resources:\n  A:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: s3://b/k\n      Handler: ./index.handler\n      Environment: { Variables: { CONFIG: ./config.json } }\n  B:\n    Type: AWS::Lambda::Function\n    Properties:\n      Code: { ZipFile: 'x' }\n  C:\n    Type: AWS::CloudFormation::Stack\n    Properties:\n      TemplateURL: !Sub 'https://${Bucket}/x'\n  D:\n    Type: AWS::Serverless::Application\n    Properties:\n      Location: { ApplicationId: 'arn:x', SemanticVersion: 1.0.0 }\n  E:\n    Type: AWS::ApiGateway::RestApi\n    Properties:\n      BodyS3Location: { Bucket: b, Key: k }\n",
        )
        .unwrap();
        assert_eq!(find(&template), []);
    }

    #[test]
    fn an_include_is_found_wherever_it_stands() {
        let template = parse(
            "Transform: { Name: 'AWS::Include', Parameters: { Location: top.yaml } }\nResources:\n  Api:\n    Type: AWS::Serverless::Api\n    Properties:\n      DefinitionBody:\n        Fn::Transform: { Name: 'AWS::Include', Parameters: { Location: ./swagger.yaml } }\n",
        )
        .unwrap();
        let found: Vec<String> = find(&template)
            .into_iter()
            .map(|one| {
                format!(
                    "{} {} {} {}",
                    one.pointer, one.resource, one.property, one.path
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                "/Transform/Parameters/Location Transform AWS::Include.Location top.yaml",
                "/Resources/Api/Properties/DefinitionBody/Fn::Transform/Parameters/Location Api AWS::Include.Location ./swagger.yaml",
            ]
        );
    }

    #[test]
    fn a_path_where_none_is_uploaded_is_told_apart() {
        let template = parse(
            "Resources:\n  Site:\n    Type: AWS::ElasticBeanstalk::ApplicationVersion\n    Properties:\n      SourceBundle: ./app.zip\n",
        )
        .unwrap();
        let found = find(&template);
        assert_eq!(
            (found[0].property.as_str(), found[0].target),
            ("SourceBundle", None)
        );
    }
}
