//! `delivery.toml`, as the settings of one call take it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use delivery_definition::{Definition, Map, Mistakes, NotYet, Scalar};

use super::custom::CustomFunction;
use crate::args::stack::Architecture;
use crate::error::{CliError, Explained};
use crate::exit::Exit;

/// The settings file of an application. All keys are optional.
#[derive(Clone, Debug, Default)]
pub(crate) struct File(Definition);

/// `delivery.toml` cannot be used.
#[derive(Debug, thiserror::Error)]
enum FileError {
    /// Most often `--config` has a typo.
    #[error("cannot read the settings file `{}`", .path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    /// Each mistake says its line, and what to do.
    #[error("`delivery.toml` is not valid:\n{0}")]
    Mistakes(Mistakes),
    /// A key that would be read without effect.
    #[error("`{}` sets what this version of `delivery` does not apply:{}", .path.display(), listed(.keys))]
    NotYet { path: PathBuf, keys: Vec<NotYet> },
}

fn listed(keys: &[NotYet]) -> String {
    keys.iter().fold(String::new(), |mut text, key| {
        let _infallible = write!(text, "\n  {key}");
        text
    })
}

impl Explained for FileError {
    fn exit(&self) -> Exit {
        match self {
            Self::Unreadable { source, .. } if source.kind() == ErrorKind::NotFound => {
                Exit::NotFound
            }
            Self::Unreadable { .. } => Exit::Failed,
            Self::Mistakes(_) | Self::NotYet { .. } => Exit::Usage,
        }
    }

    fn kind(&self) -> &'static str {
        "settings"
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { source, .. } if source.kind() == ErrorKind::IsADirectory => {
                Some("it is a folder: rename or remove it, and write the settings as a file (`delivery init`)".to_owned())
            }
            Self::Unreadable { .. } => Some(
                "give a file that can be read, or leave out `--config` and `DELIVERY_CONFIG`: then the nearest \
                 `delivery.toml` is used"
                    .to_owned(),
            ),
            Self::Mistakes(_) => None,
            Self::NotYet { .. } => Some("remove these keys".to_owned()),
        }
    }
}

impl File {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, CliError> {
        let bytes = std::fs::read(path).map_err(|source| FileError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self::parse(&bytes, path)?)
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<Self, FileError> {
        let definition = delivery_definition::parse_bytes(bytes, &path.display().to_string())
            .map_err(FileError::Mistakes)?;
        match definition.not_yet_supported() {
            [] => Ok(Self(definition)),
            keys => Err(FileError::NotYet {
                path: path.to_owned(),
                keys: keys.to_vec(),
            }),
        }
    }

    /// What it defines.
    pub(super) fn definition(&self) -> &Definition {
        &self.0
    }

    /// The stack's name.
    pub(super) fn stack_name(&self) -> Option<&String> {
        self.0.file().stack_name.as_ref()
    }

    /// The AWS region.
    pub(super) fn region(&self) -> Option<&String> {
        self.0.file().region.as_ref()
    }

    /// The profile of the AWS configuration.
    pub(super) fn profile(&self) -> Option<&String> {
        self.0.file().profile.as_ref()
    }

    /// The bucket to publish to.
    pub(super) fn bucket(&self) -> Option<&String> {
        self.0.file().bucket.as_ref()
    }

    /// The architecture that the action functions run on.
    pub(super) fn architecture(&self) -> Option<Architecture> {
        use delivery_definition::Architecture as Named;
        let named = self.0.file().architecture.as_ref()?;
        Some(match named {
            Named::Arm64 => Architecture::Arm64,
            Named::X86_64 => Architecture::X86_64,
        })
    }

    /// The template's parameters.
    pub(super) fn parameters(&self) -> BTreeMap<String, String> {
        texts(&self.0.file().parameters)
    }

    /// The functions of the user's own, with their paths below the file's directory.
    pub(super) fn custom_functions(&self, directory: &Path) -> Vec<CustomFunction> {
        let functions = self.0.file().functions.iter();
        let mut functions: Vec<_> = functions
            .filter_map(|one| CustomFunction::new(&one.name, &one.value, directory))
            .collect();
        functions.sort_by(|one, other| one.name.cmp(&other.name));
        functions
    }
}

/// The values as `CloudFormation` takes them.
pub(super) fn texts(values: &Map<Scalar>) -> BTreeMap<String, String> {
    values
        .iter()
        .map(|one| (one.name.clone(), one.value.0.clone()))
        .collect()
}

#[cfg(test)]
impl File {
    pub(super) fn of(text: &str) -> Self {
        Self::parse(text.as_bytes(), Path::new("delivery.toml")).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        let error = File::parse(text.as_bytes(), Path::new("delivery.toml")).unwrap_err();
        let error = CliError::from(error);
        assert_eq!(error.exit(), Exit::Usage);
        error.message()
    }

    #[test]
    fn a_file_does_not_choose_the_packages() {
        let message = message("packages = \"evil-packages\"\n");
        assert!(message.contains("--packages DIR"), "{message}");
    }

    #[test]
    fn every_mistake_is_named_with_its_line() {
        let text =
            "region = \"eu-west-1\"\nstackname = \"x\"\n\n[functions.chat]\npth = \"chat\"\n";
        insta::assert_snapshot!(message(text));
    }

    #[test]
    fn what_would_have_no_effect_is_refused() {
        insta::assert_snapshot!(message(
            "application = \"workshop\"\n\n[previews]\nbase = [\"main\"]\n"
        ));
    }
}
