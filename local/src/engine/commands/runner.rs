//! A `Commands` action from its input artifacts to its output artifact.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_sdk_cloudwatchlogs::Client;
use delivery_action::blocking;
use delivery_action::failure::{ActionError, Failure, FailureType};
use delivery_action::process::{Environment, ProcessError, require, search_path};
use delivery_action::workspace::{Workspace, WorkspaceError};
use delivery_archive::ArchiveError;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::engine::ports::{ArtifactStore, PortError, PortFuture};

use super::environment::{Folders, Role, log_group, variables};
use super::log::{Line, Log, MAX_WAITING_LINES};
use super::output::{OutputError, pack};
use super::script::Script;
use super::shell::{Ending, Shell};
use super::{CommandRunner, CommandsRequest};

/// The shells in the order of their preference. CodeBuild runs commands by `sh`, which in its images of Amazon Linux
/// is bash in POSIX mode.
const SHELLS: [(&str, &[&str]); 2] = [("bash", &["--posix"]), ("sh", &[])];

/// Why commands failed.
#[derive(Debug, thiserror::Error)]
enum CommandsError {
    /// In the words of CodeBuild.
    #[error(
        "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: Error while \
         executing command: {command}. Reason: exit status {status}"
    )]
    Exit {
        command: String,
        status: i32,
        output: String,
    },
    #[error("the command `{command}` ended the shell with `exit 0` before the last command")]
    Early { command: String, output: String },
    #[error("the commands were ended, because their action has ended")]
    Ended,
    #[error("the processes of the commands did not end")]
    Stuck,
    #[error("cannot run the commands")]
    Shell(#[source] io::Error),
    #[error(transparent)]
    Program(ProcessError),
    #[error("cannot make a folder for the commands")]
    Workspace(#[source] WorkspaceError),
    #[error("cannot extract the input artifact `{artifact}`")]
    Input {
        artifact: String,
        source: ArchiveError,
    },
    #[error(transparent)]
    Output(OutputError),
    #[error("{0}")]
    Port(#[from] PortError),
}

impl ActionError for CommandsError {
    fn failure_type(&self) -> FailureType {
        match self {
            Self::Input { source, .. } => source.failure_type(),
            Self::Output(error) => error.failure_type(),
            Self::Program(error) => error.failure_type(),
            Self::Exit { .. }
            | Self::Early { .. }
            | Self::Ended
            | Self::Stuck
            | Self::Shell(_)
            | Self::Workspace(_)
            | Self::Port(_) => FailureType::JobFailed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Early { .. } => {
                Some("leave `exit` out: a command that succeeds is followed by the next".to_owned())
            }
            Self::Program(_) => Some("install it, or add its folder to `PATH`".to_owned()),
            Self::Workspace(error) => error.hint(),
            Self::Input { source, .. } => Some(source.hint().to_owned()),
            Self::Output(error) => error.hint(),
            Self::Exit { .. } | Self::Ended | Self::Stuck | Self::Shell(_) | Self::Port(_) => None,
        }
    }

    fn output(&self) -> Option<&str> {
        match self {
            Self::Exit { output, .. } | Self::Early { output, .. } => Some(output),
            _ => None,
        }
    }
}

/// Runs commands as processes of this machine.
pub(in crate::engine) struct Runner {
    pub(in crate::engine) artifacts: Arc<dyn ArtifactStore>,
    pub(in crate::engine) logs: Client,
    pub(in crate::engine) role: Role,
}

impl CommandRunner for Runner {
    fn run<'a>(
        &'a self,
        request: &'a CommandsRequest,
        end: CancellationToken,
    ) -> PortFuture<'a, Result<BTreeMap<String, String>, PortError>> {
        Box::pin(async move {
            let result = self.run_in_a_folder(request, end).await;
            result.map_err(|error| match error {
                CommandsError::Port(error) => error,
                error => {
                    let failure = Failure::new(&error);
                    let (group, stream) = (log_group(&request.pipeline), &request.action);
                    PortError {
                        code: format!("{:?}", failure.failure_type),
                        message: failure.message(&format!("{group} {stream}")),
                    }
                }
            })
        })
    }
}

impl Runner {
    async fn run_in_a_folder(
        &self,
        request: &CommandsRequest,
        end: CancellationToken,
    ) -> Result<BTreeMap<String, String>, CommandsError> {
        let workspace = blocking(Workspace::create).await;
        let workspace = workspace.map_err(CommandsError::Workspace)?;
        let result = self.work(request, &workspace, end).await;
        blocking(move || drop(workspace)).await;
        result
    }

