//! npm: the `scripts` of the project's `package.json`.

use super::{Runner, TaskError, shown};
use crate::project::{Files, MANIFEST, Manifest, NoManifest, Project, below};
use delivery_action::process::{Command, Environment};

/// Checks that the manifest has a script.
pub(super) fn find(files: &dyn Files, folder: &str, task: &str) -> Result<(), TaskError> {
    let file = below(folder, MANIFEST);
    match Manifest::read(files, folder) {
        Ok(manifest) if manifest.has_script(task) => Ok(()),
        Ok(manifest) => Err(TaskError::Unknown {
            task: task.to_owned(),
            runner: Runner::Npm,
            file,
            tasks: manifest.scripts().map(str::to_owned).collect(),
        }),
        Err(NoManifest::Missing) => Err(TaskError::NoManifest {
            directory: shown(folder),
        }),
        Err(NoManifest::Broken(reason)) => Err(TaskError::Manifest { path: file, reason }),
        Err(NoManifest::Link) => Ok(()),
    }
}

pub(super) fn command(task: &str, project: &Project, environment: &Environment) -> Command {
    Command::new("npm", project.directory(), environment)
        .shown_below(project.source())
        .args(["run", task])
}
