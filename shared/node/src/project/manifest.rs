//! `package.json`: the fields that determine how a project is installed and its tasks are run.

use std::io;

use serde_json::{Map, Value};

use super::files::{Files, below};

/// The file's name.
pub const MANIFEST: &str = "package.json";

/// Largest `package.json` that is read; real ones have some kilobytes.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The project's own scripts that npm runs when it installs (npm's documentation, "Life Cycle
/// Scripts").
const INSTALL_SCRIPTS: [&str; 7] = [
    "preinstall",
    "install",
    "postinstall",
    "prepublish",
    "preprepare",
    "prepare",
    "postprepare",
];

/// Fields that name dependencies that npm installs.
const DEPENDENCIES: [&str; 4] = [
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
];

/// Those of them that production needs.
const PRODUCTION_DEPENDENCIES: [&str; 3] =
    ["dependencies", "optionalDependencies", "peerDependencies"];

/// A `package.json`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifest(Map<String, Value>);

/// Why there is no [`Manifest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoManifest {
    /// The folder has no such file.
    Missing,
    /// It is a link in an archive, whose target can be read only after extraction.
    Link,
    /// It is invalid, with the reason.
    Broken(String),
}

impl Manifest {
    /// Reads the one of a folder of the source.
    ///
    /// # Errors
    ///
    /// [`NoManifest`] says why there is none.
    pub fn read(files: &dyn Files, folder: &str) -> Result<Self, NoManifest> {
        match files.read(&below(folder, MANIFEST), MAX_BYTES) {
            Ok(bytes) => Self::parse(&bytes).map_err(NoManifest::Broken),
            Err(error) => Err(match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => NoManifest::Missing,
                io::ErrorKind::Unsupported => NoManifest::Link,
                _ => NoManifest::Broken(error.to_string()),
            }),
        }
    }

    /// Parses the file's bytes; a byte order mark is accepted, as npm does.
    ///
    /// # Errors
    ///
    /// What is wrong, with the line.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())?;
        match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err("it is not a JSON object".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// All fields.
    #[must_use]
    pub fn fields(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The names of its scripts, in the file's order.
    pub fn scripts(&self) -> impl Iterator<Item = &str> {
        self.object("scripts").map(|(name, _)| name)
    }

    /// Whether it has a script of this name.
    #[must_use]
    pub fn has_script(&self, name: &str) -> bool {
        self.scripts().any(|script| script == name)
    }

    /// Its own scripts that npm runs when it installs.
    pub fn install_scripts(&self) -> impl Iterator<Item = &'static str> {
        INSTALL_SCRIPTS
            .into_iter()
            .filter(|script| self.has_script(script))
    }

    /// Whether folders below are packages of the same installation.
    #[must_use]
    pub fn has_workspaces(&self) -> bool {
        self.0.contains_key("workspaces")
    }

    /// Dependencies of all kinds: name and version range.
    pub fn dependencies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.dependencies_of(&DEPENDENCIES)
    }

    /// The dependencies that production needs: name and version range.
    pub fn production_dependencies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.dependencies_of(&PRODUCTION_DEPENDENCIES)
    }

    fn dependencies_of(
        &self,
        fields: &'static [&'static str],
    ) -> impl Iterator<Item = (&str, &str)> {
        fields
            .iter()
            .flat_map(|field| self.object(field))
            .filter_map(|(name, wanted)| Some((name, wanted.as_str()?)))
    }

    /// The package manager that installs it (`packageManager`), as Corepack reads it.
    #[must_use]
    pub fn package_manager(&self) -> Option<&str> {
        self.0.get("packageManager")?.as_str()
    }

    /// The supported versions of Node.js (`engines.node`).
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        self.0.get("engines")?.get("node")?.as_str()
    }

    fn object(&self, field: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.0
            .get(field)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.as_str(), value))
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case(b"{\n  \"a\": 1,\n}", "trailing comma at line 3 column 1"; "comma")]
    #[test_case(b"[]", "it is not a JSON object"; "list")]
    #[test_case(b"\xff\xfe{\0", "it is not UTF-8"; "utf-16")]
    #[test_case(b"", "EOF while parsing a value at line 1 column 0"; "empty")]
    fn a_broken_one_says_where(bytes: &[u8], reason: &str) {
        assert_eq!(Manifest::parse(bytes).unwrap_err(), reason);
    }

    #[test]
    fn fields_of_another_type_than_npms_hold_nothing() {
        let manifest =
            Manifest::parse(br#"{"scripts": [], "dependencies": 1, "engines": "x"}"#).unwrap();
        assert_eq!(manifest.scripts().count(), 0);
        assert_eq!(manifest.dependencies().count(), 0);
        assert_eq!(manifest.node(), None);
    }
}
