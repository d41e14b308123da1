//! `MiniStack`, the local AWS: installed, started and ended.
//!
//! A small supervisor runs it and stops it, with all its descendants, as soon as this process closes a pipe. So nothing keeps
//! running, however this process ends.

mod gaps;
mod install;
mod leftovers;
pub(crate) mod node_sdk;
mod pip;
mod port;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::access::KeySuffix;
pub use install::{VERSION, install, is_installed};
use port::free_address;

/// The account that everything local lives in; `MiniStack` takes it for credentials that name no other.
pub const ACCOUNT: &str = "000000000000";

/// The program that holds `MiniStack` on a leash.
const SUPERVISOR: &str = concat!(
    include_str!("processes.py"),
    include_str!("ministack/supervise.py")
);

/// What starts `MiniStack` itself.
const START: &str = include_str!("ministack/start.py");

/// The caller's variable that says what functions of a custom runtime get as their `PATH`, where it is
/// not to be that of this machine.
pub const FUNCTION_PATH: &str = "DELIVERY_FUNCTION_PATH";

/// What tells npm-install where npm's cache outlives its jobs.
const NPM_CACHE: &str = "DELIVERY_NPM_CACHE";

/// What functions tell the programs of the project about the certificates of this machine's network.
const CERTIFICATES: &str = "NODE_EXTRA_CA_CERTS";

/// The folder of that cache in the project's own.
const NPM_CACHE_FOLDER: &str = "npm-cache";

/// The caller's variable that makes the draws of weighted aliases the same in every run.
pub const ROUTING_SEED: &str = "DELIVERY_ROUTING_SEED";

/// How long `MiniStack` may take to answer: a first start compiles its Python modules (8 s measured on
/// two busy cores).
const READY_WITHIN: Duration = Duration::from_secs(90);

/// How often readiness is asked for.
const READY_EVERY: Duration = Duration::from_millis(100);

/// How long the supervisor may take to end everything: its own grace and sweep (5 s + 10 s) and a
/// reserve.
pub const END_WITHIN: Duration = Duration::from_secs(20);

/// How often another port is tried when someone took the chosen one between our look and `MiniStack`'s.
const PORT_ATTEMPTS: usize = 3;

/// How much of its log an error carries, in lines.
const LAST_LINES: usize = 15;

/// Why `MiniStack` cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder in the project's `.delivery` cannot be created.
    #[error(
        "cannot prepare `{path}` for MiniStack; check that the folder is writable and its disk not full"
    )]
    Home {
        /// What could not be made.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No Python at all.
    #[error(
        "no `python3` on the PATH; MiniStack, the local AWS, needs Python 3.10 or later: install it"
    )]
    PythonMissing,
    /// Only old ones.
    #[error(
        "Python {found} is too old; MiniStack, the local AWS, needs Python 3.10 or later: install it"
    )]
    PythonTooOld {
        /// The newest that is there.
        found: String,
    },
    /// Python without its `venv` module, or without a pip.
    #[error(
        "`{python}` cannot make an environment to install MiniStack in; on Debian and Ubuntu install the package `python3-venv`; its output:\n{output}"
    )]
    Venv {
        /// The interpreter.
        python: String,
        /// Its last words.
        output: String,
    },
    /// The packages could not be installed.
    #[error(
        "cannot install MiniStack {VERSION} from PyPI; check the network, and pip's settings (`pip config list` shows them); pip's output:\n{output}"
    )]
    Pip {
        /// pip's last words.
        output: String,
    },
    /// pip installed, and it is not there.
    #[error(
        "pip has installed MiniStack, but not in `{folder}`; a setting of pip leads elsewhere, such as `target`, `prefix`, `root` or `dry-run`: `pip config list` shows it; remove it, or set `PIP_CONFIG_FILE=/dev/null` for this command"
    )]
    Elsewhere {
        /// Where it should be.
        folder: PathBuf,
    },
    /// A program cannot be started.
    #[error("cannot run `{program}`; check that it is installed and executable")]
    Run {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// It ended at once.
    #[error(
        "MiniStack ended while it was starting ({status}); the end of its log, `{log}`:\n{lines}"
    )]
    Ended {
        /// How.
        status: ExitStatus,
        /// Where its log is.
        log: PathBuf,
        /// The log's end.
        lines: String,
    },
    /// It does not answer.
    #[error("MiniStack did not answer within {} seconds; the end of its log, `{log}`:\n{lines}", READY_WITHIN.as_secs())]
    NotReady {
        /// Where its log is.
        log: PathBuf,
        /// The log's end.
        lines: String,
    },
    /// Something is left.
    #[error("MiniStack's supervisor (process {pid}) did not exit; stop it with `kill {pid}`")]
    NotEnded {
        /// Which process.
        pid: u32,
    },
}

