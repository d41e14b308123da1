//! `delivery.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::custom::{CustomFunction, Entry};
use crate::args::stack::Architecture;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::stack::template::nearest;

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

/// The keys of the file, as they are written.
const KEYS: [&str; 7] = [
    "stack-name",
    "region",
    "profile",
    "bucket",
    "architecture",
    "[parameters]",
    "[functions]",
];

/// The keys of a function.
const FUNCTION_KEYS: [&str; 3] = ["path", "template", "parameters"];

/// What to write instead of a key that is none, by the parser's message; `None` where the message is about something
/// else and says it all.
pub(crate) fn unknown_key_hint(message: &str) -> Option<String> {
    let (key, expected) = message.strip_prefix("unknown field `")?.split_once('`')?;
    let is_of_function = expected.contains("`template`");
    let keys: &[&str] = if is_of_function {
        &FUNCTION_KEYS
    } else {
        &KEYS
    };
    let names = keys.iter().map(|key| key.trim_matches(['[', ']']));
    if let Some(meant) = nearest(key, names) {
        let written = keys
            .iter()
            .find(|one| one.trim_matches(['[', ']']) == meant);
        return Some(format!("did you mean `{}`?", written.unwrap_or(&meant)));
    }
    let whole = if is_of_function {
        "a function in `[functions]`"
    } else {
        "`delivery.toml`"
    };
    let all: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    let (last, others) = all.split_last()?;
    Some(format!(
        "{whole} may contain {} and {last}",
        others.join(", ")
    ))
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
    fn what_is_meant_by_an_unknown_key_is_named_and_nothing_where_the_file_is_no_toml() {
        let hint = |text: &str| {
            let error = toml::from_str::<File>(text).unwrap_err();
            unknown_key_hint(error.message())
        };
        let meant = |key: &str| Some(format!("did you mean `{key}`?"));
        assert_eq!(hint("[function]\nx = \"y\"\n"), meant("[functions]"));
        assert_eq!(hint("stackname = \"x\"\n"), meant("stack-name"));
        assert_eq!(hint("[functions.x]\npth = \"y\"\n"), meant("path"));
        insta::assert_snapshot!(hint("zzz = 1\n").unwrap());
        insta::assert_snapshot!(hint("[functions.x]\nzzz = \"y\"\n").unwrap());
        assert_eq!(hint("[functions\n"), None);
        assert_eq!(hint("region = 1\n"), None);
    }

    #[test]
    fn the_keys_that_are_named_are_those_that_are_read() {
        let with = |key: &str| match key.strip_prefix('[') {
            Some(_) => format!("{key}\n"),
            None if key == "architecture" => format!("{key} = \"arm64\"\n"),
            None => format!("{key} = \"x\"\n"),
        };
        let text: String = KEYS.map(with).concat();
        toml::from_str::<File>(&text).unwrap();
        let function = "[functions.x]\npath = \"y\"\ntemplate = \"z\"\nparameters = {}\n";
        toml::from_str::<File>(function).unwrap();
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
