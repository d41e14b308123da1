//! The rules of a template that can be checked by reading it.

use std::collections::BTreeSet;

use delivery_stack::NESTED_STACK;
use delivery_stack::template::Template;
use serde_json::Value;

use super::{Finding, Severity, file_name};

/// Longest template that a call can hold itself (`API_CreateChangeSet`, `TemplateBody`).
const MAX_BODY_BYTES: usize = 51_200;

/// Longest template in a bucket (CloudFormation's quotas).
const MAX_BYTES: usize = 1_000_000;

/// How many of each a template may hold (CloudFormation's quotas).
const MOST: [(&str, usize); 4] = [
    ("Parameters", 200),
    ("Resources", 500),
    ("Outputs", 200),
    ("Mappings", 200),
];

/// Longest `UserParameters` of an action (CodePipeline's Lambda action reference).
const MAX_USER_PARAMETERS: usize = 1000;

/// Whether a template is too long.
pub(super) fn size(file: &str, text: &str) -> Option<Finding> {
    let (severity, limit) = match text.len() {
        0..=MAX_BODY_BYTES => return None,
        length if length <= MAX_BYTES => (
            Severity::Warning,
            format!("more than {MAX_BODY_BYTES}: it can only be launched from a bucket"),
        ),
        _ => (Severity::Error, format!("more than {MAX_BYTES}: split it")),
    };
    Some(Finding {
        file: file.to_owned(),
        severity,
        message: format!("it has {} bytes, {limit}", text.len()),
        help: None,
    })
}

/// Everything else.
pub(super) fn check(file: &str, template: &Template, all: &[(String, Template)]) -> Vec<Finding> {
    let mut messages = counts(template);
    messages.extend(references(template));
    messages.extend(nested(template, all));
    messages.extend(user_parameters(template));
    messages.sort();
    messages.dedup();
    let finding = |message| Finding {
        file: file.to_owned(),
        severity: Severity::Error,
        message,
        help: None,
    };
    messages.into_iter().map(finding).collect()
}

fn counts(template: &Template) -> Vec<String> {
    let count = |(section, most): &(&str, usize)| {
        let count = template.section(section).count();
        (count > *most).then(|| format!("it has {count} {section}, more than {most}"))
    };
    let mut messages: Vec<String> = MOST.iter().filter_map(count).collect();
    if template.section("Resources").next().is_none() {
        messages.push("it has no `Resources`".to_owned());
    }
    messages
}

/// The names that a template may refer to.
struct Names<'a> {
    values: BTreeSet<&'a str>,
    resources: BTreeSet<&'a str>,
    conditions: BTreeSet<&'a str>,
}

/// References to what is not there.
fn references(template: &Template) -> Vec<String> {
    let of = |section: &str| -> BTreeSet<&str> {
        template
            .section(section)
            .map(|(name, _)| name.as_str())
            .collect()
    };
    let resources = of("Resources");
    let names = Names {
        values: of("Parameters").union(&resources).copied().collect(),
        conditions: of("Conditions"),
        resources,
    };
    let mut messages = Vec::new();
    for section in ["Rules", "Conditions", "Resources", "Outputs"] {
        for (name, value) in template.section(section) {
            let place = format!("{section}/{name}");
            walk(&place, value, &names, &mut messages);
        }
    }
    for (name, resource) in template.section("Resources") {
        let depends = match resource.get("DependsOn") {
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let missing = depends.iter().filter(|one| !names.resources.contains(*one));
        messages
            .extend(missing.map(|one| {
                format!("Resources/{name} depends on `{one}`, which is not a resource")
            }));
        if resource.get("Type").is_none() {
            messages.push(format!("Resources/{name} has no `Type`"));
        }
    }
    messages
}

fn walk(place: &str, value: &Value, names: &Names<'_>, messages: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            for item in items {
                walk(place, item, names, messages);
            }
        }
        Value::Object(map) => {
            for (key, inner) in map {
                refer(place, key, inner, names, messages);
                walk(place, inner, names, messages);
            }
        }
        _ => {}
    }
}

