//! The program of another package manager than npm: fetched from the project's registry by npm, and held against its hash.
//!
//! Each of them is one package without dependencies. Lambda's layer has npm alone, and Corepack would fetch the same
//! packages, without the registry, proxy and certificates that the project configures for npm.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use delivery_action::clock::Deadline;
use delivery_action::process::{Command, Environment};
use delivery_action::workspace::Workspace;
use delivery_node::project::{Hash, Manager, Project, Release};
use serde_json::json;
use sha2::{Digest as _, Sha224, Sha256, Sha384, Sha512};

use crate::params::NpmInstallParams;
use crate::settings::read;
use crate::versions::Versions;
use crate::yarn::{Settings, classic_registries};
use crate::{NpmInstallError, npm, npmrc};

/// Where a task finds the program, in the `node_modules` of the installation.
const KEPT: &str = ".package-manager";

/// The folder of the installation, in the script that starts the program.
pub(crate) const ROOT_IN_TASKS: &str = "$modules/..";

/// Yarn's program in its package.
const YARN_PROGRAM: &str = "bin/yarn.js";

/// A fetched program.
pub(crate) struct Program {
    folder: PathBuf,
    release: Release,
    /// Its file in its package.
    file: PathBuf,
}

impl Program {
    /// Fetches a release.
    pub(crate) async fn fetch(
        release: &Release,
        source: &Source<'_>,
        environment: &Environment,
        deadline: Deadline,
    ) -> Result<Self, NpmInstallError> {
        let folder = source.workspace.directory("package-manager")?;
        let integrity = integrity(release)?;
        source
            .write(&folder, release, integrity.as_deref())
            .map_err(|error| NpmInstallError::Unreadable {
                path: release.to_string(),
                reason: error.to_string(),
            })?;
        // In the project's directory, because paths in settings (`cafile`) are relative to it.
        let fetched = Command::new("npm", source.project.directory(), environment)
            .args([
                "ci",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                npm::NO_USER_SETTINGS,
            ])
            .arg(format!(
                "--globalconfig={}",
                source.versions.machine_settings.display()
            ))
            .arg("--prefix")
            .arg(&folder)
            .shown_below(source.project.source())
            .run(deadline)
            .await;
        fetched.map_err(|error| npm::not_fetched(error, release, source.project))?;
        let package = folder.join("node_modules").join(release.package);
        let unreadable = |error: io::Error| NpmInstallError::Unreadable {
            path: release.to_string(),
            reason: error.to_string(),
        };
        let program = Self {
            file: file_of(&package, release.manager.program()).map_err(unreadable)?,
            folder,
            release: release.clone(),
        };
        program.check_hash()?;
        program.write_command().map_err(unreadable)?;
        Ok(program)
    }

    /// The directory of its command, which npm does not make: our lock file does not say which file it is.
    pub(crate) fn commands(&self) -> PathBuf {
        self.folder.join("bin")
    }

    fn write_command(&self) -> io::Result<()> {
        let file = self.package().join(&self.file);
        let script = format!("#!/bin/sh\nexec node \"{}\" \"$@\"\n", file.display());
        write_script(&self.commands(), self.release.manager.program(), &script)
    }

    /// Puts the program into an installation, because scripts call it: `pnpm build`, `yarn run lint`. npm and gulp look
    /// for commands in `node_modules/.bin`. Paths in `variables` begin with [`ROOT_IN_TASKS`].
    pub(crate) fn keep(&self, modules: &Path, variables: &[(&str, OsString)]) -> io::Result<()> {
        let name = self.release.manager.program();
        let command = modules.join(".bin").join(name);
        if command.symlink_metadata().is_ok() {
            return Ok(()); // the project depends on one of its own
        }
        copy(&self.package(), &modules.join(KEPT))?;
        let mut exports = String::new();
        for (name, value) in variables {
            let _infallible = writeln!(exports, "export {name}=\"{}\"", value.to_string_lossy());
        }
        let script = format!(
            "#!/bin/sh\nmodules=\"${{0%/*}}/..\"\n{exports}exec node \"$modules/{KEPT}/{}\" \"$@\"\n",
            self.file.display()
        );
        write_script(&modules.join(".bin"), name, &script)
    }

    fn package(&self) -> PathBuf {
        self.folder.join("node_modules").join(self.release.package)
    }

    /// Corepack's hash of Yarn 2 and later is that of its program.
    fn check_hash(&self) -> Result<(), NpmInstallError> {
        let (Manager::Yarn, Hash::Corepack { algorithm, hex }) =
            (self.release.manager, &self.release.hash)
        else {
            return Ok(());
        };
        let unreadable = |error: io::Error| NpmInstallError::Unreadable {
            path: YARN_PROGRAM.to_owned(),
            reason: error.to_string(),
        };
        let bytes = fs::read(self.package().join(YARN_PROGRAM)).map_err(unreadable)?;
        let found = match algorithm.as_str() {
            "sha224" => hex::encode(Sha224::digest(bytes)),
            "sha256" => hex::encode(Sha256::digest(bytes)),
            "sha384" => hex::encode(Sha384::digest(bytes)),
            "sha512" => hex::encode(Sha512::digest(bytes)),
            _ => return Err(unknown_hash(&self.release, algorithm)),
        };
        if found == *hex {
            return Ok(());
        }
        Err(NpmInstallError::ManagerHash {
            release: self.release.to_string(),
        })
    }
}

