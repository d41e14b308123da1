//! The lock file: what npm is going to download, and whether it can tell if it got that.
//!
//! npm 11.19.1 installs an entry without a hash, or over plain http, without a word (measured). So
//! the lock file is read here before npm reads it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use shared::parameters::Switch;
use shared::project::Project;

use crate::error::{NpmInstallError, Untrusted};

/// The lock files that npm knows; the first is the one that counts.
pub(crate) const NAMES: [&str; 2] = ["npm-shrinkwrap.json", "package-lock.json"];

/// Versions of the format that list `packages` (npm 7 and later).
const VERSIONS: [u64; 2] = [2, 3];

/// Largest lock file that is read: one of 10,000 packages has some 5 MB.
pub(crate) const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Hashes that npm verifies.
const HASHES: [&str; 4] = ["sha512-", "sha384-", "sha256-", "sha1-"];

/// A lock file of the project.
#[derive(Debug)]
pub(crate) struct LockFile {
    path: String,
    content: Content,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    #[serde(default)]
    lockfile_version: u64,
    packages: Option<BTreeMap<String, Entry>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    resolved: Option<String>,
    integrity: Option<String>,
    #[serde(default)]
    link: bool,
    #[serde(default)]
    in_bundle: bool,
    #[serde(default)]
    has_install_script: bool,
}

impl LockFile {
    /// Reads the lock file of a directory, where there is one. With `integrity=off` one that cannot be
    /// read is npm's to judge.
    pub(crate) fn read(
        directory: &Path,
        project: &Project,
        integrity: Switch,
    ) -> Result<Option<Self>, NpmInstallError> {
        let Some(path) = NAMES
            .iter()
            .map(|name| directory.join(name))
            .find(|path| path.is_file())
        else {
            return Ok(None);
        };
        let shown = project.shown(&path);
        match parse(&path) {
            Ok(content) => Ok(Some(Self {
                path: shown,
                content,
            })),
            Err(_) if !integrity.is_on() => Ok(Some(Self {
                path: shown,
                content: Content::default(),
            })),
            Err(reason) => Err(NpmInstallError::Unreadable {
                path: shown,
                reason,
            }),
        }
    }

    /// Checks that every package that is downloaded comes over https and has a hash.
    pub(crate) fn check(&self) -> Result<(), NpmInstallError> {
        let version = self.content.lockfile_version;
        let (true, Some(packages)) = (VERSIONS.contains(&version), &self.content.packages) else {
            return Err(NpmInstallError::LockFileVersion {
                path: self.path.clone(),
                version,
            });
        };
        let entries: Vec<_> = packages
            .iter()
            .filter_map(|(name, entry)| Some((name.clone(), untrusted(name, entry)?)))
            .collect();
        if entries.is_empty() {
            return Ok(());
        }
        Err(NpmInstallError::UntrustedEntries {
            path: self.path.clone(),
            entries,
        })
    }

    /// The packages that have an install script.
    pub(crate) fn packages_with_install_scripts(&self) -> Vec<String> {
        self.packages()
            .filter(|(name, entry)| entry.has_install_script && !name.is_empty())
            .map(|(name, _)| package_name(name).to_owned())
            .collect()
    }

    /// The first package that comes out of the source itself: by a link, from a `file:` address, or as a
    /// workspace.
    pub(crate) fn local_dependency(&self) -> Option<&str> {
        self.packages()
            .find(|(location, entry)| {
                let is_package = location.is_empty() || location.contains("node_modules/");
                let from_file = entry
                    .resolved
                    .as_deref()
                    .is_some_and(|resolved| resolved.to_ascii_lowercase().starts_with("file:"));
                entry.link || from_file || !is_package
            })
            .map(|(location, _)| location.as_str())
    }

    /// The package whose hash this is.
    pub(crate) fn package_of_hash(&self, hash: &str) -> Option<String> {
        self.packages()
            .find(|(_, entry)| {
                entry
                    .integrity
                    .as_deref()
                    .is_some_and(|own| own.contains(hash))
            })
            .map(|(name, _)| package_name(name).to_owned())
    }

    fn packages(&self) -> impl Iterator<Item = (&String, &Entry)> {
        self.content.packages.iter().flatten()
    }
}

fn parse(path: &Path) -> Result<Content, String> {
    let size = path.metadata().map_err(|error| error.to_string())?.len();
    if size > MAX_BYTES {
        return Err(format!(
            "it has {size} bytes, {MAX_BYTES} is the most that is read"
        ));
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| error.to_string())
}

/// `node_modules/a/node_modules/@b/c` is `@b/c`.
fn package_name(location: &str) -> &str {
    location
        .rsplit_once("node_modules/")
        .map_or(location, |(_, name)| name)
}

