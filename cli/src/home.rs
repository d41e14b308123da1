//! Where this program keeps what outlives a run: the installed local AWS, and kept environments.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::endpoints::Endpoints;
use crate::error::CliError;

/// Enough of a digest to tell one directory from another.
const DIGEST_CHARS: usize = 12;

/// The directory of this program's own.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    path: PathBuf,
}

impl Home {
    /// The one that was asked for, else `.delivery` in the checkout, else the user's cache.
    pub(crate) fn find(asked_for: Option<&Path>) -> Self {
        let path = asked_for.map_or_else(
            || match checkout() {
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

    /// What is kept, or may be, for an application.
    pub(crate) fn instance(&self, application: &Path) -> Instance {
        let digest = hex::encode(Sha256::digest(application.as_os_str().as_encoded_bytes()));
        Instance {
            directory: self.path.join("kept").join(&digest[..DIGEST_CHARS]),
        }
    }
}

/// The checkout that this program was built from, if it is still there.
pub(crate) fn checkout() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    workspace
        .join("cloudformation")
        .is_dir()
        .then(|| workspace.to_owned())
}

fn cache() -> PathBuf {
    let of_the_user = || PathBuf::from(shared::env::var_os("HOME").unwrap_or_default());
    let cache = shared::env::var_os("XDG_CACHE_HOME");
    cache.map_or_else(|| of_the_user().join(".cache"), PathBuf::from)
}

/// A kept environment's directory.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    directory: PathBuf,
}

/// What a kept environment is asked to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// The application's directory.
    pub(crate) application: PathBuf,
    /// What the templates call the application's repository.
    pub(crate) repository: String,
    /// Where the local AWS is installed.
    pub(crate) home: PathBuf,
    /// How long an action that continues rests, in milliseconds.
    pub(crate) continuation_delay_ms: u64,
}

/// A kept environment that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// The process that hosts it.
    pub(crate) pid: u32,
    /// Where it answers.
    pub(crate) endpoints: Endpoints,
}

impl Instance {
    /// An instance by its settings file.
    pub(crate) fn of_settings(settings: &Path) -> Self {
        Self {
            directory: settings.parent().unwrap_or(Path::new(".")).to_owned(),
        }
    }

    pub(crate) fn settings_file(&self) -> PathBuf {
        self.directory.join("settings.json")
    }

    pub(crate) fn log_file(&self) -> PathBuf {
        self.directory.join("log")
    }

    fn state_file(&self) -> PathBuf {
        self.directory.join("state.json")
    }

    fn lock_file(&self) -> PathBuf {
        self.directory.join("lock")
    }

    /// What runs, if something does: its host holds a lock as long as it lives, so a process that
    /// has the same id by chance is not mistaken for it.
    pub(crate) fn state(&self) -> Result<Option<State>, CliError> {
        if !self.is_locked() {
            return Ok(None);
        }
        match fs::read(self.state_file()) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes)
                    .map(Some)
                    .map_err(|source| CliError::State {
                        path: self.state_file(),
                        source,
                    })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(CliError::File {
                verb: "read",
                path: self.state_file(),
                source,
            }),
        }
    }

    /// Whether a host holds the lock.
    pub(crate) fn is_locked(&self) -> bool {
        File::open(self.lock_file())
            .is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockShared).is_err())
    }

    /// Takes the lock for as long as the returned value lives; `None` where another host has it.
    pub(crate) fn lock(&self) -> Result<Option<Lock>, CliError> {
        let path = self.lock_file();
        let file = File::create(&path).map_err(|source| CliError::File {
            verb: "write",
            path,
            source,
        })?;
        let taken = flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
        Ok(taken.then_some(Lock(file)))
    }

    /// Makes the directory and writes the settings.
    pub(crate) fn prepare(&self, settings: &Settings) -> Result<(), CliError> {
        fs::create_dir_all(&self.directory).map_err(|source| CliError::File {
            verb: "make",
            path: self.directory.clone(),
            source,
        })?;
        self.write(&self.settings_file(), settings)
    }

    pub(crate) fn settings(&self) -> Result<Settings, CliError> {
        let path = self.settings_file();
        let bytes = fs::read(&path).map_err(|source| CliError::File {
            verb: "read",
            path: path.clone(),
            source,
        })?;
        serde_json::from_slice(&bytes).map_err(|source| CliError::State { path, source })
    }

    /// Says where the environment answers.
    pub(crate) fn announce(&self, state: &State) -> Result<(), CliError> {
        self.write(&self.state_file(), state)
    }

    /// Removes everything: nothing is kept any more.
    pub(crate) fn remove(&self) {
        let _already_gone = fs::remove_dir_all(&self.directory);
    }

    fn write<T: Serialize>(&self, path: &Path, value: &T) -> Result<(), CliError> {
        let failed = |source| CliError::File {
            verb: "write",
            path: path.to_owned(),
            source,
        };
        let bytes = serde_json::to_vec_pretty(value).expect("settings and state are plain data");
        // Renamed into place: a reader never sees half a file.
        let new = self.directory.join("new");
        fs::write(&new, bytes).map_err(failed)?;
        fs::rename(&new, path).map_err(failed)
    }
}

/// A lock that is held.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing would not do: a child that is just being started holds the open file, too.
        let _held_until_closed = flock(&self.0, FlockOperation::Unlock);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        State {
            pid: 1,
            endpoints: Endpoints {
                aws: "http://127.0.0.1:1".to_owned(),
                codepipeline: "http://127.0.0.1:2".to_owned(),
                region: "us-east-1".to_owned(),
                access_key_id: "test".to_owned(),
                secret_access_key: "test".to_owned(),
            },
        }
    }

    #[test]
    fn an_environment_is_kept_only_as_long_as_its_host_lives() {
        let directory = tempfile::tempdir().unwrap();
        let instance = Home::find(Some(directory.path())).instance(Path::new("/app"));
        assert_eq!(instance.state().unwrap(), None);

        let settings = Settings {
            repository: "local/application".to_owned(),
            application: PathBuf::from("/app"),
            home: directory.path().to_owned(),
            continuation_delay_ms: 1000,
        };
        instance.prepare(&settings).unwrap();
        assert_eq!(instance.settings().unwrap(), settings);
        let lock = instance.lock().unwrap().unwrap();
        assert!(instance.lock().unwrap().is_none());
        instance.announce(&state()).unwrap();
        assert_eq!(instance.state().unwrap(), Some(state()));

        drop(lock);
        assert_eq!(instance.state().unwrap(), None);
    }

    #[test]
    fn each_application_has_an_environment_of_its_own() {
        let home = Home::find(Some(Path::new("/home")));
        let [a, b] = ["/a", "/b"].map(|path| home.instance(Path::new(path)).directory);
        assert_ne!(a, b);
        assert!(a.starts_with("/home/kept"));
    }
}
