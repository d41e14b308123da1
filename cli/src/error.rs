//! Why a command could not do what was asked.

use std::path::PathBuf;

use delivery_action::aws::{CallError, CallErrorKind};

use crate::cloud;
use crate::exit::Exit;
use crate::installation::RELEASE;
use crate::output::foreign;

/// An error of one command, defined next to the command.
pub(crate) trait Explained: std::error::Error + Send + Sync {
    /// The exit code.
    fn exit(&self) -> Exit;
    /// The word for programs.
    fn kind(&self) -> &'static str;
    /// What to do next.
    fn hint(&self) -> Option<String>;
}

/// What to do for AWS, and for the local AWS where one runs for this directory: which is meant is not known.
fn or_local(aws: String, local: bool) -> String {
    if local {
        return format!(
            "{aws}; for the local AWS that is running for this directory: `eval \"$(delivery local env)\"`"
        );
    }
    aws
}

/// What went wrong outside of the pipeline itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The application's directory is not one.
    #[error("cannot read the application in `{}`", .path.display())]
    Application {
        path: PathBuf,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The directory of `-C` cannot be entered.
    #[error("cannot change to the directory `{}` given by `-C`", .path.display())]
    Directory {
        path: PathBuf,
        source: std::io::Error,
    },
    /// What the application needs is wrong, all of it at once.
    #[error("nothing was started:{}", listed(.problems))]
    NotReady { problems: Vec<String>, exit: Exit },
    /// A program that is needed is not installed.
    #[error("cannot start `{program}`")]
    Program {
        program: &'static str,
        source: std::io::Error,
    },
    /// The functions do not build.
    #[error("building {what} failed: `{command}` ended with {status}")]
    Build {
        what: String,
        command: String,
        status: String,
    },
    /// There are neither functions beside this program nor a checkout to build them.
    #[error("the action functions did not come with this program")]
    NoFunctions { folder: PathBuf },
    /// The directory of functions that was given is not there.
    #[error("the folder of functions `{}` does not exist", .directory.display())]
    NoFunctionsFolder { directory: PathBuf },
    /// Functions are not in the directory that was given.
    #[error("functions are not in `{}`: {}", .directory.display(), named(.names))]
    FunctionsMissing {
        names: Vec<&'static str>,
        directory: PathBuf,
    },
    /// A file could not be read or written.
    #[error("cannot {verb} `{}`", .path.display())]
    File {
        verb: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    /// A state file that this program did not write.
    #[error("`{}` is not a valid state file", .path.display())]
    State {
        path: PathBuf,
        source: serde_json::Error,
    },
    /// The local AWS or the engine did not start.
    #[error("the local AWS did not start")]
    LocalAws {
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The background process of an environment ended or did not answer.
    #[error("the background process of the local AWS {what}; its log is `{}`{}", .log.display(), quoted(.tail))]
    BackgroundProcess {
        what: String,
        log: PathBuf,
        tail: String,
    },
    /// The stack did not launch.
    #[error("the stack `{stack}` did not launch")]
    Launch {
        stack: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A command's own.
    #[error("{0}")]
    Command(Box<dyn Explained>),
    /// AWS refused a call or did not answer.
    #[error(transparent)]
    Call(#[from] Box<CallError>),
    /// Nobody is signed in.
    #[error("no AWS credentials found{}", .profile.as_ref().map(|name| format!(" in the profile `{name}`")).unwrap_or_default())]
    Credentials {
        profile: Option<String>,
        local: bool,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No region is known.
    #[error("no AWS region is set")]
    NoRegion { local: bool },
    /// No environment is running for this application.
    #[error("no local environment is running for `{}`", .application.display())]
    NoEnvironment {
        application: PathBuf,
        elsewhere: Vec<PathBuf>,
    },
    /// The running environment uses another repository name.
    #[error("the local AWS for `{}` is already running with the repository name `{kept}`", .application.display())]
    OtherRepository { application: PathBuf, kept: String },
    /// Starting or stopping the environment takes too long.
    #[error(
        "process {pid} has been starting or stopping this environment for more than {seconds} s"
    )]
    DoesNotAnswer { pid: u32, seconds: u64 },
    /// The environment did not stop.
    #[error("process {pid}, which runs the local AWS, did not stop within {seconds} s")]
    DoesNotEnd { pid: u32, seconds: u64 },
}

impl<E: Explained + 'static> From<E> for CliError {
    fn from(error: E) -> Self {
        Self::Command(Box::new(error))
    }
}

impl From<CallError> for CliError {
    fn from(error: CallError) -> Self {
        Self::Call(Box::new(error))
    }
}

impl CliError {
    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Command(error) => error.exit(),
            Self::Call(error) => call_exit(error),
            Self::Credentials { .. } => Exit::Denied,
            Self::NoRegion { .. } => Exit::Usage,
            Self::Application { .. } | Self::Directory { .. } | Self::NoEnvironment { .. } => {
                Exit::NotFound
            }
            Self::NotReady { exit, .. } => *exit,
            Self::Launch { .. } => Exit::PipelineFailed,
            Self::Program { .. }
            | Self::Build { .. }
            | Self::NoFunctions { .. }
            | Self::NoFunctionsFolder { .. }
            | Self::FunctionsMissing { .. }
            | Self::File { .. }
            | Self::State { .. }
            | Self::LocalAws { .. }
            | Self::BackgroundProcess { .. }
            | Self::OtherRepository { .. }
            | Self::DoesNotAnswer { .. }
            | Self::DoesNotEnd { .. } => Exit::Failed,
        }
    }

    /// The word for programs.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Command(error) => error.kind(),
            Self::Call(error) => call_kind(error),
            Self::Credentials { .. } => "credentials",
            Self::NoRegion { .. } => "region",
            Self::Application { .. } => "application",
            Self::NotReady { .. } => "unfit",
            Self::Program { .. } => "program-missing",
            Self::Build { .. }
            | Self::NoFunctions { .. }
            | Self::NoFunctionsFolder { .. }
            | Self::FunctionsMissing { .. } => "functions",
            Self::File { .. } | Self::State { .. } => "file",
            Self::LocalAws { .. }
            | Self::BackgroundProcess { .. }
            | Self::OtherRepository { .. } => "local-aws",
            Self::Launch { .. } => "stack",
            Self::Directory { .. } | Self::NoEnvironment { .. } => "not-found",
            Self::DoesNotAnswer { .. } | Self::DoesNotEnd { .. } => "host",
        }
    }

    /// What to do next.
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Command(error) => return error.hint(),
            Self::Call(error) => call_hint(error),
            Self::Credentials { profile, local, .. } => {
                or_local(sign_in(profile.as_deref()), *local)
            }
            Self::NoRegion { local } => or_local(
                "set it with `--region REGION`, `AWS_REGION`, or `region` in `delivery.toml` or the profile"
                    .to_owned(),
                *local,
            ),
            Self::Application { source, .. } => application_hint(source.as_ref()),
            Self::Directory { .. } => "give an existing directory".to_owned(),
            Self::Program {
                program: "cargo", ..
            } => "install Rust (https://rustup.rs), or use built functions: `--functions DIR`"
                .to_owned(),
            Self::Program { program, .. } => format!("install `{program}`"),
            Self::Build { .. } => "see cargo's output above".to_owned(),
            Self::NoFunctions { folder } => format!(
                "unpack the archive of {RELEASE} into `{}` (`tar -xzf ARCHIVE --strip-components 1 -C FOLDER`), or name the folder with \
                 the built functions: `--functions DIR`",
                folder.display()
            ),
            Self::NoFunctionsFolder { .. } => {
                "name an existing one, or leave `--functions` out: then those that came with `delivery` are used"
                    .to_owned()
            }
            Self::FunctionsMissing { .. } => {
                "put `NAME.zip`, `NAME/bootstrap` or the program `NAME` of each into the folder, or leave \
                 `--functions` out: then those that came with `delivery` are used"
                    .to_owned()
            }
            Self::NoEnvironment { elsewhere, .. } if elsewhere.is_empty() => {
                "start one: `delivery run --keep` or `delivery local start`".to_owned()
            }
            Self::NoEnvironment { elsewhere, .. } => format!(
                "give the directory of a running one: {}",
                elsewhere
                    .iter()
                    .map(|path| format!("`{}`", path.display()))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            Self::OtherRepository { .. } => {
                "stop it first: `delivery local stop`, with the same DIR".to_owned()
            }
            Self::State { path, .. } => format!("remove `{}`", path.display()),
            Self::DoesNotAnswer { pid, .. } | Self::DoesNotEnd { pid, .. } => {
                format!("end it with `kill -9 {pid}`")
            }
            Self::NotReady { .. }
            | Self::File { .. }
            | Self::LocalAws { .. }
            | Self::BackgroundProcess { .. }
            | Self::Launch { .. } => return None,
        })
    }

    /// Whether the service did not answer, or not as it should: the same call may succeed later.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Call(error) if error.kind == CallErrorKind::Unavailable)
    }

    /// The error, its causes, and what to do. Much of the text comes from elsewhere (git, npm, AWS, file names),
    /// so it is made safe to print.
    pub(crate) fn message(&self) -> String {
        let mut text = self.to_string();
        let mut cause = match self {
            Self::Command(error) => error.source(),
            error => std::error::Error::source(error),
        };
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        if let Some(hint) = self.hint() {
            text = format!("{text}\n  help: {hint}");
        }
        foreign::text(&text)
    }
}

