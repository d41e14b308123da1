//! npm's lock file, of each version of its format.
//!
//! npm 11.19.1 installs an entry without a hash, or over plain http, without a warning (measured). So the
//! lock file is checked here before npm reads it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::is_hash;
use crate::error::Untrusted;

/// The public registry, after the scheme.
const PUBLIC_REGISTRY: &str = "//registry.npmjs.org/";

/// A lock file.
#[derive(Debug, Default)]
pub(super) struct NpmLock {
    /// The version of its format.
    pub(super) version: u64,
    /// Its packages by where they lie; `None` where the file does not list them as its version does.
    packages: Option<BTreeMap<String, Entry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    #[serde(default)]
    lockfile_version: u64,
    packages: Option<BTreeMap<String, Entry>>,
    #[serde(default)]
    dependencies: serde_json::Value,
}

/// An entry of version 1: a tree in which packages lie as they do in `node_modules`.
#[derive(Deserialize)]
struct EntryOfVersion1 {
    #[serde(default)]
    version: String,
    resolved: Option<String>,
    integrity: Option<String>,
    #[serde(default)]
    bundled: bool,
    #[serde(default)]
    dependencies: BTreeMap<String, EntryOfVersion1>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::zero_sized_map_values, reason = "see `Names`")]
pub(super) struct Entry {
    resolved: Option<String>,
    integrity: Option<String>,
    #[serde(default)]
    link: bool,
    #[serde(default)]
    in_bundle: bool,
    #[serde(default)]
    bundle_dependencies: Bundled,
    #[serde(default)]
    dependencies: Names,
    #[serde(default)]
    optional_dependencies: Names,
    #[serde(default)]
    peer_dependencies: Names,
    #[serde(default)]
    has_install_script: bool,
}

/// Names of dependencies; their version ranges do not matter here.
#[expect(
    clippy::zero_sized_map_values,
    reason = "an object of JSON, whose values are read and dropped"
)]
type Names = BTreeMap<String, IgnoredAny>;

/// `bundleDependencies`: a list of names, or `true` for all dependencies.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Bundled {
    All(bool),
    Names(Vec<String>),
}

impl Default for Bundled {
    fn default() -> Self {
        Self::All(false)
    }
}

impl Entry {
    fn depends_on(&self, name: &str) -> bool {
        [
            &self.dependencies,
            &self.optional_dependencies,
            &self.peer_dependencies,
        ]
        .iter()
        .any(|names| names.contains_key(name))
    }

    fn bundles(&self, name: &str) -> bool {
        match &self.bundle_dependencies {
            Bundled::All(all) => *all && self.depends_on(name),
            Bundled::Names(names) => names.iter().any(|own| own == name),
        }
    }

    fn has_hash(&self) -> bool {
        self.integrity.as_deref().is_some_and(is_hash)
    }
}

impl NpmLock {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let content: Content = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let packages = match content.lockfile_version {
            // npm reads both lists of such a file.
            1 => {
                let mut packages = content.packages.unwrap_or_default();
                let tree = if content.dependencies.is_null() {
                    BTreeMap::new()
                } else {
                    serde_json::from_value(content.dependencies)
                        .map_err(|error| error.to_string())?
                };
                flatten("", tree, &mut packages);
                Some(packages)
            }
            2 | 3 => content.packages,
            _ => None,
        };
        Ok(Self {
            version: content.lockfile_version,
            packages,
        })
    }

    /// The entries that cannot be verified; `None` if the packages are not listed.
    pub(super) fn untrusted(&self, registry_is_plain: bool) -> Option<Vec<(String, Untrusted)>> {
        let packages = self.packages.as_ref()?;
        let check = EntryCheck {
            packages,
            registry_is_plain,
        };
        let untrusted = packages
            .iter()
            .filter_map(|(name, entry)| Some((name.clone(), check.untrusted(name, entry)?)));
        Some(untrusted.collect())
    }

    /// The packages that have an install script; `None` if the format does not say it.
    pub(super) fn packages_with_install_scripts(&self) -> Option<Vec<String>> {
        let scripted = self
            .packages()
            .filter(|(name, entry)| entry.has_install_script && !name.is_empty())
            .map(|(name, _)| package_name(name).to_owned());
        (self.version > 1).then(|| scripted.collect())
    }

    /// The first package that comes from the source itself: by a link, by a `file:` address, or as a workspace.
    pub(super) fn local_dependency(&self) -> Option<&str> {
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

    /// The packages that have a hash, with it.
    pub(super) fn hashes(&self) -> impl Iterator<Item = (&str, &str)> {
        self.packages()
            .filter_map(|(name, entry)| Some((package_name(name), entry.integrity.as_deref()?)))
    }

    fn packages(&self) -> impl Iterator<Item = (&String, &Entry)> {
        self.packages.iter().flatten()
    }
}

