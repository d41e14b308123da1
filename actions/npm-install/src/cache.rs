//! The dependency cache: which trees may be cached, and under which key.
//!
//! A cached tree must be exactly what the package manager would make. With the same lock file it makes the same tree, unless
//! it runs scripts or takes packages out of the source. In these cases the cache is not used; everything else that decides the tree
//! is in the key. If unsure, a field or file is part of the key: a key that differs without need costs a run of npm, one that
//! does not differ where it should deploys wrong dependencies.

use std::fs;
use std::path::{Component, Path, PathBuf};

use delivery_archive::{Archive, Kind};
use delivery_node::project::{
    MAX_LOCK_BYTES, Manager, Manifest, NPM_LOCK_FILES, PNPM_LOCK, PNPM_WORKSPACE, Project,
    YARN_LOCK, YARN_SETTINGS,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::installation::arguments;
use crate::lock::LockFile;
use crate::params::{NpmInstallParams, Subcommand};
use crate::versions::Versions;
use crate::{Checked, NpmInstallError, npm, pnpm, yarn};

/// The prefix of cached trees in the artifact bucket, which the lifecycle rule and the role's policy name, too. The
/// number is the version of the key: it changes with what the key covers.
const PREFIX: &str = "delivery-cache/npm-install/2/";

/// The files that decide the tree in a directory of the source, besides `package.json`, whose fields do not all matter.
const DECIDING_FILES: [&str; 8] = [
    NPM_LOCK_FILES[0],
    NPM_LOCK_FILES[1],
    ".npmrc",
    PNPM_LOCK,
    PNPM_WORKSPACE,
    YARN_LOCK,
    YARN_SETTINGS,
    ".yarnrc",
];

/// The files that are read besides these: some must only not be there.
const READ_FILES: [&str; 5] = [
    "package.json",
    pnpm::HOOKS[0],
    pnpm::HOOKS[1],
    "bun.lock",
    "bun.lockb",
];

/// npm runs `node-gyp` for a project that has this file, as an `install` script.
const NATIVE_BUILD: &str = "binding.gyp";

/// Fields of `package.json` that do not change what is installed: they describe the package or are read by other
/// programs. All others are part of the key, known or not.
const HARMLESS: [&str; 28] = [
    "author",
    "babel",
    "browser",
    "browserslist",
    "bugs",
    "contributors",
    "description",
    "eslintConfig",
    "eslintIgnore",
    "exports",
    "files",
    "funding",
    "homepage",
    "jest",
    "keywords",
    "license",
    "lint-staged",
    "main",
    "maintainers",
    "mocha",
    "module",
    "nyc",
    "prettier",
    "private",
    "repository",
    "scripts",
    "types",
    "typings",
];

/// A tree that may be cached.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What installs it.
    pub(crate) checked: Checked,
    /// The directory that the package manager makes, below the source: `web/node_modules`.
    pub(crate) root: String,
    /// The files of the source that npm reads, and no others.
    project: Project,
}

/// Why the cache is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotCacheable(pub(crate) String);

/// Why there is no plan.
#[derive(Debug)]
pub(crate) enum NoPlan {
    /// npm has to run.
    NotCacheable(NotCacheable),
    /// npm may not run either: the source is refused.
    Refused(NpmInstallError),
}

impl From<NotCacheable> for NoPlan {
    fn from(reason: NotCacheable) -> Self {
        Self::NotCacheable(reason)
    }
}

impl From<NpmInstallError> for NoPlan {
    fn from(error: NpmInstallError) -> Self {
        Self::Refused(error)
    }
}

impl From<&str> for NotCacheable {
    fn from(reason: &str) -> Self {
        Self(reason.to_owned())
    }
}