/// One intrinsic function, where it is one.
fn refer(place: &str, key: &str, value: &Value, names: &Names<'_>, messages: &mut Vec<String>) {
    let mut missing = |name: &str, what: &str| {
        messages.push(format!("{place} refers to `{name}`, which is not a {what}"));
    };
    match (key, value) {
        ("Ref", Value::String(name)) if !is_value(name, names) => {
            missing(name, "parameter or resource");
        }
        ("Fn::GetAtt", Value::Array(parts)) => {
            let name = parts.first().and_then(Value::as_str).unwrap_or_default();
            if !names.resources.contains(name) {
                missing(name, "resource");
            }
        }
        ("Condition", Value::String(name)) if !names.conditions.contains(name.as_str()) => {
            missing(name, "condition");
        }
        ("Fn::If", Value::Array(parts)) => {
            let name = parts.first().and_then(Value::as_str).unwrap_or_default();
            if !names.conditions.contains(name) {
                missing(name, "condition");
            }
        }
        ("Fn::Sub", _) => {
            let (text, own) = match value {
                Value::Array(parts) => (parts.first(), parts.get(1)),
                text => (Some(text), None),
            };
            for name in placeholders(text.and_then(Value::as_str).unwrap_or_default()) {
                let id = name.split('.').next().unwrap_or_default();
                let is_own = own.is_some_and(|own| own.get(name).is_some());
                if !is_own && !is_value(id, names) {
                    missing(name, "parameter or resource");
                }
            }
        }
        _ => {}
    }
}

fn is_value(name: &str, names: &Names<'_>) -> bool {
    name.starts_with("AWS::") || names.values.contains(name)
}

/// The names between `${` and `}`; `${!...}` is a text.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.split("${").skip(1).filter_map(|rest| {
        let name = rest.split_once('}')?.0.trim();
        (!name.starts_with('!')).then_some(name)
    })
}

/// Nested stacks: what is passed exists, what is needed is passed, what is used comes out.
fn nested(template: &Template, all: &[(String, Template)]) -> Vec<String> {
    let mut messages = Vec::new();
    for (name, resource) in template.section("Resources") {
        if resource.get("Type").and_then(Value::as_str) != Some(NESTED_STACK) {
            continue;
        }
        let properties = resource.get("Properties");
        let url = properties
            .and_then(|properties| properties.get("TemplateURL"))
            .map(ToString::to_string)
            .unwrap_or_default();
        let inner = all
            .iter()
            .find(|(file, _)| url.contains(&format!("/{}", file_name(file))));
        let Some((_, inner)) = inner else { continue };
        let passed: BTreeSet<&str> = properties
            .and_then(|properties| properties.get("Parameters"))
            .and_then(Value::as_object)
            .map(|passed| passed.keys().map(String::as_str).collect())
            .unwrap_or_default();
        let declared = inner.parameters();
        let unknown = passed
            .iter()
            .filter(|one| declared.iter().all(|parameter| parameter.name != **one));
        messages.extend(unknown.map(|one| {
            format!(
                "Resources/{name} passes `{one}`, which is not a parameter of the nested template"
            )
        }));
        let needed = declared
            .iter()
            .filter(|one| one.default.is_none() && !passed.contains(one.name.as_str()));
        messages.extend(needed.map(|one| {
            format!(
                "Resources/{name} does not pass `{}`, which the nested template requires",
                one.name
            )
        }));
        messages.extend(outputs(template, name, inner));
    }
    messages
}

/// The outputs of a nested stack that are used and do not exist.
fn outputs(template: &Template, name: &str, inner: &Template) -> Vec<String> {
    fn used(value: &Value, name: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| used(item, name, found)),
            Value::Object(map) => {
                for (key, inner) in map {
                    let attribute = (key == "Fn::GetAtt" && inner.get(0) == Some(&name.into()))
                        .then(|| inner.get(1).and_then(Value::as_str))
                        .flatten();
                    let output = attribute.and_then(|text| text.strip_prefix("Outputs."));
                    found.extend(output.map(str::to_owned));
                    used(inner, name, found);
                }
            }
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    used(template.value(), name, &mut found);
    let known: BTreeSet<&String> = inner.section("Outputs").map(|(name, _)| name).collect();
    found
        .iter()
        .filter(|output| !known.contains(output))
        .map(|output| format!("the nested template of Resources/{name} has no output `{output}`"))
        .collect()
}

