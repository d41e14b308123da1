//! A project's own task, run by the project's own task runner: gulp or npm.

use std::time::Duration;

use serde::Deserialize;

use crate::clock::Deadline;
use crate::failure::ActionError as _;
use crate::junit::{Report, ReportGlob};
use crate::process::{self, Command, Environment, ProcessError};
use crate::project::Project;

mod error;
mod gulp;
mod npm;

pub use error::TaskError;

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
    /// gulp where there is a gulpfile, else npm.
    #[must_use]
    pub fn of(project: &Project) -> Self {
        if gulp::has_gulpfile(project.directory()) {
            Self::Gulp
        } else {
            Self::Npm
        }
    }

    /// How a person runs a task of this runner.
    #[must_use]
    pub fn command_line(self, task: &str) -> String {
        match self {
            Self::Gulp => format!("npx gulp {task}"),
            Self::Npm => format!("npm run {task}"),
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

/// A task to run.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its name: a gulp task, or a script of `package.json`.
    pub name: String,
    /// What runs it.
    pub runner: Runner,
    /// Where its JUnit reports are.
    pub report: Option<ReportGlob>,
}

/// A task that ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskEnd {
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
    /// [`TaskError`] where the runner or the task is not there, or the task fails; then with the names
    /// of the failed tests and the last lines of its output.
    pub async fn run(
        &self,
        project: &Project,
        environment: &Environment,
        deadline: Deadline,
    ) -> Result<TaskEnd, TaskError> {
        let command = self.command(project, environment)?;
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
                    warnings.push(format!("no report matches `{}`", glob.pattern()));
                }
                Ok(TaskEnd {
                    elapsed: finished.elapsed,
                    report,
                    warnings,
                })
            }
            Err(error) => Err(self
                .failed(error, report, project, environment, deadline)
                .await),
        }
    }

    fn command(&self, project: &Project, environment: &Environment) -> Result<Command, TaskError> {
        if self.name.is_empty() || self.name.starts_with('-') || self.name.contains('\0') {
            return Err(TaskError::Name {
                task: self.name.clone(),
            });
        }
        process::require("node", environment)?;
        match self.runner {
            Runner::Gulp => gulp::command(&self.name, project, environment),
            Runner::Npm => npm::command(&self.name, project, environment),
        }
    }

    /// Why a task that ran did not end well: gulp says only when it runs that a task is not there.
    async fn failed(
        &self,
        error: ProcessError,
        report: Option<Report>,
        project: &Project,
        environment: &Environment,
        deadline: Deadline,
    ) -> TaskError {
        let unknown = self.runner == Runner::Gulp
            && error
                .output()
                .is_some_and(|output| gulp::is_unknown_task(output, &self.name));
        if unknown {
            let tasks = gulp::tasks(project, environment, deadline).await;
            return TaskError::Unknown {
                task: self.name.clone(),
                runner: self.runner,
                tasks,
            };
        }
        TaskError::Failed {
            task: self.name.clone(),
            runner: self.runner,
            report: report.filter(|report| report.files > 0).map(Box::new),
            source: error,
        }
    }
}