impl Plan {
    /// Judges a source by its archive. The few files that are read are extracted to `folder`.
    pub(crate) fn make(
        archive: &Archive,
        params: &NpmInstallParams,
        folder: &Path,
    ) -> Result<Self, NoPlan> {
        if !params.cache.is_on() {
            return Err(NotCacheable::from("`cache=off`").into());
        }
        let directory = plain_directory(&params.directory)?;
        extract_read_files(archive, &directory, folder)?;
        let project = Project::open(folder, &params.directory).map_err(NpmInstallError::from)?;
        let checked = crate::check(&project, params)?;
        if checked.lock.is_none() {
            return Err(NotCacheable::from("no lock file").into());
        }
        let root = directory.join("node_modules").display().to_string();
        let plan = Self {
            checked,
            root,
            project,
        };
        plan.check_cacheable(archive, params, &directory)?;
        Ok(plan)
    }

    fn check_cacheable(
        &self,
        archive: &Archive,
        params: &NpmInstallParams,
        directory: &Path,
    ) -> Result<(), NotCacheable> {
        if params.subcommand == Some(Subcommand::Install) {
            return Err("`subcommand=install`".into());
        }
        let Some(lock) = self.lock() else {
            return Err("no lock file".into());
        };
        if lock.check(&self.checked.registries).is_err() {
            return Err("the lock file does not give a hash for each package".into());
        }
        if let Some(package) = lock.without_hash().next() {
            return Err(NotCacheable(format!("Yarn keeps no hash of `{package}`")));
        }
        if let Some(local) = lock.local_dependency() {
            return Err(NotCacheable(format!("`{local}` is a local dependency")));
        }
        self.check_workspaces()?;
        if !params.ignore_scripts {
            self.check_scripts(lock, archive, directory)?;
        }
        // Yarn removes them, and bundlers would look for packages there.
        let pnp = yarn::PLUG_AND_PLAY.map(|name| directory.join(name));
        if let Some(pnp) = pnp.iter().find(|pnp| has(archive, pnp)) {
            return Err(NotCacheable(format!("the source has `{}`", pnp.display())));
        }
        let below = format!("{}/", self.root);
        if archive
            .entries()
            .any(|entry| entry.path() == self.root || entry.path().starts_with(&below))
        {
            return Err(NotCacheable(format!("the source has `{}`", self.root)));
        }
        Ok(())
    }

    /// Each package of a workspace has a tree of its own.
    fn check_workspaces(&self) -> Result<(), NotCacheable> {
        let is_workspace = self.checked.installer.root != self.project.folder();
        let of_pnpm = self.checked.manager() == Manager::Pnpm
            && pnpm::has_packages(self.project.directory(), &self.project);
        if is_workspace || of_pnpm || self.project.ancestors().any(crate::has_workspaces) {
            return Err("the project has workspaces".into());
        }
        Ok(())
    }

    /// The lock file, which every plan has.
    pub(crate) fn lock(&self) -> Option<&LockFile> {
        self.checked.lock.as_ref()
    }

    /// Install scripts may do anything, outside of `node_modules` too, so no tree that they run for is cached.
    fn check_scripts(
        &self,
        lock: &LockFile,
        archive: &Archive,
        directory: &Path,
    ) -> Result<(), NotCacheable> {
        let manifest = self.manifest()?;
        if let Some(script) = manifest.install_scripts().next() {
            return Err(NotCacheable(format!("the project has a script `{script}`")));
        }
        let native = directory.join(NATIVE_BUILD);
        if has(archive, &native) {
            return Err(NotCacheable(format!("the project has a `{NATIVE_BUILD}`")));
        }
        match lock.packages_with_install_scripts() {
            Some(packages) if packages.is_empty() => Ok(()),
            Some(packages) => Err(NotCacheable(format!(
                "`{}` has an install script",
                packages[0]
            ))),
            None => Err("the lock file does not say which packages have install scripts".into()),
        }
    }

    fn manifest(&self) -> Result<Manifest, NotCacheable> {
        Manifest::read(&self.project.files(), &self.project.folder())
            .map_err(|_| "`package.json` is not a JSON object".into())
    }

