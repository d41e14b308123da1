//! The folder with what outlives a run: the installed local AWS, and the environments that run in the background.

mod environment;
pub(crate) mod lock;

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::checkout;

pub(crate) use environment::{EnvironmentFolder, EnvironmentSettings, RunningEnvironment, Status};

/// The subfolder with a folder for each environment.
const ENVIRONMENTS: &str = "kept";

/// Enough of a digest to tell one directory from another.
const DIGEST_CHARS: usize = 12;

/// The folder of this program's own (`--home`).
#[derive(Clone, Debug)]
pub(crate) struct StateFolder {
    path: PathBuf,
}

impl StateFolder {
    /// The one that was asked for, else `.delivery` in the checkout, else the user's cache.
    pub(crate) fn find(asked_for: Option<&Path>) -> Self {
        let path = asked_for.map_or_else(
            || match checkout::find() {
                Some(checkout) => checkout.join(".delivery"),
                None => cache().join("delivery"),
            },
            Path::to_owned,
        );
        let path = std::path::absolute(&path).unwrap_or(path);
        Self { path }
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The environments that run in the background.
    pub(crate) fn running(&self) -> Vec<RunningEnvironment> {
        let entries = fs::read_dir(self.path.join(ENVIRONMENTS));
        let folders = entries
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| EnvironmentFolder {
                directory: entry.path(),
            });
        let states = folders.filter_map(|folder| match folder.status() {
            Ok(Status::Up(state)) => Some(*state),
            _ => None,
        });
        let mut states: Vec<RunningEnvironment> = states.collect();
        states.sort_by(|a, b| a.settings.application.cmp(&b.settings.application));
        states
    }

    /// The folder of an application's environment, whether it runs or not.
    pub(crate) fn environment(&self, application: &Path) -> EnvironmentFolder {
        let digest = hex::encode(Sha256::digest(application.as_os_str().as_encoded_bytes()));
        EnvironmentFolder {
            directory: self.path.join(ENVIRONMENTS).join(&digest[..DIGEST_CHARS]),
        }
    }
}

/// The folder of the user's cache, for all programs.
pub(crate) fn cache() -> PathBuf {
    let of_the_user = || PathBuf::from(delivery_action::env::var_os("HOME").unwrap_or_default());
    let cache = delivery_action::env::var_os("XDG_CACHE_HOME");
    cache.map_or_else(|| of_the_user().join(".cache"), PathBuf::from)
}
