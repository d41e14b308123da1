//! How Yarn is called, and what of a project's settings it gets to see.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use delivery_action::workspace::Workspace;
use delivery_node::project::{Installer, Manager, Project, YARN_SETTINGS};
use serde_json::{Map, Value};

use crate::NpmInstallError;
use crate::params::{NpmInstallParams, Omit, Subcommand};
use crate::set_aside::SetAside;
use crate::settings::{read, read_yaml};
use crate::versions::Versions;

/// The settings of Yarn 1.
const CLASSIC_SETTINGS: &str = ".yarnrc";

/// How long Yarn 1 waits for an answer, in milliseconds: as npm does ([`crate::npm::SETTINGS`]).
const CLASSIC_TIMEOUT: &str = "60000";

/// Settings that make Yarn load code of the project.
const CODE: [&str; 2] = ["enableConstraintsChecks", "plugins"];

/// The one way to lay out a tree that is kept: all others are replaced by `node_modules`.
const KEPT_LINKER: &str = "pnpm";

/// Yarn's own archives of packages, where a project keeps them.
const ARCHIVES: &str = ".yarn/cache";

/// Settings of the machine for npm, and Yarn's own variable and setting for each.
const OF_MACHINE: [(&str, &str, &str); 3] = [
    ("registry", "YARN_NPM_REGISTRY_SERVER", "npmRegistryServer"),
    ("https-proxy", "YARN_HTTPS_PROXY", "httpsProxy"),
    ("proxy", "YARN_HTTP_PROXY", "httpProxy"),
];

/// What Yarn's other way to lay out a tree leaves in a project.
pub(crate) const PLUG_AND_PLAY: [&str; 2] = [".pnp.cjs", ".pnp.js"];

/// The file in `node_modules` that lets `yarn run` know what is installed; its usual place is not in the tree.
const STATE: &str = "node_modules/.yarn-install-state.gz";

/// The arguments of Yarn 1, which override every file of settings.
pub(crate) fn classic_arguments(subcommand: Subcommand, params: &NpmInstallParams) -> Vec<String> {
    let mut arguments = vec![
        "install",
        "--non-interactive",
        "--no-progress",
        "--network-timeout",
        CLASSIC_TIMEOUT,
    ];
    if subcommand == Subcommand::Ci {
        arguments.push("--frozen-lockfile");
    }
    if params.ignore_scripts {
        arguments.push("--ignore-scripts");
    }
    for kind in &params.omit {
        match kind {
            Omit::Dev => arguments.push("--production=true"),
            Omit::Optional => arguments.push("--ignore-optional"),
            Omit::Peer => {} // Yarn 1 never installs them
        }
    }
    arguments.into_iter().map(str::to_owned).collect()
}

/// The arguments of Yarn 2 and later.
pub(crate) fn arguments(
    subcommand: Subcommand,
    params: &NpmInstallParams,
) -> Result<Vec<String>, NpmInstallError> {
    if let Some(kind) = params.omit.first() {
        return Err(NpmInstallError::Omit {
            kind: *kind,
            manager: Manager::Yarn,
        });
    }
    let immutable = match subcommand {
        Subcommand::Ci => "--immutable",
        Subcommand::Install => "--no-immutable",
    };
    Ok(vec!["install".to_owned(), immutable.to_owned()])
}

/// The variables of Yarn 2 and later, which override every file of settings; `root` is the installation's folder.
///
/// Packages lie in `node_modules`: gulp, npm's scripts and Lambda look for them there, and the archives that Plug'n'Play
/// reads lie outside of the artifact.
pub(crate) fn variables(
    root: &Path,
    settings: &Settings,
    params: &NpmInstallParams,
    versions: &Versions,
) -> Vec<(&'static str, OsString)> {
    let mut variables = in_tasks(root, settings);
    if !root.join(ARCHIVES).is_dir() {
        variables.push(("YARN_ENABLE_GLOBAL_CACHE", "true".into()));
    }
    for (key, variable, own) in OF_MACHINE {
        let is_named = settings.text(own).is_some() || params.environment.contains_key(variable);
        if let (Some(value), false) = (versions.machine_setting(key), is_named) {
            variables.push((variable, value.into()));
        }
    }
    variables.push((
        "YARN_ENABLE_SCRIPTS",
        (!params.ignore_scripts).to_string().into(),
    ));
    variables.push(("YARN_ENABLE_TELEMETRY", "0".into()));
    variables.push(("YARN_ENABLE_MIRROR", "false".into()));
    variables
}