/// The hash of a release as npm verifies it.
fn integrity(release: &Release) -> Result<Option<String>, NpmInstallError> {
    match &release.hash {
        Hash::Integrity(integrity) => Ok(Some((*integrity).to_owned())),
        Hash::Corepack { algorithm, hex } if release.manager != Manager::Yarn => {
            let bytes = hex::decode(hex).map_err(|_| unknown_hash(release, algorithm))?;
            match algorithm.as_str() {
                "sha1" | "sha256" | "sha384" | "sha512" => Ok(Some(format!(
                    "{algorithm}-{}",
                    BASE64_STANDARD.encode(bytes)
                ))),
                _ => Err(unknown_hash(release, algorithm)),
            }
        }
        Hash::OfRegistry | Hash::Corepack { .. } => Ok(None),
    }
}

fn unknown_hash(release: &Release, algorithm: &str) -> NpmInstallError {
    NpmInstallError::UnknownHash {
        release: release.to_string(),
        algorithm: algorithm.to_owned(),
    }
}

/// From where a program is fetched.
pub(crate) struct Source<'a> {
    pub(crate) project: &'a Project,
    pub(crate) params: &'a NpmInstallParams,
    pub(crate) settings: &'a Settings,
    pub(crate) versions: &'a Versions,
    pub(crate) workspace: &'a Workspace,
}

impl Source<'_> {
    /// Writes a project that depends on the release alone. Without an address in the lock file npm asks the registry
    /// that its settings name, without a hash it takes that registry's.
    fn write(&self, folder: &Path, release: &Release, integrity: Option<&str>) -> io::Result<()> {
        let root =
            json!({"name": "package-manager", "dependencies": {release.package: release.version}});
        let mut package = json!({"version": release.version});
        if let Some(integrity) = integrity {
            package["integrity"] = integrity.into();
        }
        let lock = json!({
            "name": "package-manager",
            "lockfileVersion": 3,
            "requires": true,
            "packages": {"": root, format!("node_modules/{}", release.package): package},
        });
        fs::write(folder.join("package.json"), root.to_string())?;
        fs::write(folder.join("package-lock.json"), lock.to_string())?;
        let settings = self
            .npm_settings(release.manager)
            .map_err(io::Error::other)?;
        fs::write(folder.join(".npmrc"), settings)
    }

    /// The project's settings for its registry, as npm reads them: the last of equal ones counts.
    fn npm_settings(&self, manager: Manager) -> Result<String, NpmInstallError> {
        if manager == Manager::Yarn {
            return Ok(self.npm_settings_of_yarn());
        }
        let mut text = String::new();
        if manager == Manager::YarnClassic {
            let registries = classic_registries(self.project)?;
            text.extend(
                registries
                    .iter()
                    .rev()
                    .map(|address| format!("registry={address}\n")),
            );
        }
        let above: Vec<_> = self.project.ancestors().collect();
        for directory in above.into_iter().rev() {
            let file = directory.join(".npmrc");
            let settings = read(&file, self.project)?.unwrap_or_default();
            text.push_str(&npmrc::of_registries(&settings));
        }
        Ok(text)
    }

    /// Yarn 2 and later know no `.npmrc`.
    fn npm_settings_of_yarn(&self) -> String {
        let value = |variable: &str, key: &str| {
            let given = self.params.environment.get(variable).map(String::as_str);
            given.or_else(|| self.settings.text(key)).map(str::to_owned)
        };
        let mut text = String::new();
        if let Some(registry) = value("YARN_NPM_REGISTRY_SERVER", "npmRegistryServer") {
            let host = registry.split_once(':').map_or("", |(_, host)| host);
            let host = host.trim_end_matches('/');
            let _infallible = writeln!(text, "registry={registry}");
            if let Some(token) = value("YARN_NPM_AUTH_TOKEN", "npmAuthToken") {
                let _infallible = writeln!(text, "{host}/:_authToken={token}");
            }
            if let Some(ident) = value("YARN_NPM_AUTH_IDENT", "npmAuthIdent") {
                let _infallible = writeln!(text, "{host}/:_auth={ident}");
            }
        }
        for (variable, key, setting) in [
            ("YARN_HTTPS_PROXY", "httpsProxy", "https-proxy"),
            ("YARN_HTTP_PROXY", "httpProxy", "proxy"),
            ("YARN_HTTPS_CA_FILE_PATH", "httpsCaFilePath", "cafile"),
        ] {
            if let Some(value) = value(variable, key) {
                let _infallible = writeln!(text, "{setting}={value}");
            }
        }
        text
    }
}

/// The file of a program, as the package's own `package.json` says.
fn file_of(package: &Path, program: &str) -> io::Result<PathBuf> {
    let text = fs::read_to_string(package.join("package.json"))?;
    let manifest: serde_json::Value = serde_json::from_str(&text)?;
    let file = manifest["bin"][program].as_str().unwrap_or_default();
    let file = Path::new(file.trim_start_matches("./"));
    if file
        .components()
        .all(|part| matches!(part, std::path::Component::Normal(_)))
    {
        return Ok(file.to_owned());
    }
    Err(io::Error::other("its program lies outside of its package"))
}

fn write_script(folder: &Path, name: &str, script: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o755)
        .open(folder.join(name))?;
    file.write_all(script.as_bytes())
}

/// Copies a package.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in from.read_dir()? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
            fs::set_permissions(&target, fs::Permissions::from_mode(0o644))?;
        }
    }
    Ok(())
}
