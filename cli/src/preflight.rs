//! What can be known before anything is started, all of it at once: the same list in `run` and `doctor`.
//!
//! Each look is at a few small files or one short program. What belongs to the application alone is found by
//! [`delivery_node::project::check`], which the actions use, too.

mod machine;

use std::collections::BTreeMap;
use std::path::Path;

use delivery_stack::template::Declared;

use crate::application::Application;
use crate::error::CliError;
use crate::exit::Exit;
use crate::message::{Finding, Severity};
use crate::settings::CustomFunction;
use crate::settings::FILE_NAME;
use crate::settings::check::{self, Purpose, SettingsCheck};
use crate::templates::Templates;

pub(crate) use machine::is_on_path;

/// The parameter of the template that names the runtime of the application's function.
const RUNTIME: &str = "ApplicationRuntime";

/// The parameter of the template that names the application's folder in its repository.
pub(crate) const DIRECTORY: &str = "ApplicationDirectory";

/// The parameter of the template that holds further `UserParameters` of npm-install.
const INSTALL: &str = "NpmInstallParameters";

/// What is looked at.
#[derive(Debug)]
pub(crate) struct Planned<'a> {
    /// The application.
    pub(crate) application: &'a Application,
    /// What is launched for it.
    pub(crate) templates: &'a Templates,
    /// The template's parameters that take effect.
    pub(crate) parameters: &'a BTreeMap<String, String>,
    /// Those that are set, too, though not for this command.
    pub(crate) other_parameters: BTreeMap<String, String>,
    /// The functions of the user's own.
    pub(crate) functions: &'a [CustomFunction],
    /// What for.
    pub(crate) purpose: Purpose,
    /// Where the local AWS is installed, or will be.
    pub(crate) home: &'a Path,
    /// Whether functions find Node.js in a layer, and not on this machine.
    pub(crate) has_node_layer: bool,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Errors first.
    pub(crate) findings: Vec<Finding>,
    /// Whether only the settings are wrong.
    is_usage: bool,
}

impl Found {
    /// Nothing may be started where there are errors: then they are one error, all of them.
    pub(crate) fn verdict(&self) -> Result<(), CliError> {
        let exit = if self.is_usage {
            Exit::Usage
        } else {
            Exit::Failed
        };
        check::verdict(&self.findings, exit)
    }

    fn errors(&self) -> impl Iterator<Item = &Finding> {
        let findings = self.findings.iter();
        findings.filter(|finding| finding.severity == Severity::Error)
    }
}

/// Looks at everything.
pub(crate) async fn look(planned: &Planned<'_>) -> Found {
    let application = planned.application;
    let declared = planned.templates.parameters();
    let mut set = planned.other_parameters.clone();
    set.extend(planned.parameters.clone());
    let check = SettingsCheck {
        declared: &declared,
        parameters: &set,
        functions: planned.functions,
        purpose: planned.purpose,
    };
    let mut findings = check.findings();
    let is_error = |finding: &&Finding| finding.severity == Severity::Error;
    let of_settings = findings.iter().filter(is_error).count();
    let runtime = runtime(&declared, planned.parameters);
    findings.extend(planned.templates.findings.iter().cloned());
    findings.extend(projects(planned, runtime.as_deref()));
    findings.extend(machine::programs(planned.has_node_layer, planned.home));
    findings.extend(machine::room(planned.home));
    if !planned.has_node_layer {
        findings.extend(machine::node_version(runtime.as_deref()).await);
    }
    findings.extend(application.left_out().await);
    findings.extend(folder(application, planned.templates));
    findings.sort_by_key(|finding| finding.severity);
    let mut found = Found {
        findings,
        is_usage: false,
    };
    found.is_usage = of_settings > 0 && found.errors().count() == of_settings;
    found
}

/// What is wrong with the projects of npm.
fn projects(planned: &Planned<'_>, runtime: Option<&str>) -> Vec<Finding> {
    let application = planned.application;
    let given = |name| planned.parameters.get(name).map(String::as_str);
    let named = given(DIRECTORY).filter(|_| application.folder().is_none());
    let projects = planned.templates.projects.iter().flat_map(|project| {
        let directory = if planned.templates.is_one_app {
            named.unwrap_or(&project.directory)
        } else {
            &project.directory
        };
        let missing = missing(planned.templates.is_one_app, &project.tasks);
        match application.without_project(directory, missing) {
            Some(finding) => vec![finding],
            None => application.project(directory, &project.tasks, given(INSTALL), runtime),
        }
    });
    projects.collect()
}

