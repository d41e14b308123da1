//! Files of settings in YAML.

use std::path::Path;

use delivery_node::project::{MAX_SETTINGS_BYTES, Project};
use serde_json::{Map, Value};

use crate::{NpmInstallError, yaml};

/// Reads a file, if there is one; an empty file has no settings.
pub(crate) fn read_yaml(
    path: &Path,
    project: &Project,
) -> Result<Option<Map<String, Value>>, NpmInstallError> {
    let Some(text) = read(path, project)? else {
        return Ok(None);
    };
    let settings: Option<Map<String, Value>> =
        yaml::parse(&text).map_err(|reason| NpmInstallError::Unreadable {
            path: project.shown(path),
            reason,
        })?;
    Ok(Some(settings.unwrap_or_default()))
}

/// The text of a file, if there is one.
pub(crate) fn read(path: &Path, project: &Project) -> Result<Option<String>, NpmInstallError> {
    let unreadable = |reason| NpmInstallError::Unreadable {
        path: project.shown(path),
        reason,
    };
    let Ok(meta) = path.metadata() else {
        return Ok(None);
    };
    if meta.len() > MAX_SETTINGS_BYTES {
        return Err(unreadable(format!(
            "it has {} bytes; the limit is {MAX_SETTINGS_BYTES}",
            meta.len()
        )));
    }
    std::fs::read_to_string(path)
        .map(Some)
        .map_err(|error| unreadable(error.to_string()))
}
