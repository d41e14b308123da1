//! `delivery validate`: what can be known of the templates and of `delivery.toml` without AWS.

mod lint;
mod rules;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use delivery_node::project::Expected;
use delivery_stack::template::Template;
use schemars::JsonSchema;
use serde::Serialize;

use crate::action_functions::custom;
use crate::application;
use crate::args::Global;
use crate::args::stack::Validate;
use crate::checkout;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::message;
use crate::output::answer::{self, CommandAnswer};
use crate::render::{EnvironmentStage, rollouts};
use crate::settings::check::{Purpose, SettingsCheck};
use crate::settings::{FILE_NAME, Settings};
use crate::state_folder::StateFolder;
use crate::templates::{ROOT, Templates};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Validation {
    /// The files that were checked.
    files: Vec<String>,
    /// Whether a person named them; else they are the pipeline's.
    #[serde(skip)]
    are_named: bool,
    /// Whether cfn-lint checked them too.
    cfn_lint: bool,
    /// What is wrong.
    findings: Vec<Finding>,
    /// The environments in the order of their stages, where the files are what `delivery.toml` is rendered to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    environments: Vec<EnvironmentStage>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Finding {
    /// The file.
    pub(crate) file: String,
    /// Whether it keeps the stack from being launched.
    pub(crate) severity: Severity,
    /// What it is.
    pub(crate) message: String,
    /// What to do, where the message does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) help: Option<String>,
}

/// What `run` would find in the settings, or in what they name.
impl From<message::Finding> for Finding {
    fn from(found: message::Finding) -> Self {
        Self {
            file: FILE_NAME.to_owned(),
            severity: match found.severity {
                message::Severity::Error => Severity::Error,
                message::Severity::Note => Severity::Warning,
            },
            message: found.message,
            help: found.help,
        }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Severity {
    /// AWS does not take it.
    Error,
    /// AWS takes it.
    Warning,
}

impl Severity {
    fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl CommandAnswer for Validation {
    const TYPE: &'static str = "validation";

    fn text(&self) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let _infallible = writeln!(
                text,
                "{}: {}: {}",
                finding.severity.word(),
                finding.file,
                finding.message
            );
            if let Some(help) = &finding.help {
                let _infallible = writeln!(text, "  help: {help}");
            }
        }
        let lint = if self.cfn_lint {
            "with cfn-lint"
        } else {
            "without cfn-lint, which is not installed (`pip install cfn-lint`)"
        };
        let of = if self.are_named {
            ""
        } else {
            " of the pipeline"
        };
        let _infallible = writeln!(
            text,
            "{}{of} checked {lint}: {}",
            count(self.files.len(), "file"),
            count(self.findings.len(), "finding")
        );
        if !self.are_named {
            text.push_str(
                "`delivery validate template.yaml` checks a service's own template against the rules of CloudFormation\n",
            );
        }
        text + &rollouts(&self.environments)
    }
}

fn count(number: usize, word: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{number} {word}{end}")
}

/// The command.
pub(crate) async fn validate(global: &Global, arguments: &Validate) -> Result<Exit, CliError> {
    let settings = Settings::load(global)?;
    let checked = Checked::of(&settings, &arguments.templates)?;
    let is_named = !arguments.templates.is_empty();
    let mut findings = checked.of_services.clone();
    let mut of_settings = Vec::new();
    let mut templates = Vec::new();
    for (file, text) in &checked.files {
        // The pipeline's own are always launched from a bucket.
        if is_named {
            findings.extend(rules::size(file, text));
        }
        match Template::read(text) {
            Ok(template) => templates.push((file.clone(), template)),
            Err(error) => findings.push(Finding {
                file: file.clone(),
                severity: Severity::Error,
                message: error.to_string(),
                help: None,
            }),
        }
    }
    for (file, template) in &templates {
        findings.extend(rules::check(file, template, &templates));
    }
    if let Some((_, root)) = templates.iter().find(|(file, _)| file_name(file) == ROOT) {
        of_settings = check_settings(&settings, root);
        findings.extend(of_settings.clone());
    }
    let home = StateFolder::find(global.home.as_deref());
    let lint = lint::program(home.path());
    if let Some(program) = &lint {
        findings.extend(checked.lint(program).await?);
    }
    let exit = match (errors(&findings), errors(&of_settings)) {
        (0, _) => Exit::Success,
        (all, of_settings) if all == of_settings => Exit::Usage, // as the commands that read the settings end
        _ => Exit::Failed,
    };
    let validation = Validation {
        files: checked.files.into_iter().map(|(file, _)| file).collect(),
        are_named: is_named,
        cfn_lint: lint.is_some(),
        findings,
        environments: checked.environments,
    };
    answer::print(global.json, &validation);
    Ok(exit)
}

fn errors(findings: &[Finding]) -> usize {
    let is_error = |finding: &&Finding| finding.severity == Severity::Error;
    findings.iter().filter(is_error).count()
}

/// The templates that are checked.
struct Checked {
    /// What each is called, and its text.
    files: Vec<(String, String)>,
    /// Whether the names are paths of files, and not of renderings.
    are_on_disk: bool,
    /// The environments of a rendering.
    environments: Vec<EnvironmentStage>,
    /// What is wrong with the services that they are rendered from.
    of_services: Vec<Finding>,
}

impl Checked {
    /// The files that were named, else what the application is rendered to.
    fn of(settings: &Settings, named: &[PathBuf]) -> Result<Self, CliError> {
        if !named.is_empty() {
            return Self::read(named.to_vec());
        }
        let templates = Templates::of(settings)?;
        if templates.is_default
            && let Some(checkout) = checkout::find()
        {
            // They are files already, which can be opened.
            let folder = checkout.join("cloudformation");
            return Self::read(
                templates
                    .files
                    .keys()
                    .map(|name| folder.join(name))
                    .collect(),
            );
        }
        let of_services = services(settings, &templates);
        let environments = templates.environments.into_iter();
        Ok(Self {
            of_services,
            files: templates.files.into_iter().collect(),
            are_on_disk: false,
            environments: environments.map(EnvironmentStage::from).collect(),
        })
    }

