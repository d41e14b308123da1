//! Which package manager installs a project: that of its lock file, in the release that the project names.

use std::fmt;

use delivery_action::failure::{ActionError, FailureType};

use super::files::{Files, below};
use super::lockfile::{self, FoundLock};
use super::manifest::Manifest;

/// The package of Yarn 2 and later in the registry; `yarn` ends with Yarn 1.
const YARN_PACKAGE: &str = "@yarnpkg/cli-dist";

/// Yarn's settings, from version 2 on.
pub const YARN_SETTINGS: &str = ".yarnrc.yml";

/// The releases for projects that name none: the format of the lock file, the last release that writes it and runs on
/// current versions of Node.js, and the registry's hash of it (`npm view PACKAGE@VERSION dist.integrity`). Another one
/// would rewrite the lock file, which `--frozen-lockfile` and `--immutable` refuse. pnpm 6 does not run on Node.js 18
/// and later; pnpm 7 reads its lock files.
const PINNED: [(Manager, &str, &str, &str); 10] = [
    (
        Manager::Pnpm,
        "5.",
        "7.33.7",
        "sha512-ev4kEGQrOcaY30baTOXHIxpczjYGmNafjPj0IlfUCz5D8jEFOwe43oSf1P+/SnH/V7g1E3d3o1I4jz09p0cgDg==",
    ),
    (
        Manager::Pnpm,
        "6.",
        "8.15.9",
        "sha512-SZQ0ydj90aJ5Tr9FUrOyXApjOrzuW7Fee13pDzL0e1E6ypjNXP0AHDHw20VLw4BO3M1XhQHkyik6aBYWa72fgQ==",
    ),
    (
        Manager::Pnpm,
        "9.",
        "10.34.8",
        "sha512-9ieo6XE0Ov5J39D2PQKCNCAd+oMdXLWIcz4eX42ya/FpiaMhYatcG02zsf28NzFgYGtbieAC323RmoWt+R/FqA==",
    ),
    (
        Manager::YarnClassic,
        "1",
        "1.22.22",
        "sha512-prL3kGtyG7o9Z9Sv8IPfBNrWTDmXB4Qbes8A9rEzt6wkJV8mUvoirjU0Mp3GGAU06Y0XQyA3/2/RQFVuK7MTfg==",
    ),
    (
        Manager::Yarn,
        "4",
        "2.4.2",
        "sha512-M82xg3uZnE836u68o/DpLtSQjxHUoYkuK82v4psznrFjZO3msYD6qb/wAhGD9KdkO/puwfnDhOc9imA3NDrp9g==",
    ),
    (
        Manager::Yarn,
        "5",
        "3.1.1",
        "sha512-7R8UUelyaGkpiSEgDgeK4A8jEUNmKw+un4UCY0xQoFXBJgVWS6lyWWN57FSs+3ybHZuNrEzaEa9+Bb5hiktGug==",
    ),
    (
        Manager::Yarn,
        "6",
        "3.8.7",
        "sha512-YMoAlLR9f+kxXjK72ggBIidi3ulQQrQpMSxzrLUt0OUk9Xdst2v26LBSYFlzOm+7KRNWgYIJpFjA8uRnCgB5xQ==",
    ),
    (
        Manager::Yarn,
        "8",
        "4.13.0",
        "sha512-c0YdSja652OezJqFnz9+pZwKfKAiBu2aRPJiHPU73sirTGgvQRTyaS5Y6PQHAmmaoa3RjCY6f3L2q9g8S/urqw==",
    ),
    (
        Manager::Yarn,
        "9",
        "4.14.1",
        "sha512-62uYRCYBnAwNZ1Y4uMh0iUXtgZe4frwAgd5dJFoTu/uWMZWpJzxY2ib0cAva1eiy1L2jiDR0dS1Os+1osiIxvA==",
    ),
    (
        Manager::Yarn,
        "10",
        "4.18.1",
        "sha512-EH+A4TxAtBWXKE0DGQxW9Bo9crXHLJ73mfxjTQJuv8XonNWWTpei8BQ5JjczHJNU9GROTycwMFn8iOvRIZXUcA==",
    ),
];

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// npm, as the machine has it.
    Npm,
    /// pnpm.
    Pnpm,
    /// Yarn 1.
    YarnClassic,
    /// Yarn 2 and later.
    Yarn,
}

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::YarnClassic => "Yarn 1",
            Self::Yarn => "Yarn",
        })
    }
}

impl Manager {
    /// Its program.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::YarnClassic | Self::Yarn => "yarn",
        }
    }

    /// The lock file that it writes.
    #[must_use]
    pub fn lock_file(self) -> &'static str {
        match self {
            Self::Npm => "package-lock.json",
            Self::Pnpm => lockfile::PNPM_LOCK,
            Self::YarnClassic | Self::Yarn => lockfile::YARN_LOCK,
        }
    }

    /// Its package in the registry.
    fn package(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::YarnClassic => "yarn",
            Self::Yarn => YARN_PACKAGE,
        }
    }
}

