//! gulp: always the project's own, never one that happens to be installed on the machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::TaskError;
use crate::clock::Deadline;
use crate::process::{Command, Environment};
use crate::project::Project;

/// How long gulp may take to list its tasks, which is to load the gulpfile.
const LIST_TIME: Duration = Duration::from_secs(30);

/// gulp's file name before the extension (`gulp-cli`, `interpret` decides on extensions).
const GULPFILE: &str = "gulpfile.";

/// What gulp (undertaker) says of a task that is not there, before the name.
const UNKNOWN_TASK: &str = "Task never defined: ";

pub(super) fn has_gulpfile(directory: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return false;
    };
    entries.flatten().any(|entry| {
        entry
            .file_name()
            .to_string_lossy()
            .to_lowercase()
            .starts_with(GULPFILE)
            && entry.path().is_file()
    })
}

pub(super) fn command(
    task: &str,
    project: &Project,
    environment: &Environment,
) -> Result<Command, TaskError> {
    if !has_gulpfile(project.directory()) {
        return Err(TaskError::NoGulpfile {
            directory: project.shown(project.directory()),
        });
    }
    Ok(gulp(project, environment)?.arg(task))
}

pub(super) fn is_unknown_task(output: &str, task: &str) -> bool {
    output.lines().any(|line| {
        line.split_once(UNKNOWN_TASK).is_some_and(|(_, named)| {
            named.trim() == task || named.starts_with(&format!("{task} "))
        })
    })
}

/// The tasks of the gulpfile, as far as gulp tells in time.
pub(super) async fn tasks(
    project: &Project,
    environment: &Environment,
    deadline: Deadline,
) -> Vec<String> {
    let Ok(gulp) = gulp(project, environment) else {
        return Vec::new();
    };
    let deadline = Deadline::after(LIST_TIME).min(deadline);
    match gulp.arg("--tasks-simple").quiet().run(deadline).await {
        Ok(listed) => listed
            .stdout
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect(),
        Err(_) => Vec::new(),
    }
}

fn gulp(project: &Project, environment: &Environment) -> Result<Command, TaskError> {
    let bin = bin_directory(project).ok_or_else(|| TaskError::NoGulp {
        directory: project.shown(project.directory()),
    })?;
    // As `npx gulp` and `npm run` do it: a task may call other programs of the project.
    let mut environment = environment.clone();
    environment.put_first_on_path(&bin);
    Ok(Command::new(
        bin.join("gulp"),
        project.directory(),
        &environment,
    ))
}

/// The nearest `node_modules/.bin` with gulp in it: a monorepo keeps it further up.
fn bin_directory(project: &Project) -> Option<PathBuf> {
    project
        .ancestors()
        .map(|directory| directory.join("node_modules/.bin"))
        .find(|bin| bin.join("gulp").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gulp_is_believed_only_about_the_task_that_was_asked_for() {
        let output =
            "[04:00:00] Using gulpfile\n[04:00:00] Task never defined: pack\n[04:00:00] To list";
        assert!(is_unknown_task(output, "pack"));
        assert!(!is_unknown_task(output, "package"));
        assert!(is_unknown_task(
            "[04:00:00] Task never defined: pack - did you mean? package",
            "pack"
        ));
    }
}
