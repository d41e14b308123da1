//! The folder of one environment that runs in the background.
//!
//! Several commands may look at it, start its process or stop it at the same time. The lock says which process
//! there is, the state file where it answers; a command believes the file only together with the lock.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::CliError;
use crate::local_aws::endpoints::Endpoints;

use super::lock::{self, Lock};

/// The folder of an environment that runs in the background: its settings, state, log and lock.
#[derive(Clone, Debug)]
pub(crate) struct EnvironmentFolder {
    pub(super) directory: PathBuf,
}

/// What the environment was started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EnvironmentSettings {
    /// The application's directory.
    pub(crate) application: PathBuf,
    /// What the templates call the application's repository.
    pub(crate) repository: String,
    /// Whether a folder of a repository stands for all of it, as a connection delivers it.
    pub(crate) whole_repository: bool,
    /// The state folder, where the local AWS is installed.
    pub(crate) home: PathBuf,
    /// How long an action pauses before it continues, in milliseconds.
    pub(crate) continuation_delay_ms: u64,
}

/// An environment that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunningEnvironment {
    /// Its process.
    pub(crate) pid: u32,
    /// What it was started with.
    pub(crate) settings: EnvironmentSettings,
    /// Where it answers.
    pub(crate) endpoints: Endpoints,
}

/// Whether an environment runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It does not run.
    Down,
    /// This process is starting or stopping it.
    Changing(u32),
    /// It answers.
    Up(Box<RunningEnvironment>),
}

impl EnvironmentFolder {
    /// An folder by its settings file.
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

    fn leftovers_file(&self) -> PathBuf {
        self.directory.join("remains")
    }

    fn lock_file(&self) -> PathBuf {
        self.directory.join("lock")
    }

    /// Whether it runs. The state file alone proves nothing: a process that was killed leaves its file
    /// behind, and another process may have got its id since. So the file counts only where the process
    /// that it names holds the lock.
    pub(crate) fn status(&self) -> Result<Status, CliError> {
        let Some(process) = self.process() else {
            return Ok(Status::Down);
        };
        let path = self.state_file();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Status::Changing(process));
            }
            Err(source) => {
                return Err(CliError::File {
                    verb: "read",
                    path,
                    source,
                });
            }
        };
        // A file that cannot be read was written by another version of this program, so by a process that
        // is gone.
        match serde_json::from_slice::<RunningEnvironment>(&bytes) {
            Ok(state) if state.pid == process => Ok(Status::Up(Box::new(state))),
            _ => Ok(Status::Changing(process)),
        }
    }

    /// The background process, which holds the lock as long as it lives.
    pub(crate) fn process(&self) -> Option<u32> {
        lock::holder(&self.lock_file())
    }

    /// Takes the lock; `None` where another process has it.
    pub(crate) fn lock(&self) -> Result<Option<Lock>, CliError> {
        lock::take(&self.lock_file())
    }

    /// Creates the folder and writes the settings; removes what an earlier process left.
    pub(crate) fn prepare(&self, settings: &EnvironmentSettings) -> Result<(), CliError> {
        // Private: the state file holds the access key, which lets others run programs as this user.
        let mut folder = fs::DirBuilder::new();
        let made = folder.recursive(true).mode(0o700).create(&self.directory);
        let closed = || fs::set_permissions(&self.directory, fs::Permissions::from_mode(0o700));
        made.and_then(|()| closed())
            .map_err(|source| CliError::File {
                verb: "make",
                path: self.directory.clone(),
                source,
            })?;
        for file in [self.state_file(), self.log_file(), self.leftovers_file()] {
            remove(&file)?;
        }
        self.write(&self.settings_file(), settings)
    }

    pub(crate) fn settings(&self) -> Result<EnvironmentSettings, CliError> {
        let path = self.settings_file();
        let bytes = fs::read(&path).map_err(|source| CliError::File {
            verb: "read",
            path: path.clone(),
            source,
        })?;
        serde_json::from_slice(&bytes).map_err(|source| CliError::State { path, source })
    }

    /// Writes the state: from now on commands find the environment.
    pub(crate) fn announce(&self, state: &RunningEnvironment) -> Result<(), CliError> {
        self.write(&self.state_file(), state)
    }

    /// Removes the state: from now on commands do not find the environment.
    pub(crate) fn withdraw(&self) {
        let _already_gone = fs::remove_file(self.state_file());
    }

    /// Writes down what the process could not stop.
    pub(crate) fn write_leftovers(&self, leftovers: &str) {
        let _the_log_has_it_too = fs::write(self.leftovers_file(), leftovers);
    }

    /// What the process that has ended could not stop, if there is something.
    pub(crate) fn leftovers(&self) -> Option<String> {
        fs::read_to_string(self.leftovers_file()).ok()
    }

    /// Removes the folder.
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
        // Renamed into place, so that a reader never sees half a file; under a name of this process, since
        // two runs may write at the same time.
        let new = self.directory.join(format!("new-{}", std::process::id()));
        fs::write(&new, bytes).map_err(failed)?;
        fs::rename(&new, path).map_err(failed)
    }
}

