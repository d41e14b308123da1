//! `delivery.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::args::stack::Architecture;
use crate::error::CliError;

/// The settings of an application, kept beside it. All of them may be left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct File {
    /// The stack's name.
    pub(crate) stack_name: Option<String>,
    /// The AWS region.
    pub(crate) region: Option<String>,
    /// The profile of the AWS configuration.
    pub(crate) profile: Option<String>,
    /// The bucket to publish to.
    pub(crate) bucket: Option<String>,
    /// Where the packages are.
    pub(crate) packages: Option<PathBuf>,
    /// The architecture that the action functions run on.
    pub(crate) architecture: Option<Architecture>,
    parameters: BTreeMap<String, Value>,
}

/// A parameter's value: `CloudFormation` takes all of them as text.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Integer(i64),
    Boolean(bool),
}

impl File {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, CliError> {
        let text = std::fs::read_to_string(path).map_err(|source| CliError::File {
            verb: "read",
            path: path.to_owned(),
            source,
        })?;
        toml::from_str(&text).map_err(|source| CliError::Settings {
            path: path.to_owned(),
            source: Box::new(source),
        })
    }

    /// The template's parameters.
    pub(super) fn parameters(&self) -> BTreeMap<String, String> {
        let text = |value: &Value| match value {
            Value::Text(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Boolean(truth) => truth.to_string(),
        };
        self.parameters
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_typing_error_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("delivery.toml");
        std::fs::write(&path, "region = \"eu-west-1\"\nstackname = \"x\"\n").unwrap();
        let error = File::read(&path).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage);
        let message = error.message().replace(&path.display().to_string(), "FILE");
        insta::assert_snapshot!(message);
    }
}