/// Lists the packages of version 1 as the later versions do.
fn flatten(
    above: &str,
    tree: BTreeMap<String, EntryOfVersion1>,
    packages: &mut BTreeMap<String, Entry>,
) {
    for (name, entry) in tree {
        let location = format!("{above}node_modules/{name}");
        let bundled = entry.dependencies.iter().filter(|(_, below)| below.bundled);
        let bundled = bundled.map(|(name, _)| name.clone()).collect();
        // Where a package does not come from the registry, its version is the address.
        let address = entry.version.contains(':').then_some(entry.version);
        packages.insert(
            location.clone(),
            Entry {
                resolved: entry.resolved.or(address),
                integrity: entry.integrity,
                in_bundle: entry.bundled,
                bundle_dependencies: Bundled::Names(bundled),
                ..Entry::default()
            },
        );
        flatten(&format!("{location}/"), entry.dependencies, packages);
    }
}

/// `node_modules/a/node_modules/@b/c` is `@b/c`.
fn package_name(location: &str) -> &str {
    location
        .rsplit_once("node_modules/")
        .map_or(location, |(_, name)| name)
}

/// Checks entries, with what their check depends on.
struct EntryCheck<'a> {
    packages: &'a BTreeMap<String, Entry>,
    registry_is_plain: bool,
}

