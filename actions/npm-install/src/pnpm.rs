//! How pnpm is called, what of a project it would run, and what it leaves.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use delivery_node::project::{Installer, Manager, PNPM_WORKSPACE, Project};
use serde_json::{Map, Value};

use crate::NpmInstallError;
use crate::params::{NpmInstallParams, Omit, Subcommand};
use crate::settings::read_yaml;

/// Code of a project that pnpm loads when it installs.
pub(crate) const HOOKS: [&str; 2] = [".pnpmfile.cjs", ".pnpmfile.mjs"];

/// Settings that make pnpm load such code from elsewhere.
const CODE: [&str; 3] = ["configDependencies", "globalPnpmfile", "pnpmfile"];

/// What pnpm writes about the installation in `node_modules`.
const MODULES: &str = ".modules.yaml";

/// When pnpm last looked at the tree, for its own next run.
const STATE: &str = ".pnpm-workspace-state";

/// Lines of [`MODULES`] that differ from one installation to the next, with what takes their place.
const CHANGING: [(&str, &str); 2] = [
    ("prunedAt", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ("storeDir", "/nonexistent"),
];

/// The arguments of one run, which override every file of settings.
pub(crate) fn arguments(
    subcommand: Subcommand,
    params: &NpmInstallParams,
) -> Result<Vec<String>, NpmInstallError> {
    let mut arguments = vec![
        "install",
        match subcommand {
            Subcommand::Ci => "--frozen-lockfile",
            Subcommand::Install => "--no-frozen-lockfile",
        },
        // Links to programs, not scripts with the path of this job's directory in them.
        "--config.prefer-symlinked-executables=true",
        "--config.extend-node-path=false",
    ];
    if params.ignore_scripts {
        arguments.extend(["--ignore-scripts", "--ignore-pnpmfile"]);
    }
    for kind in &params.omit {
        arguments.push(match kind {
            Omit::Dev => "--prod",
            Omit::Optional => "--no-optional",
            Omit::Peer => {
                return Err(NpmInstallError::Omit {
                    kind: *kind,
                    manager: Manager::Pnpm,
                });
            }
        });
    }
    Ok(arguments.into_iter().map(str::to_owned).collect())
}

/// Checks that pnpm runs no code of the project, and returns the registries that its settings name.
pub(crate) fn check(
    installer: &Installer,
    project: &Project,
    params: &NpmInstallParams,
) -> Result<Vec<String>, NpmInstallError> {
    let root = project.source().join(&installer.root);
    let file = root.join(PNPM_WORKSPACE);
    let settings = read_yaml(&file, project)?.unwrap_or_default();
    if params.ignore_scripts {
        let hook = HOOKS
            .iter()
            .map(|name| root.join(name))
            .find(|path| path.is_file())
            .map(|path| format!("`{}`", project.shown(&path)));
        let setting = CODE
            .iter()
            .find(|key| settings.contains_key(**key))
            .map(|key| format!("`{key}` in `{}`", project.shown(&file)));
        if let Some(what) = hook.or(setting) {
            return Err(NpmInstallError::ProjectCode {
                what,
                manager: Manager::Pnpm,
            });
        }
    }
    Ok(registries(&settings))
}

/// Whether the settings name packages of a workspace.
pub(crate) fn has_packages(directory: &Path, project: &Project) -> bool {
    read_yaml(&directory.join(PNPM_WORKSPACE), project)
        .is_ok_and(|settings| settings.is_some_and(|settings| settings.contains_key("packages")))
}

fn registries(settings: &Map<String, Value>) -> Vec<String> {
    let several = settings.get("registries").and_then(Value::as_object);
    several
        .into_iter()
        .flat_map(Map::values)
        .chain(settings.get("registry"))
        .filter_map(|registry| registry.as_str().map(str::to_owned))
        .collect()
}

/// The variables of a task's own calls of pnpm. pnpm 11 installs once more before a script where the note is missing that
/// [`settle`] removes; a task would need the registry for that.
pub(crate) fn in_tasks() -> Vec<(&'static str, OsString)> {
    vec![("pnpm_config_verify_deps_before_run", "false".into())]
}

/// Makes equal installations equal: without times, and without the path of this job's directory.
pub(crate) fn settle(modules: &Path) -> io::Result<()> {
    for entry in modules.read_dir()? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(STATE) {
            std::fs::remove_file(entry.path())?;
        }
    }
    let path = modules.join(MODULES);
    match std::fs::read_to_string(&path) {
        Ok(text) => std::fs::write(path, without_what_changes(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn without_what_changes(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let key = line.trim_start().trim_start_matches('"');
        let changing = CHANGING.iter().find(|(name, _)| key.starts_with(name));
        let (Some((_, fixed)), Some((name, value))) = (changing, line.split_once(": ")) else {
            return format!("{line}\n");
        };
        let comma = if value.ends_with(',') { "," } else { "" };
        format!("{name}: \"{fixed}\"{comma}\n")
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_replaced_in_both_notations() {
        let json = "{\n  \"prunedAt\": \"Fri, 27 Nov 2026 01:08:31 GMT\",\n  \"a\": 1,\n  \"storeDir\": \"/tmp/x\"\n}\n";
        assert_eq!(
            without_what_changes(json),
            "{\n  \"prunedAt\": \"Thu, 01 Jan 1970 00:00:00 GMT\",\n  \"a\": 1,\n  \"storeDir\": \"/nonexistent\"\n}\n"
        );
        assert_eq!(
            without_what_changes("a: 1\nstoreDir: /tmp/x\n"),
            "a: 1\nstoreDir: \"/nonexistent\"\n"
        );
    }
}
