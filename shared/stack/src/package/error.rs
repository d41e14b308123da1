//! Why a template cannot be packaged.

use std::fmt;

use delivery_action::failure::{ActionError, FailureType, chain};
use delivery_archive::ArchiveError;
use delivery_release::ReleaseError;

use super::MAX_TEMPLATE_BYTES;
use super::locations::Location;
use crate::yaml;

/// A path in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The template.
    pub file: String,
    /// The resource's logical id, or the section.
    pub resource: String,
    /// The property.
    pub property: String,
    /// The path as it stands there.
    pub path: String,
}

impl Place {
    pub(super) fn of(file: &str, location: &Location) -> Self {
        Self {
            file: file.to_owned(),
            resource: location.resource.clone(),
            property: location.property.clone(),
            path: location.path.clone(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            resource,
            property,
            path,
        } = self;
        write!(
            f,
            "`{path}`, which `{property}` of `{resource}` names in `{file}`,"
        )
    }
}

/// Why a template cannot be packaged.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// There is no such template.
    #[error("the template `{file}` does not exist")]
    NoTemplate {
        /// Its path in the tree.
        file: String,
    },
    /// It is neither JSON nor YAML.
    #[error("cannot read the template `{file}`")]
    Syntax {
        /// Its path in the tree.
        file: String,
        /// Why.
        source: yaml::Error,
    },
    /// It is not a template.
    #[error("`{file}` is not a template: it has no `Resources`")]
    NotATemplate {
        /// Its path in the tree.
        file: String,
    },
    /// It is larger than CloudFormation takes.
    #[error("the template `{file}` has {bytes} bytes; the limit is {MAX_TEMPLATE_BYTES}")]
    TooLarge {
        /// Its path in the tree.
        file: String,
        /// Its size.
        bytes: u64,
    },
    /// A template is nested in itself.
    #[error("the template `{}` is nested in itself: {}", .chain.last().map_or("", String::as_str), .chain.join(" -> "))]
    Cycle {
        /// From the outermost to the one that is there again.
        chain: Vec<String>,
    },
    /// A path leads nowhere.
    #[error("{0} is not there")]
    Missing(Place),
    /// A path leaves the tree.
    #[error("{0} is outside of the files that are deployed")]
    Leaves(Place),
    /// A path leads to a folder where a file has to be.
    #[error("{0} is a folder, where a file is needed")]
    NotAFile(Place),
    /// A path leads to a folder without files.
    #[error("{0} has no files")]
    Empty(Place),
    /// A path stands where none is uploaded.
    #[error("{0} is a local file, and files of this property are not uploaded")]
    NotUploaded(Place),
    /// A folder cannot be archived.
    #[error("{place} cannot be zipped")]
    Archive {
        /// The path.
        place: Place,
        /// Which rule, and which file.
        source: ArchiveError,
    },
    /// A file cannot be read.
    #[error("{}", chain(&**.0))]
    Files(Box<dyn ActionError>),
    /// A file cannot be uploaded.
    #[error(transparent)]
    Upload(Box<ReleaseError>),
}

impl From<ReleaseError> for PackageError {
    fn from(error: ReleaseError) -> Self {
        Self::Upload(Box::new(error))
    }
}

impl ActionError for PackageError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::NoTemplate { .. } => FailureType::ConfigurationError,
            Self::Syntax { .. }
            | Self::NotATemplate { .. }
            | Self::TooLarge { .. }
            | Self::Cycle { .. }
            | Self::Missing(_)
            | Self::Leaves(_)
            | Self::NotAFile(_)
            | Self::Empty(_)
            | Self::NotUploaded(_)
            | Self::Archive { .. } => FailureType::JobFailed,
            Self::Files(source) => source.failure_type(),
            Self::Upload(source) => source.failure_type(),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoTemplate { .. } => {
                "correct the template's path, or let the action that makes the artifact put the template into it"
            }
            Self::Syntax { .. } => "correct the template in the source",
            Self::NotATemplate { .. } => "name a template of CloudFormation or SAM",
            Self::TooLarge { .. } => {
                "move resources into a nested template (`AWS::CloudFormation::Stack`), or split the service"
            }
            Self::Cycle { .. } => "remove one of these `TemplateURL`s or `Location`s",
            Self::Missing(_) => {
                "correct the path, or let the build make it before: paths begin in the template's folder"
            }
            Self::Leaves(_) => {
                "move the files below the root of what is deployed: paths begin in the template's folder"
            }
            Self::NotAFile(_) => "name a file in it",
            Self::Empty(_) => "let the build put the code there, or name another folder",
            Self::NotUploaded(_) => {
                "upload the file in the build, and set the property to its address in S3"
            }
            Self::Archive { source, .. } => return ActionError::hint(source),
            Self::Files(source) => return source.hint(),
            Self::Upload(source) => return source.hint(),
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use delivery_action::failure::Failure;

    use super::*;

    #[test]
    fn each_says_what_where_and_what_to_do() {
        let place = || Place {
            file: "api/template.yaml".to_owned(),
            resource: "Submit".to_owned(),
            property: "CodeUri".to_owned(),
            path: "../src".to_owned(),
        };
        let file = || "api/template.yaml".to_owned();
        let errors = [
            PackageError::NoTemplate { file: file() },
            PackageError::Syntax {
                file: file(),
                source: yaml::Error::Incomplete,
            },
            PackageError::NotATemplate { file: file() },
            PackageError::TooLarge {
                file: file(),
                bytes: 1_200_000,
            },
            PackageError::Cycle {
                chain: vec![
                    "a.yaml".to_owned(),
                    "b.yaml".to_owned(),
                    "a.yaml".to_owned(),
                ],
            },
            PackageError::Missing(place()),
            PackageError::Leaves(place()),
            PackageError::NotAFile(place()),
            PackageError::Empty(place()),
            PackageError::NotUploaded(place()),
        ];
        let messages: Vec<String> = errors
            .iter()
            .map(|error| {
                format!(
                    "{:?} {}",
                    error.failure_type(),
                    Failure::new(error).message("-")
                )
            })
            .collect();
        insta::assert_snapshot!(messages.join("\n\n"));
    }
}
