//! An output that is the project's whole folder, or one above it: what a template with local paths is deployed from.
//!
//! Its paths are those of the repository, so that a template is where the repository has it. Of `node_modules` it has
//! what production needs, as `sam build` installs it: a function whose `CodeUri` is the folder runs with that.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use delivery_action::blocking;
use delivery_action::workspace::Workspace;
use delivery_node::project::{Production, Project};

use crate::TestAndPackageError;

/// Most packages that the summary names.
const MAX_NAMED: usize = 5;

/// What makes a folder a site, which begins at its own root ([`delivery_action::artifact::Store::put`]).
const SITE_PAGE: &str = "index.html";

/// Whether an output is the project's folder, or one above it, and no site.
pub(crate) fn is_tree(project: &Project, output: &Path) -> bool {
    project.directory().starts_with(output) && !output.join(SITE_PAGE).is_file()
}

/// A tree, moved so that its paths in an archive are those of the source.
pub(crate) struct Tree {
    /// What becomes the archive.
    folder: PathBuf,
    /// From where it was moved, and to where; `None` if it is the source itself.
    moved: Option<(PathBuf, PathBuf)>,
    /// Packages that production needs, and that lie elsewhere.
    outside: Vec<String>,
}

impl Tree {
    /// Removes what production does not need, and moves the rest.
    pub(crate) async fn make(
        project: &Project,
        output: &Path,
        workspace: &Workspace,
    ) -> Result<Self, TestAndPackageError> {
        let (project, output) = (project.clone(), output.to_owned());
        let folder = workspace.directory("tree")?;
        let made = blocking(move || {
            let production = Production::of(&project);
            production.prune(&project, &output)?;
            let outside = production.outside_of(&output);
            let outside = outside.into_iter().map(str::to_owned).collect();
            let relative = output
                .strip_prefix(project.source())
                .map_err(io::Error::other)?;
            if relative.as_os_str().is_empty() {
                return Ok(Self {
                    folder: output,
                    moved: None,
                    outside,
                });
            }
            let to = folder.join(relative);
            std::fs::create_dir_all(to.parent().unwrap_or(&folder))?;
            std::fs::rename(&output, &to)?;
            Ok(Self {
                folder,
                moved: Some((output, to)),
                outside,
            })
        });
        made.await.map_err(TestAndPackageError::Tree)
    }

    /// What becomes the archive.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the summary should say.
    pub(crate) fn note(&self) -> String {
        if self.outside.is_empty() {
            return String::new();
        }
        let mut note = ", without packages that lie above it: ".to_owned();
        let named = &self.outside[..self.outside.len().min(MAX_NAMED)];
        note.push_str(&named.join(", "));
        if self.outside.len() > MAX_NAMED {
            let _infallible = write!(note, " and {} more", self.outside.len() - MAX_NAMED);
        }
        note
    }

    /// Moves it back, for another output.
    pub(crate) fn put_back(self) -> Result<(), TestAndPackageError> {
        match self.moved {
            Some((from, to)) => std::fs::rename(to, from).map_err(TestAndPackageError::Tree),
            None => Ok(()),
        }
    }
}
