//! Why a command could not do what was asked.

use std::path::PathBuf;

use shared::aws::{CallError, CallErrorKind};

use crate::exit::Exit;

/// A command's own error: what a command can fail with stands beside the command.
pub(crate) trait Explained: std::error::Error + Send + Sync {
    /// What the shell is told.
    fn exit(&self) -> Exit;
    /// The word for programs.
    fn kind(&self) -> &'static str;
    /// What to do next.
    fn hint(&self) -> Option<String>;
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
    /// A program that is needed is not installed.
    #[error("`{program}` cannot be started")]
    Program {
        program: &'static str,
        source: std::io::Error,
    },
    /// The functions do not build.
    #[error("the action functions do not build: `{command}` ended with {status}")]
    Build { command: String, status: String },
    /// There is neither a checkout to build nor a directory to take functions from.
    #[error("the checkout that this program was built from (`{}`) is not there: its templates and functions are needed", .workspace.display())]
    NoSources { workspace: PathBuf },
    /// A function is not in the directory that was given.
    #[error("function `{name}` is not in `{}`", .directory.display())]
    FunctionMissing {
        name: &'static str,
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
    #[error("`{}` is not the state of a kept environment", .path.display())]
    State {
        path: PathBuf,
        source: serde_json::Error,
    },
    /// The local AWS or the engine did not start.
    #[error("the local AWS did not start")]
    LocalAws {
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The process that hosts a kept environment ended or did not answer.
    #[error("the process that keeps the environment up {what}; its log is `{}`\n{tail}", .log.display())]
    Host {
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
    #[error("there are no AWS credentials{}", .profile.as_ref().map(|name| format!(" in the profile `{name}`")).unwrap_or_default())]
    Credentials {
        profile: Option<String>,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No region is known.
    #[error("no AWS region is set")]
    NoRegion,
    /// `delivery.toml` cannot be read.
    #[error("`{}` is not understood", .path.display())]
    Settings {
        path: PathBuf,
        source: Box<toml::de::Error>,
    },
    /// Nothing is kept for this application.
    #[error("nothing is kept for `{}`", .application.display())]
    NothingKept { application: PathBuf },
    /// What is kept delivers the application under another name.
    #[error("what is kept for `{}` delivers it as the repository `{kept}`", .application.display())]
    OtherRepository { application: PathBuf, kept: String },
    /// The kept environment did not end.
    #[error("process {pid}, which keeps the environment up, did not end within {seconds} s")]
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
    /// What the shell is told.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Command(error) => error.exit(),
            Self::Call(error) => match error.kind {
                CallErrorKind::Denied => Exit::Denied,
                CallErrorKind::NotFound => Exit::NotFound,
                CallErrorKind::Conflict | CallErrorKind::Unavailable | CallErrorKind::Invalid => {
                    Exit::Failed
                }
            },
            Self::Credentials { .. } => Exit::Denied,
            Self::NoRegion | Self::Settings { .. } => Exit::Usage,
            Self::Application { .. } | Self::NothingKept { .. } => Exit::NotFound,
            Self::Launch { .. } => Exit::PipelineFailed,
            Self::Program { .. }
            | Self::Build { .. }
            | Self::NoSources { .. }
            | Self::FunctionMissing { .. }
            | Self::File { .. }
            | Self::State { .. }
            | Self::LocalAws { .. }
            | Self::Host { .. }
            | Self::OtherRepository { .. }
            | Self::DoesNotEnd { .. } => Exit::Failed,
        }
    }

    /// The word for programs.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Command(error) => error.kind(),
            Self::Call(error) => match error.kind {
                CallErrorKind::Denied => "denied",
                CallErrorKind::NotFound => "not-found",
                CallErrorKind::Conflict => "conflict",
                CallErrorKind::Unavailable => "unavailable",
                CallErrorKind::Invalid => "invalid",
            },
            Self::Credentials { .. } => "credentials",
            Self::NoRegion => "region",
            Self::Settings { .. } => "settings",
            Self::Application { .. } => "application",
            Self::Program { .. } => "program-missing",
            Self::Build { .. } | Self::NoSources { .. } | Self::FunctionMissing { .. } => {
                "functions"
            }
            Self::File { .. } | Self::State { .. } => "file",
            Self::LocalAws { .. } | Self::Host { .. } | Self::OtherRepository { .. } => "local-aws",
            Self::Launch { .. } => "stack",
            Self::NothingKept { .. } => "not-found",
            Self::DoesNotEnd { .. } => "host",
        }
    }

