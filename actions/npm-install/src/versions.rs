//! The versions of Node.js and npm, without starting them each time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::SystemTime;

use delivery_action::clock::Deadline;
use delivery_action::process::{self, Command, Environment, ProcessError};
use serde::Deserialize;

use crate::npmrc;

/// What the environment's `node` and `npm` are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Versions {
    /// As `node --version` says it: `v24.1.0`.
    pub(crate) node: String,
    /// The size of the program: it tells builds of the same version apart, such as one for another C library.
    pub(crate) node_bytes: u64,
    /// As `npm --version` says it: `11.4.0`.
    pub(crate) npm: String,
    /// The file of the machine's settings, next to Node.js if there is one.
    pub(crate) machine_settings: PathBuf,
    /// The settings that come with npm and those of the machine, by their files.
    pub(crate) settings: Vec<(PathBuf, Vec<u8>)>,
}

/// The file of the machine's settings if it has no place for them. Another path than the user's, because npm
/// refuses the same file for both.
const NO_MACHINE_SETTINGS: &str = "/nonexistent/npmrc";

/// A program's file, and when it was written.
type Program = (PathBuf, u64, Option<SystemTime>);

/// The versions that programs have printed in this process: a warm function asks each only once.
static KNOWN: LazyLock<Mutex<HashMap<Program, String>>> = LazyLock::new(Mutex::default);

impl Versions {
    /// Finds both programs and their versions; a program that has to be asked runs in `directory`.
    pub(crate) async fn of(
        environment: &Environment,
        directory: &Path,
        deadline: Deadline,
    ) -> Result<Self, ProcessError> {
        let node_file = process::require("node", environment)?;
        let npm_file = process::require("npm", environment)?;
        let node_bytes = node_file.metadata().map_or(0, |meta| meta.len());
        let node = version_of("node", &node_file, environment, directory, deadline).await?;
        let npm_folder = folder_of(&npm_file);
        let npm = match npm_folder.as_deref().and_then(packaged_version) {
            Some(version) => version,
            None => version_of("npm", &npm_file, environment, directory, deadline).await?,
        };
        let machine_settings = node_file
            .canonicalize()
            .ok()
            .and_then(|file| Some(file.parent()?.parent()?.join("etc/npmrc")))
            .unwrap_or_else(|| PathBuf::from(NO_MACHINE_SETTINGS));
        let settings = npm_folder
            .map(|folder| folder.join("npmrc"))
            .into_iter()
            .chain([machine_settings.clone()])
            .filter_map(|file| std::fs::read(&file).ok().map(|bytes| (file, bytes)))
            .collect();
        Ok(Self {
            node,
            node_bytes,
            npm,
            machine_settings,
            settings,
        })
    }
}

impl Versions {
    /// A setting of the machine's for npm: a company's certificates, or its proxy.
    pub(crate) fn machine_setting(&self, key: &str) -> Option<String> {
        let mut files = self.settings.iter();
        let (_, bytes) = files.find(|(path, _)| *path == self.machine_settings)?;
        npmrc::value_of(bytes, key)
    }
}

/// The version that a program prints, remembered as long as its file is the same.
async fn version_of(
    program: &'static str,
    file: &Path,
    environment: &Environment,
    directory: &Path,
    deadline: Deadline,
) -> Result<String, ProcessError> {
    let meta = file.metadata().ok();
    let key = (
        file.canonicalize().unwrap_or_else(|_| file.to_owned()),
        meta.as_ref().map_or(0, std::fs::Metadata::len),
        meta.and_then(|meta| meta.modified().ok()),
    );
    let known = lock().get(&key).cloned();
    if let Some(version) = known {
        return Ok(version);
    }
    let finished = Command::new(program, directory, environment)
        .arg("--version")
        .quiet()
        .run(deadline)
        .await?;
    let version = finished.stdout.trim().to_owned();
    lock().insert(key, version.clone());
    Ok(version)
}

fn lock() -> std::sync::MutexGuard<'static, HashMap<Program, String>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The package that `npm` on the path is a link into: `lib/node_modules/npm`.
fn folder_of(npm: &Path) -> Option<PathBuf> {
    let script = npm.canonicalize().ok()?;
    Some(script.parent()?.parent()?.to_owned())
}

fn packaged_version(folder: &Path) -> Option<String> {
    #[derive(Deserialize)]
    struct Manifest {
        name: String,
        version: String,
    }
    let text = std::fs::read_to_string(folder.join("package.json")).ok()?;
    let manifest: Manifest = serde_json::from_str(&text).ok()?;
    (manifest.name == "npm").then_some(manifest.version)
}
