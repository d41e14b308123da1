//! Which lock file a folder has, and of which format.

use std::io;

use serde::Deserialize;

use super::files::{Files, below};
use super::manager::{InstallerError, Manager};
use super::manifest::Manifest;

/// The lock files that npm reads; the first one takes precedence.
pub const NPM_LOCK_FILES: [&str; 2] = ["npm-shrinkwrap.json", "package-lock.json"];

/// pnpm's lock file.
pub const PNPM_LOCK: &str = "pnpm-lock.yaml";

/// Yarn's lock file. npm reads it too: it downloads from the addresses in it (`@npmcli/arborist`,
/// `lib/shrinkwrap.js`).
pub const YARN_LOCK: &str = "yarn.lock";

/// pnpm's settings, and its workspaces.
pub const PNPM_WORKSPACE: &str = "pnpm-workspace.yaml";

/// All lock files. Those of one kind may lie side by side: their package manager knows which one it reads.
const LOCK_FILES: [(&str, LockKind); 6] = [
    (NPM_LOCK_FILES[0], LockKind::Npm),
    (NPM_LOCK_FILES[1], LockKind::Npm),
    (PNPM_LOCK, LockKind::Pnpm),
    (YARN_LOCK, LockKind::Yarn),
    ("bun.lock", LockKind::Bun),
    ("bun.lockb", LockKind::Bun),
];

/// The first line of Yarn 1's lock file that says so.
const YARN_CLASSIC: &str = "# yarn lockfile v1";

/// Largest lock file that is read: one of 10,000 packages has some 5 MB.
pub const MAX_LOCK_BYTES: u64 = 64 * 1024 * 1024;

/// Largest file of a package manager's settings; real ones have a few lines.
pub const MAX_SETTINGS_BYTES: u64 = 1024 * 1024;

/// Whose lock file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LockKind {
    Npm,
    Pnpm,
    Yarn,
    Bun,
}

/// The lock file of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FoundLock {
    /// Its folder below the source.
    pub(super) folder: String,
    name: &'static str,
    kind: LockKind,
}

impl FoundLock {
    /// Its path below the source.
    pub(super) fn path(&self) -> String {
        below(&self.folder, self.name)
    }

    /// Whose it is, as its name alone tells; `None` for Bun.
    pub(super) fn manager(&self) -> Option<Manager> {
        match self.kind {
            LockKind::Npm => Some(Manager::Npm),
            LockKind::Pnpm => Some(Manager::Pnpm),
            LockKind::Yarn => Some(Manager::Yarn),
            LockKind::Bun => None,
        }
    }
}

/// The lock file that applies to a folder: its own, or that of a folder above whose workspaces include it.
pub(super) fn lock_of(
    files: &dyn Files,
    folder: &str,
) -> Result<Option<FoundLock>, InstallerError> {
    for above in ancestors(folder) {
        let names = files.names(above);
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        let holds = above == folder
            || has(PNPM_WORKSPACE)
            || Manifest::read(files, above).is_ok_and(|manifest| manifest.has_workspaces());
        let mut found = LOCK_FILES
            .into_iter()
            .filter(|(name, _)| holds && has(name));
        let Some((name, kind)) = found.next() else {
            continue;
        };
        let others: Vec<_> = found.filter(|(_, other)| *other != kind).collect();
        if others.is_empty() {
            return Ok(Some(FoundLock {
                folder: above.to_owned(),
                name,
                kind,
            }));
        }
        let all = std::iter::once(name).chain(others.iter().map(|(name, _)| *name));
        return Err(InstallerError::SeveralLockFiles {
            paths: all.map(|name| below(above, name)).collect(),
        });
    }
    Ok(None)
}

/// The format version of a lock file, as the file says it; that of npm's is read with the file itself.
pub(super) fn format_of(files: &dyn Files, lock: &FoundLock) -> Result<String, InstallerError> {
    let no_format = |reason| InstallerError::NoFormat {
        path: lock.path(),
        reason,
    };
    let version = match lock.kind {
        LockKind::Npm | LockKind::Bun => return Ok(String::new()),
        LockKind::Pnpm => pnpm_format,
        LockKind::Yarn => yarn_format,
    };
    let bytes = files
        .read(&lock.path(), MAX_LOCK_BYTES)
        .map_err(|error| no_format(Some(error.to_string())))?;
    version(&String::from_utf8_lossy(&bytes)).ok_or_else(|| no_format(None))
}

/// `lockfileVersion: '9.0'`
fn pnpm_format(text: &str) -> Option<String> {
    let mut lines = text.lines();
    let version = lines.find_map(|line| line.strip_prefix("lockfileVersion:"))?;
    Some(version.trim().trim_matches(['\'', '"']).to_owned())
}

/// `__metadata:` with `  version: 8`, or the first lines of Yarn 1.
fn yarn_format(text: &str) -> Option<String> {
    if text
        .lines()
        .take_while(|line| line.starts_with('#'))
        .any(|line| line == YARN_CLASSIC)
    {
        return Some("1".to_owned());
    }
    let mut lines = text
        .lines()
        .skip_while(|line| *line != "__metadata:")
        .skip(1);
    let version = lines.find_map(|line| line.trim_start().strip_prefix("version:"))?;
    Some(version.trim().to_owned())
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
pub(super) fn ancestors(folder: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(folder), |folder| match *folder {
        "" => None,
        folder => Some(folder.rsplit_once('/').map_or("", |(above, _)| above)),
    })
}
