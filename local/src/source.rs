//! The source of a local pipeline: a folder of this machine in place of the repository behind a connection.
//!
//! From a Git repository it delivers commits, as a connection does; from a folder without Git, the files as they are now.

mod folder;
mod git;

pub use git::is_ignored;

use std::path::{Path, PathBuf};

use delivery_action::failure::{ActionError, FailureType};
use tempfile::NamedTempFile;

/// Largest source archive (User Guide, quotas: 1 GB for connections).
const MAX_ARCHIVE_BYTES: u64 = 1_000_000_000;

/// Where the pipeline's source comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A Git repository, or one folder of it.
    Repository {
        /// The repository's work tree.
        root: PathBuf,
        /// The folder that is the application, relative to the root; `None` for all of it.
        folder: Option<String>,
    },
    /// A folder without Git.
    Folder(PathBuf),
}

/// A revision of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The commit, or a hash of the folder's content.
    pub id: String,
    /// The commit's message.
    pub message: String,
    /// When it was written, ISO 8601 in UTC.
    pub author_date: String,
}

/// How a work tree differs from its commit. None of this is delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uncommitted {
    /// How many tracked files differ from the commit.
    pub changed: usize,
    /// How many files and folders Git does not track, not counting ignored ones.
    pub untracked: usize,
    /// The path of the file, where it is only one.
    pub only: Option<String>,
}

/// A revision as a zip archive.
#[derive(Debug)]
pub struct Archive {
    /// What is in it.
    pub revision: Revision,
    /// The archive; gone with this value.
    pub file: NamedTempFile,
}

impl Source {
    /// The source in a folder: Git's commits where the folder is tracked by Git, else the folder.
    ///
    /// # Errors
    ///
    /// [`SourceError`] if the folder does not exist, or Git cannot be run.
    pub async fn open(folder: &Path) -> Result<Self, SourceError> {
        let folder = std::path::absolute(folder).map_err(|source| SourceError::Read {
            path: folder.to_owned(),
            source,
        })?;
        if folder.is_file() {
            return Err(SourceError::File { path: folder });
        }
        if !folder.is_dir() {
            return Err(SourceError::NoFolder { path: folder });
        }
        Ok(git::open(&folder).await?.unwrap_or(Self::Folder(folder)))
    }

    /// The whole repository instead of one folder of it, as a connection delivers it.
    #[must_use]
    pub fn whole_repository(self) -> Self {
        match self {
            Self::Repository { root, .. } => Self::Repository { root, folder: None },
            folder @ Self::Folder(_) => folder,
        }
    }

    /// Counts the changes that are not committed and so are not delivered.
    ///
    /// # Errors
    ///
    /// [`SourceError`] where Git fails.
    pub async fn uncommitted(&self, except: &[&Path]) -> Result<Uncommitted, SourceError> {
        match self {
            Self::Repository { root, folder } => {
                git::uncommitted(&root.join(folder.as_deref().unwrap_or(".")), except).await
            }
            Self::Folder(_) => Ok(Uncommitted::default()),
        }
    }

    /// The branch that is checked out; `HEAD` without one.
    ///
    /// # Errors
    ///
    /// [`SourceError`] where Git fails.
    pub async fn branch(&self) -> Result<String, SourceError> {
        match self {
            Self::Repository { root, .. } => git::current_branch(root).await,
            Self::Folder(_) => Ok("HEAD".to_owned()),
        }
    }

    /// The newest revision of a branch, to see whether something changed.
    ///
    /// # Errors
    ///
    /// [`SourceError`] if the branch does not exist.
    pub async fn revision(&self, branch: &str) -> Result<Revision, SourceError> {
        match self {
            Self::Repository { root, .. } => git::revision(root, branch, None).await,
            Self::Folder(path) => folder::revision(path).await,
        }
    }

    /// The paths that differ between two commits; `None` for a folder without Git, of which only the newest state is known.
    ///
    /// # Errors
    ///
    /// [`SourceError`] if a commit does not exist any more.
    pub async fn changed(&self, from: &str, to: &str) -> Result<Option<Vec<String>>, SourceError> {
        match self {
            Self::Repository { root, folder } => git::changed(root, folder.as_deref(), from, to)
                .await
                .map(Some),
            Self::Folder(_) => Ok(None),
        }
    }

