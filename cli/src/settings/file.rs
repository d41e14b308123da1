//! `delivery.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::custom::{CustomFunction, Entry};
use crate::args::stack::Architecture;
use crate::error::{CliError, Explained};
use crate::exit::Exit;

/// The settings file of an application. All keys are optional.
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
    /// No longer a setting; still parsed, so that the error can say what to do instead.
    packages: Option<serde::de::IgnoredAny>,
    /// The architecture that the action functions run on.
    pub(crate) architecture: Option<Architecture>,
    parameters: BTreeMap<String, Value>,
    /// Functions of the user's own by name.
    functions: BTreeMap<String, Entry>,
}

/// `delivery.toml` names the folder of the packages.
#[derive(Debug, thiserror::Error)]
#[error("`{}` sets `packages`, which is no longer a setting", .path.display())]
struct PackagesInFile {
    path: PathBuf,
}

impl Explained for PackagesInFile {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn kind(&self) -> &'static str {
        "settings"
    }

    fn hint(&self) -> Option<String> {
        Some(
            "remove it and pass the folder with `--packages DIR` or `DELIVERY_PACKAGES`: packages run with the \
             permissions of the deploy functions, so the delivered repository must not choose them"
                .to_owned(),
        )
    }
}

/// A parameter's value: `CloudFormation` takes all of them as text.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Value {
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
        let file: Self = toml::from_str(&text).map_err(|source| CliError::Settings {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        if file.packages.is_some() {
            return Err(PackagesInFile {
                path: path.to_owned(),
            }
            .into());
        }
        Ok(file)
    }

    /// The template's parameters.
    pub(super) fn parameters(&self) -> BTreeMap<String, String> {
        texts(&self.parameters)
    }

    /// The functions of the user's own, with their paths below the file's directory.
    pub(super) fn custom_functions(&self, directory: &Path) -> Vec<CustomFunction> {
        self.functions
            .iter()
            .map(|(name, entry)| CustomFunction::new(name, entry, directory))
            .collect()
    }
}

/// The values as `CloudFormation` takes them.
pub(super) fn texts(values: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
    };
    values
        .iter()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_does_not_choose_the_packages() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("delivery.toml");
        std::fs::write(&path, "packages = \"evil-packages\"\n").unwrap();
        let error = File::read(&path).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage);
        assert!(
            error.message().contains("--packages DIR"),
            "{}",
            error.message()
        );
    }

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
