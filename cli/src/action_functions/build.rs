//! Builds the functions from the checkout that this program lies in.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use tokio::process::Command;

use super::Function;
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
#[derive(Debug, Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
}

/// Builds every function. Cargo talks to standard error itself, unless `quiet`.
pub(crate) async fn build(workspace: &Path, quiet: bool) -> Result<Vec<Function>, CliError> {
    // The whole workspace, as the scripts build it: cargo unifies features over what is selected, and
    // another selection would compile the AWS SDKs again.
    let messages = cargo(
        workspace,
        &["--locked", "--workspace"],
        quiet,
        "the action functions",
    )
    .await?;
    executables(&messages, workspace)
}

/// The programs of a project.
#[derive(Debug)]
pub(super) struct Programs(Vec<Message>);

impl Programs {
    /// Where cargo put the program of that name.
    pub(super) fn find(&self, name: &str) -> Option<PathBuf> {
        executable(&self.0, name)
    }

    /// The names of all.
    pub(super) fn names(&self) -> Vec<String> {
        let programs = self.0.iter().filter(|one| one.executable.is_some());
        programs
            .filter_map(|one| Some(one.target.as_ref()?.name.clone()))
            .collect()
    }
}

/// Builds a project of the user's own.
pub(super) async fn build_project(
    project: &Path,
    function: &str,
    quiet: bool,
) -> Result<Programs, CliError> {
    let what = format!("the function `{function}`");
    let messages = cargo(project, &[], quiet, &what).await?;
    Ok(Programs(parse(&messages)))
}

/// Runs `cargo build` for all programs and returns its messages.
async fn cargo(
    directory: &Path,
    selection: &[&str],
    quiet: bool,
    what: &str,
) -> Result<String, CliError> {
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
            what: what.to_owned(),
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
    super::all(workspace, |name| executable(&built, name))
}

#[cfg(test)]
mod tests {
    use super::super::NAMES;
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
            found[8],
            Function {
                name: "e2e",
                path: PathBuf::from("/t/debug/e2e")
            }
        );
    }

    #[test]
    fn the_programs_of_a_project_are_named() {
        let lines = r#"{"target":{"name":"size-budget"},"executable":null}
            {"target":{"name":"size-budget"},"executable":"/t/size-budget"}
            {"target":{"name":"other"},"executable":"/t/other"}"#;
        let programs = Programs(parse(lines));
        assert_eq!(programs.names(), ["size-budget", "other"]);
        assert_eq!(programs.find("size-buget"), None);
        assert_eq!(programs.find("other"), Some(PathBuf::from("/t/other")));
    }

    #[test]
    fn a_program_that_cargo_did_not_build_is_named() {
        let error = executables("{}", Path::new("/w")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("functions are not in `/w`: `npm-install`, "),
            "{error}"
        );
    }
}