fn remove(file: &Path) -> Result<(), CliError> {
    match fs::remove_file(file) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(CliError::File {
            verb: "remove",
            path: file.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::state_folder::StateFolder;

    /// Holds the lock of the file until its standard input is closed; prints a line first.
    const HOLD: &str = "import fcntl, sys\n\
                        file = open(sys.argv[1], 'a')\n\
                        fcntl.lockf(file, fcntl.LOCK_EX)\n\
                        print('held', flush=True)\n\
                        sys.stdin.read()";

    /// A background process: the lock is a process's, so it takes another process to hold it.
    fn background_process(folder: &EnvironmentFolder) -> Child {
        let mut process = Command::new("python3")
            .args(["-c", HOLD])
            .arg(folder.lock_file())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        lines.read_line(&mut line).unwrap();
        assert_eq!(line, "held\n");
        process
    }

    fn kill(mut process: Child) {
        process.kill().unwrap();
        process.wait().unwrap();
    }

    fn settings(home: &Path) -> EnvironmentSettings {
        EnvironmentSettings {
            repository: "local/application".to_owned(),
            application: PathBuf::from("/app"),
            whole_repository: true,
            home: home.to_owned(),
            continuation_delay_ms: 1000,
        }
    }

    fn state(home: &Path, pid: u32) -> RunningEnvironment {
        RunningEnvironment {
            pid,
            settings: settings(home),
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
    fn an_environment_runs_only_as_long_as_its_process() {
        let directory = tempfile::tempdir().unwrap();
        let home = StateFolder::find(Some(directory.path()));
        let folder = home.environment(Path::new("/app"));
        assert_eq!(folder.status().unwrap(), Status::Down);

        folder.prepare(&settings(home.path())).unwrap();
        assert_eq!(folder.settings().unwrap(), settings(home.path()));
        let process = background_process(&folder);
        assert_eq!(folder.status().unwrap(), Status::Changing(process.id()));
        assert!(folder.lock().unwrap().is_none());
        let state = state(home.path(), process.id());
        folder.announce(&state).unwrap();
        assert_eq!(
            folder.status().unwrap(),
            Status::Up(Box::new(state.clone()))
        );
        assert_eq!(home.running(), [state]);

        kill(process);
        assert_eq!(folder.status().unwrap(), Status::Down);
        assert_eq!(home.running(), []);
        assert!(folder.lock().unwrap().is_some());
    }

    #[test]
    fn the_state_of_a_killed_process_is_not_that_of_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let home = StateFolder::find(Some(directory.path()));
        let folder = home.environment(Path::new("/app"));
        folder.prepare(&settings(home.path())).unwrap();
        let killed = background_process(&folder);
        folder.announce(&state(home.path(), killed.id())).unwrap();
        kill(killed);

        // The next process holds the lock before it has announced itself.
        let next = background_process(&folder);
        assert_eq!(folder.status().unwrap(), Status::Changing(next.id()));
        folder.prepare(&settings(home.path())).unwrap();
        assert!(!folder.state_file().exists());
        kill(next);
    }

    #[test]
    fn each_application_has_an_environment_of_its_own() {
        let home = StateFolder::find(Some(Path::new("/home")));
        let [a, b] = ["/a", "/b"].map(|path| home.environment(Path::new(path)).directory);
        assert_ne!(a, b);
        assert!(a.starts_with("/home/kept"));
    }
}
