//! One installation: from the cache if possible, otherwise by npm.
//!
//! The source is judged in its archive, before anything is extracted: with a cache hit nothing ever is, and what is wrong
//! with a project is reported within a second. Only what is checked here does npm get to see ([`crate::lock`],
//! [`crate::npmrc`]); the same checks come before the cache, so that a hit cannot let through what npm would be refused.

use std::fmt::Write as _;

use delivery_action::artifact::{ArtifactError, LocalArchive, Store};
use delivery_action::blocking;
use delivery_action::job::{Artifact, Job};
use delivery_action::process::{Command, Environment, ProcessError};
use delivery_action::workspace::Workspace;
use delivery_node::project::{self, CheckError, Expected, Manifest, Project};

use crate::cache::{NoPlan, NotCacheable, Plan};
use crate::cached_output::{CacheEntry, Lookup};
use crate::lock::LockFile;
use crate::params::{NpmInstallParams, Subcommand};
use crate::versions::Versions;
use crate::yarn_locks::HiddenYarnLocks;
use crate::{NpmInstallError, npm};

/// How many packages whose install scripts did not run the summary names.
const MAX_NAMED: usize = 5;

/// One job, with all that it needs.
pub(crate) struct Installation<'a> {
    pub(crate) job: &'a Job,
    pub(crate) params: &'a NpmInstallParams,
    pub(crate) output: &'a Artifact,
    pub(crate) source: LocalArchive,
    pub(crate) workspace: &'a Workspace,
    pub(crate) environment: &'a Environment,
    /// The store with the job's credentials.
    pub(crate) store: Store,
    /// The store with the function's own role: the cache is not shared with whoever has the job's credentials.
    pub(crate) cache_store: Store,
}

