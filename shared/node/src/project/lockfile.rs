//! Which package manager's lock file a folder contains.

use std::io;

use serde::Deserialize;

use super::files::{Files, below};
use super::manifest::Manifest;

/// The lock files that npm reads; the first one takes precedence.
pub const NPM_LOCK_FILES: [&str; 2] = ["npm-shrinkwrap.json", "package-lock.json"];

/// Lock files of other package managers, with the manager's name.
const OTHERS: [(&str, &str); 4] = [
    ("yarn.lock", "Yarn"),
    ("pnpm-lock.yaml", "pnpm"),
    ("bun.lock", "Bun"),
    ("bun.lockb", "Bun"),
];

/// The one of these that npm reads: it downloads from the addresses in it (`@npmcli/arborist`,
/// `lib/shrinkwrap.js`).
pub const YARN_LOCK: &str = "yarn.lock";

/// Largest lock file that is read: one of 10,000 packages has some 5 MB.
pub const MAX_LOCK_BYTES: u64 = 64 * 1024 * 1024;

/// The lock file of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lock {
    /// npm's.
    Npm {
        /// Its path below the source.
        path: String,
    },
    /// Only another package manager's.
    Other {
        /// Its path below the source.
        path: String,
        /// The package manager.
        manager: &'static str,
    },
    /// None.
    None,
}

/// The lock file that applies to a folder: its own, or that of a folder above whose workspaces include it.
#[must_use]
pub(super) fn lock_of(files: &dyn Files, folder: &str) -> Lock {
    for above in ancestors(folder) {
        let holds = above == folder
            || Manifest::read(files, above).is_ok_and(|manifest| manifest.has_workspaces());
        if !holds {
            continue;
        }
        let names = files.names(above);
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        if let Some(name) = NPM_LOCK_FILES.into_iter().find(|name| has(name)) {
            return Lock::Npm {
                path: below(above, name),
            };
        }
        if let Some((name, manager)) = OTHERS.into_iter().find(|(name, _)| has(name)) {
            return Lock::Other {
                path: below(above, name),
                manager,
            };
        }
    }
    Lock::None
}

/// The format version of a lock file of npm.
///
/// # Errors
///
/// Why it cannot be read.
pub(super) fn version(files: &dyn Files, path: &str) -> Result<u64, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Head {
        #[serde(default)]
        lockfile_version: u64,
    }
    let bytes = files
        .read(path, MAX_LOCK_BYTES)
        .map_err(|error: io::Error| error.to_string())?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map(|head: Head| head.lockfile_version)
        .map_err(|error| error.to_string())
}

/// A folder of the source and all above it, up to the root.
fn ancestors(folder: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(folder), |folder| match *folder {
        "" => None,
        folder => Some(folder.rsplit_once('/').map_or("", |(above, _)| above)),
    })
}
