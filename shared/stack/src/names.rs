//! Names that templates give to resources themselves, held against AWS's limits: for the longest name that an environment can
//! have, so that `int` does not work where `dev-christopher` fails. And those that would be left behind by an environment
//! that is removed, where the next one of its name could not be made.

use std::collections::BTreeMap;

use delivery_definition::names::NameOf;
use delivery_definition::{Service, Target};
use serde_json::Value;

use crate::template::Template;

/// The properties that name a resource.
const NAMES: [(&str, &str, NameOf); 4] = [
    ("AWS::S3::Bucket", "BucketName", NameOf::Bucket),
    ("AWS::Lambda::Function", "FunctionName", NameOf::Function),
    (
        "AWS::Serverless::Function",
        "FunctionName",
        NameOf::Function,
    ),
    ("AWS::IAM::Role", "RoleName", NameOf::Role),
];

/// As long as an account's id.
const ACCOUNT: &str = "111122223333";

/// The shortest name of a region, where the environment does not say which: nothing that works somewhere is refused.
const REGION: &str = "us-east-1";

/// Begins a value that CloudFormation looks up; how long that is, is not known here.
const LOOKED_UP: &str = "{{resolve:";

/// The properties that name what holds data, besides those of [`NAMES`]: two of a name cannot be.
const NAMES_OF_DATA: [(&str, &str); 9] = [
    ("AWS::Cognito::UserPoolDomain", "Domain"),
    ("AWS::DynamoDB::GlobalTable", "TableName"),
    ("AWS::DynamoDB::Table", "TableName"),
    ("AWS::Kinesis::Stream", "Name"),
    ("AWS::Logs::LogGroup", "LogGroupName"),
    ("AWS::SQS::Queue", "QueueName"),
    ("AWS::SSM::Parameter", "Name"),
    ("AWS::SecretsManager::Secret", "Name"),
    ("AWS::Serverless::SimpleTable", "TableName"),
];

/// The policies that leave a resource behind.
const LEAVES: [&str; 2] = ["Retain", "RetainExceptOnCreate"];

/// What is wrong with a resource's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {next}")]
pub struct WrongName {
    /// What is wrong, with the resource.
    pub what: String,
    /// What to do.
    pub next: String,
}

/// The names of a service's resources in this environment that are too long, or cannot be names. A value that is not
/// known here counts as no character.
#[must_use]
pub fn wrong_names(
    template: &Template,
    target: &Target<'_>,
    service: &Service,
    application: &str,
) -> Vec<WrongName> {
    let stack = target.stack(application, service).unwrap_or_default();
    let known = values(target, service, template, &stack);
    let resources = template.section("Resources");
    let wrong = resources.filter_map(|(id, resource)| {
        let (what, next) = wrong(id, resource, target.name.as_str(), &known)?;
        Some(WrongName { what, next })
    });
    wrong.collect()
}

/// The resources that would be left behind under their own names when an environment of this family (`dev`) is removed. One
/// with a condition is left to CloudFormation: the condition may be that the environment is another one.
#[must_use]
pub fn left_behind(template: &Template, family: &str) -> Vec<WrongName> {
    let of_names = NAMES.iter().map(|(kind, property, _)| (*kind, *property));
    let names: BTreeMap<_, _> = of_names.chain(NAMES_OF_DATA).collect();
    let resources = template.section("Resources");
    let left = resources.filter_map(|(id, resource)| {
        let kind = resource.get("Type")?.as_str()?;
        let property = *names.get(kind)?;
        let policy = resource.get("DeletionPolicy")?.as_str()?;
        let is_named = resource.get("Properties")?.get(property).is_some();
        let is_left = is_named && LEAVES.contains(&policy) && resource.get("Condition").is_none();
        is_left.then(|| WrongName {
            what: format!(
                "`{id}` has a name of its own (`{property}`) and stays when an environment `{family}-...` is removed (`DeletionPolicy: {policy}`): \
                 the next one of that name could not be made"
            ),
            next: format!("leave `{property}` out, so that CloudFormation chooses the name"),
        })
    });
    left.collect()
}