/// `UserParameters` that are too long even before anything is filled in.
fn user_parameters(template: &Template) -> Vec<String> {
    fn longest(value: &Value, found: &mut Vec<usize>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| longest(item, found)),
            Value::Object(map) => {
                for (key, inner) in map {
                    if key == "UserParameters" {
                        let text = inner.get("Fn::Sub").unwrap_or(inner);
                        found.extend(text.as_str().map(|text| text.chars().count()));
                    }
                    longest(inner, found);
                }
            }
            _ => {}
        }
    }
    let mut lengths = Vec::new();
    longest(template.value(), &mut lengths);
    lengths
        .into_iter()
        .filter(|length| *length > MAX_USER_PARAMETERS)
        .map(|length| {
            format!("`UserParameters` of {length} characters, more than {MAX_USER_PARAMETERS}")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "
Parameters:
  A: { Type: String }
Conditions:
  HasA: !Equals [!Ref Nothing, '']
Resources:
  Inner:
    Type: AWS::CloudFormation::Stack
    DependsOn: Missing
    Properties:
      TemplateURL: !Sub 'https://x/${A}/inner.yaml'
      Parameters: { Known: !Ref A, Unknown: !If [HasB, 1, 2] }
  Other:
    Type: AWS::SSM::Parameter
    Condition: HasC
    Properties:
      Value: !Sub ['${Own} ${Inner.Arn} ${AWS::Region} ${!Kept} ${Lost}', { Own: !GetAtt Gone.Arn }]
Outputs:
  Bad: { Value: !GetAtt Inner.Outputs.Nowhere }
  Good: { Value: !GetAtt Inner.Outputs.There }
";

    const INNER: &str = "
Parameters:
  Known: { Type: String }
  Needed: { Type: String }
  Optional: { Type: String, Default: '' }
Resources:
  Thing: { Type: AWS::SSM::Parameter }
Outputs:
  There: { Value: !Ref Thing }
";

    #[test]
    fn what_does_not_fit_together_is_found() {
        let all: Vec<(String, Template)> = [("a/root.yaml", ROOT), ("a/inner.yaml", INNER)]
            .iter()
            .map(|(file, text)| ((*file).to_owned(), Template::read(text).unwrap()))
            .collect();
        let messages: Vec<String> = check("a/root.yaml", &all[0].1, &all)
            .into_iter()
            .map(|finding| finding.message)
            .collect();
        insta::assert_snapshot!(messages.join("\n"));
        assert_eq!(check("a/inner.yaml", &all[1].1, &all), []);
    }

    #[test]
    fn limits_are_kept() {
        assert_eq!(size("a", &"x".repeat(MAX_BODY_BYTES)), None);
        let severity = |bytes: usize| size("a", &"x".repeat(bytes)).map(|found| found.severity);
        assert_eq!(severity(MAX_BODY_BYTES + 1), Some(Severity::Warning));
        assert_eq!(severity(MAX_BYTES + 1), Some(Severity::Error));
        let long = format!(
            "Resources:\n  P:\n    Type: T\n    Properties:\n      UserParameters: '{}'\n",
            "x".repeat(MAX_USER_PARAMETERS + 1)
        );
        let found = check("a", &Template::read(&long).unwrap(), &[]);
        assert_eq!(
            found[0].message,
            "`UserParameters` of 1001 characters, more than 1000"
        );
    }

    /// The templates that are shipped keep every rule.
    #[test]
    fn the_shipped_templates_are_right() {
        let folder = crate::checkout::of_tests().join("cloudformation");
        let all: Vec<(String, Template)> = ["actions", "application", "delivery", "pipeline"]
            .iter()
            .map(|name| {
                let text = std::fs::read_to_string(folder.join(format!("{name}.yaml"))).unwrap();
                (format!("{name}.yaml"), Template::read(&text).unwrap())
            })
            .collect();
        for (file, template) in &all {
            assert_eq!(check(file, template, &all), [], "{file}");
        }
    }
}
