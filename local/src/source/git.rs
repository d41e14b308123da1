//! Commits of a local Git repository, through the `git` command.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::process::Command;

use super::{Revision, Source, SourceError, Uncommitted};

/// The name that stands for whatever is checked out.
const HEAD: &str = "HEAD";

/// Git's message for a branch without commits.
const NO_COMMITS: &str = "does not have any commits yet";

/// The repository that tracks a folder; `None` where the folder is in no repository, or is not committed. A repository that
/// Git refuses to read is an error: its files may not be what the user has committed.
pub(super) async fn open(folder: &Path) -> Result<Option<Source>, SourceError> {
    if !is_in_repository(folder) {
        return Ok(None);
    }
    let root = require(folder, "rev-parse", &["rev-parse", "--show-toplevel"]).await?;
    let prefix = require(folder, "rev-parse", &["rev-parse", "--show-prefix"]).await?;
    let prefix = prefix.trim_end_matches('/').to_owned();
    let root = PathBuf::from(root);
    let tracked = has_commits(&root).await? && tracks(&root, &prefix).await?;
    let folder = Some(prefix).filter(|prefix| !prefix.is_empty());
    Ok(tracked.then_some(Source::Repository { root, folder }))
}

/// Whether the folder, or one above it, looks like a repository. Git itself does not distinguish a damaged repository
/// from none.
fn is_in_repository(folder: &Path) -> bool {
    folder.ancestors().any(|directory| {
        let git = directory.join(".git");
        // A file leads to the repository of a work tree or a submodule; an empty folder is nothing.
        git.is_file()
            || ["HEAD", "objects", "config"]
                .iter()
                .any(|name| git.join(name).exists())
    })
}

async fn has_commits(root: &Path) -> Result<bool, SourceError> {
    match require(root, "log", &["log", "-1", "--format=%H"]).await {
        Err(SourceError::Git { message, .. }) if message.contains(NO_COMMITS) => Ok(false),
        other => other.map(|_| true),
    }
}

/// Whether the commit that is checked out has the folder.
async fn tracks(root: &Path, folder: &str) -> Result<bool, SourceError> {
    let entries = ["ls-tree", HEAD, "--", folder];
    let asked = if folder.is_empty() {
        &entries[..2]
    } else {
        &entries[..]
    };
    let entries = require(root, "ls-tree", asked).await?;
    Ok(folder.is_empty() || !entries.is_empty())
}

pub(super) async fn current_branch(root: &Path) -> Result<String, SourceError> {
    let branch = ask(
        root,
        "symbolic-ref",
        &["symbolic-ref", "--quiet", "--short", HEAD],
    )
    .await?;
    Ok(branch.unwrap_or_else(|| HEAD.to_owned()))
}

/// The characters before a path in `git status --porcelain`: the two of the status, and a space.
const STATUS_CHARS: usize = 3;

/// Counts the changes in a folder that are not committed.
pub(super) async fn uncommitted(
    folder: &Path,
    except: &[&Path],
) -> Result<Uncommitted, SourceError> {
    let except = except
        .iter()
        .map(|path| format!(":(exclude,literal){}", path.display()));
    let except: Vec<String> = except.collect();
    let mut status = vec![
        "status",
        "--porcelain=v1",
        "-z",
        "--untracked-files=normal",
        "--ignore-submodules=all",
        "--no-renames",
        "--",
        ".",
    ];
    status.extend(except.iter().map(String::as_str));
    let mut uncommitted = Uncommitted::default();
    for entry in require(folder, "status", &status).await?.split('\0') {
        match entry.get(..2) {
            Some("??") => uncommitted.untracked += 1,
            Some(_) => uncommitted.changed += 1,
            None => continue,
        }
        uncommitted.only = entry.get(STATUS_CHARS..).map(str::to_owned);
    }
    if uncommitted.changed + uncommitted.untracked != 1 {
        uncommitted.only = None;
    }
    Ok(uncommitted)
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
        "rev-parse",
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

/// The paths in a folder that differ between two commits, from the folder.
pub(super) async fn changed(
    root: &Path,
    folder: Option<&str>,
    from: &str,
    to: &str,
) -> Result<Vec<String>, SourceError> {
    let relative = format!("--relative={}", folder.unwrap_or_default());
    // Without renames: a file that moved changes the place that it left, too.
    let difference = [
        "diff",
        "--name-only",
        "-z",
        "--no-renames",
        &relative,
        from,
        to,
        "--",
    ];
    let paths = require(root, "diff", &difference).await?;
    let paths = paths.split('\0').filter(|path| !path.is_empty());
    Ok(paths.map(str::to_owned).collect())
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

/// Git's output; `None` if it exits with 1, which means "not found" for the commands that use this.
async fn ask(
    folder: &Path,
    command: &'static str,
    arguments: &[&str],
) -> Result<Option<String>, SourceError> {
    let output = run(folder, arguments).await?;
    if output.status.code() == Some(1) {
        return Ok(None);
    }
    answer(folder, command, &output).map(Some)
}

/// Git's output; any failure is an error.
async fn require(
    root: &Path,
    command: &'static str,
    arguments: &[&str],
) -> Result<String, SourceError> {
    answer(root, command, &run(root, arguments).await?)
}

fn answer(root: &Path, command: &'static str, output: &Output) -> Result<String, SourceError> {
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
    Command::from(command(folder, arguments))
        .kill_on_drop(true)
        .output()
        .await
        .map_err(SourceError::NoGit)
}

/// Whether Git ignores a path below a folder; `None` where that cannot be known, as outside of a repository.
#[must_use]
pub fn is_ignored(folder: &Path, path: &Path) -> Option<bool> {
    let path = path.to_str()?;
    let looked = command(folder, &["check-ignore", "--quiet", "--", path]).output();
    match looked.ok()?.status.code() {
        Some(0) => Some(true),
        Some(1) => Some(false),
        _ => None,
    }
}

fn command(folder: &Path, arguments: &[&str]) -> std::process::Command {
    let mut git = std::process::Command::new("git");
    git.arg("-C")
        .arg(folder)
        .args(arguments)
        // Dates in UTC and messages that are the same everywhere; and never a question.
        .env("TZ", "UTC")
        .env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        // A look does not write the index, which another `git` may be working on.
        .env("GIT_OPTIONAL_LOCKS", "0")
        // Set where this runs from a Git hook, they would point at another repository.
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .stdin(Stdio::null());
    git
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}