/// A release of a package manager in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Whose release it is.
    pub manager: Manager,
    /// Its package.
    pub package: &'static str,
    /// Its exact version.
    pub version: String,
    /// What it is held against.
    pub hash: Hash,
}

/// The hash of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hash {
    /// None is named: it is the registry's.
    OfRegistry,
    /// Of the package's archive, as lock files of npm have it.
    Integrity(&'static str),
    /// As Corepack writes it into `packageManager`: of the archive, but for Yarn 2 and later of its program.
    Corepack {
        /// `sha512`
        algorithm: String,
        /// The hash in hexadecimal digits.
        hex: String,
    },
}

impl Release {
    fn new(manager: Manager, version: &str, hash: Hash) -> Self {
        Self {
            manager,
            package: manager.package(),
            version: version.to_owned(),
            hash,
        }
    }
}

impl fmt::Display for Release {
    /// `pnpm 9.15.9`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.manager {
            Manager::YarnClassic => "Yarn".to_owned(),
            manager => manager.to_string(),
        };
        write!(f, "{name} {}", self.version)
    }
}

/// What installs a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installer {
    /// The package manager.
    pub manager: Manager,
    /// The folder of the installation, below the source: that of the lock file.
    pub root: String,
    /// The lock file, below the source.
    pub lock: Option<String>,
    /// The release that is fetched; `None` for npm, which is there.
    pub release: Option<Release>,
}

/// What installs the project of a folder.
///
/// # Errors
///
/// [`InstallerError`] if that is not certain, or not possible.
pub fn installer(files: &dyn Files, folder: &str) -> Result<Installer, InstallerError> {
    let lock = lockfile::lock_of(files, folder)?;
    let root = lock.as_ref().map_or(folder, |lock| &lock.folder).to_owned();
    let named = named(files, folder, &root)?;
    let Some(lock) = lock else {
        return Ok(Installer {
            manager: named.as_ref().map_or(Manager::Npm, |named| named.manager),
            root,
            lock: None,
            release: named.filter(|named| named.manager != Manager::Npm),
        });
    };
    let path = lock.path();
    let Some(manager) = lock.manager() else {
        return Err(InstallerError::Bun { path });
    };
    let version = lockfile::format_of(files, &lock)?;
    let manager = match (manager, version.as_str()) {
        (Manager::Yarn, "1") => Manager::YarnClassic,
        (manager, _) => manager,
    };
    if let Some(named) = named.as_ref().filter(|named| named.manager != manager) {
        return Err(InstallerError::OtherManager {
            named: format!("{}@{}", named.manager.program(), named.version),
            path,
            manager,
        });
    }
    let release = match manager {
        Manager::Npm => None,
        manager => Some(release(files, manager, named, &lock, version)?),
    };
    Ok(Installer {
        manager,
        root,
        lock: Some(path),
        release,
    })
}

/// The release that `package.json` names, else that of Yarn's own settings, else the one that writes such lock files.
fn release(
    files: &dyn Files,
    manager: Manager,
    named: Option<Release>,
    lock: &FoundLock,
    version: String,
) -> Result<Release, InstallerError> {
    if let Some(named) = named {
        return Ok(named);
    }
    if let Some(own) = yarn_in_the_source(files, &lock.folder).filter(|_| manager == Manager::Yarn)
    {
        return Ok(Release::new(manager, &own, Hash::OfRegistry));
    }
    let fits = |format: &str| {
        if format.ends_with('.') {
            version.starts_with(format)
        } else {
            version == format
        }
    };
    PINNED
        .iter()
        .find(|(of, format, _, _)| *of == manager && fits(format))
        .map(|(_, _, pinned, hash)| Release::new(manager, pinned, Hash::Integrity(hash)))
        .ok_or_else(|| InstallerError::Format {
            path: lock.path(),
            version,
            manager,
        })
}

/// `packageManager` of the nearest `package.json` that has it, up to the folder of the lock file.
fn named(files: &dyn Files, folder: &str, root: &str) -> Result<Option<Release>, InstallerError> {
    let folders = lockfile::ancestors(folder).take_while(|above| above.starts_with(root));
    for above in folders {
        let Ok(manifest) = Manifest::read(files, above) else {
            continue;
        };
        if let Some(value) = manifest.package_manager() {
            return parse(value).map(Some).ok_or_else(|| InstallerError::Named {
                path: below(above, super::MANIFEST),
                value: value.to_owned(),
            });
        }
    }
    Ok(None)
}

