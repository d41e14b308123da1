//! Hides `yarn.lock` files while npm runs.
//!
//! If npm finds one and no lock file of its own, it downloads packages from the addresses in it, which nobody has checked, and
//! then rewrites it.

use std::path::{Path, PathBuf};

use delivery_action::workspace::Workspace;
use delivery_node::project::{Project, YARN_LOCK};

use crate::NpmInstallError;

/// The `yarn.lock` files that were moved away: from where, and to where.
pub(crate) struct HiddenYarnLocks(Vec<(PathBuf, PathBuf)>);

impl HiddenYarnLocks {
    /// Moves the `yarn.lock` of the project, and of every directory above it, into the workspace.
    pub(crate) fn hide(project: &Project, workspace: &Workspace) -> Result<Self, NpmInstallError> {
        let mut moved = Vec::new();
        for (number, directory) in project.ancestors().enumerate() {
            let from = directory.join(YARN_LOCK);
            let to = workspace.file(&format!("{YARN_LOCK}-{number}"));
            if from.symlink_metadata().is_ok() {
                rename(&from, &to)?;
                moved.push((from, to));
            }
        }
        Ok(Self(moved))
    }

    /// Moves them back, so that the output has them unchanged.
    pub(crate) fn put_back(self) -> Result<(), NpmInstallError> {
        let mut moved = self.0.iter();
        moved.try_for_each(|(from, to)| rename(to, from))
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), NpmInstallError> {
    std::fs::rename(from, to).map_err(|error| NpmInstallError::Unreadable {
        path: YARN_LOCK.to_owned(),
        reason: error.to_string(),
    })
}