fn named(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn listed(problems: &[String]) -> String {
    problems.iter().fold(String::new(), |text, problem| {
        format!("{text}\n  - {}", problem.replace('\n', "\n    "))
    })
}

/// Lines of a log, each marked as one.
fn quoted(lines: &str) -> String {
    lines.lines().fold(String::new(), |text, line| {
        format!("{text}\n{}", foreign::quoted(line))
    })
}

fn application_hint(error: &(dyn std::error::Error + Send + Sync + 'static)) -> String {
    error
        .downcast_ref::<local::source::SourceError>()
        .and_then(delivery_action::failure::ActionError::hint)
        .unwrap_or_else(|| "give the directory of an application: `delivery run DIR`".to_owned())
}

/// The exit code of a failed call.
pub(crate) fn call_exit(error: &CallError) -> Exit {
    match error.kind {
        CallErrorKind::Denied => Exit::Denied,
        CallErrorKind::NotFound => Exit::NotFound,
        CallErrorKind::Conflict | CallErrorKind::Unavailable | CallErrorKind::Invalid => {
            Exit::Failed
        }
    }
}

/// The word for programs.
pub(crate) fn call_kind(error: &CallError) -> &'static str {
    match error.kind {
        CallErrorKind::Denied => "denied",
        CallErrorKind::NotFound => "not-found",
        CallErrorKind::Conflict => "conflict",
        CallErrorKind::Unavailable => "unavailable",
        CallErrorKind::Invalid => "invalid",
    }
}

/// What to do about a failed call.
pub(crate) fn call_hint(error: &CallError) -> String {
    let CallError {
        action, resource, ..
    } = error;
    match error.kind {
        CallErrorKind::Denied if error.is_about_credentials() => sign_in(None),
        CallErrorKind::Denied => {
            format!("allow `{action}` on `{resource}` for the identity that you are signed in as (`delivery doctor`)")
        }
        CallErrorKind::NotFound => {
            format!("check that `{resource}` exists in this account and region (`delivery doctor`)")
        }
        CallErrorKind::Conflict => "wait for the other change to end, then try again".to_owned(),
        // A shell may still have the variables of a local AWS that was stopped.
        CallErrorKind::Unavailable if cloud::is_on_this_machine() => {
            "the local AWS is not running: `delivery run --keep` starts one and delivers to it; to reach AWS itself, open a new \
             shell"
                .to_owned()
        }
        CallErrorKind::Unavailable => {
            "check the network and `AWS_ENDPOINT_URL`, then try again; if the problem persists, see the AWS Health \
             Dashboard"
                .to_owned()
        }
        CallErrorKind::Invalid => "fix what the message says".to_owned(),
    }
}

fn sign_in(profile: Option<&str>) -> String {
    let profile = profile
        .map(|name| format!(" --profile {name}"))
        .unwrap_or_default();
    format!(
        "sign in (`aws login{profile}` or `aws sso login{profile}`), or use another profile: `--profile NAME`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_holds_the_causes_and_what_to_do() {
        let error = CliError::Program {
            program: "cargo",
            source: std::io::Error::from(std::io::ErrorKind::NotFound),
        };
        insta::assert_snapshot!(error.message(), @r"
        cannot start `cargo`: entity not found
          help: install Rust (https://rustup.rs), or use built functions: `--functions DIR`
        ");
        assert_eq!(error.exit(), Exit::Failed);
    }
}
