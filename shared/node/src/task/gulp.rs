//! gulp: always the project's own, never one that happens to be installed on the machine.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::TaskError;
use crate::project::{Files, Project, below};
use delivery_action::clock::Deadline;
use delivery_action::process::{Command, Environment};

/// How long gulp may take to list its tasks, which is to load the gulpfile.
const LIST_TIME: Duration = Duration::from_secs(30);

/// gulp's file name before the extension (`gulp-cli`, `interpret` decides on extensions).
const GULPFILE: &str = "gulpfile.";

/// The file of a gulpfile that is a folder, before the extension.
const INDEX: &str = "index.";

/// Largest gulpfile that is searched for a task's name.
const MAX_GULPFILE_BYTES: u64 = 1024 * 1024;

/// What gulp (undertaker) prints before the name of an unknown task.
const UNKNOWN_TASK: &str = "Task never defined: ";

/// The gulpfile of a folder: a file, or a folder with an index in it (gulp's documentation, "Splitting
/// a gulpfile").
pub(super) fn gulpfile(files: &dyn Files, folder: &str) -> Option<String> {
    files
        .names(folder)
        .into_iter()
        .filter(|name| name.to_lowercase().starts_with(GULPFILE))
        .map(|name| below(folder, &name))
        .find_map(|path| {
            if files.read(&path, 0).is_err_and(|error| is_no_file(&error)) {
                let names = files.names(&path);
                let index = names.iter().find(|name| name.starts_with(INDEX))?;
                return Some(below(&path, index));
            }
            Some(path)
        })
}

/// Whether there is no such file. A file that is only too large to be read exists.
fn is_no_file(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Whether the gulpfile contains the task's name. Only a hint, because the task may come from a file that the gulpfile
/// requires.
pub(super) fn mentions(files: &dyn Files, gulpfile: &str, task: &str) -> bool {
    match files.read(gulpfile, MAX_GULPFILE_BYTES) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).contains(task),
        Err(_) => true,
    }
}

pub(super) fn command(
    task: &str,
    project: &Project,
    environment: &Environment,
) -> Result<Command, TaskError> {
    Ok(gulp(project, environment)?.arg(task))
}

pub(super) fn is_unknown_task(output: &str, task: &str) -> bool {
    output.lines().any(|line| {
        line.split_once(UNKNOWN_TASK).is_some_and(|(_, named)| {
            named.trim() == task || named.starts_with(&format!("{task} "))
        })
    })
}

/// The tasks of the gulpfile; empty if gulp does not list them in time.
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
    let gulp = Command::new(bin.join("gulp"), project.directory(), &environment);
    Ok(gulp.shown_below(project.source()))
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
