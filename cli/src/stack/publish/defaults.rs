//! Fills the addresses of what is published into a template, as defaults of its parameters.
//!
//! The template's text is edited, not written anew, so that its comments stay; the result is then read and
//! compared, so an edit that did anything else is found.

use std::collections::BTreeMap;

use delivery_stack::template::Template;
use serde_json::Value;

/// Why the defaults could not be filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FillError {
    /// The template has no such parameter.
    #[error("the template has no parameter `{0}`")]
    NoParameter(String),
    /// The template is written in a way that cannot be edited line by line.
    #[error("the template's parameters are not written with one key a line and two spaces a level")]
    Form,
}

/// The template with these defaults.
pub(crate) fn fill(
    template: &Template,
    defaults: &BTreeMap<&str, String>,
) -> Result<String, FillError> {
    let mut expected = template.value().clone();
    for (name, default) in defaults {
        let parameter = expected
            .get_mut("Parameters")
            .and_then(|parameters| parameters.get_mut(*name))
            .and_then(Value::as_object_mut);
        let Some(parameter) = parameter else {
            return Err(FillError::NoParameter((*name).to_owned()));
        };
        parameter.insert("Default".to_owned(), Value::String(default.clone()));
    }
    let text = defaults
        .iter()
        .fold(template.text.clone(), |text, (name, default)| {
            edit(&text, name, default)
        });
    match Template::read(&text) {
        Ok(read) if *read.value() == expected => Ok(text),
        _ => Err(FillError::Form),
    }
}

/// Replaces the default of one parameter, or adds it as the parameter's first key.
fn edit(text: &str, name: &str, default: &str) -> String {
    let line = format!("    Default: {}", Value::String(default.to_owned()));
    let heading = format!("  {name}:");
    let mut edited = Vec::new();
    let (mut in_parameters, mut here) = (false, None);
    for original in text.lines() {
        if !original.starts_with([' ', '#']) && !original.is_empty() {
            in_parameters = original == "Parameters:";
        }
        let in_block = original.starts_with("    ") || original.trim().is_empty();
        if !in_block {
            here = None;
        }
        if in_parameters && original == heading {
            edited.push(original.to_owned());
            edited.push(line.clone());
            here = Some(());
        } else if here.is_some() && original.starts_with("    Default:") {
            // The one that was put below the heading takes its place.
        } else {
            edited.push(original.to_owned());
        }
    }
    edited.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# A comment.\nParameters:\n  CodeBucket:\n    Description: The bucket. # kept\n    Type: String\n\n  Architecture:\n    Type: String\n    Default: arm64 # goes with the value\n    AllowedValues: [arm64, x86_64]\nResources:\n  CodeBucket:\n    Type: AWS::S3::Bucket\n";

    #[test]
    fn comments_and_everything_else_stay() {
        let template = Template::read(TEXT).unwrap();
        let defaults = [
            ("CodeBucket", "delivery-1".to_owned()),
            ("Architecture", "x86_64".to_owned()),
        ];
        insta::assert_snapshot!(fill(&template, &defaults.into()).unwrap());
    }

    #[test]
    fn what_cannot_be_edited_is_said() {
        let template = Template::read("Parameters: { CodeBucket: { Type: String } }\n").unwrap();
        let of = |name| BTreeMap::from([(name, "x".to_owned())]);
        assert_eq!(fill(&template, &of("CodeBucket")), Err(FillError::Form));
        assert_eq!(
            fill(&template, &of("Other")),
            Err(FillError::NoParameter("Other".to_owned()))
        );
    }
}
