//! One installation: from the cache if possible, otherwise by the project's package manager.
//!
//! The source is judged in its archive, before anything is extracted: with a cache hit nothing ever is, and what is wrong
//! with a project is reported within a second. Only what is checked here does the package manager get to see
//! ([`crate::lock`], [`crate::npmrc`]); the same checks come before the cache, so that a hit cannot let through what would be
//! refused otherwise.

use std::fmt::Write as _;
use std::path::Path;

use delivery_action::artifact::{ArtifactError, LocalArchive, Store};
use delivery_action::blocking;
use delivery_action::job::{Artifact, Job};
use delivery_action::process::{Command, Environment, ProcessError};
use delivery_action::workspace::Workspace;
use delivery_node::project::{
    self, CERTIFICATES, CheckError, Expected, Manager, Manifest, Project,
};

use crate::cache::{NoPlan, NotCacheable, Plan};
use crate::cached_output::{CacheEntry, Lookup};
use crate::lock::LockFile;
use crate::params::{NpmInstallParams, Subcommand};
use crate::program::{self, Program};
use crate::set_aside::SetAside;
use crate::versions::Versions;
use crate::{Checked, NpmInstallError, failures, npm, pnpm, yarn};

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
                    &entry.plan.checked,
                    &versions,
                )),
                Lookup::Miss => self.install(Ok(&entry), &versions).await,
                Lookup::Unusable(reason) => self.install(Err(reason), &versions).await,
            },
            Err(reason) => self.install(Err(reason), &versions).await,
        }
    }

    /// Runs the package manager and stores the output, and the tree in the cache if it has an entry there.
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
        let checked = crate::check(&project, self.params)?;
        let subcommand = self.params.subcommand.unwrap_or(match checked.lock {
            Some(_) => Subcommand::Ci,
            None => Subcommand::Install,
        });
        let run = Run {
            project: &project,
            checked: &checked,
            subcommand,
            versions,
        };
        let installed = match checked.manager() {
            Manager::Npm => self.run_npm(&run).await?,
            _ => self.run_other(&run).await?,
        };
        let (size, not_cacheable) = match entry {
            Ok(entry) => self.store_with_cache(entry, &project).await?,
            Err(reason) => (self.store_whole(&project).await?, Some(reason)),
        };
        let mut summary = self.summary(subcommand, &installed, size, &checked, versions);
        match not_cacheable {
            Some(NotCacheable(reason)) if checked.lock.is_some() => {
                let _infallible = write!(summary, "; not cached: {reason}");
            }
            _ => {}
        }
        Ok(summary)
    }

    /// Runs npm, and returns how many packages it installed.
    async fn run_npm(&self, run: &Run<'_>) -> Result<String, NpmInstallError> {
        let (project, lock) = (run.project, run.checked.lock.as_ref());
        let arguments = npm::arguments(run.subcommand, self.params, run.versions);
        let finished = Command::new("npm", project.directory(), &self.environment_of_npm())
            .args(arguments)
            .shown_below(project.source())
            .run(project::child_deadline(self.job))
            .await
            .map_err(|error| npm::failed(error, lock, project))?;
        Ok(npm::added(&finished.stdout).unwrap_or_else(|| "no packages to install".to_owned()))
    }

    /// Fetches another package manager, runs it, and keeps its program for the project's tasks.
    async fn run_other(&self, run: &Run<'_>) -> Result<String, NpmInstallError> {
        let (project, checked) = (run.project, run.checked);
        let manager = checked.manager();
        if run.subcommand == Subcommand::Ci && checked.lock.is_none() {
            let directory = project.shown(project.directory());
            return Err(NpmInstallError::NoLockFile { directory });
        }
        let mut arguments = arguments(manager, run.subcommand, self.params, run.versions)?;
        let program = self.fetch(run).await?;
        let root = project.source().join(&checked.installer.root);
        let mut environment = self.environment_of_npm();
        environment.put_first_on_path(&program.commands());
        let users = &self.params.environment;
        // npm has a setting for them, which not each other package manager knows.
        let certificates = run.versions.machine_setting("cafile");
        if let (Some(file), false) = (certificates, users.contains_key(CERTIFICATES)) {
            environment.set(CERTIFICATES, file);
        }
        let mut aside = SetAside::default();
        match manager {
            Manager::Pnpm => {
                // A store of the job's own, wherever the project's settings have theirs.
                let store = self.workspace.directory("pnpm-store")?;
                arguments.push(format!("--store-dir={}", store.display()));
            }
            Manager::YarnClassic => environment.set("YARN_IGNORE_PATH", "1"),
            Manager::Yarn => {
                let settings = &checked.yarn_settings;
                let variables = yarn::variables(&root, settings, self.params, run.versions);
                for (name, value) in variables {
                    environment.set(name, value);
                }
                if self.params.ignore_scripts {
                    aside = settings.without_code(self.workspace)?;
                }
            }
            Manager::Npm => {}
        }
        let finished = Command::new(manager.program(), project.directory(), &environment)
            .args(arguments)
            .shown_below(project.source())
            .run(project::child_deadline(self.job))
            .await;
        aside.put_back()?;
        finished.map_err(|error| failures::failed(error, manager, checked.lock.as_ref()))?;
        self.finish(&root, checked, program).await?;
        Ok("dependencies installed".to_owned())
    }

    async fn fetch(&self, run: &Run<'_>) -> Result<Program, NpmInstallError> {
        let source = program::Source {
            project: run.project,
            params: self.params,
            settings: &run.checked.yarn_settings,
            versions: run.versions,
            workspace: self.workspace,
        };
        let release = run.checked.installer.release.as_ref();
        let release = release.expect("npm alone is there without a release");
        let deadline = project::child_deadline(self.job);
        Program::fetch(release, &source, &self.environment_of_npm(), deadline).await
    }

    /// Keeps the program in the tree, and takes out of the tree what differs each time.
    async fn finish(
        &self,
        root: &Path,
        checked: &Checked,
        program: Program,
    ) -> Result<(), NpmInstallError> {
        let modules = root.join("node_modules");
        if !modules.is_dir() {
            return Ok(()); // there is nothing to install
        }
        let manager = checked.manager();
        let variables = match manager {
            Manager::Yarn => {
                yarn::in_tasks(Path::new(program::ROOT_IN_TASKS), &checked.yarn_settings)
            }
            Manager::Pnpm => pnpm::in_tasks(),
            Manager::Npm | Manager::YarnClassic => Vec::new(),
        };
        let written = blocking(move || {
            if manager == Manager::Pnpm {
                pnpm::settle(&modules)?;
            }
            program.keep(&modules, &variables)
        })
        .await;
        written.map_err(|error| NpmInstallError::Unreadable {
            path: "node_modules".to_owned(),
            reason: error.to_string(),
        })
    }

    /// The environment with npm's settings, which pnpm reads, too.
    fn environment_of_npm(&self) -> Environment {
        let mut environment = self.environment.clone();
        for (name, value) in npm::SETTINGS {
            let mut users = self.params.environment.keys();
            if !users.any(|key| key.eq_ignore_ascii_case(name)) {
                environment.set(name, value);
            }
        }
        environment
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
        checked: &Checked,
        versions: &Versions,
    ) -> String {
        let manager = match &checked.installer.release {
            Some(release) => release.to_string(),
            None => format!("npm {}", versions.npm),
        };
        let command = match (checked.manager(), subcommand) {
            (Manager::Npm, subcommand) => format!("npm {subcommand}"),
            (manager, _) => format!("{} install", manager.program()),
        };
        let mut summary = format!(
            "{command}: {done} ({manager}, Node.js {}), {} MiB",
            versions.node,
            size.div_ceil(1024 * 1024)
        );
        if self.params.ignore_scripts {
            let folder = project::directory_of(&self.params.directory).unwrap_or_default();
            let manifest = Manifest::read(&*self.source.archive, &folder).unwrap_or_default();
            summary.push_str(&skipped_scripts(&manifest, checked.lock.as_ref()));
        }
        if checked.manager() == Manager::Yarn && checked.yarn_settings.is_plug_and_play() {
            summary.push_str("; packages are in `node_modules`, without Plug'n'Play");
        }
        summary
    }
}

/// What is run, and for which project.
struct Run<'a> {
    project: &'a Project,
    checked: &'a Checked,
    subcommand: Subcommand,
    versions: &'a Versions,
}

/// The arguments of a package manager, without the directories of a job.
pub(crate) fn arguments(
    manager: Manager,
    subcommand: Subcommand,
    params: &NpmInstallParams,
    versions: &Versions,
) -> Result<Vec<String>, NpmInstallError> {
    match manager {
        Manager::Npm => Ok(npm::arguments(subcommand, params, versions)),
        Manager::Pnpm => pnpm::arguments(subcommand, params),
        Manager::YarnClassic => Ok(yarn::classic_arguments(subcommand, params)),
        Manager::Yarn => yarn::arguments(subcommand, params),
    }
}

/// The install scripts that did not run, the project's own first: a task may need what those make.
fn skipped_scripts(manifest: &Manifest, lock: Option<&LockFile>) -> String {
    let own = manifest
        .install_scripts()
        .map(|script| format!("the project's own `{script}`"));
    let of_packages = lock
        .and_then(LockFile::packages_with_install_scripts)
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
