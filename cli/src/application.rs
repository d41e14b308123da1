//! The application that is delivered: a Git repository, a folder of one, or a plain folder.

use std::path::{Path, PathBuf};

use delivery_node::project::{self, Expected};
use local::source::{Source, Uncommitted};

use crate::error::CliError;
use crate::message::{Finding, Severity};
use crate::output::foreign;

/// Longest stack name (`API_CreateStack`: 128), with room for what the template's own names add.
const MAX_STACK_NAME: usize = 40;

/// The file of a project of npm.
const PACKAGE: &str = "package.json";

/// What a stack is called whose directory's name holds nothing usable.
const DEFAULT_STACK_NAME: &str = "application";

/// An application's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Application {
    /// The directory, absolute and without links.
    pub(crate) directory: PathBuf,
    /// The branch that is checked out.
    pub(crate) branch: String,
    /// Files and folders that are used as they are, so that they need not be committed.
    pub(crate) in_effect: Vec<PathBuf>,
    /// One of them that is read at the commit, too.
    pub(crate) in_effect_in_part: Option<PathBuf>,
    source: Source,
}

impl Application {
    /// Looks at a directory, and at nothing in it yet: a folder may be anybody's home.
    pub(crate) async fn find(path: &Path) -> Result<Self, CliError> {
        let cannot = |source: Box<dyn std::error::Error + Send + Sync>| CliError::Application {
            path: path.to_owned(),
            source,
        };
        let source = Source::open(path)
            .await
            .map_err(|error| cannot(error.into()))?;
        let directory = path.canonicalize().map_err(|error| cannot(error.into()))?;
        let source = match source {
            Source::Folder(_) => Source::Folder(directory.clone()),
            repository @ Source::Repository { .. } => repository,
        };
        let branch = source
            .branch()
            .await
            .map_err(|error| cannot(error.into()))?;
        Ok(Self {
            directory,
            branch,
            in_effect: Vec::new(),
            in_effect_in_part: None,
            source,
        })
    }

    /// What of the directory as it is now is not delivered, and what is delivered that AWS would not have.
    pub(crate) async fn left_out(&self) -> Vec<Finding> {
        let in_effect: Vec<&Path> = self.in_effect.iter().map(PathBuf::as_path).collect();
        let Some(left_out) = self.uncommitted(&in_effect).await else {
            // Whatever is wrong with the repository, reading the commit says it.
            return Vec::new();
        };
        let in_part = self.uncommitted_in_part(&in_effect, &left_out).await;
        not_committed(&left_out)
            .into_iter()
            .chain(in_part)
            .collect()
    }

    async fn uncommitted(&self, except: &[&Path]) -> Option<Uncommitted> {
        let below = except
            .iter()
            .filter_map(|path| path.strip_prefix(&self.directory).ok())
            .filter(|path| !path.as_os_str().is_empty());
        let below: Vec<&Path> = below.collect();
        self.source.uncommitted(&below).await.ok()
    }

