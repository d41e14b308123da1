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
use delivery_node::project::{self, Folder, Installer, InstallerError, Manager, Manifest, Project};

mod cache;
mod cached_output;
mod error;
mod failures;
mod installation;
mod lock;
mod npm;
mod npmrc;
mod params;
mod pnpm;
mod program;
mod set_aside;
mod settings;
mod versions;
mod yaml;
mod yarn;

pub use error::{NpmInstallError, Untrusted};
pub use params::{NpmInstallParams, Omit, Subcommand};

use installation::Installation;
use lock::LockFile;
use versions::Versions;

/// Installs a project's dependencies with the package manager of its lock file.
#[derive(Clone, Debug)]
pub struct NpmInstall {
    config: SdkConfig,
    npm_cache: Option<PathBuf>,
}

/// The variable with the folder of an npm cache that outlives the job. Lambda has no such folder; on a machine of one's own it
/// spares the downloads of each run.
const NPM_CACHE: &str = "DELIVERY_NPM_CACHE";

impl NpmInstall {
    /// The action, whose clients use this configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            config: config.clone(),
            npm_cache: delivery_action::env::var_os(NPM_CACHE).map(PathBuf::from),
        }
    }

    /// The same, with a folder for npm's cache that outlives its jobs.
    #[must_use]
    pub fn with_npm_cache(mut self, folder: &Path) -> Self {
        self.npm_cache = Some(folder.to_owned());
        self
    }
}

impl Action for NpmInstall {
    const NAME: &'static str = "npm-install";
    type Params = NpmInstallParams;
    type Error = NpmInstallError;

    async fn run(&self, job: &Job, params: NpmInstallParams) -> Result<Outcome, NpmInstallError> {
        let workspace = Workspace::create()?;
        let mut environment = project::environment(&workspace, &params.environment)?;
        // What a script leaves in a cache, npm would give to the next project.
        if let Some(folder) = self.npm_cache.as_ref().filter(|_| params.ignore_scripts) {
            environment.set("npm_config_cache", folder);
        }
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

/// What installs a project, and from which lock file.
#[derive(Debug)]
struct Checked {
    installer: Installer,
    lock: Option<LockFile>,
    /// The registries that the project or the pipeline names.
    registries: Vec<String>,
    /// The settings of Yarn 2 and later; empty for other package managers.
    yarn_settings: yarn::Settings,
}

impl Checked {
    fn manager(&self) -> Manager {
        self.installer.manager
    }
}

/// Checks every file of settings and lock file that the package manager would read.
fn check(project: &Project, params: &NpmInstallParams) -> Result<Checked, NpmInstallError> {
    let installer = installer_of(project, params)?;
    let mut registries = npmrc::registries_of(&params.environment);
    let mut yarn_settings = yarn::Settings::default();
    if installer.manager == Manager::Yarn {
        yarn_settings = yarn::Settings::of(project)?;
        registries.extend(yarn_settings.registries());
    } else {
        for directory in project.ancestors() {
            registries.extend(npmrc::check(directory, project)?);
        }
    }
    match installer.manager {
        Manager::Pnpm => registries.extend(pnpm::check(&installer, project, params)?),
        Manager::YarnClassic => registries.extend(yarn::classic_registries(project)?),
        Manager::Npm | Manager::Yarn => {}
    }
    let lock = if installer.manager == Manager::Npm {
        npm_lock(project, params, &registries)?
    } else {
        other_lock(&installer, project, params, &registries)?
    };
    Ok(Checked {
        installer,
        lock,
        registries,
        yarn_settings,
    })
}

/// `subcommand=install` installs with npm what `package.json` allows, even where Bun's lock file lies beside it.
fn installer_of(
    project: &Project,
    params: &NpmInstallParams,
) -> Result<Installer, NpmInstallError> {
    match project::installer(&project.files(), &project.folder()) {
        Err(InstallerError::Bun { .. }) if params.subcommand == Some(Subcommand::Install) => {
            Ok(Installer {
                manager: Manager::Npm,
                root: project.folder(),
                lock: None,
                release: None,
            })
        }
        installer => Ok(installer?),
    }
}

/// Checks the lock file of another package manager, and returns it.
fn other_lock(
    installer: &Installer,
    project: &Project,
    params: &NpmInstallParams,
    registries: &[String],
) -> Result<Option<LockFile>, NpmInstallError> {
    let lock = LockFile::of_other(installer, project, params)?;
    if let (Some(lock), true) = (&lock, params.integrity.is_on()) {
        lock.check(registries)?;
    }
    yarn::check(installer, lock.as_ref(), params)?;
    Ok(lock)
}

/// Checks every lock file that npm would read, and returns the one that it would use.
fn npm_lock(
    project: &Project,
    params: &NpmInstallParams,
    registries: &[String],
) -> Result<Option<LockFile>, NpmInstallError> {
    let mut used = None;
    for directory in project.ancestors() {
        let Some(lock) = LockFile::of_npm(directory, project, params)? else {
            continue;
        };
        if params.integrity.is_on() {
            lock.check(registries)?;
        }
        if used.is_none() && (directory == project.directory() || has_workspaces(directory)) {
            used = Some(lock);
        }
    }
    Ok(used)
}

/// Whether the lock file here also covers the packages below.
fn has_workspaces(directory: &Path) -> bool {
    Manifest::read(&Folder(directory), "").is_ok_and(|manifest| manifest.has_workspaces())
}
