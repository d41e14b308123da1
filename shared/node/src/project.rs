//! The application's extracted source: paths in it, and the environment of its programs.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use delivery_action::clock::Deadline;
use delivery_action::failure::{ActionError, FailureType};
use delivery_action::job::Job;
use delivery_action::process::{Environment, EnvironmentError, TERMINATION_GRACE};
use delivery_action::workspace::{Workspace, WorkspaceError};

mod check;
mod engines;
mod files;
mod lockfile;
mod manager;
mod manifest;
mod production;
mod remedy;

pub(crate) use check::empty_submodules;
pub use check::{CheckError, Expected, Finding, Severity, check, check_files};
pub use files::{Files, Folder, below};
pub use lockfile::{
    MAX_LOCK_BYTES, MAX_SETTINGS_BYTES, NPM_LOCK_FILES, PNPM_LOCK, PNPM_WORKSPACE, YARN_LOCK,
};
pub use manager::{Hash, Installer, InstallerError, Manager, Release, YARN_SETTINGS, installer};
pub use manifest::{MANIFEST, Manifest, NoManifest};
pub use production::Production;
pub use remedy::remedy;
pub(crate) use remedy::{MISSING_MODULE, reports_a_missing_module, reports_something_missing};

/// How long before the action's deadline its programs are ended, so that their output can still be read and reported.
const CHILD_MARGIN: Duration = TERMINATION_GRACE.saturating_add(Duration::from_secs(3));

/// The margin is at most one in this many parts of the remaining time, so that short jobs still work.
const LARGEST_MARGIN_PART: u32 = 4;

/// An extracted source, and the directory in it that the action works in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    source: PathBuf,
    directory: PathBuf,
}

impl Project {
    /// Opens the directory `directory` of a source; `.` is the source itself.
    ///
    /// # Errors
    ///
    /// [`ProjectError`] if it is not there, is not a directory, or leaves the source.
    pub fn open(source: &Path, directory: &str) -> Result<Self, ProjectError> {
        let source = source
            .canonicalize()
            .map_err(|error| ProjectError::Unreadable {
                path: source.display().to_string(),
                source: error,
            })?;
        let whole = Self {
            directory: source.clone(),
            source,
        };
        let directory = whole.resolve(directory)?;
        if !directory.is_dir() {
            let path = whole.shown(&directory);
            return Err(ProjectError::NotADirectory { path });
        }
        Ok(Self { directory, ..whole })
    }

    /// The whole source.
    #[must_use]
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// The directory that the action works in.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The files of the source, by their paths below it.
    #[must_use]
    pub fn files(&self) -> Folder<'_> {
        Folder(&self.source)
    }

    /// The directory's path below the source; empty where it is the source.
    #[must_use]
    pub fn folder(&self) -> String {
        match self.directory.strip_prefix(&self.source) {
            Ok(relative) => relative.to_string_lossy().into_owned(),
            Err(_) => String::new(),
        }
    }

    /// The directories from [`Project::directory`] up to [`Project::source`].
    pub fn ancestors(&self) -> impl Iterator<Item = &Path> {
        self.directory
            .ancestors()
            .take_while(|directory| directory.starts_with(&self.source))
    }

    /// Where a path relative to the directory leads, with symbolic links followed.
    ///
    /// # Errors
    ///
    /// [`ProjectError`] if nothing is there, or it is not in the source.
    pub fn resolve(&self, path: &str) -> Result<PathBuf, ProjectError> {
        let leaves = || ProjectError::Leaves {
            path: path.to_owned(),
        };
        if path.is_empty() || path.contains('\0') {
            return Err(ProjectError::Missing {
                path: path.to_owned(),
            });
        }
        if !Path::new(path).is_relative() || goes_above(&self.directory, path, &self.source) {
            return Err(leaves());
        }
        let resolved =
            self.directory
                .join(path)
                .canonicalize()
                .map_err(|source| match source.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                        ProjectError::Missing {
                            path: path.to_owned(),
                        }
                    }
                    _ => ProjectError::Unreadable {
                        path: path.to_owned(),
                        source,
                    },
                })?;
        if resolved.starts_with(&self.source) {
            Ok(resolved)
        } else {
            Err(leaves())
        }
    }

    /// A path below the source as a person writes it.
    #[must_use]
    pub fn shown(&self, path: &Path) -> String {
        match path.strip_prefix(&self.source) {
            Ok(relative) if relative.as_os_str().is_empty() => ".".to_owned(),
            Ok(relative) => relative.display().to_string(),
            Err(_) => path.display().to_string(),
        }
    }
}

/// Node.js's variable for the file with the certificates of a company's own authority. Its network needs them, whichever
/// project it is, and they are no secret, so they are the one variable of the function that programs get, too.
pub const CERTIFICATES: &str = "NODE_EXTRA_CA_CERTS";

/// The environment of the project's programs: npm's directories in the workspace, and the user's variables.
///
/// # Errors
///
/// [`ProjectError`] if the directories cannot be made or a variable cannot be set.
pub fn environment(
    workspace: &Workspace,
    user: &BTreeMap<String, String>,
) -> Result<Environment, ProjectError> {
    let mut environment =
        Environment::new(&workspace.directory("home")?, &workspace.directory("tmp")?);
    environment.set("npm_config_cache", workspace.directory("npm-cache")?);
    environment.set("npm_config_update_notifier", "false");
    environment.set("npm_config_progress", "false");
    // Its log files go with the workspace; the lines that matter are in this function's log.
    environment.set("npm_config_logs_max", "0");
    if let Some(file) = delivery_action::env::var_os(CERTIFICATES) {
        environment.set(CERTIFICATES, file);
    }
    environment.set_user_variables(user)?;
    Ok(environment)
}