/// Why npm could not tell whether it got the right bytes; `None` where it can, or where nothing is
/// downloaded: the project itself, links into it, and what comes inside another package.
fn untrusted(location: &str, entry: &Entry) -> Option<Untrusted> {
    let has_hash = entry.integrity.as_deref().is_some_and(|integrity| {
        integrity
            .split_whitespace()
            .any(|hash| HASHES.iter().any(|known| hash.starts_with(known)))
    });
    let Some(resolved) = entry.resolved.as_deref() else {
        let is_local = entry.link || entry.in_bundle || !location.contains("node_modules/");
        return (!is_local && !has_hash).then_some(Untrusted::NoIntegrity);
    };
    let Some((scheme, _)) = resolved.split_once(':') else {
        // A link's target, relative to the lock file.
        return (!entry.link).then_some(Untrusted::Address);
    };
    match scheme.to_ascii_lowercase().as_str() {
        "file" => None,
        "https" if has_hash => None,
        "https" => Some(Untrusted::NoIntegrity),
        "http" => Some(Untrusted::PlainHttp),
        "git" | "github" | "gitlab" | "bitbucket" | "gist" => Some(Untrusted::Git),
        scheme if scheme.starts_with("git+") => Some(Untrusted::Git),
        _ => Some(Untrusted::Address),
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    fn judge(location: &str, entry: &str) -> Option<Untrusted> {
        untrusted(location, &serde_json::from_str(entry).unwrap())
    }

    #[test_case("node_modules/a", r#"{"resolved":"https://r/a.tgz","integrity":"sha512-x"}"#; "registry")]
    #[test_case("node_modules/a", r#"{"version":"1.0.0","integrity":"sha512-x"}"#; "address left out")]
    #[test_case("node_modules/a", r#"{"resolved":"packages/a","link":true}"#; "workspace link")]
    #[test_case("packages/a", r#"{"version":"1.0.0"}"#; "workspace")]
    #[test_case("", r#"{"name":"app"}"#; "root")]
    #[test_case("node_modules/a", r#"{"resolved":"file:a.tgz","integrity":"sha512-x"}"#; "local tarball")]
    #[test_case("node_modules/a/node_modules/b", r#"{"version":"1.0.0","inBundle":true}"#; "bundled")]
    #[test_case("node_modules/a", r#"{"resolved":"https://r/a.tgz","integrity":"sha1-x sha512-y"}"#; "two hashes")]
    fn what_npm_can_verify_is_let_through(location: &str, entry: &str) {
        assert_eq!(judge(location, entry), None);
    }

    #[test_case("node_modules/a", r#"{"version":"1.0.0"}"#, Untrusted::NoIntegrity; "no address and no hash")]
    #[test_case("node_modules/a", r#"{"resolved":"https://r/a.tgz"}"#, Untrusted::NoIntegrity; "no hash")]
    #[test_case("node_modules/a", r#"{"resolved":"https://r/a.tgz","integrity":""}"#, Untrusted::NoIntegrity; "empty hash")]
    #[test_case("node_modules/a", r#"{"resolved":"https://r/a.tgz","integrity":"md5-x"}"#, Untrusted::NoIntegrity; "hash of no use")]
    #[test_case("node_modules/a", r#"{"resolved":"http://r/a.tgz","integrity":"sha512-x"}"#, Untrusted::PlainHttp; "http")]
    #[test_case("node_modules/a", r#"{"resolved":"HTTP://r/a.tgz","integrity":"sha512-x"}"#, Untrusted::PlainHttp; "http in capitals")]
    #[test_case("node_modules/a", r#"{"resolved":"git+ssh://git@h/a.git#1"}"#, Untrusted::Git; "git")]
    #[test_case("node_modules/a", r#"{"resolved":"https://r/a.tgz","inBundle":true}"#, Untrusted::NoIntegrity; "said to be bundled")]
    #[test_case("node_modules/a", r#"{"resolved":"http://r/a.tgz","link":true}"#, Untrusted::PlainHttp; "said to be a link")]
    #[test_case("packages/a", r#"{"resolved":"http://r/a.tgz"}"#, Untrusted::PlainHttp; "said to be a workspace")]
    #[test_case("node_modules/a", r#"{"resolved":"ftp://r/a.tgz","integrity":"sha512-x"}"#, Untrusted::Address; "another scheme")]
    #[test_case("node_modules/a", r#"{"resolved":"somewhere"}"#, Untrusted::Address; "no address")]
    fn what_npm_could_not_verify_is_refused(location: &str, entry: &str, why: Untrusted) {
        assert_eq!(judge(location, entry), Some(why));
    }
}
