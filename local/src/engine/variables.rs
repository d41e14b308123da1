//! `#{namespace.key}`: references to variables, resolved right before an action starts.

use std::collections::BTreeMap;

/// The namespace that holds the execution's own id.
pub(crate) const EXECUTION_NAMESPACE: &str = "codepipeline";

/// The namespace that holds the pipeline's own variables.
pub(crate) const PIPELINE_NAMESPACE: &str = "variables";

/// The one key of [`EXECUTION_NAMESPACE`].
pub(crate) const EXECUTION_ID_KEY: &str = "PipelineExecutionId";

/// Largest resolved configuration of one action (User Guide, quotas: 100 KB).
pub(crate) const MAX_RESOLVED_BYTES: usize = 100 * 1024;

/// Why a configuration cannot be resolved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum VariableError {
    #[error("the variable reference `#{{{reference}}}` in `{key}` has no value")]
    Unresolved { key: String, reference: String },
    #[error("the resolved configuration is {size} bytes, more than {MAX_RESOLVED_BYTES}")]
    TooLarge { size: usize },
}

/// Replaces every reference in a configuration by its value.
pub(crate) fn resolve<'v>(
    configuration: &BTreeMap<String, String>,
    lookup: impl Fn(&str, &str) -> Option<&'v str>,
) -> Result<BTreeMap<String, String>, VariableError> {
    let mut resolved = BTreeMap::new();
    for (key, value) in configuration {
        let value = resolve_text(key, value, &lookup)?;
        resolved.insert(key.clone(), value);
    }
    let size = resolved
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if size > MAX_RESOLVED_BYTES {
        return Err(VariableError::TooLarge { size });
    }
    Ok(resolved)
}

/// Replaces every reference in one text by its value; `key` names the text in the error.
pub(crate) fn resolve_text<'v>(
    key: &str,
    text: &str,
    lookup: &impl Fn(&str, &str) -> Option<&'v str>,
) -> Result<String, VariableError> {
    resolve_value(text, lookup).map_err(|reference| VariableError::Unresolved {
        key: key.to_owned(),
        reference,
    })
}

fn resolve_value<'v>(
    text: &str,
    lookup: &impl Fn(&str, &str) -> Option<&'v str>,
) -> Result<String, String> {
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = rest.split_once("#{") {
        resolved.push_str(before);
        let Some((reference, after)) = from.split_once('}') else {
            return Err(from.to_owned());
        };
        let value = reference
            .split_once('.')
            .and_then(|(space, key)| lookup(space, key));
        resolved.push_str(value.ok_or_else(|| reference.to_owned())?);
        rest = after;
    }
    resolved.push_str(rest);
    Ok(resolved)
}

/// The references in a text, without their `#{` and `}`.
pub(crate) fn references(text: &str) -> impl Iterator<Item = &str> {
    let begun = text.split("#{").skip(1);
    begun.filter_map(|from| from.split_once('}').map(|(reference, _)| reference))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(space: &str, key: &str) -> Option<&'static str> {
        match (space, key) {
            ("Source", "CommitId") => Some("abc"),
            ("variables", "tier") => Some("#{Source.CommitId}"),
            _ => None,
        }
    }

    fn one(text: &str) -> Result<String, VariableError> {
        let configuration = BTreeMap::from([("UserParameters".to_owned(), text.to_owned())]);
        resolve(&configuration, lookup).map(|mut map| map.remove("UserParameters").unwrap())
    }

    #[test]
    fn references_are_replaced_once_and_everything_else_is_kept() {
        assert_eq!(
            one("a=#{Source.CommitId}&b=#{Source.CommitId}#x").unwrap(),
            "a=abc&b=abc#x"
        );
        assert_eq!(one("#{variables.tier}").unwrap(), "#{Source.CommitId}");
        assert_eq!(one("plain # { } text").unwrap(), "plain # { } text");
    }

    #[test]
    fn a_reference_without_a_value_is_named() {
        assert_eq!(
            one("x=#{Build.Tag}").unwrap_err().to_string(),
            "the variable reference `#{Build.Tag}` in `UserParameters` has no value"
        );
        assert!(one("x=#{Source}").is_err());
        assert!(one("x=#{Source.CommitId").is_err());
    }

    #[test]
    fn a_resolved_configuration_has_a_limit() {
        let text = "#{Source.CommitId}".repeat(MAX_RESOLVED_BYTES / 3 + 1);
        assert!(matches!(one(&text), Err(VariableError::TooLarge { .. })));
    }

    #[test]
    fn references_are_found() {
        let found: Vec<_> = references("#{a.b} and #{c.d}#{e} #{f").collect();
        assert_eq!(found, ["a.b", "c.d", "e"]);
    }
}