/// What to do where a folder has no project.
fn missing(is_one_app: bool, tasks: &[String]) -> String {
    if is_one_app {
        return format!(
            "add a `template.yaml` (CloudFormation or SAM), a `package.json` with the task `package`, or a `{FILE_NAME}` that \
             names the folders of the services (`delivery init` writes it); or give the directory of an application: \
             `delivery run DIR`"
        );
    }
    let tasks: Vec<_> = tasks.iter().map(|task| format!("`{task}`")).collect();
    format!(
        "`{FILE_NAME}` has {} run there by npm or gulp: add the file; a build can have `commands` in place of `task`",
        tasks.join(" and ")
    )
}

fn runtime(declared: &[Declared], given: &BTreeMap<String, String>) -> Option<String> {
    let default = declared.iter().find(|one| one.name == RUNTIME);
    let default = default.and_then(|one| one.default.clone());
    given.get(RUNTIME).cloned().or(default)
}

/// What AWS would deliver is the whole repository.
fn folder(application: &Application, templates: &Templates) -> Option<Finding> {
    let folder = application.folder()?;
    let (message, help) = if templates.is_one_app {
        (
            format!("the application is the folder `{folder}` of its repository"),
            format!("on AWS, pass the same: `delivery up -p {DIRECTORY}={folder}`"),
        )
    } else {
        (
            format!(
                "only the folder `{folder}` of the repository is delivered here; on AWS the pipeline gets \
                 the whole repository and looks for `{FILE_NAME}` and the services at its root"
            ),
            "for AWS, keep the application in a repository of its own".to_owned(),
        )
    };
    Some(Finding {
        severity: Severity::Note,
        message,
        help: Some(help),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn finding(severity: Severity, message: &str) -> Finding {
        Finding {
            severity,
            message: message.to_owned(),
            help: Some("do it".to_owned()),
        }
    }

    #[test]
    fn all_errors_are_said_at_once_and_notes_stop_nothing() {
        let note = finding(Severity::Note, "2 changed files");
        let mut found = Found {
            findings: vec![note.clone()],
            is_usage: false,
        };
        assert!(found.verdict().is_ok());
        found.findings = vec![
            finding(Severity::Error, "no `node`"),
            finding(Severity::Error, "no room"),
            note,
        ];
        let error = found.verdict().unwrap_err();
        assert_eq!(error.exit(), Exit::Failed);
        insta::assert_snapshot!(error.message(), @r"
        nothing was started:
          - no `node`
            help: do it
          - no room
            help: do it
        ");
    }

    #[tokio::test]
    async fn a_parameter_that_the_template_does_not_have_is_an_error_of_the_command_line() {
        let folder = tempfile::tempdir().unwrap();
        let package = r#"{"scripts": {"package": "true", "test-functional": "true"}}"#;
        std::fs::write(folder.path().join("package.json"), package).unwrap();
        let application = Application::find(folder.path()).await.unwrap();
        let parameters = [("ManualAproval", "true"), ("BranchName", "a b")];
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let parameters = parameters.map(owned).into();
        let cli = crate::args::Cli::parse_from(["delivery", "run"]);
        let settings = crate::settings::Settings::load_from(&cli.global, folder.path()).unwrap();
        let found = look(&Planned {
            application: &application,
            templates: &Templates::of(&settings).unwrap(),
            parameters: &parameters,
            other_parameters: BTreeMap::new(),
            functions: &[],
            purpose: Purpose::Run,
            home: folder.path(),
            has_node_layer: true,
        })
        .await;
        let error = found.verdict().unwrap_err();
        assert_eq!(error.exit(), Exit::Usage, "{}", error.message());
        let message = error.message();
        assert!(
            message.contains("did you mean `ManualApproval`?"),
            "{message}"
        );
        assert!(message.contains("`BranchName` is `a b`"), "{message}");
    }
}
