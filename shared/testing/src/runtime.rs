//! A minimal Lambda: passes events to a function's real binary through the runtime API, so that tests can kill and
//! observe the same process that would run in Lambda.

use std::ffi::OsString;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use http_body_util::BodyExt;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc, watch};

use super::events::FUNCTION_KEYS;
use super::s3::REGION;
use super::server::Server;
use delivery_action::clock;
use delivery_action::env;

/// The function's timeout where a test does not choose one: the longest that Lambda has, so that it does not depend on how busy
/// the machine is whether an action gets done.
const TIMEOUT: Duration = Duration::from_mins(15);

/// The log group of every function.
pub const LOG_GROUP: &str = "/aws/lambda/the-function";

/// Name of its `/tmp` in its directory.
const TEMPORARY: &str = "tmp";

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The function returned successfully.
    Succeeded,
    /// The function returned an error: Lambda delivers the event again.
    Failed(String),
    /// The process ended: Lambda delivers the event again.
    Died(ExitStatus),
}

/// Kills a process that may not have been started yet.
#[derive(Clone, Debug, Default)]
pub struct KillSwitch(Arc<OnceLock<u32>>);

impl KillSwitch {
    /// Kills the process (SIGKILL). Does nothing if it has not been started.
    pub fn kill(&self) {
        let pid = self
            .0
            .get()
            .and_then(|&id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(pid) = pid
            && let Err(error) = kill_process(pid, Signal::KILL)
        {
            tracing::debug!(%error, "the process is gone already");
        }
    }
}

/// One execution environment: a process of the function's binary.
#[derive(Debug)]
pub struct Function {
    child: Child,
    runtime: Arc<Runtime>,
    ended: mpsc::UnboundedReceiver<Ended>,
    directory: TempDir,
    started: Instant,
    _server: Server,
}

#[derive(Debug)]
struct Runtime {
    waiting: Mutex<Option<String>>,
    arrived: Notify,
    polled: OnceLock<Instant>,
    polls: watch::Sender<u64>,
    ended: mpsc::UnboundedSender<Ended>,
    timeout: Duration,
}

impl Function {
    /// Starts a binary that finds AWS at `endpoint`.
    pub async fn start(binary: &Path, endpoint: &str, kill: &KillSwitch) -> Self {
        Self::start_with(binary, endpoint, kill, TIMEOUT, &[]).await
    }

    /// Starts a binary with another timeout, and with variables that override the usual ones.
    pub async fn start_with(
        binary: &Path,
        endpoint: &str,
        kill: &KillSwitch,
        timeout: Duration,
        variables: &[(&str, OsString)],
    ) -> Self {
        let command = Command::new(binary);
        Self::start_command(command, endpoint, kill, timeout, variables).await
    }

    /// Starts a command that becomes the function's process.
    pub async fn start_command(
        command: Command,
        endpoint: &str,
        kill: &KillSwitch,
        timeout: Duration,
        variables: &[(&str, OsString)],
    ) -> Self {
        let (sender, ended) = mpsc::unbounded_channel();
        let runtime = Arc::new(Runtime {
            waiting: Mutex::default(),
            arrived: Notify::new(),
            polled: OnceLock::new(),
            polls: watch::Sender::new(0),
            ended: sender,
            timeout,
        });
        let answering = Arc::clone(&runtime);
        let server = Server::start(move |request| {
            let runtime = Arc::clone(&answering);
            async move { runtime.answer(request).await }
        })
        .await;
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let started = Instant::now();
        let child = spawn(
            command,
            endpoint,
            &server.url(),
            directory.path(),
            variables,
        );
        if let Some(id) = child.id() {
            kill.0.get_or_init(|| id);
        }
        Self {
            child,
            runtime,
            ended,
            directory,
            started,
            _server: server,
        }
    }

    /// Waits for the process to request its first event, and returns how long that took.
    ///
    /// # Errors
    ///
    /// How the process ended, if it did before.
    pub async fn first_poll(&mut self) -> Result<Duration, ExitStatus> {
        self.polls(1).await?;
        let polled = self.runtime.polled.get().expect("it has polled");
        Ok(polled.duration_since(self.started))
    }

