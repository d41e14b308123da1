//! Files of the project that a package manager does not get to see while it installs.

use std::path::{Path, PathBuf};

use delivery_action::workspace::Workspace;

use crate::NpmInstallError;

/// Files that were moved into the workspace: from where, and to where.
#[derive(Default)]
pub(crate) struct SetAside(Vec<(PathBuf, PathBuf)>);

impl SetAside {
    /// Moves a file into the workspace.
    pub(crate) fn take(
        &mut self,
        from: &Path,
        workspace: &Workspace,
    ) -> Result<(), NpmInstallError> {
        let to = workspace.file(&format!("aside-{}", self.0.len()));
        rename(from, &to)?;
        self.0.push((from.to_owned(), to));
        Ok(())
    }

    /// Moves all back, over what is in their places, so that the output has them unchanged.
    pub(crate) fn put_back(self) -> Result<(), NpmInstallError> {
        let mut moved = self.0.iter();
        moved.try_for_each(|(from, to)| rename(to, from))
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), NpmInstallError> {
    std::fs::rename(from, to).map_err(|error| NpmInstallError::Unreadable {
        path: from.display().to_string(),
        reason: error.to_string(),
    })
}
