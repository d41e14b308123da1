#![doc = include_str!("../README.md")]

use std::fmt::Write as _;
use std::path::Path;

use shared::action::{Action, Completion, Outcome};
use shared::artifact::Store;
use shared::aws::SdkConfig;
use shared::job::Job;
use shared::process::{Command, Environment};
use shared::project::{self, Project};
use shared::workspace::Workspace;

mod error;
mod lock;
mod npm;
mod npmrc;
mod params;

pub use error::{NpmInstallError, Untrusted};
pub use params::{NpmInstallParams, Omit, Subcommand};

use lock::LockFile;

/// How many packages whose install scripts did not run the summary names.
const MAX_NAMED: usize = 5;

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
        let input = job.only_input()?;
        let output = job.only_output()?;
        let workspace = Workspace::create()?;
        let environment = project::environment(&workspace, &params.environment)?;
        let store = Store::for_job(&self.config, job);
        let source = store.fetch_and_extract(input, &workspace, "source").await?;

        let project = Project::open(&source, &params.directory)?;
        if !project.directory().join("package.json").is_file() {
            let directory = project.shown(project.directory());
            return Err(NpmInstallError::NoManifest { directory });
        }
        let lock = check(&project, &params)?;
        let subcommand = params.subcommand.unwrap_or(match lock {
            Some(_) => Subcommand::Ci,
            None => Subcommand::Install,
        });
        let installed = install(
            job,
            &project,
            &params,
            subcommand,
            lock.as_ref(),
            &environment,
        )
        .await?;

        let size = store.put_directory(output, project.source()).await?;
        let mut summary = format!(
            "npm {subcommand}: {installed}, {} MiB",
            size.div_ceil(1024 * 1024)
        );
        if lock.is_none() {
            summary.push_str("; no lock file, so each run may install other versions");
        }
        if params.ignore_scripts {
            summary.push_str(&skipped_scripts(lock.as_ref()));
        }
        Ok(Outcome::Complete(Completion {
            summary,
            ..Completion::default()
        }))
    }
}

/// Reads what npm is about to believe: every `.npmrc` and lock file that it looks at.
fn check(
    project: &Project,
    params: &NpmInstallParams,
) -> Result<Option<LockFile>, NpmInstallError> {
    let mut used = None;
    for directory in project.ancestors() {
        npmrc::check(directory, project)?;
        let Some(lock) = LockFile::read(directory, project, params.integrity)? else {
            continue;
        };
        if params.integrity.is_on() {
            lock.check()?;
        }
        if used.is_none() && (directory == project.directory() || has_workspaces(directory)) {
            used = Some(lock);
        }
    }
    Ok(used)
}

/// Whether the lock file here is that of the packages below too.
fn has_workspaces(directory: &Path) -> bool {
    std::fs::read_to_string(directory.join("package.json"))
        .ok()
        .and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok())
        .is_some_and(|manifest| manifest.get("workspaces").is_some())
}

/// Runs npm; says how many packages it installed, and with what.
async fn install(
    job: &Job,
    project: &Project,
    params: &NpmInstallParams,
    subcommand: Subcommand,
    lock: Option<&LockFile>,
    environment: &Environment,
) -> Result<String, NpmInstallError> {
    let deadline = project::child_deadline(job);
    let mut environment = environment.clone();
    for (name, value) in npm::SETTINGS {
        if !params
            .environment
            .keys()
            .any(|key| key.eq_ignore_ascii_case(name))
        {
            environment.set(name, value);
        }
    }
    let version = |program: &'static str| {
        Command::new(program, project.directory(), &environment)
            .arg("--version")
            .quiet()
    };
    let node = version("node").run(deadline).await?.stdout;
    let npm = version("npm").run(deadline).await?.stdout;

    let finished = Command::new("npm", project.directory(), &environment)
        .args(npm::arguments(subcommand, params))
        .run(deadline)
        .await
        .map_err(|error| npm::failed(error, lock, project))?;
    let mut text = npm::added(&finished.stdout).unwrap_or_else(|| "nothing to add".to_owned());
    let _infallible = write!(text, " (npm {}, Node.js {})", npm.trim(), node.trim());
    Ok(text)
}

fn skipped_scripts(lock: Option<&LockFile>) -> String {
    let packages = lock
        .map(LockFile::packages_with_install_scripts)
        .unwrap_or_default();
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
