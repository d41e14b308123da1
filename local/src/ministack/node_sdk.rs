//! Installs the AWS SDK for JavaScript, which Lambda's Node.js runtimes bring, for functions that ask for it.
//!
//! The whole of it has some 400 clients; what is always installed are those of the services that the local AWS plays well
//! (70 MB), and others when a function names them. Only functions of managed runtimes find them, and after their own modules.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::install::last_lines;

/// The clients, each at one version.
const MANIFEST: &str = include_str!("node_sdk.json");

/// The version of other packages that are released with the clients; those that are not have versions of their own.
const VERSION: &str = "3.1138.0";

/// What the names of packages begin with that are released with the clients.
const RELEASED_TOGETHER: [&str; 3] = ["client-", "lib-", "credential-"];

/// The versions of all others.
const ANY_VERSION: &str = "3";

/// The packages that are always installed.
pub(crate) fn packages() -> Vec<String> {
    let manifest: Value = serde_json::from_str(MANIFEST).unwrap_or_default();
    let dependencies = manifest["dependencies"].as_object();
    dependencies
        .into_iter()
        .flat_map(|packages| packages.keys().cloned())
        .collect()
}

/// What depends on other packages of the SDK.
fn manifest_of(packages: &[&str]) -> String {
    let version = |package: &str| {
        let name = package.trim_start_matches("@aws-sdk/");
        let is_one = RELEASED_TOGETHER
            .iter()
            .any(|start| name.starts_with(start));
        // A client is published only when it has changed, so it may not have this very version.
        if is_one {
            format!("<={VERSION}")
        } else {
            ANY_VERSION.to_owned()
        }
    };
    let dependencies: serde_json::Map<String, Value> = packages
        .iter()
        .map(|package| ((*package).to_owned(), version(package).into()))
        .collect();
    json!({"name": "more-of-the-aws-sdk", "private": true, "dependencies": dependencies})
        .to_string()
}

/// How many bytes of the manifest's digest name the folder: another manifest is another folder.
const DIGEST_BYTES: usize = 6;

/// Installs packages below `home` if necessary, or those that are always installed if none is given; returns the folder
/// `node_modules`, or why the installation failed.
pub(crate) fn install(home: &Path, packages: &[&str]) -> Result<PathBuf, String> {
    let manifest = if packages.is_empty() {
        MANIFEST.to_owned()
    } else {
        manifest_of(packages)
    };
    let digest = Sha256::digest(&manifest);
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
    fs::write(folder.join("package.json"), &manifest).map_err(failed)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_clients_have_no_later_version_than_those_that_are_always_there() {
        assert!(MANIFEST.contains(&format!("\"@aws-sdk/client-s3\": \"{VERSION}\"")));
        assert!(packages().contains(&"@aws-sdk/client-s3".to_owned()));
        let manifest = manifest_of(&["@aws-sdk/client-rekognition", "@aws-sdk/util-endpoints"]);
        assert!(
            manifest.ends_with(
                r#""dependencies":{"@aws-sdk/client-rekognition":"<=3.1138.0","@aws-sdk/util-endpoints":"3"}}"#
            ),
            "{manifest}"
        );
    }
}
