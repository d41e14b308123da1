#![doc = include_str!("../README.md")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use delivery_action::action::{Action, Completion, Outcome};
use delivery_action::artifact::{Store, Stored};
use delivery_action::aws::SdkConfig;
use delivery_action::job::{Artifact, Job};
use delivery_action::process::Environment;
use delivery_action::workspace::Workspace;
use delivery_node::project::{self, Project};
use delivery_node::task::{Task, TaskEnd};

mod error;
mod params;
mod tree;

pub use error::TestAndPackageError;
pub use params::TestAndPackageParams;

use tree::Tree;

/// Runs one of the project's tasks and stores what it made as artifacts.
#[derive(Clone, Debug)]
pub struct TestAndPackage {
    config: SdkConfig,
}

impl TestAndPackage {
    /// The action, whose clients use this configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            config: config.clone(),
        }
    }
}

impl Action for TestAndPackage {
    const NAME: &'static str = "test-and-package";
    type Params = TestAndPackageParams;
    type Error = TestAndPackageError;

    async fn run(
        &self,
        job: &Job,
        params: TestAndPackageParams,
    ) -> Result<Outcome, TestAndPackageError> {
        let input = job.only_input()?;
        let outputs = declared_outputs(job, &params)?;
        let workspace = Workspace::create()?;
        let environment = project::environment(&workspace, &params.environment)?;
        let store = Store::for_job(&self.config, job);
        let source = store.fetch_and_extract(input, &workspace, "source").await?;
        let run = TaskRun {
            job,
            store: &store,
            environment: &environment,
            workspace: &workspace,
        };
        Ok(Outcome::Complete(run.run(&source, params, outputs).await?))
    }
}

/// A job with its source extracted.
struct TaskRun<'a> {
    job: &'a Job,
    store: &'a Store,
    environment: &'a Environment,
    workspace: &'a Workspace,
}

impl TaskRun<'_> {
    /// Runs the task and stores what it made.
    async fn run(
        &self,
        source: &Path,
        params: TestAndPackageParams,
        outputs: Vec<(&Artifact, String)>,
    ) -> Result<Completion, TestAndPackageError> {
        let project = Project::open(source, &params.directory)?;
        let task = Task {
            name: params.task,
            runner: params.runner,
            report: params.report,
        };
        let deadline = project::child_deadline(self.job);
        let end = task.run(&project, self.environment, deadline).await?;

        // All outputs are found before the first is stored, so that a missing one fails the job as a whole.
        let found = find_outputs(&project, outputs)?;
        let mut summary = summary(&task, &end);
        let mut variables = BTreeMap::new();
        // Trees last: of these packages are removed that another output may have.
        let (trees, others): (Vec<_>, Vec<_>) = found
            .iter()
            .partition(|output| tree::is_tree(&project, &output.path));
        for output in others.into_iter().chain(trees) {
            let (stored, note) = self.put(&project, output).await?;
            let name = &output.artifact.name;
            let _infallible = write!(
                summary,
                "; {name} from `{}` ({} bytes){note}",
                output.given, stored.bytes
            );
            variables.extend(stored.variables(output.artifact));
        }
        Ok(Completion { summary, variables })
    }

    /// Stores an output, and returns what the summary should say of it.
    async fn put(
        &self,
        project: &Project,
        output: &Output<'_>,
    ) -> Result<(Stored, String), TestAndPackageError> {
        if !tree::is_tree(project, &output.path) {
            let stored = self.store.put(output.artifact, &output.path).await?;
            return Ok((stored, String::new()));
        }
        let tree = Tree::make(project, &output.path, self.workspace).await?;
        let stored = self
            .store
            .put_directory(output.artifact, tree.folder())
            .await;
        let note = tree.note();
        tree.put_back()?;
        Ok((stored?, note))
    }
}

/// An output artifact and the path that becomes it.
struct Output<'a> {
    artifact: &'a Artifact,
    given: String,
    path: PathBuf,
}

/// Each output artifact with its path. Checked before the task runs, which may take minutes.
fn declared_outputs<'a>(
    job: &'a Job,
    params: &TestAndPackageParams,
) -> Result<Vec<(&'a Artifact, String)>, TestAndPackageError> {
    job.output_artifacts
        .iter()
        .map(|artifact| {
            let name = artifact.name.clone();
            if params::is_own_key(&name) {
                return Err(TestAndPackageError::OutputNamedAsKey { artifact: name });
            }
            match params.outputs.get(&name) {
                Some(path) => Ok((artifact, path.clone())),
                None => Err(TestAndPackageError::OutputWithoutKey { artifact: name }),
            }
        })
        .collect()
}

/// Finds all outputs in the project.
fn find_outputs<'a>(
    project: &Project,
    outputs: Vec<(&'a Artifact, String)>,
) -> Result<Vec<Output<'a>>, TestAndPackageError> {
    outputs
        .into_iter()
        .map(|(artifact, given)| match project.resolve(&given) {
            Ok(path) => Ok(Output {
                artifact,
                given,
                path,
            }),
            Err(source) => Err(TestAndPackageError::Output {
                artifact: artifact.name.clone(),
                source,
            }),
        })
        .collect()
}

/// `14 tests: 14 passed; package (gulp) in 12s`: the tests come first, since a terminal cuts the rest.
fn summary(task: &Task, end: &TaskEnd) -> String {
    let mut text = String::new();
    if let Some(report) = end.report.as_ref().filter(|report| report.files > 0) {
        let _infallible = write!(text, "{report}; ");
    }
    let seconds = end.elapsed.as_secs();
    let _infallible = write!(text, "{} ({}) in {seconds}s", task.name, end.runner);
    for warning in &end.warnings {
        let _infallible = write!(text, "; {warning}");
    }
    text
}
