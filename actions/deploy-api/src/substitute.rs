//! Pseudo parameters (`${AWS::Region}`) in a document.
//!
//! They are replaced in the parsed document, not in its text, so that no value can change its
//! structure. Everything else in `${...}`, such as `${stageVariables.alias}`, is API Gateway's.

use serde_json::{Map, Value};

/// What a pseudo parameter begins with.
const OPEN: &str = "${AWS::";

/// What the pseudo parameters stand for in one job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PseudoParameters<'a> {
    /// `${AWS::AccountId}`; empty where the event names no account.
    pub(crate) account_id: &'a str,
    /// `${AWS::Region}`
    pub(crate) region: &'a str,
    /// `${AWS::Partition}`
    pub(crate) partition: &'a str,
}

/// A pseudo parameter that cannot be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SubstituteError {
    /// There is none of this name.
    Unknown { name: String },
    /// The event names no account.
    NoAccountId,
}

impl PseudoParameters<'_> {
    /// Replaces them in every key and every text of a document.
    pub(crate) fn replace(&self, value: Value) -> Result<Value, SubstituteError> {
        Ok(match value {
            Value::String(text) => Value::String(self.replace_in(text)?),
            Value::Array(items) => Value::Array(
                items
                    .into_iter()
                    .map(|item| self.replace(item))
                    .collect::<Result<_, _>>()?,
            ),
            Value::Object(entries) => {
                let mut replaced = Map::with_capacity(entries.len());
                for (key, value) in entries {
                    replaced.insert(self.replace_in(key)?, self.replace(value)?);
                }
                Value::Object(replaced)
            }
            other => other,
        })
    }

    fn replace_in(&self, text: String) -> Result<String, SubstituteError> {
        if !text.contains(OPEN) {
            return Ok(text);
        }
        let mut replaced = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once(OPEN) {
            replaced.push_str(before);
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            replaced.push_str(self.value(name)?);
            rest = after;
        }
        replaced.push_str(rest);
        Ok(replaced)
    }

    fn value(&self, name: &str) -> Result<&str, SubstituteError> {
        match name {
            "AccountId" if self.account_id.is_empty() => Err(SubstituteError::NoAccountId),
            "AccountId" => Ok(self.account_id),
            "Region" => Ok(self.region),
            "Partition" => Ok(self.partition),
            _ => Err(SubstituteError::Unknown {
                name: format!("{OPEN}{name}}}"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PSEUDO: PseudoParameters<'_> = PseudoParameters {
        account_id: "111122223333",
        region: "eu-west-1",
        partition: "aws",
    };

    #[test]
    fn pseudo_parameters_are_replaced_and_stage_variables_stay() {
        let document = json!({
            "x": ["arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${stageVariables.f}", 1],
            "${AWS::Region}": null,
        });
        assert_eq!(
            PSEUDO.replace(document),
            Ok(json!({
                "x": ["arn:aws:lambda:eu-west-1:111122223333:function:${stageVariables.f}", 1],
                "eu-west-1": null,
            }))
        );
    }

    #[test]
    fn an_unknown_pseudo_parameter_is_named() {
        assert_eq!(
            PSEUDO.replace(json!({"a": {"b": "x${AWS::StackName}y"}})),
            Err(SubstituteError::Unknown {
                name: "${AWS::StackName}".to_owned()
            })
        );
    }

    #[test]
    fn a_missing_account_matters_only_where_it_is_used() {
        let pseudo = PseudoParameters {
            account_id: "",
            ..PSEUDO
        };
        assert_eq!(
            pseudo.replace(json!("${AWS::Region}")),
            Ok(json!("eu-west-1"))
        );
        assert_eq!(
            pseudo.replace(json!("${AWS::AccountId}")),
            Err(SubstituteError::NoAccountId)
        );
    }

    proptest::proptest! {
        #[test]
        fn a_text_without_pseudo_parameters_is_left_alone(text in "[^A]*") {
            proptest::prop_assert_eq!(PSEUDO.replace(json!(text.clone())), Ok(json!(text)));
        }
    }
}