    /// SHA-256 over everything that decides the tree.
    pub(crate) fn key(
        &self,
        params: &NpmInstallParams,
        versions: &Versions,
    ) -> Result<String, NotCacheable> {
        let mut manifest = self.manifest()?.fields().clone();
        manifest.retain(|field, _| !HARMLESS.contains(&field.as_str()));
        let mut key = Key::new();
        key.part("prefix", PREFIX);
        key.part("system", std::env::consts::OS);
        key.part("architecture", std::env::consts::ARCH);
        key.part("node", &versions.node);
        key.part("node-bytes", versions.node_bytes.to_le_bytes());
        key.part("npm", &versions.npm);
        for (path, settings) in &versions.settings {
            key.part("settings", path.as_os_str().as_encoded_bytes());
            key.part("content", settings);
        }
        let manager = self.checked.manager();
        let arguments = arguments(manager, Subcommand::Ci, params, versions)
            .map_err(|error| NotCacheable(error.to_string()))?;
        for argument in arguments {
            key.part("argument", argument);
        }
        if let Some(release) = &self.checked.installer.release {
            key.part("release", format!("{release:?}"));
        }
        for (name, value) in npm::SETTINGS {
            key.part("variable", name);
            key.part("value", value);
        }
        for (name, value) in &params.environment {
            key.part("variable", name);
            key.part("value", value);
        }
        key.part("root", &self.root);
        key.part("package.json", Value::Object(manifest).to_string());
        for directory in self.project.ancestors() {
            for name in DECIDING_FILES {
                let path = directory.join(name);
                if let Ok(bytes) = fs::read(&path) {
                    key.part("file", self.project.shown(&path));
                    key.part("content", bytes);
                }
            }
        }
        Ok(key.finish())
    }
}

/// Whether an archive has a path.
fn has(archive: &Archive, path: &Path) -> bool {
    archive
        .entries()
        .any(|entry| Path::new(entry.path()) == path)
}

/// The object that holds the tree of a key.
pub(crate) fn object(key: &str) -> String {
    format!("{PREFIX}{key}.zip")
}

/// A hash over parts, each with its name and length, so that no two different lists of parts give the same bytes.
struct Key(Sha256);

impl Key {
    fn new() -> Self {
        Self(Sha256::new())
    }

    fn part(&mut self, name: &str, bytes: impl AsRef<[u8]>) {
        for bytes in [name.as_bytes(), bytes.as_ref()] {
            self.0.update((bytes.len() as u64).to_le_bytes());
            self.0.update(bytes);
        }
    }

    fn finish(self) -> String {
        hex::encode(self.0.finalize())
    }
}

/// The directory without `.`; the empty path is the source's root.
fn plain_directory(directory: &str) -> Result<PathBuf, NotCacheable> {
    let mut plain = PathBuf::new();
    for component in Path::new(directory).components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => plain.push(name),
            _ => return Err("`directory` is not a plain path below the source".into()),
        }
    }
    Ok(plain)
}

/// Extracts the files that npm reads, of the directory and all above it.
fn extract_read_files(
    archive: &Archive,
    directory: &Path,
    folder: &Path,
) -> Result<(), NotCacheable> {
    let names: Vec<&str> = READ_FILES.into_iter().chain(DECIDING_FILES).collect();
    for entry in archive.entries() {
        let path = Path::new(entry.path());
        if entry.kind() == Kind::Link && directory.starts_with(path) {
            return Err(NotCacheable(format!("`{}` is a link", entry.path())));
        }
        let is_read = path
            .parent()
            .is_some_and(|parent| directory.starts_with(parent))
            && path
                .file_name()
                .is_some_and(|own| names.iter().any(|name| own == *name));
        if !is_read {
            continue;
        }
        if !matches!(entry.kind(), Kind::File { .. }) {
            return Err(NotCacheable(format!("`{}` is not a file", entry.path())));
        }
        let unreadable = |_| NotCacheable(format!("`{}` cannot be read", entry.path()));
        let bytes = archive
            .read(entry.path(), MAX_LOCK_BYTES)
            .map_err(|_| NotCacheable(format!("`{}` cannot be read", entry.path())))?;
        let to = folder.join(path);
        fs::create_dir_all(to.parent().unwrap_or(folder)).map_err(unreadable)?;
        fs::write(&to, bytes).map_err(unreadable)?;
    }
    if folder.join(directory).join("package.json").is_file() {
        Ok(())
    } else {
        Err("no `package.json`".into())
    }
}
