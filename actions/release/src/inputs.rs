//! The input artifacts: the source with the definition, and what was built.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use delivery_action::artifact::Store;
use delivery_action::failure::ActionError;
use delivery_action::job::Artifact;
use delivery_action::workspace::Workspace;
use delivery_definition::Definition;
use delivery_stack::deployment::DeploymentError;
use delivery_stack::package::{self, ArtifactFiles, FileKind, Files as _};

use crate::error::ReleaseActionError;

/// The input artifacts of a job.
#[derive(Debug)]
pub(crate) struct Inputs<'a> {
    store: &'a Store,
    artifacts: &'a [Artifact],
    /// Those that are archives, in their order.
    files: Vec<(&'a str, ArtifactFiles<'a>)>,
    workspace: &'a Workspace,
}

/// The definition, and where it is.
#[derive(Debug)]
pub(crate) struct Defined {
    pub(crate) definition: Definition,
    pub(crate) application: String,
    /// Its path in the source.
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
}

impl Defined {
    /// The folder that it is in: its paths begin there.
    pub(crate) fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

impl<'a> Inputs<'a> {
    /// Opens the artifacts: only their lists of files are read. Those of `whole` are taken as they are; the document of an API
    /// need not be an archive.
    pub(crate) async fn open(
        store: &'a Store,
        artifacts: &'a [Artifact],
        whole: &BTreeSet<&str>,
        workspace: &'a Workspace,
    ) -> Result<Self, ReleaseActionError> {
        if artifacts.is_empty() {
            return Err(ReleaseActionError::NoInput);
        }
        let mut files = Vec::new();
        for (place, artifact) in artifacts.iter().enumerate() {
            let name = artifact.name.as_str();
            if !whole.contains(name) {
                let opened = ArtifactFiles::open(store, artifact, workspace, place).await?;
                files.push((name, opened));
            }
        }
        Ok(Self {
            store,
            artifacts,
            files,
            workspace,
        })
    }

    /// Reads the definition. The source is the last artifact: what was built may have another one.
    pub(crate) async fn definition(&self, path: &str) -> Result<Defined, ReleaseActionError> {
        let wanted = package::resolve("", path);
        let has = |files: &&ArtifactFiles<'_>| {
            let wanted = wanted.as_deref();
            wanted.is_some_and(|path| files.kind(path) == Some(FileKind::File))
        };
        let source = self.files.iter().rev().map(|(_, files)| files).find(has);
        let (Some(source), Some(wanted)) = (source, &wanted) else {
            let file = path.to_owned();
            return Err(ReleaseActionError::NoDefinition { file });
        };
        let file = source.fetch(wanted).await;
        let file = file.map_err(package::PackageError::Files)?;
        let bytes = fs::read(&file);
        let bytes = bytes.map_err(|source| DeploymentError::Disk { path: file, source })?;
        let definition = delivery_definition::parse_bytes(&bytes, path);
        let definition = definition.map_err(DeploymentError::Definition)?;
        let application = definition.application().map(str::to_owned);
        let application = application.ok_or_else(|| DeploymentError::NoApplication {
            file: path.to_owned(),
        })?;
        Ok(Defined {
            definition,
            application,
            path: wanted.clone(),
            bytes,
        })
    }

    /// The files of the artifact of this name; of the first one without a name.
    pub(crate) fn files(
        &self,
        key: &str,
        name: Option<&String>,
    ) -> Result<&ArtifactFiles<'a>, ReleaseActionError> {
        let mut opened = self.files.iter();
        let found = match name {
            Some(name) => opened.find(|(one, _)| *one == name.as_str()),
            None => opened.next(),
        };
        match (found, name) {
            (Some((_, files)), _) => Ok(files),
            (None, Some(name)) => Err(self.unknown(key, name)),
            (None, None) => Err(ReleaseActionError::NoInput),
        }
    }

    /// Brings a whole artifact onto the disk, byte for byte.
    pub(crate) async fn whole(&self, key: &str, name: &str) -> Result<PathBuf, ReleaseActionError> {
        let place = self.place(key, name)?;
        let path = self.workspace.file(&format!("artifact-{key}.zip"));
        self.store.fetch(&self.artifacts[place], &path).await?;
        Ok(path)
    }

    /// A new file.
    pub(crate) fn new_file(&self, name: &str) -> PathBuf {
        self.workspace.file(name)
    }

    fn place(&self, key: &str, name: &str) -> Result<usize, ReleaseActionError> {
        let place = self.artifacts.iter().position(|one| one.name == name);
        place.ok_or_else(|| self.unknown(key, name))
    }

    fn unknown(&self, key: &str, name: &str) -> ReleaseActionError {
        ReleaseActionError::UnknownArtifact {
            key: key.to_owned(),
            artifact: name.to_owned(),
            known: self.artifacts.iter().map(|one| one.name.clone()).collect(),
        }
    }
}

/// An error of the files of an artifact.
pub(crate) fn files_error(error: Box<dyn ActionError>) -> ReleaseActionError {
    package::PackageError::Files(error).into()
}
