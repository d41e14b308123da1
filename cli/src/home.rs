//! Where this program keeps what outlives a run: the installed local AWS, and kept environments.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::process::{Flock, FlockType, Pid, fcntl_getlk};
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

    /// Everything that is kept.
    pub(crate) fn kept(&self) -> Vec<State> {
        let entries = fs::read_dir(self.path.join("kept"));
        let instances = entries
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| Instance {
                directory: entry.path(),
            });
        let states = instances.filter_map(|instance| match instance.status() {
            Ok(Status::Up(state)) => Some(*state),
            _ => None,
        });
        let mut states: Vec<State> = states.collect();
        states.sort_by(|a, b| a.settings.application.cmp(&b.settings.application));
        states
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
    let of_the_user = || PathBuf::from(delivery_action::env::var_os("HOME").unwrap_or_default());
    let cache = delivery_action::env::var_os("XDG_CACHE_HOME");
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
    /// Whether a folder of a repository stands for all of it, as a connection delivers it.
    pub(crate) whole_repository: bool,
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
    /// What it was asked to be.
    pub(crate) settings: Settings,
    /// Where it answers.
    pub(crate) endpoints: Endpoints,
}

/// How a kept environment is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// No process hosts it.
    Down,
    /// This process is starting it, or ending it.
    Changing(u32),
    /// It answers.
    Up(Box<State>),
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

    fn remains_file(&self) -> PathBuf {
        self.directory.join("remains")
    }

    fn lock_file(&self) -> PathBuf {
        self.directory.join("lock")
    }

    /// How it is now. A state counts only where the process that wrote it holds the lock: what a host that
    /// was killed left behind says nothing of the host that is starting, and a process that has the same id
    /// by chance holds no lock.
    pub(crate) fn status(&self) -> Result<Status, CliError> {
        let Some(host) = self.host() else {
            return Ok(Status::Down);
        };
        let path = self.state_file();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Status::Changing(host));
            }
            Err(source) => {
                return Err(CliError::File {
                    verb: "read",
                    path,
                    source,
                });
            }
        };
        // One that cannot be read is another version's, and so the state of another host.
        match serde_json::from_slice::<State>(&bytes) {
            Ok(state) if state.pid == host => Ok(Status::Up(Box::new(state))),
            _ => Ok(Status::Changing(host)),
        }
    }

    /// The process that holds the lock. The kernel is asked and nothing is taken: a look never stands in a
    /// host's way.
    pub(crate) fn host(&self) -> Option<u32> {
        let file = File::open(self.lock_file()).ok()?;
        let held = fcntl_getlk(&file, &Flock::from(FlockType::WriteLock)).ok()??;
        let pid = held.pid.map_or(0, Pid::as_raw_pid);
        u32::try_from(pid).ok()
    }

    /// Takes the lock until this process ends, or the returned value goes; `None` where another host has it.
    pub(crate) fn lock(&self) -> Result<Option<Lock>, CliError> {
        let path = self.lock_file();
        let mut options = File::options();
        let file = options.create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|source| CliError::File {
            verb: "write",
            path,
            source,
        })?;
        let taken = fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
        Ok(taken.then_some(Lock { _file: file }))
    }

    /// Makes the directory and writes the settings; what an earlier host left goes.
    pub(crate) fn prepare(&self, settings: &Settings) -> Result<(), CliError> {
        // Its state holds the access key, which lets others run programs as this user.
        let mut private = fs::DirBuilder::new();
        let made = private.recursive(true).mode(0o700).create(&self.directory);
        let closed = || fs::set_permissions(&self.directory, fs::Permissions::from_mode(0o700));
        made.and_then(|()| closed())
            .map_err(|source| CliError::File {
                verb: "make",
                path: self.directory.clone(),
                source,
            })?;
        for file in [self.state_file(), self.log_file(), self.remains_file()] {
            remove(&file)?;
        }
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

    /// From now on it answers no longer.
    pub(crate) fn retract(&self) {
        let _already_gone = fs::remove_file(self.state_file());
    }

    /// Remembers what the host could not end.
    pub(crate) fn remember(&self, remains: &str) {
        let _the_log_has_it_too = fs::write(self.remains_file(), remains);
    }

    /// What the host that has ended could not end, if there is something.
    pub(crate) fn remains(&self) -> Option<String> {
        fs::read_to_string(self.remains_file()).ok()
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
        // Renamed into place: a reader never sees half a file. Two runs may write at the same time.
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

/// A lock that is held. It is the process's (POSIX): children that it starts do not hold it, and the kernel
/// says who does. The price: it goes with the first of the process's own descriptors of the file that is
/// closed, so a host opens the file once.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// Holds the lock of the file until its standard input is closed; prints a line first.
    const HOLD: &str = "import fcntl, sys\n\
                        file = open(sys.argv[1], 'a')\n\
                        fcntl.lockf(file, fcntl.LOCK_EX)\n\
                        print('held', flush=True)\n\
                        sys.stdin.read()";

    /// A host: the lock is a process's, so it takes another process to hold it.
    fn host(instance: &Instance) -> Child {
        let mut host = Command::new("python3")
            .args(["-c", HOLD])
            .arg(instance.lock_file())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut lines = BufReader::new(host.stdout.take().unwrap());
        lines.read_line(&mut line).unwrap();
        assert_eq!(line, "held\n");
        host
    }

    fn kill(mut host: Child) {
        host.kill().unwrap();
        host.wait().unwrap();
    }

    fn settings(home: &Path) -> Settings {
        Settings {
            repository: "local/application".to_owned(),
            application: PathBuf::from("/app"),
            whole_repository: true,
            home: home.to_owned(),
            continuation_delay_ms: 1000,
        }
    }

    fn state(home: &Path, pid: u32) -> State {
        State {
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
    fn an_environment_is_kept_only_as_long_as_its_host_lives() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::find(Some(directory.path()));
        let instance = home.instance(Path::new("/app"));
        assert_eq!(instance.status().unwrap(), Status::Down);

        instance.prepare(&settings(home.path())).unwrap();
        assert_eq!(instance.settings().unwrap(), settings(home.path()));
        let host = host(&instance);
        assert_eq!(instance.status().unwrap(), Status::Changing(host.id()));
        assert!(instance.lock().unwrap().is_none());
        let state = state(home.path(), host.id());
        instance.announce(&state).unwrap();
        assert_eq!(
            instance.status().unwrap(),
            Status::Up(Box::new(state.clone()))
        );
        assert_eq!(home.kept(), [state]);

        kill(host);
        assert_eq!(instance.status().unwrap(), Status::Down);
        assert_eq!(home.kept(), []);
        assert!(instance.lock().unwrap().is_some());
    }

    #[test]
    fn the_state_of_a_host_that_was_killed_is_not_that_of_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::find(Some(directory.path()));
        let instance = home.instance(Path::new("/app"));
        instance.prepare(&settings(home.path())).unwrap();
        let killed = host(&instance);
        instance.announce(&state(home.path(), killed.id())).unwrap();
        kill(killed);

        // The next host holds the lock before it has announced itself.
        let next = host(&instance);
        assert_eq!(instance.status().unwrap(), Status::Changing(next.id()));
        instance.prepare(&settings(home.path())).unwrap();
        assert!(!instance.state_file().exists());
        kill(next);
    }

    #[test]
    fn each_application_has_an_environment_of_its_own() {
        let home = Home::find(Some(Path::new("/home")));
        let [a, b] = ["/a", "/b"].map(|path| home.instance(Path::new(path)).directory);
        assert_ne!(a, b);
        assert!(a.starts_with("/home/kept"));
    }
}