/// Those that a task's own calls of Yarn need, to find what was installed below `root`.
pub(crate) fn in_tasks(root: &Path, settings: &Settings) -> Vec<(&'static str, OsString)> {
    let mut variables = vec![
        ("YARN_IGNORE_PATH", "1".into()),
        ("YARN_INSTALL_STATE_PATH", root.join(STATE).into()),
    ];
    if settings.linker() != Some(KEPT_LINKER) {
        variables.push(("YARN_NODE_LINKER", "node-modules".into()));
    }
    variables
}

/// The settings of Yarn 2 and later in a source, the nearest file first.
#[derive(Debug, Default)]
pub(crate) struct Settings(Vec<(PathBuf, Map<String, Value>)>);

impl Settings {
    /// Reads those of the project's directory and of all above it.
    pub(crate) fn of(project: &Project) -> Result<Self, NpmInstallError> {
        let mut files = Vec::new();
        for directory in project.ancestors() {
            let path = directory.join(YARN_SETTINGS);
            if let Some(settings) = read_yaml(&path, project)? {
                files.push((path, settings));
            }
        }
        Ok(Self(files))
    }

    /// The nearest value of a setting.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        let mut values = self.0.iter().filter_map(|(_, settings)| settings.get(key));
        values.find_map(Value::as_str)
    }

    /// The registries that they name, wherever.
    pub(crate) fn registries(&self) -> Vec<String> {
        let mut registries = Vec::new();
        for (_, settings) in &self.0 {
            collect_registries(settings, &mut registries);
        }
        registries
    }

    /// Whether the packages lie elsewhere than in `node_modules` by these settings.
    pub(crate) fn is_plug_and_play(&self) -> bool {
        !matches!(self.linker(), Some("node-modules" | KEPT_LINKER))
    }

    fn linker(&self) -> Option<&str> {
        self.text("nodeLinker")
    }

    /// Replaces the files by ones without what makes Yarn load code of the project.
    pub(crate) fn without_code(&self, workspace: &Workspace) -> Result<SetAside, NpmInstallError> {
        let mut aside = SetAside::default();
        for (path, settings) in &self.0 {
            if !CODE.iter().any(|key| settings.contains_key(*key)) {
                continue;
            }
            let mut harmless = settings.clone();
            harmless.retain(|key, _| !CODE.contains(&key.as_str()));
            aside.take(path, workspace)?;
            // JSON is YAML.
            std::fs::write(path, Value::Object(harmless).to_string()).map_err(|error| {
                NpmInstallError::Unreadable {
                    path: YARN_SETTINGS.to_owned(),
                    reason: error.to_string(),
                }
            })?;
        }
        Ok(aside)
    }
}

fn collect_registries(settings: &Map<String, Value>, registries: &mut Vec<String>) {
    for (key, value) in settings {
        match value {
            Value::String(address) if key == "npmRegistryServer" => {
                registries.push(address.clone());
            }
            Value::Object(below) => collect_registries(below, registries),
            _ => {}
        }
    }
}

/// The registries that the settings of Yarn 1 name.
pub(crate) fn classic_registries(project: &Project) -> Result<Vec<String>, NpmInstallError> {
    let mut registries = Vec::new();
    for directory in project.ancestors() {
        let text = read(&directory.join(CLASSIC_SETTINGS), project)?.unwrap_or_default();
        registries.extend(text.lines().filter_map(|line| {
            let (key, value) = line.trim().split_once(' ')?;
            let is_registry = key.trim_matches('"').ends_with("registry");
            is_registry.then(|| value.trim().trim_matches('"').to_owned())
        }));
    }
    Ok(registries)
}

/// Checks that Yarn runs no code of the project when it fetches packages.
pub(crate) fn check(
    installer: &Installer,
    lock: Option<&crate::lock::LockFile>,
    params: &NpmInstallParams,
) -> Result<(), NpmInstallError> {
    let Some(made) = lock.and_then(|lock| Some((lock.path(), lock.made_by_program()?))) else {
        return Ok(());
    };
    if !params.ignore_scripts {
        return Ok(());
    }
    let (path, package) = made;
    Err(NpmInstallError::ProjectCode {
        what: format!("`{package}` in `{path}`"),
        manager: installer.manager,
    })
}
