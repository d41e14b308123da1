//! The lock file: what will be downloaded, and whether the package manager can verify what it gets.

use std::path::Path;

use delivery_node::project::{Installer, MAX_LOCK_BYTES, Manager, NPM_LOCK_FILES, Project};

use crate::error::{NpmInstallError, Untrusted};
use crate::params::NpmInstallParams;

mod npm;
mod pnpm;
mod yarn;

use npm::NpmLock;

/// Hashes that package managers verify.
const HASHES: [&str; 4] = ["sha512-", "sha384-", "sha256-", "sha1-"];

/// A lock file of the project.
#[derive(Debug)]
pub(crate) struct LockFile {
    path: String,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Npm(NpmLock),
    /// Of another package manager.
    Listed(Vec<Locked>),
}

/// A package in the lock file of pnpm or Yarn.
#[derive(Debug, PartialEq, Eq)]
struct Locked {
    /// As the file names it: `is-odd@3.0.1`.
    name: String,
    origin: Origin,
    hash: Option<String>,
    /// Whether it is only for some systems. Yarn 3 and later write no hash of such packages.
    is_conditional: bool,
}

/// Where a package comes from.
#[derive(Debug, PartialEq, Eq)]
enum Origin {
    Registry,
    Address(String),
    Git,
    /// The source itself.
    Local,
    /// A program of the source that makes the package.
    Program,
}

impl LockFile {
    /// Reads the lock file of npm in a directory, if there is one. With `integrity=off` one that cannot be read is
    /// left to npm.
    pub(crate) fn of_npm(
        directory: &Path,
        project: &Project,
        params: &NpmInstallParams,
    ) -> Result<Option<Self>, NpmInstallError> {
        let Some(path) = NPM_LOCK_FILES
            .iter()
            .map(|name| directory.join(name))
            .find(|path| path.is_file())
        else {
            return Ok(None);
        };
        let shown = project.shown(&path);
        let parsed = read(&path).and_then(|text| NpmLock::parse(&text));
        Self::or_unreadable(shown, parsed.map(Content::Npm), params).map(Some)
    }

    /// Reads the lock file of another package manager.
    pub(crate) fn of_other(
        installer: &Installer,
        project: &Project,
        params: &NpmInstallParams,
    ) -> Result<Option<Self>, NpmInstallError> {
        let Some(path) = &installer.lock else {
            return Ok(None);
        };
        let parse = match installer.manager {
            Manager::Npm => return Ok(None),
            Manager::Pnpm => pnpm::parse,
            Manager::YarnClassic => yarn::parse_classic,
            Manager::Yarn => yarn::parse,
        };
        let parsed = read(&project.source().join(path)).and_then(|text| parse(&text));
        Self::or_unreadable(path.clone(), parsed.map(Content::Listed), params).map(Some)
    }

    fn or_unreadable(
        path: String,
        content: Result<Content, String>,
        params: &NpmInstallParams,
    ) -> Result<Self, NpmInstallError> {
        let content = match content {
            Err(_) if !params.integrity.is_on() => Content::Npm(NpmLock::default()),
            Err(reason) => return Err(NpmInstallError::Unreadable { path, reason }),
            Ok(content) => content,
        };
        Ok(Self { path, content })
    }

    /// Checks that every package that is downloaded comes over https and has a hash. An entry without an
    /// address comes from one of these registries.
    pub(crate) fn check(&self, registries: &[String]) -> Result<(), NpmInstallError> {
        let is_plain = registries.iter().any(|address| is_plain_http(address));
        let entries = match &self.content {
            Content::Npm(lock) => {
                lock.untrusted(is_plain)
                    .ok_or_else(|| NpmInstallError::LockFileVersion {
                        path: self.path.clone(),
                        version: lock.version,
                    })?
            }
            Content::Listed(packages) => packages
                .iter()
                .filter_map(|package| Some((package.name.clone(), package.untrusted(is_plain)?)))
                .collect(),
        };
        if entries.is_empty() {
            return Ok(());
        }
        Err(NpmInstallError::UntrustedEntries {
            path: self.path.clone(),
            entries,
        })
    }

    /// Its path below the source.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The packages that have an install script; `None` if the lock file does not say it.
    pub(crate) fn packages_with_install_scripts(&self) -> Option<Vec<String>> {
        match &self.content {
            Content::Npm(lock) => lock.packages_with_install_scripts(),
            Content::Listed(_) => None,
        }
    }

    /// The first package that comes from the source itself.
    pub(crate) fn local_dependency(&self) -> Option<&str> {
        match &self.content {
            Content::Npm(lock) => lock.local_dependency(),
            Content::Listed(packages) => packages
                .iter()
                .find(|package| matches!(package.origin, Origin::Local | Origin::Program))
                .map(|package| package.name.as_str()),
        }
    }