    fn read(paths: Vec<PathBuf>) -> Result<Self, CliError> {
        let read = |path: PathBuf| match std::fs::read_to_string(&path) {
            Ok(text) => Ok((path.display().to_string(), text)),
            Err(source) => Err(CliError::File {
                verb: "read",
                path,
                source,
            }),
        };
        Ok(Self {
            files: paths.into_iter().map(read).collect::<Result<_, _>>()?,
            are_on_disk: true,
            environments: Vec::new(),
            of_services: Vec::new(),
        })
    }

    /// What cfn-lint finds. It reads files only, so renderings become some.
    async fn lint(&self, program: &Path) -> Result<Vec<Finding>, CliError> {
        if self.are_on_disk {
            let paths: Vec<PathBuf> = self.files.iter().map(|(file, _)| file.into()).collect();
            return lint::run(program, &paths).await;
        }
        let failed = |path: PathBuf, source| CliError::File {
            verb: "write",
            path,
            source,
        };
        let folder = tempfile::tempdir().map_err(|source| failed(std::env::temp_dir(), source))?;
        let mut paths = Vec::new();
        for (file, text) in &self.files {
            let path = folder.path().join(file);
            std::fs::write(&path, text).map_err(|source| failed(path.clone(), source))?;
            paths.push(path);
        }
        let found = lint::run(program, &paths).await?;
        let named = found.into_iter().map(|finding| Finding {
            file: file_name(&finding.file).to_owned(),
            ..finding
        });
        Ok(named.collect())
    }
}

/// The last part of a path.
pub(crate) fn file_name(file: &str) -> &str {
    Path::new(file)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or(file)
}

/// What is wrong with the files that the services name, and with the projects of npm that are built.
fn services(settings: &Settings, templates: &Templates) -> Vec<Finding> {
    let mut findings = templates.findings.clone();
    if !templates.is_one_app {
        for project in &templates.projects {
            let expected = Expected {
                directory: &project.directory,
                tasks: &project.tasks,
                is_working_tree: true,
                ..Expected::default()
            };
            findings.extend(application::findings(&settings.directory, &expected));
        }
    }
    findings.into_iter().map(Finding::from).collect()
}

/// Whether what is set fits the templates. The file's keys were checked when it was read.
fn check_settings(settings: &Settings, root: &Template) -> Vec<Finding> {
    let functions = settings.custom_functions();
    let unusable = custom::check(&functions).err().map(|error| {
        Finding::from(message::Finding {
            severity: message::Severity::Error,
            message: error.to_string(),
            help: error.hint(),
        })
    });
    let check = SettingsCheck {
        declared: &root.parameters(),
        parameters: &settings.parameters(&[]),
        functions: &functions,
        purpose: Purpose::Validate,
    };
    let found = check.findings().into_iter().map(Finding::from);
    unusable.into_iter().chain(found).collect()
}
