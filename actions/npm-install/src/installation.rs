//! One installation: from the cache where that is possible, else by npm.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use delivery_action::artifact::{
    ArtifactError, ComposeError, ComposedEnd, LocalArchive, Store, composed_end,
};
use delivery_action::aws::{CallError, CallErrorKind};
use delivery_action::blocking;
use delivery_action::failure::{ActionError as _, chain};
use delivery_action::job::{Artifact, Job};
use delivery_action::process::{Command, Environment, ProcessError};
use delivery_action::workspace::Workspace;
use delivery_archive::{Archive, ArchiveEnd, ArchiveError, Creation, Limits};
use delivery_node::dependencies::Dependencies;
use delivery_node::project::{self, CheckError, Expected, Manifest, Project, YARN_LOCK};

use crate::cache::{self, Declined, Plan};
use crate::lock::LockFile;
use crate::params::{NpmInstallParams, Subcommand};
use crate::versions::Versions;
use crate::{NpmInstallError, npm};

/// How many packages whose install scripts did not run the summary names.
const MAX_NAMED: usize = 5;

/// All that one job brings.
pub(crate) struct Installation<'a> {
    pub(crate) job: &'a Job,
    pub(crate) params: &'a NpmInstallParams,
    pub(crate) output: &'a Artifact,
    pub(crate) source: LocalArchive,
    pub(crate) workspace: &'a Workspace,
    pub(crate) environment: &'a Environment,
    /// The store with the job's credentials.
    pub(crate) store: Store,
    /// The store as the function's own role may use it.
    pub(crate) own: Store,
}

/// A tree that the cache may hold, and its key.
struct Target {
    plan: Plan,
    key: String,
}

/// What came of the cache before npm runs.
enum Looked {
    /// The output was composed; its length in bytes.
    Hit(u64),
    /// npm has to run; its tree is to be kept.
    Missing,
    /// npm has to run; its tree is not to be kept.
    Unusable(Declined),
}

/// A tree that npm made, as an archive.
struct Made {
    zip: PathBuf,
    tail: ArchiveEnd,
}