/// What a template can refer to in a name, as far as it is known before a deployment: an output of another service is not.
fn values(
    target: &Target<'_>,
    service: &Service,
    template: &Template,
    stack: &str,
) -> BTreeMap<String, String> {
    let region = target.settings.region.as_ref();
    let pseudo = [
        ("AWS::StackName", stack),
        ("AWS::AccountId", ACCOUNT),
        ("AWS::Region", region.map_or(REGION, |region| &region.0)),
    ];
    let mut values =
        BTreeMap::from(pseudo.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let declared = template.parameters();
    let defaults = declared.iter();
    values.extend(defaults.filter_map(|one| Some((one.name.clone(), one.default.clone()?))));
    let has = |name: &str| declared.iter().any(|one| one.name == name);
    for (name, parameter) in target.parameters(service, has) {
        let value = parameter.value.resolve(target.name.as_str(), |_| None);
        values.insert(name, value.unwrap_or_default());
    }
    // Such a parameter's value is the name of what holds it.
    for (name, parameter) in template.section("Parameters") {
        let kind = parameter.get("Type").and_then(Value::as_str);
        if kind.is_some_and(|kind| kind.starts_with("AWS::SSM::Parameter::Value<")) {
            values.remove(name);
        }
    }
    values
}

/// What is wrong with a resource's name, and what to do.
fn wrong(
    id: &str,
    resource: &Value,
    environment: &str,
    known: &BTreeMap<String, String>,
) -> Option<(String, String)> {
    let kind = resource.get("Type")?.as_str()?;
    let (_, property, of) = NAMES.iter().find(|(named, ..)| *named == kind)?;
    let text = as_text(resource.get("Properties")?.get(property)?);
    let name = expand(&text, known);
    if name.contains(LOOKED_UP) {
        return None;
    }
    if *of == NameOf::Bucket && text_outside(&text).contains(|one: char| one.is_ascii_uppercase()) {
        let what = format!("the bucket `{id}` has upper-case letters in its name: `{text}`");
        return Some((what, "write it in lower case".to_owned()));
    }
    let limit = of.limit();
    (name.len() > limit).then(|| {
        let what = format!(
            "the {of} `{id}` would have a name of {} characters in an environment with a name like `{environment}`: `{name}`; \
             the limit is {limit} ({})",
            name.len(),
            of.source()
        );
        (what, format!("shorten `{property}`: `{text}`"))
    })
}

/// A value as the text that `Fn::Sub` would take for it; empty where it is the result of another function.
fn as_text(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    if let Some(name) = value.get("Ref").and_then(Value::as_str) {
        return format!("${{{name}}}");
    }
    match (value.get("Fn::Sub"), value.get("Fn::Join")) {
        (Some(Value::String(text)), _) => text.clone(),
        (Some(Value::Array(sub)), _) => match &sub[..] {
            [Value::String(text), Value::Object(variables)] => {
                let replace = |text: String, (name, value): (&String, &Value)| {
                    text.replace(&format!("${{{name}}}"), &as_text(value))
                };
                variables.iter().fold(text.clone(), replace)
            }
            _ => String::new(),
        },
        (_, Some(Value::Array(join))) => match &join[..] {
            [Value::String(between), Value::Array(parts)] => {
                let parts: Vec<String> = parts.iter().map(as_text).collect();
                parts.join(between.as_str())
            }
            _ => String::new(),
        },
        _ => String::new(),
    }
}

/// A text with the references that are known replaced, and the others gone.
fn expand(text: &str, known: &BTreeMap<String, String>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once("${") {
        expanded.push_str(before);
        let Some((name, after)) = reference.split_once('}') else {
            break;
        };
        expanded.push_str(known.get(name.trim()).map_or("", String::as_str));
        rest = after;
    }
    expanded + rest
}

/// A text without its references.
fn text_outside(text: &str) -> String {
    expand(text, &BTreeMap::new())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_stays_under_its_own_name_keeps_an_environment_from_coming_back() {
        let left = |resource: &str| {
            let text = format!("Resources:\n  Orders: {{ {resource} }}\n");
            let found = left_behind(&Template::read(&text).unwrap(), "qa");
            found.first().map(ToString::to_string)
        };
        let table = "Type: 'AWS::DynamoDB::Table', DeletionPolicy: Retain, Properties: { TableName: !Sub 'orders-${Environment}' }";
        let said = left(table).unwrap();
        assert!(
            said.contains("`Orders` has a name of its own (`TableName`) and stays"),
            "{said}"
        );
        assert!(left(&table.replace("Retain", "RetainExceptOnCreate")).is_some());
        let bucket =
            "Type: 'AWS::S3::Bucket', DeletionPolicy: Retain, Properties: { BucketName: files }";
        assert!(left(bucket).is_some());
        for passes in [
            table.replace("Retain", "Delete"),
            table.replace("DeletionPolicy: Retain, ", ""),
            table.replace("TableName: ", "Tags: "),
            table.replace("DeletionPolicy", "Condition: IsProduction, DeletionPolicy"),
            table.replace("AWS::DynamoDB::Table'", "AWS::SNS::Subscription'"),
        ] {
            assert_eq!(left(&passes), None, "{passes}");
        }
    }

    fn said(kind: &str, property: &str, name: &Value) -> Option<String> {
        let resource = json!({ "Type": kind, "Properties": { property: name } });
        let known = [
            ("Environment", "dev-xxxxxxxxxxxxxxxx"),
            ("AWS::Region", "ap-southeast-1"),
        ];
        let known = known.map(|(name, value)| (name.to_owned(), value.to_owned()));
        wrong("Files", &resource, "dev-xxxxxxxxxxxxxxxx", &known.into()).map(|(what, _)| what)
    }

    #[test]
    fn a_name_that_is_too_long_for_the_longest_environment_is_refused() {
        let bucket = |name: &Value| said("AWS::S3::Bucket", "BucketName", name);
        assert_eq!(
            bucket(&json!({ "Fn::Sub": "files-${Environment}-${Other}" })),
            None
        );
        assert_eq!(bucket(&json!({ "Ref": "Name" })), None);
        assert!(bucket(&json!({ "Ref": "Environment" })).is_none());
        let looked_up = format!("{{{{resolve:ssm:/Names/{}}}}}", "x".repeat(64));
        assert_eq!(bucket(&json!(looked_up)), None);
        let long =
            json!({ "Fn::Sub": "the-files-of-the-workshop-${Environment}-${AWS::Region}-xy" });
        let what = bucket(&long).unwrap();
        assert!(
            what.starts_with("the bucket `Files` would have a name of 64"),
            "{what}"
        );
        let function = said(
            "AWS::Serverless::Function",
            "FunctionName",
            &json!("x".repeat(65)),
        );
        assert!(function.unwrap().contains("65 characters"));
    }

    #[test]
    fn names_that_are_joined_or_have_variables_are_expanded() {
        let role = |name: &Value| said("AWS::IAM::Role", "RoleName", name);
        let environment = json!({ "Ref": "Environment" });
        let long = "x".repeat(42);
        let joined = json!({ "Fn::Join": ["-", [long, environment, { "Ref": "Other" }]] });
        assert_eq!(role(&joined), None, "64, and one that is not known");
        let joined = json!({ "Fn::Join": ["-", [long, environment, "y"]] });
        assert!(role(&joined).unwrap().contains("65 characters"));
        let text = format!("{long}-${{Where}}-${{Other}}-y");
        let substituted = json!({ "Fn::Sub": [text, { "Where": environment }] });
        assert!(role(&substituted).unwrap().contains("66 characters"));
        let chosen = json!({ "Fn::If": ["IsShort", "a", "x".repeat(99)] });
        assert_eq!(role(&chosen), None);
    }

    #[test]
    fn a_bucket_with_upper_case_letters_is_refused() {
        let what = said(
            "AWS::S3::Bucket",
            "BucketName",
            &json!({ "Fn::Sub": "Files-${Environment}" }),
        );
        assert!(what.unwrap().contains("upper-case"));
    }

    #[test]
    fn what_is_looked_up_and_the_region_count_as_little_as_they_can() {
        let file = "application = \"shop\"\n\n[services]\nfiles = \".\"\n\n[environments.int]\nregion = \"eu-central-1\"\n\n[environments.prd]\n";
        let definition =
            delivery_definition::parse_bytes(file.as_bytes(), "delivery.toml").unwrap();
        let service = definition.services().get("files").unwrap();
        let path = "/names/of/the/bucket";
        let template = format!(
            "Parameters:\n  Name: {{ Type: 'AWS::SSM::Parameter::Value<String>', Default: {path} }}\n  Prefix: {{ Type: String, Default: a }}\n"
        );
        let template = Template::read(&template).unwrap();
        let of = |environment: &str| {
            let target = definition.environment(environment).unwrap();
            values(&target, service, &template, "stack")
        };
        assert_eq!(of("int")["AWS::Region"], "eu-central-1");
        assert_eq!(of("prd")["AWS::Region"], REGION);
        assert_eq!(of("prd")["Prefix"], "a");
        assert_eq!(of("prd").get("Name"), None);
    }
}
