//! Builds the functions from the checkout that this program was built from.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use tokio::process::Command;

use super::{Function, NAMES};
use crate::error::CliError;

/// The profile of this program: the functions get the same, so that nothing is compiled twice.
pub(crate) fn profile() -> &'static str {
    if cfg!(debug_assertions) {
        "dev"
    } else {
        "release"
    }
}

/// One line of `cargo build --message-format=json`, with the fields that matter here.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Builds every function. Cargo talks to standard error itself, unless `quiet`.
pub(crate) async fn build(workspace: &Path, quiet: bool) -> Result<Vec<Function>, CliError> {
    if !workspace.join("Cargo.lock").is_file() {
        return Err(CliError::NoSources {
            workspace: workspace.to_owned(),
        });
    }
    // The whole workspace, as the scripts build it: cargo unifies features over what is selected, and
    // another selection would compile the AWS SDKs again.
    let messages = cargo(workspace, &["--locked", "--workspace"], quiet).await?;
    executables(&messages, workspace)
}

/// Builds a project of the user's own and finds the program of that name.
pub(super) async fn build_project(
    project: &Path,
    name: &str,
    quiet: bool,
) -> Result<Option<PathBuf>, CliError> {
    let messages = cargo(project, &[], quiet).await?;
    Ok(executable(&parse(&messages), name))
}

/// Runs `cargo build` for all programs and returns its messages.
async fn cargo(directory: &Path, selection: &[&str], quiet: bool) -> Result<String, CliError> {
    let mut arguments = vec!["build"];
    arguments.extend(selection);
    arguments.extend(["--bins", "--profile", profile()]);
    let mut command = Command::new("cargo");
    command.args(&arguments);
    command.arg("--message-format=json-render-diagnostics");
    if quiet {
        command.arg("--quiet");
    }
    let not_started = |source| CliError::Program {
        program: "cargo",
        source,
    };
    let output = command
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .map_err(not_started)?
        .wait_with_output()
        .await
        .map_err(not_started)?;
    if !output.status.success() {
        return Err(CliError::Build {
            command: format!("cargo {}", arguments.join(" ")),
            status: output.status.to_string(),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn parse(messages: &str) -> Vec<Message> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Where cargo put the program of that name.
fn executable(built: &[Message], name: &str) -> Option<PathBuf> {
    built
        .iter()
        .filter(|message| {
            let target = message.target.as_ref();
            target.is_some_and(|target| target.name == name)
        })
        .find_map(|message| message.executable.clone())
}

fn executables(messages: &str, workspace: &Path) -> Result<Vec<Function>, CliError> {
    let built = parse(messages);
    NAMES
        .into_iter()
        .map(|name| match executable(&built, name) {
            Some(path) => Ok(Function { name, path }),
            None => Err(CliError::FunctionMissing {
                name,
                directory: workspace.to_owned(),
            }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_says_where_the_programs_are() {
        let lines: Vec<String> = NAMES
            .iter()
            .flat_map(|name| {
                [
                    format!(r#"{{"reason":"compiler-artifact","target":{{"name":"{name}"}},"executable":null}}"#),
                    format!(r#"{{"reason":"compiler-artifact","target":{{"name":"{name}"}},"executable":"/t/debug/{name}"}}"#),
                ]
            })
            .chain([r#"{"reason":"build-finished","success":true}"#.to_owned()])
            .collect();
        let found = executables(&lines.join("\n"), Path::new("/w")).unwrap();
        assert_eq!(
            found[5],
            Function {
                name: "e2e",
                path: PathBuf::from("/t/debug/e2e")
            }
        );
    }

    #[test]
    fn a_program_that_cargo_did_not_build_is_named() {
        let error = executables("{}", Path::new("/w")).unwrap_err();
        assert_eq!(error.to_string(), "function `npm-install` is not in `/w`");
    }
}