/// How `MiniStack` is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The project's own folder (`.delivery`): the installation and the log live there.
    pub home: PathBuf,
    /// The endpoint that functions get as `AWS_ENDPOINT_URL`: the gateway in front of `MiniStack`.
    pub endpoint: String,
    /// The region that everything lives in.
    pub region: String,
    /// What the access keys end with that it hands out.
    pub keys: KeySuffix,
    /// What the draws of weighted aliases begin with; without it they differ in every run.
    pub routing_seed: Option<OsString>,
}

/// What `MiniStack` answers to: its own port is as open to web pages and other users as any, so it takes only
/// what bears this, and so does the gateway from it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    const HEADER: HeaderName = HeaderName::from_static("x-delivery-secret");

    /// That of a new environment.
    #[must_use]
    pub fn new() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string())
    }

    /// The header field that bears it.
    pub(crate) fn header(&self) -> (HeaderName, HeaderValue) {
        let value = HeaderValue::from_str(&self.0).expect("hexadecimal digits");
        (Self::HEADER, value)
    }
}

impl Default for Secret {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// A running `MiniStack`. Dropping it ends it too, only without waiting for the end.
#[derive(Debug)]
pub struct Ministack {
    address: SocketAddr,
    supervisor: Child,
    leash: Option<ChildStdin>,
    secret: Secret,
    folder: PathBuf,
    log: PathBuf,
}

impl Ministack {
    /// Installs `MiniStack` if need be, starts it and waits until it answers.
    ///
    /// # Errors
    ///
    /// When it cannot be installed or started; the error says what to do.
    pub async fn start(options: &Options) -> Result<Self, Error> {
        let python = install_beside(options.home.clone()).await?;
        // Runs on its own; nothing waits for it.
        drop(tokio::task::spawn_blocking(|| {
            leftovers::remove(&tempfile::env::temp_dir());
        }));
        for _ in 1..PORT_ATTEMPTS {
            match Self::start_once(&python, options).await {
                Err(Error::Ended { lines, .. }) if lines.contains("already in use") => {}
                other => return other,
            }
        }
        Self::start_once(&python, options).await
    }

    async fn start_once(python: &Path, options: &Options) -> Result<Self, Error> {
        let home = |source| Error::Home {
            path: options.home.clone(),
            source,
        };
        let address = free_address().map_err(home)?;
        let folder = tempfile::Builder::new()
            .prefix(leftovers::PREFIX)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir()
            .map_err(home)?;
        let secret = Secret::new();
        let log = options
            .home
            .join(format!("ministack-{}.log", address.port()));
        let mut supervisor = command(python, options, address, folder.path(), &log)
            .and_then(|command| hand_over(folder.path(), &secret, &options.keys).map(|()| command))
            .map_err(home)?
            .spawn()
            .map_err(|source| Error::Run {
                program: python.display().to_string(),
                source,
            })?;
        let folder = folder.keep(); // from here on the supervisor removes it
        let leash = supervisor.stdin.take();
        let mut ministack = Self {
            address,
            supervisor,
            leash,
            secret,
            folder,
            log,
        };
        ministack.wait_until_ready().await?;
        Ok(ministack)
    }

    async fn wait_until_ready(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + READY_WITHIN;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.supervisor.try_wait() {
                let lines = self.last_log_lines();
                return Err(Error::Ended {
                    status,
                    log: self.log.clone(),
                    lines,
                });
            }
            if is_ready(self.address, &self.secret).await {
                return Ok(());
            }
            sleep(READY_EVERY).await;
        }
        Err(Error::NotReady {
            log: self.log.clone(),
            lines: self.last_log_lines(),
        })
    }