    /// Makes the archive of a branch's newest revision, or of a commit.
    ///
    /// # Errors
    ///
    /// [`SourceError`] if the revision does not exist, or its archive cannot be made.
    pub async fn fetch(&self, branch: &str, commit: Option<&str>) -> Result<Archive, SourceError> {
        let file = NamedTempFile::with_suffix(".zip").map_err(SourceError::Write)?;
        let revision = match self {
            Self::Repository { root, folder } => {
                let revision = git::revision(root, branch, commit).await?;
                git::archive(root, &revision.id, folder.as_deref(), file.path()).await?;
                revision
            }
            Self::Folder(path) => folder::archive(path, commit, file.path()).await?,
        };
        let size = file.as_file().metadata().map_err(SourceError::Write)?.len();
        if size > MAX_ARCHIVE_BYTES {
            return Err(SourceError::TooLarge { size });
        }
        Ok(Archive { revision, file })
    }
}

/// Why a source cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The folder does not exist.
    #[error("there is no folder `{}`", .path.display())]
    NoFolder {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It is a file.
    #[error("`{}` is a file", .path.display())]
    File {
        /// Where.
        path: PathBuf,
    },
    /// Git cannot be run.
    #[error("`git` cannot be run")]
    NoGit(#[source] std::io::Error),
    /// Git refused.
    #[error("`git {command}` in `{}` failed: {message}", .root.display())]
    Git {
        /// The subcommand.
        command: &'static str,
        /// Where.
        root: PathBuf,
        /// Its error output.
        message: String,
    },
    /// The repository has no such branch.
    #[error("the repository `{}` has no branch `{branch}`", .root.display())]
    NoBranch {
        /// The repository.
        root: PathBuf,
        /// The branch that was asked for.
        branch: String,
    },
    /// The repository has no such commit.
    #[error("the repository `{}` has no commit `{commit}`", .root.display())]
    NoCommit {
        /// The repository.
        root: PathBuf,
        /// The commit that was asked for.
        commit: String,
    },
    /// A folder has no commits to choose from.
    #[error("`{}` is not under Git, so it has no commit `{commit}`", .path.display())]
    NotARepository {
        /// The folder.
        path: PathBuf,
        /// The commit that was asked for.
        commit: String,
    },
    /// A file of the folder cannot be read.
    #[error("cannot read `{}`", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The folder cannot be walked.
    #[error("cannot list the folder")]
    Walk(#[source] ignore::Error),
    /// The archive cannot be written.
    #[error("cannot write the source archive")]
    Write(#[source] std::io::Error),
    /// The archive cannot be made.
    #[error("cannot make the source archive")]
    Archive(#[source] delivery_archive::ArchiveError),
    /// The archive is larger than the service takes.
    #[error(
        "the source is {}; a connection delivers at most {}",
        gigabytes(*.size),
        gigabytes(MAX_ARCHIVE_BYTES)
    )]
    TooLarge {
        /// Its size.
        size: u64,
    },
}

/// A size as people read it.
#[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
fn gigabytes(bytes: u64) -> String {
    format!("{:.2} GB", bytes as f64 / 1e9)
}

impl ActionError for SourceError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::NoBranch { .. } | Self::NoCommit { .. } | Self::NotARepository { .. } => {
                FailureType::RevisionUnavailable
            }
            Self::NoFolder { .. } | Self::File { .. } | Self::TooLarge { .. } => {
                FailureType::ConfigurationError
            }
            Self::NoGit(_)
            | Self::Git { .. }
            | Self::Read { .. }
            | Self::Walk(_)
            | Self::Write(_) => FailureType::JobFailed,
            Self::Archive(source) => source.failure_type(),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoFolder { .. } | Self::File { .. } => "name the folder of the application",
            Self::NoGit(_) => "install git 2.25 or later: the folder is in a Git repository",
            Self::Git { .. } => {
                "follow git's message, or run the same command there to see more; nothing was delivered"
            }
            Self::NoBranch { .. } => {
                "commit something on that branch, or set `BranchName` of the source action"
            }
            Self::NoCommit { .. } => "give the id of a commit in this repository",
            Self::NotARepository { .. } => "run `git init` and commit, or leave the revision out",
            Self::Read { .. } | Self::Walk(_) => "make it readable, or add it to `.gitignore`",
            Self::Write(_) => "free some space in the temporary folder",
            Self::Archive(source) => return ActionError::hint(source),
            Self::TooLarge { .. } => "keep build output and downloads out of the source",
        };
        Some(hint.to_owned())
    }
}
