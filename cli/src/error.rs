//! Why a command could not do what was asked.

use std::path::PathBuf;

use crate::exit::Exit;

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
    /// CodePipeline refused a call or did not answer.
    #[error("CodePipeline's `{operation}` did not succeed: {message}")]
    CodePipeline {
        operation: &'static str,
        message: String,
    },
    /// Nothing is kept for this application.
    #[error("nothing is kept for `{}`", .application.display())]
    NothingKept { application: PathBuf },
    /// The kept environment did not end.
    #[error("process {pid}, which keeps the environment up, did not end within {seconds} s")]
    DoesNotEnd { pid: u32, seconds: u64 },
}

impl CliError {
    /// What the shell is told.
    pub(crate) fn exit(&self) -> Exit {
        match self {
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
            | Self::CodePipeline { .. }
            | Self::DoesNotEnd { .. } => Exit::Failed,
        }
    }

    /// The word for programs.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Application { .. } => "application",
            Self::Program { .. } => "program-missing",
            Self::Build { .. } | Self::NoSources { .. } | Self::FunctionMissing { .. } => {
                "functions"
            }
            Self::File { .. } | Self::State { .. } => "file",
            Self::LocalAws { .. } | Self::Host { .. } => "local-aws",
            Self::Launch { .. } => "stack",
            Self::CodePipeline { .. } => "codepipeline",
            Self::NothingKept { .. } => "not-found",
            Self::DoesNotEnd { .. } => "host",
        }
    }

    /// What to do next.
    fn hint(&self) -> Option<String> {
        Some(match self {
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
                "put `{name}/bootstrap` or the program `{name}` into `{}`",
                directory.display()
            ),
            Self::NothingKept { .. } => "keep one: `delivery run --keep`".to_owned(),
            Self::State { path, .. } => format!("remove `{}`", path.display()),
            Self::DoesNotEnd { pid, .. } => format!("end it by `kill -9 {pid}`"),
            Self::File { .. }
            | Self::LocalAws { .. }
            | Self::Host { .. }
            | Self::Launch { .. }
            | Self::CodePipeline { .. } => return None,
        })
    }

    /// The error, its causes, and what to do.
    pub(crate) fn message(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
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