    /// Where it listens; only on the loopback interface.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it answers to.
    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The supervisor's process id: everything of `MiniStack` is below it.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.supervisor.id()
    }

    /// The folder that is removed with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Ends it, with every process that came from it, and waits for that.
    ///
    /// # Errors
    ///
    /// When something does not end.
    pub async fn stop(mut self) -> Result<(), Error> {
        drop(self.leash.take());
        let pid = self.supervisor.id().unwrap_or_default();
        match timeout(END_WITHIN, self.supervisor.wait()).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::NotEnded { pid }),
        }
    }

    /// Ends it, and lets its supervisor go on alone with what is left: a new one has ports and a folder of its own.
    pub fn leave(mut self) {
        drop(self.leash.take());
    }

    fn last_log_lines(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }
}

/// Installs without blocking the executor.
async fn install_beside(home: PathBuf) -> Result<PathBuf, Error> {
    let installing = tokio::task::spawn_blocking(move || install(&home));
    installing
        .await
        .expect("the installation does not panic and is not cancelled")
}

/// The supervisor with `MiniStack` below it, in an environment that holds nothing of the caller's but
/// the search path: its functions inherit it.
fn command(
    python: &Path,
    options: &Options,
    address: SocketAddr,
    folder: &Path,
    log_file: &Path,
) -> io::Result<Command> {
    let mut private = fs::OpenOptions::new();
    let log = private.create(true).truncate(true).write(true).mode(0o600);
    let log = log.open(log_file)?;
    let gaps = gaps::write(folder)?;
    let mut command = Command::new(python);
    command
        .args(["-c", SUPERVISOR])
        .arg(folder)
        .arg(log_file)
        .arg(python)
        .args(["-c", START])
        .arg(folder)
        .args(gaps)
        .env_clear()
        .env(
            "PATH",
            delivery_action::env::var_os("PATH").unwrap_or_default(),
        )
        .env("HOME", folder)
        .env("TMPDIR", folder)
        .env("LANG", "C.UTF-8")
        .env("PYTHONUNBUFFERED", "1")
        .env("BIND_HOST", "127.0.0.1") // 0.0.0.0 by default
        .env("MINISTACK_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", address.port().to_string())
        .env("IOT_MTLS_ENABLED", "0") // a listener on port 8883 by default
        .env("SFTP_ENABLED", "0")
        .env("LAMBDA_EXECUTOR", "local")
        .env("MINISTACK_REGION", &options.region)
        .env("MINISTACK_ACCOUNT_ID", ACCOUNT)
        .env("AWS_DEFAULT_REGION", &options.region)
        .env("AWS_ENDPOINT_URL", &options.endpoint) // what functions are given
        .env(NPM_CACHE, options.home.join(NPM_CACHE_FOLDER))
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0); // Ctrl-C in the terminal is handled by this process
    if let Some(path) = delivery_action::env::var_os(FUNCTION_PATH) {
        command.env(FUNCTION_PATH, path);
    }
    if let Some(file) = delivery_action::env::var_os(CERTIFICATES) {
        command.env(CERTIFICATES, file);
    }
    if let Some(seed) = &options.routing_seed {
        command.env(ROUTING_SEED, seed);
    }
    Ok(command)
}

/// Writes down what only `MiniStack` may know: it reads and removes the file before anything else. An environment
/// variable would be seen by every function that it starts, and by whoever reads `/proc`.
fn hand_over(folder: &Path, secret: &Secret, keys: &KeySuffix) -> io::Result<()> {
    use std::io::Write as _;

    let mut private = fs::OpenOptions::new();
    let mut file = private
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(folder.join("secret"))?;
    writeln!(file, "{}\n{}", secret.0, keys.access_key_id(""))
}

/// Whether `MiniStack` answers its health question.
async fn is_ready(address: SocketAddr, secret: &Secret) -> bool {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!(
            "GET /_ministack/health HTTP/1.1\r\nHost: {address}\r\n{}: {}\r\nConnection: close\r\n\r\n",
            Secret::HEADER,
            secret.0
        );
        stream.write_all(request.as_bytes()).await?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await?;
        io::Result::Ok(status.ends_with(b" 200"))
    };
    matches!(timeout(READY_EVERY * 20, ask).await, Ok(Ok(true)))
}