    async fn work(
        &self,
        request: &CommandsRequest,
        workspace: &Workspace,
        end: CancellationToken,
    ) -> Result<BTreeMap<String, String>, CommandsError> {
        let folder = |name: &str| workspace.directory(name).map_err(CommandsError::Workspace);
        let (home, temporary) = (folder("home")?, folder("tmp")?);
        let script = Script::in_folder(folder("script")?);
        let inputs = self.inputs(request, workspace, &end).await?;
        let source = inputs.first().unwrap_or(&home).clone();
        let folders = Folders {
            home: &home,
            temporary: &temporary,
            inputs: &inputs,
        };
        let variables = variables(request, &self.role, &folders);
        let tools = Environment::new(&home, &temporary);
        self.shell(request, &script, &source, &variables, &tools, end)
            .await?;
        let Some(exported) = script.exported() else {
            return Err(CommandsError::Shell(io::Error::other(
                "the shell left no environment behind",
            )));
        };
        self.output(request, workspace, &source).await?;
        let named = request.output_variables.iter();
        let named = named.filter_map(|name| Some((name.clone(), exported.get(name)?.clone())));
        Ok(named.collect())
    }

    /// Extracts the input artifacts, each into a folder of its name.
    async fn inputs(
        &self,
        request: &CommandsRequest,
        workspace: &Workspace,
        end: &CancellationToken,
    ) -> Result<Vec<PathBuf>, CommandsError> {
        let mut folders = Vec::new();
        for input in &request.inputs {
            let location = &input.location;
            let zip = workspace.file("input.zip");
            let get = self.artifacts.get(&location.bucket, &location.key, &zip);
            tokio::select! {
                got = get => got?,
                () = end.cancelled() => return Err(CommandsError::Ended),
            }
            let folder = workspace.directory(&format!("inputs/{}", location.name));
            let folder = folder.map_err(CommandsError::Workspace)?;
            let into = folder.clone();
            let extracted = blocking(move || delivery_archive::extract_file(&zip, &into)).await;
            extracted.map_err(|source| CommandsError::Input {
                artifact: location.name.clone(),
                source,
            })?;
            folders.push(folder);
        }
        Ok(folders)
    }

    /// Runs all commands, and logs what they write.
    async fn shell(
        &self,
        request: &CommandsRequest,
        script: &Script,
        source: &Path,
        variables: &BTreeMap<String, String>,
        tools: &Environment,
        end: CancellationToken,
    ) -> Result<(), CommandsError> {
        let find = |program: &str| require(program, tools).map_err(CommandsError::Program);
        script
            .write(&request.commands, &find("env")?)
            .map_err(CommandsError::Shell)?;
        let (program, arguments) = SHELLS
            .iter()
            .find_map(|(name, arguments)| Some((find(name).ok()?, *arguments)))
            .ok_or_else(|| {
                CommandsError::Shell(io::Error::other("there is no `sh` on the `PATH`"))
            })?;
        let shell = Shell {
            python: find("python3")?,
            program,
            arguments,
            script: script.path(),
            directory: source,
            environment: variables,
            path: &search_path(),
        };
        let group = log_group(&request.pipeline);
        let log = Log::create(self.logs.clone(), group, request.action.to_string()).await?;
        // As CodeBuild does: with it, what reads the log can name the files of the source.
        let folder = format!("[Container] CODEBUILD_SRC_DIR={}", source.display());
        log.put(&[Line::now(&folder)]).await;
        let (lines, received) = mpsc::channel(MAX_WAITING_LINES);
        let (ending, output) = tokio::join!(shell.run(lines, end), log.follow(received));
        let command = || {
            let command = script.last_command(&request.commands);
            command.unwrap_or_default().to_owned()
        };
        match ending.map_err(CommandsError::Shell)? {
            Ending::Ended => Err(CommandsError::Ended),
            Ending::Stuck => Err(CommandsError::Stuck),
            Ending::Exited(status) if !status.success() => Err(CommandsError::Exit {
                command: command(),
                status: status.code().unwrap_or(-1),
                output,
            }),
            Ending::Exited(_) if script.exported().is_none() => Err(CommandsError::Early {
                command: command(),
                output,
            }),
            Ending::Exited(_) => Ok(()),
        }
    }

    /// Packs the output artifact, and puts it where it belongs.
    async fn output(
        &self,
        request: &CommandsRequest,
        workspace: &Workspace,
        source: &Path,
    ) -> Result<(), CommandsError> {
        let Some(output) = &request.output else {
            return Ok(());
        };
        let zip = workspace.file("output.zip");
        let (folder, files, to) = (source.to_owned(), output.files.clone(), zip.clone());
        let packed = blocking(move || pack(&folder, files.as_deref(), &to)).await;
        packed.map_err(CommandsError::Output)?;
        let location = &output.location;
        let key = request.encryption_key.as_deref();
        let put = self
            .artifacts
            .put(&location.bucket, &location.key, &zip, key);
        Ok(put.await?)
    }
}