    /// The packages for some systems alone of which Yarn keeps no hash.
    pub(crate) fn without_hash(&self) -> impl Iterator<Item = &str> {
        let packages = match &self.content {
            Content::Npm(_) => [].iter(),
            Content::Listed(packages) => packages.iter(),
        };
        packages
            .filter(|package| package.is_conditional && package.hash.is_none())
            .map(|package| package.name.as_str())
    }

    /// The first package that a program of the project makes when it is fetched.
    pub(crate) fn made_by_program(&self) -> Option<&str> {
        let Content::Listed(packages) = &self.content else {
            return None;
        };
        let made = packages
            .iter()
            .find(|package| package.origin == Origin::Program);
        made.map(|package| package.name.as_str())
    }

    /// The package that a line is about, by its hash or by its address: Yarn 1 writes the locked hash only where its cache
    /// has other bytes, and the address where it has just downloaded them.
    pub(crate) fn package_in(&self, line: &str) -> Option<String> {
        match &self.content {
            Content::Npm(lock) => {
                let found = lock.hashes().find(|(_, hash)| is_in(line, hash));
                found.map(|(name, _)| name.to_owned())
            }
            Content::Listed(packages) => {
                let found = packages.iter().find(|package| package.is_in(line));
                found.map(|package| package.name.clone())
            }
        }
    }
}

/// Whether a line has this hash or address, where there is one.
fn is_in(line: &str, word: &str) -> bool {
    !word.is_empty() && line.contains(word)
}

impl Locked {
    fn is_in(&self, line: &str) -> bool {
        let address = match &self.origin {
            Origin::Address(address) => address.split('#').next(),
            _ => None,
        };
        let known = [self.hash.as_deref(), address];
        known.into_iter().flatten().any(|word| is_in(line, word))
    }

    fn untrusted(&self, registry_is_plain: bool) -> Option<Untrusted> {
        let has_hash = self.hash.as_deref().is_some_and(is_hash);
        match &self.origin {
            Origin::Local | Origin::Program => None,
            Origin::Git => Some(Untrusted::Git),
            Origin::Address(address) if is_plain_http(address) => Some(Untrusted::PlainHttp),
            Origin::Address(address) if !address.starts_with("https:") => Some(Untrusted::Address),
            Origin::Registry if registry_is_plain => Some(Untrusted::PlainHttp),
            Origin::Registry if self.is_conditional => None,
            Origin::Address(_) | Origin::Registry => (!has_hash).then_some(Untrusted::NoIntegrity),
        }
    }
}

/// An address in a lock file.
fn origin_of(address: &str) -> Origin {
    let scheme = address.split_once(':').map_or("", |(scheme, _)| scheme);
    let path = Path::new(address.split('#').next().unwrap_or(address));
    match scheme.trim().to_ascii_lowercase().as_str() {
        "file" | "link" | "portal" | "workspace" | "" => Origin::Local,
        "exec" => Origin::Program,
        "git" | "github" | "gitlab" | "bitbucket" | "gist" | "ssh" => Origin::Git,
        scheme if scheme.starts_with("git+") || scheme.starts_with("git@") => Origin::Git,
        _ if path.extension().is_some_and(|end| end == "git") => Origin::Git,
        _ => Origin::Address(address.to_owned()),
    }
}

/// Reads a lock file.
fn read(path: &Path) -> Result<String, String> {
    let size = path.metadata().map_err(|error| error.to_string())?.len();
    if size > MAX_LOCK_BYTES {
        return Err(format!(
            "it has {size} bytes; the limit is {MAX_LOCK_BYTES}"
        ));
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// Whether it has a hash that package managers verify.
fn is_hash(integrity: &str) -> bool {
    integrity
        .split_whitespace()
        .any(|hash| HASHES.iter().any(|known| hash.starts_with(known)))
}

fn is_plain_http(address: &str) -> bool {
    let scheme = address.split_once(':').map_or("", |(scheme, _)| scheme);
    scheme.trim().eq_ignore_ascii_case("http")
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    const YARN_1: &str = "a@^1.0.0:\n  version \"1.0.1\"\n  resolved \"https://r/a/-/a-1.0.1.tgz#0a\"\n  integrity sha512-x==\n";

    #[test_case("error https://r/a/-/a-1.0.1.tgz: Integrity check failed for \"a\" (computed integrity doesn't match our records, got \"sha512-y==\")", Some("a@^1.0.0"); "just downloaded")]
    #[test_case("error Incorrect integrity when fetching from the cache for \"a\". Cache has sha512-y== and remote has sha512-x==.", Some("a@^1.0.0"); "in the cache")]
    #[test_case("error https://r/b/-/b-1.0.1.tgz: Integrity check failed for \"b\"", None; "another package")]
    fn a_package_is_known_by_its_address_and_by_its_hash(line: &str, expected: Option<&str>) {
        let lock = LockFile {
            path: "yarn.lock".to_owned(),
            content: Content::Listed(yarn::parse_classic(YARN_1).unwrap()),
        };
        assert_eq!(lock.package_in(line).as_deref(), expected);
    }
}