    /// The note on a file of which one part is in effect as it is here, and the other as it was committed.
    async fn uncommitted_in_part(
        &self,
        in_effect: &[&Path],
        left_out: &Uncommitted,
    ) -> Option<Finding> {
        let file = self.in_effect_in_part.as_deref()?;
        let others = in_effect.iter().copied().filter(|path| *path != file);
        let with_it = self.uncommitted(&others.collect::<Vec<_>>()).await?;
        let counted = |found: &Uncommitted| (found.changed, found.untracked);
        (counted(&with_it) != counted(left_out)).then(|| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            Finding {
                severity: Severity::Note,
                message: format!(
                    "`{name}` is not committed: stages, approvals and builds are those of the file as it is here, and the \
                     services' parameters are those of the commit"
                ),
                help: Some("commit it, so that both are the same".to_owned()),
            }
        })
    }

    /// The error where a folder has no project. `missing` is what to do then.
    pub(crate) fn without_project(&self, directory: &str, missing: String) -> Option<Finding> {
        let folder = match directory {
            "." => self.directory.clone(),
            _ => self.directory.join(directory),
        };
        (!folder.join(PACKAGE).is_file()).then(|| Finding {
            severity: Severity::Error,
            message: format!("no `{PACKAGE}` in `{}`", folder.display()),
            help: Some(missing),
        })
    }

    /// What is wrong with the project itself, as the actions would find it.
    ///
    /// `directory` is the folder of `package.json` below this one, `tasks` are run in it, and `install` is what
    /// the template's parameters give npm-install.
    pub(crate) fn project(
        &self,
        directory: &str,
        tasks: &[String],
        install: Option<&str>,
        runtime: Option<&str>,
    ) -> Vec<Finding> {
        let given = |pair| install.is_some_and(|text| text.split('&').any(|one| one == pair));
        let expected = Expected {
            directory,
            tasks,
            integrity: !given("integrity=off"),
            accepts_no_lock: given("subcommand=install"),
            runtime,
            is_working_tree: matches!(self.source, Source::Repository { .. }),
            ..Expected::default()
        };
        findings(&self.directory, &expected)
    }

    /// The folder of the repository that is the application, where it is not all of it.
    pub(crate) fn folder(&self) -> Option<&str> {
        match &self.source {
            Source::Repository { folder, .. } => folder.as_deref(),
            Source::Folder(_) => None,
        }
    }

    /// What `--watch` waits for.
    pub(crate) fn awaited(&self) -> String {
        match &self.source {
            Source::Repository { .. } => format!("waiting for a new commit on `{}`", self.branch),
            Source::Folder(_) => "waiting for a saved change".to_owned(),
        }
    }

    /// The newest revision: a commit's id, or a hash of what is in a plain folder.
    pub(crate) async fn revision(&self) -> Result<String, CliError> {
        match self.source.revision(&self.branch).await {
            Ok(revision) => Ok(revision.id),
            Err(error) => Err(CliError::Application {
                path: self.directory.clone(),
                source: error.into(),
            }),
        }
    }

    /// The paths that differ between two revisions; `None` where that cannot be known.
    pub(crate) async fn changed(&self, from: &str, to: &str) -> Option<Vec<String>> {
        // Of a commit that is gone, after a rebase, the difference is not known.
        self.source.changed(from, to).await.ok().flatten()
    }

    /// The name of a stack for it: what of the directory's name a stack's name may hold.
    pub(crate) fn stack_name(&self) -> String {
        stack_name_of(&self.directory)
    }
}

/// What is wrong with a project of npm, as the actions would find it.
pub(crate) fn findings(folder: &Path, expected: &Expected<'_>) -> Vec<Finding> {
    let found = project::check(folder, expected).into_iter();
    let findings = found.filter_map(|found| {
        let severity = match found.severity {
            project::Severity::Error => Severity::Error,
            project::Severity::Note => Severity::Note,
            project::Severity::Info => return None,
        };
        Some(Finding {
            severity,
            message: found.what,
            help: found.hint,
        })
    });
    findings.collect()
}

fn not_committed(left_out: &Uncommitted) -> Option<Finding> {
    let (changed, untracked) = (left_out.changed, left_out.untracked);
    let files = |count: usize, what: &str| match count {
        0 => None,
        1 => Some(format!("1 {what} file")),
        _ => Some(format!("{count} {what} files")),
    };
    let counted: Vec<String> = [files(changed, "changed"), files(untracked, "untracked")]
        .into_iter()
        .flatten()
        .collect();
    let (is, one) = if changed + untracked == 1 {
        ("is", "it")
    } else {
        ("are", "them")
    };
    let what = match &left_out.only {
        Some(file) => format!("`{}`", foreign::line(file)),
        None => counted.join(" and "),
    };
    (!counted.is_empty()).then(|| Finding {
        severity: Severity::Note,
        message: format!("{what} {is} not committed and {is} not delivered"),
        help: Some(format!("commit {one} to deliver {one}")),
    })
}

/// Whether a directory's name holds what can be the name of an application.
pub(crate) fn has_usable_name(directory: &Path) -> bool {
    stack_name_of(directory) != DEFAULT_STACK_NAME
        || directory
            .file_name()
            .is_some_and(|name| name == DEFAULT_STACK_NAME)
}

