//! Commits of a local Git repository, through the `git` command.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::process::Command;

use super::{Revision, Source, SourceError};

/// The name that stands for whatever is checked out.
const HEAD: &str = "HEAD";

/// The repository that tracks a folder; `None` where no commit has it.
pub(super) async fn open(folder: &Path) -> Result<Option<Source>, SourceError> {
    let Some(root) = ask(folder, &["rev-parse", "--show-toplevel"]).await? else {
        return Ok(None);
    };
    let prefix = ask(folder, &["rev-parse", "--show-prefix"])
        .await?
        .unwrap_or_default();
    let prefix = prefix.trim_end_matches('/').to_owned();
    let tree = format!("{HEAD}:{prefix}");
    // A repository without commits, or one that does not track this folder, has nothing to give.
    if ask(
        folder,
        &[
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &tree,
        ],
    )
    .await?
    .is_none()
    {
        return Ok(None);
    }
    let folder = Some(prefix).filter(|prefix| !prefix.is_empty());
    Ok(Some(Source::Repository {
        root: PathBuf::from(root),
        folder,
    }))
}

pub(super) async fn current_branch(root: &Path) -> Result<String, SourceError> {
    let branch = ask(root, &["symbolic-ref", "--quiet", "--short", HEAD]).await?;
    Ok(branch.unwrap_or_else(|| HEAD.to_owned()))
}

/// A commit, or the newest of a branch.
pub(super) async fn revision(
    root: &Path,
    branch: &str,
    commit: Option<&str>,
) -> Result<Revision, SourceError> {
    let wanted = match commit {
        Some(commit) if commit.chars().all(|digit| digit.is_ascii_hexdigit()) => commit.to_owned(),
        Some(commit) => return Err(no_commit(root, commit)),
        None if branch == HEAD => HEAD.to_owned(),
        None => format!("refs/heads/{branch}"),
    };
    let peeled = format!("{wanted}^{{commit}}");
    let id = ask(
        root,
        &[
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &peeled,
        ],
    )
    .await?;
    let id = id.ok_or_else(|| match commit {
        Some(commit) => no_commit(root, commit),
        None => SourceError::NoBranch {
            root: root.to_owned(),
            branch: branch.to_owned(),
        },
    })?;
    let format = "--format=%ad%n%B";
    let date = "--date=format-local:%Y-%m-%dT%H:%M:%SZ";
    let text = require(root, "log", &["log", "-1", date, format, &id]).await?;
    let (author_date, message) = text.split_once('\n').unwrap_or((&text, ""));
    Ok(Revision {
        id,
        message: message.trim().to_owned(),
        author_date: author_date.to_owned(),
    })
}

fn no_commit(root: &Path, commit: &str) -> SourceError {
    SourceError::NoCommit {
        root: root.to_owned(),
        commit: commit.to_owned(),
    }
}

/// Writes the zip of a commit, or of one folder of it; there is no `.git` in it.
pub(super) async fn archive(
    root: &Path,
    commit: &str,
    folder: Option<&str>,
    to: &Path,
) -> Result<(), SourceError> {
    let tree = folder.map_or_else(|| commit.to_owned(), |folder| format!("{commit}:{folder}"));
    let output = format!("--output={}", to.display());
    require(
        root,
        "archive",
        &["archive", "--format=zip", &output, &tree],
    )
    .await?;
    Ok(())
}

/// Git's answer; `None` where it says no.
async fn ask(folder: &Path, arguments: &[&str]) -> Result<Option<String>, SourceError> {
    let output = run(folder, arguments).await?;
    Ok(output.status.success().then(|| text(&output.stdout)))
}

/// Git's answer, which has to be yes.
async fn require(
    root: &Path,
    command: &'static str,
    arguments: &[&str],
) -> Result<String, SourceError> {
    let output = run(root, arguments).await?;
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(SourceError::Git {
        command,
        root: root.to_owned(),
        message: text(&output.stderr),
    })
}

async fn run(folder: &Path, arguments: &[&str]) -> Result<Output, SourceError> {
    Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(arguments)
        // Dates in UTC and messages that are the same everywhere; and never a question.
        .env("TZ", "UTC")
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        // Set where this runs from a Git hook, they would point at another repository.
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(SourceError::NoGit)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}
