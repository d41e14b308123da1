//! The values of a template's parameters, as CloudFormation gives and takes them.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::Parameter;

/// Where a parameter's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// It is this one.
    Given(String),
    /// It stays what the stack has.
    Previous,
}

/// The values that CloudFormation says parameters have; those with `NoEcho` are asterisks.
#[must_use]
pub fn values_of(parameters: &[Parameter]) -> BTreeMap<String, String> {
    let text = |value: Option<&String>| value.cloned().unwrap_or_default();
    let pair = |one: &Parameter| {
        let value = one.resolved_value.as_ref();
        let value = value.or(one.parameter_value.as_ref());
        (text(one.parameter_key.as_ref()), text(value))
    };
    parameters.iter().map(pair).collect()
}

/// The parameters as CloudFormation takes them.
pub(crate) fn for_the_call(values: &BTreeMap<String, Value>) -> Vec<Parameter> {
    values
        .iter()
        .map(|(key, value)| {
            let parameter = Parameter::builder().parameter_key(key);
            match value {
                Value::Given(value) => parameter.parameter_value(value),
                Value::Previous => parameter.use_previous_value(true),
            }
            .build()
        })
        .collect()
}
