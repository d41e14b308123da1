//! The application that is delivered: a Git repository, a folder of one, or a plain folder.

use std::path::{Path, PathBuf};

use local::source::Source;

use crate::error::CliError;

/// Longest stack name (`API_CreateStack`: 128), with room for what the template's own names add.
const MAX_STACK_NAME: usize = 40;

/// What a stack is called whose directory's name holds nothing usable.
const DEFAULT_STACK_NAME: &str = "application";

/// An application's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Application {
    /// The directory, absolute and without links.
    pub(crate) directory: PathBuf,
    /// The branch that is checked out.
    pub(crate) branch: String,
    source: Source,
}

impl Application {
    /// Looks at a directory; there must be something to deliver.
    pub(crate) async fn find(path: &Path) -> Result<Self, CliError> {
        let cannot = |source: Box<dyn std::error::Error + Send + Sync>| CliError::Application {
            path: path.to_owned(),
            source,
        };
        let directory = path.canonicalize().map_err(|error| cannot(error.into()))?;
        let source = Source::open(&directory)
            .await
            .map_err(|error| cannot(error.into()))?;
        let branch = source
            .branch()
            .await
            .map_err(|error| cannot(error.into()))?;
        let application = Self {
            directory,
            branch,
            source,
        };
        application.revision().await?;
        Ok(application)
    }

    /// The newest revision: a commit's id, or a hash of what is in a plain folder.
    pub(crate) async fn revision(&self) -> Result<String, CliError> {
        match self.source.revision(&self.branch).await {
            Ok(revision) => Ok(revision.id),
            Err(error) => Err(CliError::Application {
                path: self.directory.clone(),
                source: error.into(),
            }),
        }
    }

    /// The name of a stack for it: what of the directory's name a stack's name may hold.
    pub(crate) fn stack_name(&self) -> String {
        stack_name_of(&self.directory)
    }
}

/// The name of a stack for the application in a directory.
pub(crate) fn stack_name_of(directory: &Path) -> String {
    stack_name(&directory.file_name().unwrap_or_default().to_string_lossy())
}

fn stack_name(directory: &str) -> String {
    let words: Vec<&str> = directory
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let name = words.join("-").to_ascii_lowercase();
    let name = name.trim_start_matches(|character: char| !character.is_ascii_alphabetic());
    let name = name
        .get(..MAX_STACK_NAME)
        .unwrap_or(name)
        .trim_end_matches('-');
    if name.is_empty() {
        DEFAULT_STACK_NAME.to_owned()
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_named_after_the_directory() {
        assert_eq!(stack_name("greeter"), "greeter");
        assert_eq!(stack_name("My App_2"), "my-app-2");
        assert_eq!(stack_name(".tmp.Xy1"), "tmp-xy1");
        assert_eq!(stack_name("2048"), "application");
        assert_eq!(stack_name(&"a".repeat(80)).len(), MAX_STACK_NAME);
    }

    #[tokio::test]
    async fn a_plain_folder_has_a_revision_too_and_it_follows_the_content() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("package.json"), "{}").unwrap();
        let application = Application::find(folder.path()).await.unwrap();
        let first = application.revision().await.unwrap();
        assert_eq!(application.revision().await.unwrap(), first);
        std::fs::write(folder.path().join("package.json"), "{ }").unwrap();
        assert_ne!(application.revision().await.unwrap(), first);
    }

    #[tokio::test]
    async fn a_directory_that_is_not_there_is_not_found() {
        let error = Application::find(Path::new("/nowhere/at/all"))
            .await
            .unwrap_err();
        assert_eq!(error.exit(), crate::exit::Exit::NotFound);
    }
}