impl EntryCheck<'_> {
    /// Why npm could not verify the package. `None` if it can, or if nothing is downloaded: the project
    /// itself, links into it, and what comes inside another package.
    fn untrusted(&self, location: &str, entry: &Entry) -> Option<Untrusted> {
        let Some(resolved) = entry.resolved.as_deref() else {
            let is_local = entry.link || !location.contains("node_modules/");
            return match (is_local, entry.has_hash()) {
                (true, _) => None,
                (false, true) => self.registry_is_plain.then_some(Untrusted::PlainHttp),
                (false, false) if !entry.in_bundle => Some(Untrusted::NoIntegrity),
                (false, false) => (!self.is_bundled(location)).then_some(Untrusted::NotBundled),
            };
        };
        let Some((scheme, rest)) = resolved.split_once(':') else {
            // A link's target, relative to the lock file.
            return (!entry.link).then_some(Untrusted::Address);
        };
        match scheme.to_ascii_lowercase().as_str() {
            "file" => None,
            "https" if !entry.has_hash() => Some(Untrusted::NoIntegrity),
            // For addresses of the public registry npm asks the configured one instead
            // (`replace-registry-host`).
            "https" => {
                let is_replaced = self.registry_is_plain && rest.starts_with(PUBLIC_REGISTRY);
                is_replaced.then_some(Untrusted::PlainHttp)
            }
            "http" => Some(Untrusted::PlainHttp),
            "git" | "github" | "gitlab" | "bitbucket" | "gist" => Some(Untrusted::Git),
            scheme if scheme.starts_with("git+") => Some(Untrusted::Git),
            _ => Some(Untrusted::Address),
        }
    }

    /// Whether a package comes inside the one that it lies in, as npm sees it: that one has a hash and
    /// bundles it, or bundles something next to it that depends on it.
    fn is_bundled(&self, location: &str) -> bool {
        let Some((parent, name)) = location.rsplit_once("/node_modules/") else {
            return false;
        };
        let Some(entry) = self.packages.get(parent) else {
            return false;
        };
        if entry.in_bundle && entry.resolved.is_none() {
            return self.is_bundled(parent);
        }
        if !entry.has_hash() {
            return false;
        }
        let siblings = format!("{parent}/node_modules/");
        entry.bundles(name) || self.is_needed_by_bundled(entry, &siblings, name)
    }

    /// Whether a chain of dependencies leads from a bundled package to a name next to it.
    fn is_needed_by_bundled(&self, entry: &Entry, siblings: &str, name: &str) -> bool {
        let own = |name: &str| self.packages.get(&format!("{siblings}{name}"));
        let all = self
            .packages
            .range(siblings.to_owned()..)
            .map_while(|(location, _)| location.strip_prefix(siblings));
        let mut reached: Vec<&str> = all.filter(|name| entry.bundles(name)).collect();
        let mut at = 0;
        while let Some(from) = reached.get(at).copied() {
            at += 1;
            let Some(from) = own(from) else { continue };
            for next in from
                .dependencies
                .keys()
                .chain(from.optional_dependencies.keys())
            {
                if own(next).is_some() && !reached.contains(&next.as_str()) {
                    reached.push(next);
                }
            }
        }
        reached.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    fn judge(location: &str, entry: &str) -> Option<Untrusted> {
        judge_among("{}", location, entry, false)
    }

    fn judge_among(
        packages: &str,
        location: &str,
        entry: &str,
        registry_is_plain: bool,
    ) -> Option<Untrusted> {
        let mut packages: BTreeMap<String, Entry> = serde_json::from_str(packages).unwrap();
        packages.insert(location.to_owned(), serde_json::from_str(entry).unwrap());
        let check = EntryCheck {
            packages: &packages,
            registry_is_plain,
        };
        check.untrusted(location, &packages[location])
    }

    /// `a` has a hash and bundles `b`; `b` needs `c`, which needs `d`.
    const BUNDLING: &str = r#"{
        "node_modules/a": {"resolved": "https://r/a.tgz", "integrity": "sha512-x", "bundleDependencies": ["b"]},
        "node_modules/a/node_modules/b": {"version": "1.0.0", "inBundle": true, "dependencies": {"c": "*"}},
        "node_modules/a/node_modules/c": {"version": "1.0.0", "inBundle": true, "dependencies": {"d": "*"}}}"#;
    const IN_BUNDLE: &str = r#"{"version": "1.0.0", "inBundle": true}"#;

    #[test_case("node_modules/a/node_modules/b"; "listed")]
    #[test_case("node_modules/a/node_modules/d"; "needed by what is listed")]
    #[test_case("node_modules/a/node_modules/b/node_modules/e"; "inside of what is listed")]
    fn what_a_package_with_a_hash_bundles_is_let_through(location: &str) {
        assert_eq!(judge_among(BUNDLING, location, IN_BUNDLE, true), None);
    }

    #[test_case("node_modules/b"; "at the top")]
    #[test_case("node_modules/a/node_modules/evil"; "not listed and not needed")]
    #[test_case("node_modules/nothing/node_modules/b"; "in what is not there")]
    #[test_case("packages/a/node_modules/b"; "in a workspace")]
    fn what_only_says_that_it_is_bundled_is_refused(location: &str) {
        assert_eq!(
            judge_among(BUNDLING, location, IN_BUNDLE, false),
            Some(Untrusted::NotBundled)
        );
        let without = BUNDLING.replace("sha512-x", "");
        let listed = "node_modules/a/node_modules/b";
        assert_eq!(
            judge_among(&without, listed, IN_BUNDLE, false),
            Some(Untrusted::NotBundled)
        );
    }

    #[test]
    fn an_entry_without_an_address_comes_from_the_registry() {
        let hashed = r#"{"version": "1.0.0", "integrity": "sha512-x"}"#;
        let public =
            r#"{"resolved": "https://registry.npmjs.org/a/-/a-1.tgz", "integrity": "sha512-x"}"#;
        for (entry, location) in [(hashed, "node_modules/a"), (public, "node_modules/b")] {
            assert_eq!(judge_among("{}", location, entry, false), None);
            assert_eq!(
                judge_among("{}", location, entry, true),
                Some(Untrusted::PlainHttp)
            );
        }
    }

    #[test_case("node_modules/a", r#"{"resolved":"https://r/a.tgz","integrity":"sha512-x"}"#; "registry")]
    #[test_case("node_modules/a", r#"{"version":"1.0.0","integrity":"sha512-x"}"#; "address left out")]
    #[test_case("node_modules/a", r#"{"resolved":"packages/a","link":true}"#; "workspace link")]
    #[test_case("packages/a", r#"{"version":"1.0.0"}"#; "workspace")]
    #[test_case("", r#"{"name":"app"}"#; "root")]
    #[test_case("node_modules/a", r#"{"resolved":"file:a.tgz","integrity":"sha512-x"}"#; "local tarball")]
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

    fn of_version_1(dependencies: &str) -> Vec<(String, Untrusted)> {
        let text = format!(r#"{{"lockfileVersion": 1, "dependencies": {dependencies}}}"#);
        NpmLock::parse(&text).unwrap().untrusted(false).unwrap()
    }

    #[test]
    fn version_1_is_judged_as_the_later_ones_are() {
        let good = r#"{"a": {"version": "1.0.0", "resolved": "https://r/a.tgz", "integrity": "sha512-x", "dependencies": {
            "b": {"version": "1.0.0", "bundled": true},
            "c": {"version": "1.0.0", "integrity": "sha1-x"}}},
            "d": {"version": "file:d"}}"#;
        assert_eq!(of_version_1(good), []);
        let bad = r#"{"a": {"version": "1.0.0"}, "b": {"version": "1.0.0", "bundled": true},
            "c": {"version": "git+ssh://git@h/c.git#1"}, "d": {"version": "http://r/d.tgz", "integrity": "sha512-x"},
            "e": {"version": "1.0.0", "integrity": "sha512-x", "dependencies": {"f": {"version": "1.0.0"}}}}"#;
        let expected = [
            ("node_modules/a", Untrusted::NoIntegrity),
            ("node_modules/b", Untrusted::NotBundled),
            ("node_modules/c", Untrusted::Git),
            ("node_modules/d", Untrusted::PlainHttp),
            ("node_modules/e/node_modules/f", Untrusted::NoIntegrity),
        ];
        assert_eq!(
            of_version_1(bad),
            expected.map(|(at, why)| (at.to_owned(), why))
        );
    }
}