impl Installation<'_> {
    /// Installs, and says what was done.
    pub(crate) async fn run(
        &self,
        versions: Result<Versions, ProcessError>,
    ) -> Result<String, NpmInstallError> {
        let notes = self.look_at_the_project().await?;
        let summary = self.install_or_compose(versions).await?;
        Ok(notes
            .iter()
            .fold(summary, |summary, note| format!("{summary}; {note}")))
    }

    /// All that can be told of the project before npm runs: what is wrong, else what should be known.
    async fn look_at_the_project(&self) -> Result<Vec<String>, NpmInstallError> {
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
        let plan = blocking(move || Plan::make(&archive, &params, &folder)).await?;
        let versions = versions?;
        let target = plan.and_then(|plan| {
            let key = plan.key(self.params, &versions)?;
            Ok(Target { plan, key })
        });
        match target {
            Ok(target) => match self.look(&target).await {
                Looked::Hit(size) => Ok(self.summary(
                    Subcommand::Ci,
                    "dependencies from the cache",
                    size,
                    Some(&target.plan.lock),
                    &versions,
                )),
                Looked::Missing => self.install(Ok(&target), &versions).await,
                Looked::Unusable(declined) => self.install(Err(declined), &versions).await,
            },
            Err(declined) => self.install(Err(declined), &versions).await,
        }
    }

    /// Composes the output from the cache.
    async fn look(&self, target: &Target) -> Looked {
        let object = cache::object(&target.key);
        let kept = match self
            .own
            .find_cached_tree(&self.output.bucket, &object)
            .await
        {
            Ok(Some(kept)) => kept,
            Ok(None) => return Looked::Missing,
            // S3 says this also of what is not there; if it is meant, keeping fails with the same.
            Err(error) if error.kind == CallErrorKind::Denied => return Looked::Missing,
            Err(error) => return Looked::Unusable(refused(&error)),
        };
        let composed = self
            .own
            .put_with_cached_tree(self.output, &kept, &self.source, target.comment())
            .await;
        match composed {
            Ok(size) => Looked::Hit(size),
            Err(ComposeError::Call(error)) => Looked::Unusable(refused(&error)),
            Err(error @ (ComposeError::Damaged { .. } | ComposeError::Gone(_))) => {
                tracing::warn!(key = object, error = %chain(&error), "the cached dependencies are made again");
                Looked::Missing
            }
            Err(error) => Looked::Unusable(Declined(chain(&error))),
        }
    }

    /// Runs npm and stores the output, and what it made of a target in the cache.
    async fn install(
        &self,
        target: Result<&Target, Declined>,
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
        let (size, declined) = match target {
            Ok(target) => self.store_composed(target, &project).await?,
            Err(declined) => (self.store_whole(&project).await?, Some(declined)),
        };
        let mut summary = self.summary(subcommand, &installed, size, lock.as_ref(), versions);
        match declined {
            Some(Declined(reason)) if lock.is_some() => {
                let _infallible = write!(summary, "; not cached: {reason}");
            }
            _ => {}
        }
        Ok(summary)
    }

    /// Runs npm; says how many packages it installed.
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
        let hidden = Hidden::yarn_locks(project, self.workspace)?;
        let finished = Command::new("npm", project.directory(), &environment)
            .args(npm::arguments(subcommand, self.params, versions))
            .shown_below(project.source())
            .run(project::child_deadline(self.job))
            .await;
        hidden.put_back()?;
        let finished = finished.map_err(|error| npm::failed(error, lock, project))?;
        Ok(npm::added(&finished.stdout).unwrap_or_else(|| "nothing to add".to_owned()))
    }

    /// Stores the source with what npm made, archived anew.
    async fn store_whole(&self, project: &Project) -> Result<u64, NpmInstallError> {
        let stored = self
            .store
            .put_directory(self.output, project.source())
            .await?;
        Ok(stored.bytes)
    }

    /// Keeps what npm made and composes the output of it; says why it is not kept, where it is not.
    async fn store_composed(
        &self,
        target: &Target,
        project: &Project,
    ) -> Result<(u64, Option<Declined>), NpmInstallError> {
        let made = project.directory().join("node_modules");
        if !made.is_dir() {
            let declined = Declined("npm made no `node_modules`".to_owned());
            return Ok((self.store_whole(project).await?, Some(declined)));
        }
        match self.make_archive(target, made.clone()).await {
            Ok((archive, end)) => {
                // Its files are in the archive: removing them takes as long as an upload, and is over with it.
                let (stored, ()) =
                    tokio::join!(self.store_made(target, &archive, end), remove(made));
                let (size, error) = stored?;
                let declined = error.map(|error| {
                    tracing::warn!(error = %chain(&error), "the dependencies are not cached");
                    match &error {
                        ComposeError::Call(call) => refused(call),
                        error => Declined(chain(error)),
                    }
                });
                Ok((size, declined))
            }
            Err(error) => {
                let size = self.store_whole(project).await?;
                Ok((size, Some(Declined(chain(&error)))))
            }
        }
    }

    /// Archives a tree, and makes the end of the archive of it and the source.
    async fn make_archive(
        &self,
        target: &Target,
        tree: PathBuf,
    ) -> Result<(Made, ComposedEnd), ComposeError> {
        let (zip, root) = (self.workspace.file("tree.zip"), target.plan.root.clone());
        let (made, tail) = blocking(move || {
            Creation::of(&tree).below(&root).write_file(&zip)?;
            let archive = Archive::open(&zip, Limits::default())?;
            delivery_archive::check_confined(&archive, &root)?;
            let (tail, again) = (ArchiveEnd::of(&archive)?, ArchiveEnd::of(&archive)?);
            Ok::<_, ArchiveError>((Made { zip, tail }, again))
        })
        .await
        .map_err(ComposeError::Together)?;
        let end = composed_end(tail, self.source.archive.clone(), target.comment()).await?;
        Ok((made, end))
    }

    /// Stores the output; composed in S3 of the tree that is kept there, or else sent whole. Says why it
    /// was not kept, where it was not.
    async fn store_made(
        &self,
        target: &Target,
        made: &Made,
        end: ComposedEnd,
    ) -> Result<(u64, Option<ComposeError>), NpmInstallError> {
        let object = cache::object(&target.key);
        let kept = async {
            let bucket = &self.output.bucket;
            let kept = self
                .own
                .cache_tree(bucket, &object, &made.zip, &made.tail)
                .await?;
            self.own
                .put_with_cached_tree(self.output, &kept, &self.source, target.comment())
                .await
        };
        match kept.await {
            Ok(size) => Ok((size, None)),
            Err(error) => {
                let size = self
                    .store
                    .put_composed(self.output, (&made.zip, &made.tail), &self.source, end)
                    .await
                    .map_err(|error| error.of(self.output))?;
                // Someone else kept the same tree at the same time: theirs is as good.
                let error = Some(error).filter(|error| !matches!(error, ComposeError::Gone(_)));
                Ok((size, error))
            }
        }
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

/// Removes a tree that is not needed any more; what cannot be removed goes with the job's directory, or, where
/// the job is ended meanwhile and both remove it, at the latest with the next job's.
async fn remove(tree: PathBuf) {
    let path = tree.clone();
    if let Err(error) = blocking(move || std::fs::remove_dir_all(tree)).await {
        tracing::debug!(path = %path.display(), %error, "a tree is removed later");
    }
}

impl Target {
    /// What the output's comment says of its dependencies.
    fn comment(&self) -> impl FnOnce(u64) -> String + Send + 'static {
        let (key, root) = (self.key.clone(), self.plan.root.clone());
        move |data_bytes| {
            let dependencies = Dependencies {
                key,
                data_bytes,
                root,
            };
            dependencies.to_string()
        }
    }
}

/// A call that was refused, and what to do about it.
fn refused(error: &CallError) -> Declined {
    let hint = error
        .hint()
        .map_or_else(String::new, |hint| format!(": {hint}"));
    Declined(format!("{error}{hint}"))
}

/// Files of the project that npm would read and must not, out of its sight while it runs.
struct Hidden(Vec<(PathBuf, PathBuf)>);

impl Hidden {
    /// npm follows the addresses in `yarn.lock`, and writes it anew.
    fn yarn_locks(project: &Project, workspace: &Workspace) -> Result<Self, NpmInstallError> {
        let mut moved = Vec::new();
        for (number, directory) in project.ancestors().enumerate() {
            let from = directory.join(YARN_LOCK);
            let to = workspace.file(&format!("{YARN_LOCK}-{number}"));
            if from.symlink_metadata().is_ok() {
                rename(&from, &to)?;
                moved.push((from, to));
            }
        }
        Ok(Self(moved))
    }

    fn put_back(self) -> Result<(), NpmInstallError> {
        let mut moved = self.0.iter();
        moved.try_for_each(|(from, to)| rename(to, from))
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), NpmInstallError> {
    std::fs::rename(from, to).map_err(|error| NpmInstallError::Unreadable {
        path: YARN_LOCK.to_owned(),
        reason: error.to_string(),
    })
}

/// The install scripts that did not run: the project's own first, a task may wait for what they make.
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