/// `pnpm@9.15.9+sha512.0a1b...`
fn parse(value: &str) -> Option<Release> {
    let (name, rest) = value.split_once('@')?;
    let (version, hash) = match rest.split_once('+') {
        Some((version, hash)) => (version, corepack_hash(hash)?),
        None => (rest, Hash::OfRegistry),
    };
    if !is_exact(version) {
        return None;
    }
    let manager = match name {
        "npm" => Manager::Npm,
        "pnpm" => Manager::Pnpm,
        "yarn" if version.starts_with("1.") => Manager::YarnClassic,
        "yarn" => Manager::Yarn,
        _ => return None,
    };
    Some(Release::new(manager, version, hash))
}

fn corepack_hash(text: &str) -> Option<Hash> {
    let (algorithm, hex) = text.split_once('.')?;
    let is_hex = hex.bytes().all(|digit| digit.is_ascii_hexdigit());
    (algorithm.starts_with("sha") && is_hex).then(|| Hash::Corepack {
        algorithm: algorithm.to_owned(),
        hex: hex.to_ascii_lowercase(),
    })
}

/// Whether it is a version, and neither a range nor a tag.
fn is_exact(version: &str) -> bool {
    let (numbers, rest) = version.split_once('-').unwrap_or((version, ""));
    let is_number =
        |part: &str| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
    numbers.split('.').count() == 3
        && numbers.split('.').all(is_number)
        && rest
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || matches!(character, '.' | '-'))
}

/// The version in `yarnPath: .yarn/releases/yarn-4.5.0.cjs`. The file itself is code of the project and does not run.
fn yarn_in_the_source(files: &dyn Files, folder: &str) -> Option<String> {
    let bytes = files
        .read(&below(folder, YARN_SETTINGS), lockfile::MAX_SETTINGS_BYTES)
        .ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("yarnPath:"))?;
    let (_, name) = line
        .trim()
        .trim_matches(['"', '\''])
        .rsplit_once("/yarn-")?;
    let version = name
        .strip_suffix(".cjs")
        .or_else(|| name.strip_suffix(".js"))?;
    is_exact(version).then(|| version.to_owned())
}

/// Why nothing can install a project.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstallerError {
    /// Lock files of several package managers.
    #[error("{} are lock files of different package managers", joined(.paths))]
    SeveralLockFiles {
        /// The files below the source.
        paths: Vec<String>,
    },
    /// Bun's lock file.
    #[error("`{path}` is Bun's lock file; Bun is not supported")]
    Bun {
        /// The file below the source.
        path: String,
    },
    /// A lock file that does not say its format.
    #[error("`{path}` does not say which format version it has{}", .reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default())]
    NoFormat {
        /// The file below the source.
        path: String,
        /// Why it cannot be read.
        reason: Option<String>,
    },
    /// A lock file of a format that no known release writes.
    #[error(
        "`{path}` has format version {version}, and `package.json` does not say which {manager} writes it"
    )]
    Format {
        /// The file below the source.
        path: String,
        /// Its format version.
        version: String,
        /// Whose lock file it is.
        manager: Manager,
    },
    /// `packageManager` is not the exact version of a known package manager.
    #[error(
        "`packageManager` in `{path}` is `{value}`, but must be npm, pnpm or yarn at an exact version"
    )]
    Named {
        /// The file below the source.
        path: String,
        /// What it says.
        value: String,
    },
    /// `packageManager` names another one than the lock file's.
    #[error(
        "`packageManager` in `package.json` is `{named}`, but `{path}` is the lock file of {manager}"
    )]
    OtherManager {
        /// What `package.json` names.
        named: String,
        /// The lock file below the source.
        path: String,
        /// Whose lock file it is.
        manager: Manager,
    },
}

impl ActionError for InstallerError {
    fn failure_type(&self) -> FailureType {
        FailureType::ConfigurationError
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::SeveralLockFiles { .. } => {
                "keep the lock file of the package manager that the team uses, and remove the others".to_owned()
            }
            Self::Bun { path } => format!(
                "run `npm install --package-lock-only`, commit `package-lock.json` and remove `{path}`; \
                 `subcommand=install` installs with npm without any lock file"
            ),
            Self::NoFormat { path, .. } => format!("correct `{path}` in the source"),
            Self::Format { manager, .. } => format!(
                "add `\"packageManager\": \"{}@VERSION\"` to `package.json`, with the version that wrote the lock file",
                manager.program()
            ),
            Self::Named { .. } => {
                "write the version in full, as `corepack use pnpm@9` does: `pnpm@9.15.9`, with or without its hash"
                    .to_owned()
            }
            Self::OtherManager { path, .. } => {
                format!("correct `packageManager`, or replace `{path}` by the lock file that it writes")
            }
        })
    }
}

/// `` `a` and `b` ``
fn joined(paths: &[String]) -> String {
    let quoted: Vec<String> = paths.iter().map(|path| format!("`{path}`")).collect();
    match &quoted[..] {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => quoted.concat(),
    }
}

#[cfg(test)]
mod tests;
