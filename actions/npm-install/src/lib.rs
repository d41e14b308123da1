#![doc = include_str!("../README.md")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use delivery_action::action::{Action, Completion, Outcome};
use delivery_action::artifact::{ArtifactError, LocalArchive, Store};
use delivery_action::aws::SdkConfig;
use delivery_action::blocking;
use delivery_action::job::{Artifact, Job};
use delivery_action::workspace::Workspace;
use delivery_archive::{Archive, Limits};
use delivery_node::project::{self, Folder, Manifest, Project};

mod cache;
mod cached_output;
mod error;
mod installation;
mod lock;
mod npm;
mod npmrc;
mod params;
mod versions;
mod yarn_locks;

pub use error::{NpmInstallError, Untrusted};
pub use params::{NpmInstallParams, Omit, Subcommand};

use installation::Installation;
use lock::LockFile;
use versions::Versions;

/// Installs a project's dependencies with npm.
#[derive(Clone, Debug)]
pub struct NpmInstall {
    config: SdkConfig,
}

impl NpmInstall {
    /// The action, whose clients use this configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            config: config.clone(),
        }
    }
}

impl Action for NpmInstall {
    const NAME: &'static str = "npm-install";
    type Params = NpmInstallParams;
    type Error = NpmInstallError;

    async fn run(&self, job: &Job, params: NpmInstallParams) -> Result<Outcome, NpmInstallError> {
        let workspace = Workspace::create()?;
        let environment = project::environment(&workspace, &params.environment)?;
        let store = Store::for_job(&self.config, job);
        let zip = workspace.file("source.zip");
        let deadline = project::child_deadline(job);
        let (fetched, versions) = tokio::join!(
            store.fetch(job.only_input()?, &zip),
            Versions::of(&environment, workspace.path(), deadline),
        );
        fetched?;
        let installation = Installation {
            job,
            params: &params,
            output: job.only_output()?,
            source: open(job.only_input()?, zip, &workspace).await?,
            workspace: &workspace,
            environment: &environment,
            store,
            cache_store: Store::for_function(&self.config, job),
        };
        let summary = installation.run(versions).await?;
        Ok(Outcome::Complete(Completion {
            summary,
            ..Completion::default()
        }))
    }
}

/// Opens the source's archive under the strict rules.
async fn open(
    input: &Artifact,
    path: PathBuf,
    workspace: &Workspace,
) -> Result<LocalArchive, NpmInstallError> {
    let (zip, folder) = (path.clone(), workspace.path().to_owned());
    let archive = blocking(move || Archive::open(&zip, Limits::for_free_space(&folder)?)).await;
    let archive = archive.map_err(|source| ArtifactError::Archive {
        artifact: input.clone(),
        source,
    })?;
    Ok(LocalArchive {
        archive: Arc::new(archive),
        path,
    })
}

/// Checks every `.npmrc` and lock file that npm would read, and returns the lock file that it would use.
fn check(
    project: &Project,
    params: &NpmInstallParams,
) -> Result<Option<LockFile>, NpmInstallError> {
    let registries = registries(project, params)?;
    let mut used = None;
    for directory in project.ancestors() {
        let Some(lock) = LockFile::read(directory, project, params.integrity)? else {
            continue;
        };
        if params.integrity.is_on() {
            lock.check(&registries)?;
        }
        if used.is_none() && (directory == project.directory() || has_workspaces(directory)) {
            used = Some(lock);
        }
    }
    Ok(used)
}

/// The registries that the project or the pipeline names; refuses settings that no project may have.
fn registries(
    project: &Project,
    params: &NpmInstallParams,
) -> Result<Vec<String>, NpmInstallError> {
    let mut registries = npmrc::registries_of(&params.environment);
    for directory in project.ancestors() {
        registries.extend(npmrc::check(directory, project)?);
    }
    Ok(registries)
}

/// Whether the lock file here also covers the packages below.
fn has_workspaces(directory: &Path) -> bool {
    Manifest::read(&Folder(directory), "").is_ok_and(|manifest| manifest.has_workspaces())
}
