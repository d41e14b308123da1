//! A project's own task, run by the project's own task runner: gulp or npm.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::junit::{Report, ReportGlob};
use crate::project::{self, Files, Manifest, Project};
use delivery_action::clock::Deadline;
use delivery_action::failure::ActionError as _;
use delivery_action::process::{self, Environment, ProcessError};

mod error;
mod failure;
mod gulp;
mod npm;
mod place;
mod printed;
mod tap;

pub use error::{REPRODUCE, TaskError, failed_tests, shown_directory};
pub use failure::TaskFailure;

/// What runs a project's tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runner {
    /// gulp, as the project's dependencies bring it.
    Gulp,
    /// npm, with the `scripts` of `package.json`.
    Npm,
}

impl Runner {
    /// How a person runs a task of this runner.
    #[must_use]
    pub fn command_line(self, task: &str) -> String {
        match self {
            Self::Gulp => format!("npx gulp {task}"),
            Self::Npm => format!("npm run {task}"),
        }
    }
}

impl Runner {
    /// What it calls what it runs.
    fn noun(self) -> &'static str {
        match self {
            Self::Gulp => "task",
            Self::Npm => "script",
        }
    }
}

impl std::fmt::Display for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Gulp => "gulp",
            Self::Npm => "npm",
        })
    }
}

/// Which runner will run a task, determined from the project's files alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What runs it.
    pub runner: Runner,
    /// Why this one.
    pub because: String,
    /// Why the task may not exist: gulp's tasks are known only when gulp runs.
    pub doubt: Option<String>,
}

/// Chooses the runner of a task: the configured one, else gulp if there is a gulpfile, else npm.
///
/// # Errors
///
/// [`TaskError`] if it is certain that the task cannot be run.
pub fn choose(
    files: &dyn Files,
    folder: &str,
    task: &str,
    asked: Option<Runner>,
) -> Result<Choice, TaskError> {
    if task.is_empty() || task.starts_with('-') || task.contains('\0') {
        return Err(TaskError::Name {
            task: task.to_owned(),
        });
    }
    let gulpfile = gulp::gulpfile(files, folder);
    match (asked, gulpfile) {
        (Some(Runner::Gulp), None) => Err(TaskError::NoGulpfile {
            directory: shown(folder),
        }),
        (Some(Runner::Gulp) | None, Some(gulpfile)) => {
            let is_script = asked.is_none()
                && Manifest::read(files, folder).is_ok_and(|manifest| manifest.has_script(task));
            let doubt = (!is_script && !gulp::mentions(files, &gulpfile, task)).then(|| {
                format!(
                    "`{gulpfile}` does not mention a task `{task}`; only running gulp shows whether it exists"
                )
            });
            Ok(Choice {
                runner: Runner::Gulp,
                because: match asked {
                    Some(_) => "`runner=gulp`".to_owned(),
                    None => format!("found `{gulpfile}`"),
                },
                doubt,
            })
        }
        (Some(Runner::Npm), _) | (None, None) => {
            npm::find(files, folder, task)?;
            Ok(Choice {
                runner: Runner::Npm,
                because: match asked {
                    Some(_) => "`runner=npm`".to_owned(),
                    None => "no gulpfile".to_owned(),
                },
                doubt: None,
            })
        }
    }
}

fn shown(folder: &str) -> String {
    if folder.is_empty() { "." } else { folder }.to_owned()
}

/// A task to run.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its name: a gulp task, or a script of `package.json`.
    pub name: String,
    /// What runs it; `None` chooses.
    pub runner: Option<Runner>,
    /// Where its JUnit reports are.
    pub report: Option<ReportGlob>,
}

/// A task that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskEnd {
    /// What ran it.
    pub runner: Runner,
    /// How long it took.
    pub elapsed: Duration,
    /// What its reports say, where reports were asked for.
    pub report: Option<Report>,
    /// What was wrong with the reports, one line each.
    pub warnings: Vec<String>,
}

impl Task {
    /// Runs the task in the project's directory.
    ///
    /// # Errors
    ///
    /// [`TaskError`] if the runner or the task is not there, or the task fails; then with the names
    /// of the failed tests and the last lines of its output.
    pub async fn run(
        &self,
        project: &Project,
        environment: &Environment,
        deadline: Deadline,
    ) -> Result<TaskEnd, TaskError> {
        let files = project.files();
        let choice = choose(&files, &project.folder(), &self.name, self.runner)?;
        process::require("node", environment)?;
        let ended = self
            .run_by(choice.runner, project, environment, deadline)
            .await;
        let Err(missing) = &ended else { return ended };
        let is_script = self.runner.is_none()
            && missing.is_missing_in_gulp()
            && npm::find(&files, &project.folder(), &self.name).is_ok();
        if !is_script {
            return ended;
        }
        let note = format!("ran the npm script instead: {missing}");
        tracing::warn!("{note}");
        let mut end = self
            .run_by(Runner::Npm, project, environment, deadline)
            .await?;
        end.warnings.push(note);
        Ok(end)
    }

