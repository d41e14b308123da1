//! Builds of services in their own folders, as their developers run them: what is built is what is deployed.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use delivery_action::clock::Deadline;
use delivery_definition::Service;
use delivery_node::project::{self, Folder, Installer, Manager};
use delivery_node::task;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;

use super::error::DeployError;
use crate::error::CliError;
use crate::output::Reporter;
use crate::settings::Settings;

/// Ends a script at the first command that fails.
const STRICT: &str = "set -e\n";

/// Builds the services that have a build.
pub(super) async fn build(
    settings: &Settings,
    services: &[&Service],
    reporter: &Reporter,
    timeout: Duration,
) -> Result<(), CliError> {
    let deadline = Deadline::after(timeout);
    for service in services {
        let Some(script) = script(service, &settings.directory)? else {
            continue;
        };
        let folder = service.folder();
        reporter.notice(format!("building {} in `{folder}`", service.name));
        let directory = match folder {
            "." => settings.directory.clone(),
            folder => settings.directory.join(folder),
        };
        let built = run(service, &directory, &script);
        let built = tokio::time::timeout(deadline.remaining(), built).await;
        built.map_err(|_elapsed| DeployError::BuildTimeout {
            service: service.name.clone(),
            seconds: timeout.as_secs(),
        })??;
    }
    Ok(())
}

/// What builds a service; `None` where nothing does.
fn script(service: &Service, repository: &Path) -> Result<Option<String>, DeployError> {
    let Some(build) = &service.build else {
        return Ok(None);
    };
    if let Some(commands) = &build.value.commands {
        let commands: Vec<&str> = commands
            .value
            .iter()
            .map(|one| one.value.as_str())
            .collect();
        return Ok(Some(format!("{STRICT}{}", commands.join("\n"))));
    }
    let Some(name) = &build.value.task else {
        return Ok(None);
    };
    let folder = service.folder();
    let folder = if folder == "." { "" } else { folder };
    let files = Folder(repository);
    let failed = |why: String| DeployError::NotBuildable {
        service: service.name.clone(),
        why,
    };
    let choice = task::choose(&files, folder, name, None);
    let choice = choice.map_err(|error| failed(error.to_string()))?;
    let run = choice.runner.command_line(name);
    if repository.join(folder).join("node_modules").is_dir() {
        return Ok(Some(format!("{STRICT}{run}")));
    }
    let installer = project::installer(&files, folder);
    let installer = installer.map_err(|error| failed(error.to_string()))?;
    let install = install(&installer);
    Ok(Some(format!("{STRICT}{install}\n{run}")))
}

/// Installs what the lock file has, and fails where it is not up to date, as npm-install does in the pipeline. Without one it
/// installs what `package.json` has, and leaves no new file in a folder that a person works in.
fn install(installer: &Installer) -> &'static str {
    match installer.manager {
        Manager::Npm if installer.lock.is_none() => "npm install --no-package-lock",
        Manager::Npm => "npm ci",
        Manager::Pnpm => "pnpm install --frozen-lockfile",
        Manager::YarnClassic => "yarn install --frozen-lockfile",
        Manager::Yarn => "yarn install --immutable",
    }
}

/// The processes of a build. They are ended with it, whether it ended by itself, at a timeout or by Ctrl-C.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let leader = self.0.and_then(|id| i32::try_from(id).ok());
        if let Some(leader) = leader.and_then(Pid::from_raw) {
            let _already_gone = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// Runs a script in one shell. Its output goes to standard error: standard output is for data.
async fn run(service: &Service, directory: &Path, script: &str) -> Result<(), DeployError> {
    let environment = service.build.iter();
    let environment = environment.filter_map(|build| build.value.environment.as_ref());
    let environment = environment.flat_map(|variables| variables.value.iter());
    let values = environment.map(|one| {
        let text = one.value.value.resolve("", |_| None).unwrap_or_default();
        (one.name.clone(), text)
    });
    let failed = |why: String| DeployError::Build {
        service: service.name.clone(),
        directory: directory.display().to_string(),
        why,
    };
    let mut child = Command::new("sh")
        .args(["-c", script])
        .current_dir(directory)
        .envs(values)
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .process_group(0)
        .spawn()
        .map_err(|error| failed(format!("cannot start `sh`: {error}")))?;
    let group = Group(child.id());
    let status = child.wait().await;
    drop(group);
    let status = status.map_err(|error| failed(format!("cannot wait for it: {error}")))?;
    if status.success() {
        return Ok(());
    }
    Err(failed(format!("it ended with {status}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The script of a service in `api` with this lock file, before and after its dependencies are installed.
    fn scripts(lock: &str, text: &str) -> [String; 2] {
        let repository = tempfile::tempdir().unwrap();
        let folder = repository.path().join("api");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join(lock), text).unwrap();
        let manifest = r#"{ "scripts": { "package": "true" } }"#;
        std::fs::write(folder.join("package.json"), manifest).unwrap();
        let file = "application = \"a\"\n[services]\napi = { directory = \"api\", build = { task = \"package\" } }\n";
        let definition = delivery_definition::parse(file, "delivery.toml").unwrap();
        let service = definition.services().get("api").unwrap();
        let lines = || script(service, repository.path()).unwrap().unwrap();
        let before = lines();
        std::fs::create_dir(folder.join("node_modules")).unwrap();
        [before, lines()]
    }

    #[test]
    fn a_task_runs_after_what_its_lock_file_has_is_installed() {
        let classic = "# yarn lockfile v1\n";
        let locks = [
            ("README.md", "", "npm install --no-package-lock"),
            ("package-lock.json", "{ \"lockfileVersion\": 3 }", "npm ci"),
            (
                "pnpm-lock.yaml",
                "lockfileVersion: '9.0'\n",
                "pnpm install --frozen-lockfile",
            ),
            ("yarn.lock", classic, "yarn install --frozen-lockfile"),
            (
                "yarn.lock",
                "__metadata:\n  version: 8\n",
                "yarn install --immutable",
            ),
        ];
        for (lock, text, install) in locks {
            let [before, after] = scripts(lock, text);
            let run = after.strip_prefix(STRICT).unwrap();
            assert_eq!(before, format!("{STRICT}{install}\n{run}"));
            assert!(run.ends_with("run package"), "{run}");
        }
    }
}