    /// Waits until it has asked for its event number `count`.
    ///
    /// # Errors
    ///
    /// How the process ended, if it did before.
    pub async fn polls(&mut self, count: u64) -> Result<(), ExitStatus> {
        let mut polls = self.runtime.polls.subscribe();
        tokio::select! {
            biased;
            polled = polls.wait_for(|polls| *polls >= count) => {
                polled.expect("the sender is held here");
                Ok(())
            }
            status = self.child.wait() => Err(status.expect("a child is waited for")),
        }
    }

    /// The process, until it has ended.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Delivers an event and waits until the function has returned or its process has ended.
    pub async fn invoke(&mut self, event: &Value) -> Ended {
        *self
            .runtime
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(event.to_string());
        self.runtime.arrived.notify_one();
        tokio::select! {
            biased;
            ended = self.ended.recv() => ended.expect("the runtime is held here"),
            status = self.child.wait() => Ended::Died(status.expect("a child is waited for")),
        }
    }

    /// Its `/tmp`.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.directory.path().join(TEMPORARY)
    }

    /// The most memory that its process has had so far.
    #[must_use]
    pub fn peak_memory_bytes(&self) -> u64 {
        let id = self.child.id().expect("the process runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status"));
        let status = status.expect("a process has a status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
        let kibibytes: u64 = kibibytes
            .and_then(|count| count.parse().ok())
            .expect("Linux says how much it was");
        kibibytes * 1024
    }

    /// What the function wrote to its standard output and error so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

fn spawn(
    mut command: Command,
    endpoint: &str,
    runtime: &str,
    directory: &Path,
    variables: &[(&str, OsString)],
) -> Child {
    let temporary = directory.join(TEMPORARY);
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(&temporary)
        .expect("a directory can be made");
    let log = std::fs::File::create(directory.join("log")).expect("a log can be made");
    let errors = log.try_clone().expect("a file can be opened twice");
    command
        .env_clear()
        .envs([
            (
                "AWS_LAMBDA_RUNTIME_API",
                runtime.trim_start_matches("http://"),
            ),
            ("AWS_LAMBDA_FUNCTION_NAME", "the-function"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", LOG_GROUP),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/21/[$LATEST]0123"),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", FUNCTION_KEYS.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", FUNCTION_KEYS.secret_access_key),
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ])
        .env("TMPDIR", &temporary)
        .env(env::OWN_DIRECTORY, &temporary)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .kill_on_drop(true)
        .spawn()
        .expect("the function's binary can be started")
}

impl Runtime {
    async fn answer(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        if path.ends_with("/invocation/next") {
            return self.next().await;
        }
        let body = body
            .collect()
            .await
            .map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
        let ended = if path.ends_with("/response") {
            Ended::Succeeded
        } else if path.ends_with("/error") {
            Ended::Failed(String::from_utf8_lossy(&body).into_owned())
        } else {
            // Not from the function: another program that took this port for that of its own server.
            return status(404);
        };
        if self.ended.send(ended).is_err() {
            tracing::debug!("nobody waits for this invocation any more");
        }
        status(202)
    }

    async fn next(&self) -> Response {
        self.polled.get_or_init(Instant::now);
        self.polls.send_modify(|polls| *polls += 1);
        let event = loop {
            let waiting = self
                .waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            match waiting {
                Some(event) => break event,
                None => self.arrived.notified().await,
            }
        };
        let now = clock::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let deadline = (now + self.timeout).as_millis().to_string();
        Response::builder()
            .header("content-type", "application/json")
            .header(
                "lambda-runtime-aws-request-id",
                "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
            )
            .header("lambda-runtime-deadline-ms", deadline)
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:eu-west-1:111122223333:function:the-function",
            )
            .header("lambda-runtime-trace-id", "Root=1-0-0")
            .body(Body::from(event))
            .expect("static headers and a body make a response")
    }
}

fn status(status: u16) -> Response {
    Response::builder()
        .status(status)
        .body(Body::empty())
        .expect("a status makes a response")
}
