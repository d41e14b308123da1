//! Installs the AWS SDK for JavaScript, which Lambda's Node.js runtimes bring, for functions that ask for it.
//!
//! The whole of it has some 400 clients; what is installed are those of the services that the local AWS plays well
//! (70 MB). Only functions of managed runtimes find it, and after their own modules.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use super::install::last_lines;

/// The clients, each at one version.
const MANIFEST: &str = include_str!("node_sdk.json");

/// How many bytes of the manifest's digest name the folder: another manifest is another folder.
const DIGEST_BYTES: usize = 6;

/// Installs it below `home` if necessary; returns the folder `node_modules`, or why the installation failed.
pub(crate) fn install(home: &Path) -> Result<PathBuf, String> {
    let digest = Sha256::digest(MANIFEST);
    let name = hex::encode(&digest[..DIGEST_BYTES]);
    let folder = home.join(format!("node-sdk-{name}"));
    let modules = folder.join("node_modules");
    let complete = folder.join("complete");
    let failed = |error: std::io::Error| format!("cannot write `{}`: {error}", folder.display());

    let lock = File::create(home.join("node-sdk.lock")).map_err(failed)?;
    lock.lock().map_err(failed)?; // let go when `lock` is dropped
    if complete.exists() {
        return Ok(modules);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(failed)?; // an installation that was cut off
    }
    fs::create_dir_all(&folder).map_err(failed)?;
    fs::write(folder.join("package.json"), MANIFEST).map_err(failed)?;
    let installed = Command::new("npm")
        .args([
            "install",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--no-package-lock",
        ])
        .current_dir(&folder)
        .output()
        .map_err(|error| format!("cannot run `npm`: {error}"))?;
    if !installed.status.success() {
        return Err(format!("npm said:\n{}", last_lines(&installed)));
    }
    fs::write(&complete, "").map_err(failed)?;
    Ok(modules)
}