    /// What to do next.
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Command(error) => return error.hint(),
            Self::Call(error) => call_hint(error),
            Self::Credentials { profile, .. } => sign_in(profile.as_deref()),
            Self::NoRegion => {
                "name one: `--region REGION`, `AWS_REGION`, `region` in `delivery.toml`, or in the profile"
                    .to_owned()
            }
            Self::Settings { .. } => {
                "`delivery.toml` may hold `stack-name`, `region`, `profile`, `bucket`, `packages`, \
                 `architecture` and `[parameters]`"
                    .to_owned()
            }
            Self::Application { .. } => {
                "name the directory of an application: `delivery run DIR`".to_owned()
            }
            Self::Program {
                program: "cargo", ..
            } => "install Rust (https://rustup.rs), or name built functions by `--functions DIR`"
                .to_owned(),
            Self::Program { program, .. } => format!("install `{program}`"),
            Self::Build { .. } => "cargo's own words are above".to_owned(),
            Self::NoSources { .. } => "build `delivery` in a checkout that stays".to_owned(),
            Self::FunctionMissing { name, directory } => format!(
                "put `{name}.zip`, `{name}/bootstrap` or the program `{name}` into `{}`",
                directory.display()
            ),
            Self::NothingKept { .. } => {
                "keep one: `delivery run --keep` or `delivery local start`".to_owned()
            }
            Self::OtherRepository { .. } => {
                "end it first: `delivery local stop`, with the same DIR".to_owned()
            }
            Self::State { path, .. } => format!("remove `{}`", path.display()),
            Self::DoesNotEnd { pid, .. } => format!("end it by `kill -9 {pid}`"),
            Self::File { .. }
            | Self::LocalAws { .. }
            | Self::Host { .. }
            | Self::Launch { .. } => return None,
        })
    }

    /// The error, its causes, and what to do.
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
        match self.hint() {
            Some(hint) => format!("{text}\n  help: {hint}"),
            None => text,
        }
    }
}

/// What to do about a call that did not succeed.
fn call_hint(error: &CallError) -> String {
    let CallError {
        action, resource, ..
    } = error;
    match error.kind {
        CallErrorKind::Denied if error.is_about_credentials() => sign_in(None),
        CallErrorKind::Denied => {
            format!("allow `{action}` on `{resource}` for whom you are signed in as (`delivery doctor`)")
        }
        CallErrorKind::NotFound => {
            format!("check that `{resource}` exists in this account and region (`delivery doctor`)")
        }
        CallErrorKind::Conflict => "wait for the other change to end, then try again".to_owned(),
        CallErrorKind::Unavailable => {
            "check the network and `AWS_ENDPOINT_URL`, then try again; if it goes on, see the AWS Health \
             Dashboard"
                .to_owned()
        }
        CallErrorKind::Invalid => "correct what the service's message names".to_owned(),
    }
}

fn sign_in(profile: Option<&str>) -> String {
    let profile = profile
        .map(|name| format!(" --profile {name}"))
        .unwrap_or_default();
    format!(
        "sign in (`aws login{profile}` or `aws sso login{profile}`), or name another profile by `--profile`"
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
        `cargo` cannot be started: entity not found
          help: install Rust (https://rustup.rs), or name built functions by `--functions DIR`
        ");
        assert_eq!(error.exit(), Exit::Failed);
    }
}
