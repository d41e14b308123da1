//! Why dependencies could not be installed.

use std::fmt;

use delivery_action::failure::{ActionError, FailureType, JobError};
use delivery_action::process::ProcessError;
use delivery_node::project::{CheckError, InstallerError, Manager, ProjectError, remedy};

use crate::params::Omit;

/// Most entries of a lock file in one message.
const MAX_NAMED: usize = 10;

/// A setting that projects often have to get more memory.
const NODE_OPTIONS: &str = "node-options";

/// Why npm could not verify an entry of the lock file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untrusted {
    /// There is no hash, or none that npm verifies.
    NoIntegrity,
    /// It would be downloaded over plain http.
    PlainHttp,
    /// It is marked as bundled in another package, which does not bundle it or has no hash itself.
    NotBundled,
    /// It would come from a Git repository.
    Git,
    /// The address is not one that npm should follow.
    Address,
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoIntegrity => "no integrity hash",
            Self::PlainHttp => "plain http",
            Self::NotBundled => "`inBundle`, and no package with a hash bundles it",
            Self::Git => "from Git",
            Self::Address => "not an https address",
        })
    }
}

/// Why dependencies could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum NpmInstallError {
    /// There is no project in the directory.
    #[error("no `package.json` in `{directory}`")]
    NoManifest {
        /// The directory below the source.
        directory: String,
    },
    /// A file of the project cannot be read.
    #[error("`{path}` cannot be read: {reason}")]
    Unreadable {
        /// The file below the source.
        path: String,
        /// Why.
        reason: String,
    },
    /// A setting that is not allowed.
    #[error("`{path}` sets `{key}`, {}", why_refused(.key))]
    Npmrc {
        /// The file below the source.
        path: String,
        /// The setting.
        key: String,
    },
    /// A lock file that does not list packages with their hashes.
    #[error("`{path}` has format version {version}, but not its list of packages")]
    LockFileVersion {
        /// The file below the source.
        path: String,
        /// Its version; 0 where it has none.
        version: u64,
    },
    /// Entries that npm would install without being able to verify them.
    #[error("`{path}` has {} that cannot be verified: {}", counted(.entries.len()), named(.entries))]
    UntrustedEntries {
        /// The file below the source.
        path: String,
        /// Where in the lock file, and why.
        entries: Vec<(String, Untrusted)>,
    },
    /// Code of the project that a package manager would run.
    #[error("{what} is code that {manager} runs when it installs")]
    ProjectCode {
        /// Where it is.
        what: String,
        /// The package manager.
        manager: Manager,
    },
    /// A kind of dependencies that a package manager cannot leave out.
    #[error("{manager} cannot leave out `{kind}` dependencies")]
    Omit {
        /// The kind.
        kind: Omit,
        /// The package manager.
        manager: Manager,
    },
    /// A package manager that cannot be fetched.
    #[error("{release} cannot be fetched from the registry")]
    Manager {
        /// The package manager with its version.
        release: String,
        /// How it ended.
        source: ProcessError,
    },
    /// A package manager with another hash than the one that is expected.
    #[error("{release} from the registry does not have the expected hash")]
    ManagerHash {
        /// The package manager with its version.
        release: String,
    },
    /// A hash in `packageManager` that cannot be verified.
    #[error("`packageManager` names a hash of {release} that cannot be verified: {algorithm}")]
    UnknownHash {
        /// The package manager with its version.
        release: String,
        /// The hash's algorithm.
        algorithm: String,
    },
    /// `subcommand=ci` without a lock file.
    #[error("`subcommand=ci` needs a lock file, but `{directory}` has none")]
    NoLockFile {
        /// The directory below the source.
        directory: String,
    },
    /// The lock file does not match `package.json`.
    #[error("the lock file does not match `package.json`")]
    LockFileMismatch {
        /// The package manager.
        manager: Manager,
        /// Its own words.
        output: String,
        /// How it ended.
        source: ProcessError,
    },
    /// A package does not have the hash in the lock file.
    #[error("{} does not have the hash in the lock file", package_or_some(.package.as_deref()))]
    Integrity {
        /// The package.
        package: Option<String>,
        /// How it ended.
        source: ProcessError,
    },
    /// The registry does not answer, or with a server error.
    #[error("registry unreachable: {manager} got {code}")]
    RegistryUnreachable {
        /// The package manager.
        manager: Manager,
        /// Its error code.
        code: String,
        /// How it ended.
        source: ProcessError,
    },
    /// The registry denies access to a package.
    #[error("the registry denied access to a package: {manager} got {code}")]
    RegistryDenied {
        /// The package manager.
        manager: Manager,
        /// Its error code.
        code: String,
        /// How it ended.
        source: ProcessError,
    },
    /// A package, or the project, needs another Node.js or npm.
    #[error(
        "the project, or a package, does not support this version of Node.js or of the package manager"
    )]
    Engine {
        /// How it ended.
        source: ProcessError,
    },
    /// A dependency on a Git repository.
    #[error("a dependency comes from a Git repository, which has no integrity hash")]
    GitDependency {
        /// How it ended.
        source: ProcessError,
    },
    /// The disk is full.
    #[error("the function's disk is full")]
    DiskFull {
        /// How it ended.
        source: ProcessError,
    },
    /// The package manager failed for another reason, or could not be run.
    #[error("{manager} could not install the dependencies")]
    Install {
        /// The package manager.
        manager: Manager,
        /// How it ended.
        source: ProcessError,
    },
    /// No package manager can install the project, or it is not certain which one should.
    #[error(transparent)]
    Installer(#[from] InstallerError),
    /// The project cannot be installed, or one of its tasks could not be run later.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// A directory or variable cannot be used.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// An error that any action can meet.
    #[error(transparent)]
    Job(#[from] JobError),
}

delivery_action::wraps_job_error!(NpmInstallError);

impl ActionError for NpmInstallError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::NoManifest { .. } | Self::Omit { .. } => FailureType::ConfigurationError,
            Self::RegistryUnreachable { .. } => FailureType::SystemUnavailable,
            Self::RegistryDenied { .. } => FailureType::PermissionError,
            Self::Unreadable { .. }
            | Self::Npmrc { .. }
            | Self::ProjectCode { .. }
            | Self::ManagerHash { .. }
            | Self::UnknownHash { .. }
            | Self::LockFileVersion { .. }
            | Self::UntrustedEntries { .. }
            | Self::NoLockFile { .. }
            | Self::LockFileMismatch { .. }
            | Self::Integrity { .. }
            | Self::Engine { .. }
            | Self::GitDependency { .. }
            | Self::DiskFull { .. } => FailureType::JobFailed,
            Self::Install { source, .. } | Self::Manager { source, .. } => source.failure_type(),
            Self::Installer(error) => error.failure_type(),
            Self::Check(error) => error.failure_type(),
            Self::Project(error) => error.failure_type(),
            Self::Job(error) => error.failure_type(),
        }
    }

    #[expect(clippy::too_many_lines, reason = "a line or two for each error")]
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoManifest { .. } => "set `directory` to the folder that holds `package.json`",
            Self::Unreadable { path, .. } => {
                return Some(format!("fix `{path}` in the source"));
            }
            Self::Npmrc { path, key } => {
                let mut hint = format!("remove `{key}` from `{path}`");
                if key == NODE_OPTIONS {
                    hint.push_str(
                        "; to give a task more memory, set `NODE_OPTIONS=--max-old-space-size=MEBIBYTES` in its script",
                    );
                }
                return Some(hint);
            }
            Self::LockFileVersion { .. } => {
                "rewrite the lock file with npm 7 or later (`npm install`) and commit it, or set \
                 `integrity=off`"
            }
            Self::UntrustedEntries { .. } => {
                "reinstall these packages from an https registry and commit the lock file, or set \
                 `integrity=off` to accept them"
            }
            Self::ProjectCode { .. } => {
                "set `ignore-scripts=false` to let it run, and the packages' install scripts with it"
            }
            Self::Omit { .. } => {
                "remove `omit`, and leave them out in the task, for example with `yarn workspaces focus --production`"
            }
            Self::Manager { .. } => {
                "set `packageManager` in `package.json` to a version that the registry has"
            }
            Self::ManagerHash { .. } => {
                "do not run it: find out why the registry's differs from the one that `packageManager` names"
            }
            Self::UnknownHash { .. } => "write its SHA-512, as `corepack use` does, or none",
            Self::NoLockFile { .. } => {
                "commit the lock file that the package manager writes, or set `subcommand=install`"
            }
            Self::LockFileMismatch { manager, .. } => {
                let (program, lock_file) = (manager.program(), manager.lock_file());
                return Some(format!(
                    "run `{program} install` and commit both `package.json` and `{lock_file}`"
                ));
            }
            Self::Integrity { .. } => {
                "do not deploy it: find out why the package in the registry differs from the one that was locked"
            }
            Self::RegistryUnreachable { .. } => {
                "retry the stage; if that does not help, check the registry's address in the project's settings and the \
                 function's network"
            }
            Self::RegistryDenied {
                manager: Manager::Yarn,
                ..
            } => {
                "give Yarn a token: `npmAuthToken: ${NPM_TOKEN}` in `.yarnrc.yml`, and `Env.NPM_TOKEN`"
            }
            Self::RegistryDenied { .. } => {
                "give npm a token: `//REGISTRY/:_authToken=${NPM_TOKEN}` in `.npmrc`, and `Env.NPM_TOKEN`"
            }
            Self::Engine { .. } => {
                "change `engines` or `packageManager` in `package.json`, or the Node.js layer of the function"
            }
            Self::GitDependency { .. } => {
                "publish the dependency to a registry, or set `integrity=off` to accept it"
            }
            Self::DiskFull { .. } => "raise the function's `EphemeralStorage`",
            Self::Installer(error) => return error.hint(),
            Self::Install { source, .. } => {
                let known = source.output().and_then(remedy).map(str::to_owned);
                return known.or_else(|| source.hint());
            }
            Self::Check(error) => return error.hint(),
            Self::Project(error) => return error.hint(),
            Self::Job(error) => return error.hint(),
        };
        Some(hint.to_owned())
    }

    fn output(&self) -> Option<&str> {
        match self {
            Self::LockFileMismatch { output, .. } => Some(output),
            Self::Integrity { source, .. }
            | Self::RegistryUnreachable { source, .. }
            | Self::RegistryDenied { source, .. }
            | Self::Engine { source }
            | Self::GitDependency { source }
            | Self::DiskFull { source }
            | Self::Install { source, .. }
            | Self::Manager { source, .. } => source.output(),
            Self::Job(error) => error.output(),
            _ => None,
        }
    }
}

/// Why a setting is refused.
fn why_refused(key: &str) -> &'static str {
    match key {
        "git" | "script-shell" | "shell" | "node-gyp" | "python" | "editor" | "viewer"
        | "browser" => "which would let the project choose a program that npm runs",
        NODE_OPTIONS => "which npm passes to Node.js, where it can load any code",
        "userconfig" | "globalconfig" | "prefix" => {
            "which would make npm read settings from elsewhere"
        }
        _ => "which is not a setting that this action allows",
    }
}

fn counted(entries: usize) -> String {
    if entries == 1 {
        "an entry".to_owned()
    } else {
        format!("{entries} entries")
    }
}

fn named(entries: &[(String, Untrusted)]) -> String {
    let named: Vec<_> = entries
        .iter()
        .take(MAX_NAMED)
        .map(|(name, why)| format!("`{name}` ({why})"))
        .collect();
    let more = entries.len() - named.len();
    if more == 0 {
        named.join(", ")
    } else {
        format!("{} and {more} more", named.join(", "))
    }
}

fn package_or_some(package: Option<&str>) -> String {
    package.map_or_else(
        || "a package".to_owned(),
        |name| format!("package `{name}`"),
    )
}
