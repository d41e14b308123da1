//! npm: the `scripts` of the project's `package.json`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Runner, TaskError};
use crate::process::{Command, Environment};
use crate::project::Project;

/// Largest `package.json` that is read; real ones have some kilobytes.
const MAX_MANIFEST_BYTES: u64 = 4 * 1024 * 1024;

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    scripts: BTreeMap<String, String>,
}

pub(super) fn command(
    task: &str,
    project: &Project,
    environment: &Environment,
) -> Result<Command, TaskError> {
    let scripts = scripts(project)?;
    if !scripts.contains_key(task) {
        return Err(TaskError::Unknown {
            task: task.to_owned(),
            runner: Runner::Npm,
            tasks: scripts.into_keys().collect(),
        });
    }
    Ok(Command::new("npm", project.directory(), environment).args(["run", task]))
}

fn scripts(project: &Project) -> Result<BTreeMap<String, String>, TaskError> {
    let path = project.directory().join("package.json");
    let shown = project.shown(&path);
    let size = match path.metadata() {
        Ok(meta) if meta.is_file() => meta.len(),
        _ => {
            return Err(TaskError::NoManifest {
                directory: project.shown(project.directory()),
            });
        }
    };
    let unreadable = |reason: String| TaskError::Manifest {
        path: shown.clone(),
        reason,
    };
    if size > MAX_MANIFEST_BYTES {
        return Err(unreadable(format!("it has {size} bytes")));
    }
    let text = std::fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
    let manifest: Manifest = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| unreadable(error.to_string()))?;
    Ok(manifest.scripts)
}