/// The deadline for this job's programs, which leaves time to report why they were ended.
#[must_use]
pub fn child_deadline(job: &Job) -> Deadline {
    let deadline = job.invocation.deadline;
    deadline.earlier_by(CHILD_MARGIN.min(deadline.remaining() / LARGEST_MARGIN_PART))
}

/// Normalises a `directory` without following links; empty for the source itself.
///
/// # Errors
///
/// [`ProjectError::Leaves`] if it is absolute or goes above the source.
pub fn directory_of(directory: &str) -> Result<String, ProjectError> {
    let leaves = || ProjectError::Leaves {
        path: directory.to_owned(),
    };
    let mut names: Vec<&str> = Vec::new();
    if directory.starts_with('/') {
        return Err(leaves());
    }
    for name in directory.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop().ok_or_else(leaves)?),
            name => names.push(name),
        }
    }
    Ok(names.join("/"))
}

/// Whether the path leaves the source at any step, without following links.
fn goes_above(directory: &Path, path: &str, source: &Path) -> bool {
    let mut depth = directory
        .strip_prefix(source)
        .map_or(0, |below| below.components().count());
    for component in Path::new(path).components() {
        match component {
            Component::ParentDir if depth == 0 => return true,
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return true,
        }
    }
    false
}

/// A path of the source that cannot be used, or programs that cannot get their environment.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// Nothing is there.
    #[error("`{path}` is not in the source")]
    Missing {
        /// The path as it was given.
        path: String,
    },
    /// It is absolute, goes above the source, or is a link that does.
    #[error("`{path}` leaves the source")]
    Leaves {
        /// The path as it was given.
        path: String,
    },
    /// A directory is needed.
    #[error("`{path}` is not a directory")]
    NotADirectory {
        /// The path below the source.
        path: String,
    },
    /// It cannot be read.
    #[error("`{path}` cannot be read")]
    Unreadable {
        /// The path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A variable that the user named.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The job's directory.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
}

impl ActionError for ProjectError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::Missing { .. } | Self::Leaves { .. } | Self::NotADirectory { .. } => {
                FailureType::ConfigurationError
            }
            Self::Unreadable { .. } => FailureType::JobFailed,
            Self::Environment(error) => error.failure_type(),
            Self::Workspace(error) => error.failure_type(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => {
                Some("correct the path, relative to the action's `directory`".to_owned())
            }
            Self::Leaves { .. } => {
                Some("give a relative path that stays inside the source".to_owned())
            }
            Self::NotADirectory { .. } => {
                Some("name the folder that holds `package.json`".to_owned())
            }
            Self::Unreadable { .. } => {
                Some("check the file's permissions in the source".to_owned())
            }
            Self::Environment(error) => error.hint(),
            Self::Workspace(error) => error.hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use test_case::test_case;

    use super::*;

    fn source() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("source/web/dist")).unwrap();
        fs::write(root.path().join("source/package.json"), "{}").unwrap();
        fs::write(root.path().join("secret"), "secret").unwrap();
        symlink("../../secret", root.path().join("source/web/out")).unwrap();
        symlink("dist", root.path().join("source/web/in")).unwrap();
        root
    }

    #[test_case("dist", "web/dist"; "below")]
    #[test_case("in", "web/dist"; "a link that stays")]
    #[test_case("../package.json", "package.json"; "above the directory and in the source")]
    #[test_case(".", "web"; "itself")]
    fn a_path_in_the_source_is_found(path: &str, found: &str) {
        let root = source();
        let project = Project::open(&root.path().join("source"), "web").unwrap();
        assert_eq!(project.shown(&project.resolve(path).unwrap()), found);
    }

    #[test_case("../../secret", "`../../secret` leaves the source"; "upwards")]
    #[test_case("../../source/web", "`../../source/web` leaves the source"; "out and in again")]
    #[test_case("/etc/passwd", "`/etc/passwd` leaves the source"; "absolute")]
    #[test_case("out", "`out` leaves the source"; "a link that leaves")]
    #[test_case("nothing", "`nothing` is not in the source"; "missing")]
    #[test_case("", "`` is not in the source"; "empty")]
    fn another_path_is_refused(path: &str, message: &str) {
        let root = source();
        let project = Project::open(&root.path().join("source"), "web").unwrap();
        let error = project.resolve(path).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(error.failure_type(), FailureType::ConfigurationError);
    }

    #[test]
    fn the_directory_is_a_folder_of_the_source() {
        let root = source();
        let open = |directory| Project::open(&root.path().join("source"), directory);
        assert_eq!(
            open("package.json").unwrap_err().to_string(),
            "`package.json` is not a directory"
        );
        assert_eq!(
            open("web/out").unwrap_err().to_string(),
            "`web/out` leaves the source"
        );
        assert_eq!(open("./web").unwrap().ancestors().count(), 2);
    }
}