/// The name of a stack for the application in a directory.
pub(crate) fn stack_name_of(directory: &Path) -> String {
    stack_name(&directory.file_name().unwrap_or_default().to_string_lossy())
}

fn stack_name(directory: &str) -> String {
    let words: Vec<&str> = directory
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let name = words.join("-").to_ascii_lowercase();
    let name = name.trim_start_matches(|character: char| !character.is_ascii_alphabetic());
    let name = name
        .get(..MAX_STACK_NAME)
        .unwrap_or(name)
        .trim_end_matches('-');
    if name.is_empty() {
        DEFAULT_STACK_NAME.to_owned()
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_named_after_the_directory() {
        assert_eq!(stack_name("greeter"), "greeter");
        assert_eq!(stack_name("My App_2"), "my-app-2");
        assert_eq!(stack_name(".tmp.Xy1"), "tmp-xy1");
        assert_eq!(stack_name("2048"), "application");
        assert_eq!(stack_name(&"a".repeat(80)).len(), MAX_STACK_NAME);
    }

    #[test]
    fn what_is_not_committed_is_told_in_numbers() {
        let printed = |changed, untracked| {
            let left_out = Uncommitted {
                changed,
                untracked,
                only: (changed + untracked == 1).then(|| "index.js".to_owned()),
            };
            not_committed(&left_out).map(|finding| finding.message)
        };
        assert_eq!(printed(0, 0), None);
        assert_eq!(
            printed(2, 0).unwrap(),
            "2 changed files are not committed and are not delivered"
        );
        assert_eq!(
            printed(0, 1).unwrap(),
            "`index.js` is not committed and is not delivered"
        );
        assert_eq!(
            printed(1, 3).unwrap(),
            "1 changed file and 3 untracked files are not committed and are not delivered"
        );
    }

    #[tokio::test]
    async fn a_file_that_is_in_effect_in_part_is_told_by_what_follows_it() {
        let folder = tempfile::tempdir().unwrap();
        let git = |arguments: &[&str]| {
            let mut git = std::process::Command::new("git");
            git.arg("-C").arg(folder.path()).args(arguments);
            assert!(git.output().unwrap().status.success(), "{arguments:?}");
        };
        let file = folder.path().join("delivery.toml");
        std::fs::write(&file, "").unwrap();
        std::fs::write(folder.path().join("index.js"), "").unwrap();
        git(&["init", "--quiet"]);
        git(&["add", "."]);
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        git(&[&who[..], &["commit", "--quiet", "--message=first"]].concat());

        let mut application = Application::find(folder.path()).await.unwrap();
        let file = file.canonicalize().unwrap();
        application.in_effect = vec![file.clone()];
        application.in_effect_in_part = Some(file.clone());
        assert_eq!(application.left_out().await, []);

        std::fs::write(&file, "# another").unwrap();
        std::fs::write(folder.path().join("index.js"), "// another").unwrap();
        let notes = application.left_out().await;
        let notes: Vec<_> = notes.iter().map(|note| note.message.as_str()).collect();
        assert_eq!(
            notes,
            [
                "`index.js` is not committed and is not delivered",
                "`delivery.toml` is not committed: stages, approvals and builds are those of the file as it is here, and \
                 the services' parameters are those of the commit"
            ]
        );
    }

    #[tokio::test]
    async fn a_plain_folder_has_a_revision_too_and_it_follows_the_content() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("package.json"), "{}").unwrap();
        let application = Application::find(folder.path()).await.unwrap();
        let first = application.revision().await.unwrap();
        assert_eq!(application.revision().await.unwrap(), first);
        std::fs::write(folder.path().join("package.json"), "{ }").unwrap();
        assert_ne!(application.revision().await.unwrap(), first);
    }

    #[tokio::test]
    async fn a_directory_that_is_not_there_is_not_found() {
        let error = Application::find(Path::new("/nowhere/at/all"))
            .await
            .unwrap_err();
        assert_eq!(error.exit(), crate::exit::Exit::NotFound);
    }
}