impl Installation<'_> {
    /// Installs, and returns the summary.
    pub(crate) async fn run(
        &self,
        versions: Result<Versions, ProcessError>,
    ) -> Result<String, NpmInstallError> {
        let notes = self.check_project().await?;
        let summary = self.install_or_compose(versions).await?;
        Ok(notes
            .iter()
            .fold(summary, |summary, note| format!("{summary}; {note}")))
    }

    /// Checks the project before npm runs: fails with all problems, or returns notes for the summary.
    async fn check_project(&self) -> Result<Vec<String>, NpmInstallError> {
        let (archive, params) = (self.source.archive.clone(), self.params.clone());
        let findings = blocking(move || {
            let expected = Expected {
                directory: &params.directory,
                tasks: &params.tasks,
                integrity: params.integrity.is_on(),
                accepts_no_lock: params.subcommand == Some(Subcommand::Install),
                ..Expected::default()
            };
            project::check_files(&*archive, &expected)
        })
        .await;
        Ok(CheckError::notes_of(findings)?)
    }

    async fn install_or_compose(
        &self,
        versions: Result<Versions, ProcessError>,
    ) -> Result<String, NpmInstallError> {
        let folder = self.workspace.directory("manifests")?;
        let (archive, params) = (self.source.archive.clone(), self.params.clone());
        let plan = match blocking(move || Plan::make(&archive, &params, &folder)).await {
            Ok(plan) => Ok(plan),
            Err(NoPlan::NotCacheable(reason)) => Err(reason),
            Err(NoPlan::Refused(error)) => return Err(error),
        };
        let versions = versions?;
        let entry = plan.and_then(|plan| {
            let key = plan.key(self.params, &versions)?;
            Ok(CacheEntry { plan, key })
        });
        match entry {
            Ok(entry) => match self.compose_from_cache(&entry).await {
                Lookup::Hit(size) => Ok(self.summary(
                    Subcommand::Ci,
                    "dependencies from the cache",
                    size,
                    Some(&entry.plan.lock),
                    &versions,
                )),
                Lookup::Miss => self.install(Ok(&entry), &versions).await,
                Lookup::Unusable(reason) => self.install(Err(reason), &versions).await,
            },
            Err(reason) => self.install(Err(reason), &versions).await,
        }
    }

    /// Runs npm and stores the output, and the tree in the cache if it has an entry there.
    async fn install(
        &self,
        entry: Result<&CacheEntry, NotCacheable>,
        versions: &Versions,
    ) -> Result<String, NpmInstallError> {
        let source = self.workspace.directory("source")?;
        let (archive, into) = (self.source.archive.clone(), source.clone());
        let artifact = self.job.only_input()?;
        let extracted = blocking(move || archive.extract(&into)).await;
        extracted.map_err(|source| ArtifactError::Archive {
            artifact: artifact.clone(),
            source,
        })?;
        let project = Project::open(&source, &self.params.directory)?;
        if !project.directory().join("package.json").is_file() {
            let directory = project.shown(project.directory());
            return Err(NpmInstallError::NoManifest { directory });
        }
        let lock = crate::check(&project, self.params)?;
        let subcommand = self.params.subcommand.unwrap_or(match lock {
            Some(_) => Subcommand::Ci,
            None => Subcommand::Install,
        });
        let installed = self
            .run_npm(&project, subcommand, lock.as_ref(), versions)
            .await?;
        let (size, not_cacheable) = match entry {
            Ok(entry) => self.store_with_cache(entry, &project).await?,
            Err(reason) => (self.store_whole(&project).await?, Some(reason)),
        };
        let mut summary = self.summary(subcommand, &installed, size, lock.as_ref(), versions);
        match not_cacheable {
            Some(NotCacheable(reason)) if lock.is_some() => {
                let _infallible = write!(summary, "; not cached: {reason}");
            }
            _ => {}
        }
        Ok(summary)
    }

    /// Runs npm, and returns how many packages it installed.
    async fn run_npm(
        &self,
        project: &Project,
        subcommand: Subcommand,
        lock: Option<&LockFile>,
        versions: &Versions,
    ) -> Result<String, NpmInstallError> {
        let mut environment = self.environment.clone();
        for (name, value) in npm::SETTINGS {
            let mut users = self.params.environment.keys();
            if !users.any(|key| key.eq_ignore_ascii_case(name)) {
                environment.set(name, value);
            }
        }
        let hidden = HiddenYarnLocks::hide(project, self.workspace)?;
        let finished = Command::new("npm", project.directory(), &environment)
            .args(npm::arguments(subcommand, self.params, versions))
            .shown_below(project.source())
            .run(project::child_deadline(self.job))
            .await;
        hidden.put_back()?;
        let finished = finished.map_err(|error| npm::failed(error, lock, project))?;
        Ok(npm::added(&finished.stdout).unwrap_or_else(|| "nothing to add".to_owned()))
    }

    /// Archives the source with `node_modules` and sends all of it.
    pub(crate) async fn store_whole(&self, project: &Project) -> Result<u64, NpmInstallError> {
        let stored = self
            .store
            .put_directory(self.output, project.source())
            .await?;
        Ok(stored.bytes)
    }

    fn summary(
        &self,
        subcommand: Subcommand,
        done: &str,
        size: u64,
        lock: Option<&LockFile>,
        versions: &Versions,
    ) -> String {
        let mut summary = format!(
            "npm {subcommand}: {done} (npm {}, Node.js {}), {} MiB",
            versions.npm,
            versions.node,
            size.div_ceil(1024 * 1024)
        );
        if self.params.ignore_scripts {
            let folder = project::directory_of(&self.params.directory).unwrap_or_default();
            let manifest = Manifest::read(&*self.source.archive, &folder).unwrap_or_default();
            summary.push_str(&skipped_scripts(&manifest, lock));
        }
        summary
    }
}

/// The install scripts that did not run, the project's own first: a task may need what those make.
fn skipped_scripts(manifest: &Manifest, lock: Option<&LockFile>) -> String {
    let own = manifest
        .install_scripts()
        .map(|script| format!("the project's own `{script}`"));
    let of_packages = lock
        .map(LockFile::packages_with_install_scripts)
        .unwrap_or_default();
    let packages: Vec<_> = own.chain(of_packages).collect();
    if packages.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "; install scripts not run: {}",
        packages[..packages.len().min(MAX_NAMED)].join(", ")
    );
    if packages.len() > MAX_NAMED {
        let _infallible = write!(text, " and {} more", packages.len() - MAX_NAMED);
    }
    text.push_str(" (`ignore-scripts=false` runs them)");
    text
}