    async fn run_by(
        &self,
        runner: Runner,
        project: &Project,
        environment: &Environment,
        deadline: Deadline,
    ) -> Result<TaskEnd, TaskError> {
        let command = match runner {
            Runner::Gulp => gulp::command(&self.name, project, environment)?,
            Runner::Npm => npm::command(&self.name, project, environment),
        };
        let root = project.directory();
        let earlier = self.report.as_ref().map(|glob| (glob, glob.earlier(root)));
        let ended = command.run(deadline).await;
        let reading = earlier.map(|(glob, earlier)| glob.read(root, &earlier));
        let mut warnings: Vec<String> = reading
            .as_ref()
            .map(|reading| reading.warnings.clone())
            .unwrap_or_default();
        let report = reading.map(|reading| reading.report);
        match ended {
            Ok(finished) => {
                if let (Some(glob), Some(Report { files: 0, .. })) = (&self.report, &report) {
                    let pattern = glob.pattern();
                    warnings.push(format!(
                        "tests not counted: no JUnit file matches `{pattern}`"
                    ));
                }
                Ok(TaskEnd {
                    runner,
                    elapsed: finished.elapsed,
                    report,
                    warnings,
                })
            }
            Err(error) if runner == Runner::Gulp && self.is_unknown_to_gulp(&error) => {
                Err(TaskError::Unknown {
                    task: self.name.clone(),
                    runner,
                    file: gulp::gulpfile(&project.files(), &project.folder()).unwrap_or_default(),
                    tasks: gulp::tasks(project, environment, deadline).await,
                })
            }
            Err(error) => {
                let report = report.filter(|report| report.files > 0);
                let report = report.or_else(|| error.output().and_then(printed_report));
                let report = report.map(|report| report.below(project.source()));
                Err(TaskError::Failed {
                    task: self.name.clone(),
                    runner,
                    directory: shown(&project.folder()),
                    failure: Box::new(TaskFailure::of(report.as_ref(), error.output(), project)),
                    report: report.map(Box::new),
                    advice: advice(&error, project),
                    ended: shown_below(error, project.source()),
                })
            }
        }
    }

    /// Whether gulp failed because it has no such task.
    fn is_unknown_to_gulp(&self, error: &ProcessError) -> bool {
        error
            .output()
            .is_some_and(|output| gulp::is_unknown_task(output, &self.name))
    }
}

/// The results of tests in the output of a runner that is known; `None` where no test failed.
fn printed_report(output: &str) -> Option<Report> {
    tap::read(output).or_else(|| printed::read(output))
}

/// The tests that failed in a command that is no [`Task`], and what the first of them says, by what a test runner printed;
/// `None` where that is of no runner that is known, or no test failed.
#[must_use]
pub fn printed_failure(output: &str, project: &Project) -> Option<(Report, TaskFailure)> {
    let report = printed_report(output)?.below(project.source());
    let failure = TaskFailure::of(Some(&report), Some(output), project);
    Some((report, failure))
}

/// The error with its command as it reads in the project: gulp's path is one of the job's temporary directory.
fn shown_below(mut error: ProcessError, source: &Path) -> ProcessError {
    if let ProcessError::Exit { command, .. }
    | ProcessError::Signal { command, .. }
    | ProcessError::Deadline { command, .. }
    | ProcessError::Start { command, .. }
    | ProcessError::Wait { command, .. }
    | ProcessError::Uncontained { command, .. } = &mut error
    {
        *command = command.replace(&format!("{}/", source.display()), "");
    }
    error
}

/// Advice for a failure with a known cause.
fn advice(error: &ProcessError, project: &Project) -> Option<String> {
    let output = error.output()?;
    if let Some(remedy) = project::remedy(output) {
        return Some(remedy.to_owned());
    }
    if !project::reports_something_missing(output) {
        return None;
    }
    let (files, folder) = (project.files(), project.folder());
    let manifest = Manifest::read(&files, &folder).unwrap_or_default();
    if let Some(script) = manifest.install_scripts().next() {
        return Some(format!(
            "the project's own script `{script}` does not run in npm-install unless it has \
             `ignore-scripts=false`: call it in the task (`npm run {script}`)"
        ));
    }
    if let Some(submodules) = project::empty_submodules(&files) {
        return Some(submodules);
    }
    project::reports_a_missing_module(output).then(|| project::MISSING_MODULE.to_owned())
}
