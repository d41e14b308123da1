//! `delivery init`: the smallest `delivery.toml` for what is found in a repository, and what else it needs.

mod build;
mod file;
mod find;
mod node;
mod parameters;
mod plan;
mod python;
mod script;
mod starter;
mod template;
mod tools;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use delivery_definition::names::APPLICATION_CHARACTERS;
use schemars::JsonSchema;
use serde::Serialize;

use crate::application;
use crate::args::Global;
use crate::args::definition::Init;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::output::answer::{self, CommandAnswer};
use crate::output::reporter::can_ask;
use crate::output::{write_stderr, write_stdout};
use crate::settings::FILE_NAME;
use crate::stack::question::{self, Answer};
use crate::templates::repository::BrokenFile;

pub(crate) use build::left_out;
use find::{Found, Unclear};
use plan::Plan;
pub(crate) use python::ENVIRONMENT as PYTHON_ENVIRONMENT;
pub(crate) use tools::why_not_deployed;

/// The environments of an application that names none.
const ENVIRONMENTS: [&str; 2] = ["test", "prod"];

/// The files that were written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Initialized {
    /// The path of `delivery.toml`.
    file: PathBuf,
    /// All files that were written or changed.
    files: Vec<PathBuf>,
    /// The application's name.
    application: String,
    /// The environments, in their order.
    environments: Vec<String>,
    /// What was recognised, such as `npm` and `TypeScript`.
    found: Vec<String>,
    /// The services in it.
    services: Vec<InitializedService>,
    /// Folders that could be services, and are not in the file.
    left_out: Vec<LeftOut>,
    /// What remains to be done, a sentence each.
    to_do: Vec<String>,
}

/// A service in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct InitializedService {
    /// Its name.
    name: String,
    /// Its folder.
    directory: String,
    /// What it is deployed as.
    kind: String,
}

/// A folder that is not in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct LeftOut {
    /// The folder.
    directory: String,
    /// Why.
    reason: String,
}

impl CommandAnswer for Initialized {
    const TYPE: &'static str = "initialized";

    fn text(&self) -> String {
        let files = self.files.iter();
        let written: Vec<_> = files
            .map(|file| format!("wrote {}\n", file.display()))
            .collect();
        let written = written.concat();
        let first = if self.to_do.is_empty() {
            ""
        } else {
            "do what is listed as `to do`, then "
        };
        format!("{written}next: {first}`delivery validate`, commit, and `delivery run`\n")
    }
}

/// Why no file was written.
#[derive(Debug, thiserror::Error)]
enum InitError {
    #[error("`{}` already exists", .path.display())]
    Exists { path: PathBuf },
    #[error("`{}` is a file, and `init` takes a folder", .path.display())]
    NotAFolder { path: PathBuf },
    #[error("nothing in `{}` can be deployed{}", .path.display(), listed(.unclear))]
    Nothing {
        path: PathBuf,
        unclear: Vec<Unclear>,
    },
    /// Without it nobody knows what to write.
    #[error("nothing was written:{}", lines(.files))]
    Broken { files: Vec<BrokenFile> },
    #[error("nothing was written: {reason}")]
    Wrong { reason: String },
    #[error("nothing was written")]
    NotConfirmed { answer: Answer },
}

fn listed(unclear: &[Unclear]) -> String {
    let lines = unclear
        .iter()
        .map(|one| format!("\n  {}: {}", one.directory, one.why));
    lines.collect()
}

fn lines(files: &[BrokenFile]) -> String {
    if let [file] = files {
        return format!(" {file}");
    }
    let lines = files.iter().map(|file| format!("\n  {file}"));
    lines.collect()
}

impl Explained for InitError {
    fn exit(&self) -> Exit {
        match self {
            Self::Exists { .. } | Self::Broken { .. } | Self::Wrong { .. } => Exit::Usage,
            Self::NotAFolder { .. } | Self::Nothing { .. } => Exit::NotFound,
            Self::NotConfirmed { answer } => answer.exit(),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "conflict",
            Self::NotAFolder { .. } | Self::Nothing { .. } => "not-found",
            Self::Broken { .. } => "file",
            Self::Wrong { .. } => "usage",
            Self::NotConfirmed { .. } => "declined",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Exists { .. } => Some(format!(
                "edit it, or remove it first; `delivery validate` checks it ({FILE_NAME})"
            )),
            Self::NotAFolder { .. } => Some(
                "give the folder of the repository: `delivery init DIR`".to_owned(),
            ),
            Self::Nothing { .. } => Some(
                "a service is a folder with a `template.yaml` with `Resources`, an `index.html`, a `package.json` with a \
                 tool that builds a site, or one with the script `package`; in an empty folder `delivery init` writes \
                 a first service"
                    .to_owned(),
            ),
            Self::Broken { .. } => {
                Some("correct what is named, then run `delivery init` again".to_owned())
            }
            Self::Wrong { .. } => Some("correct the option".to_owned()),
            Self::NotConfirmed { answer } => answer.hint(),
        }
    }
}

/// The command.
pub(crate) fn init(global: &Global, arguments: &Init) -> Result<Exit, CliError> {
    let repository = &arguments.repository;
    let path = repository.join(FILE_NAME);
    if path.exists() {
        return Err(InitError::Exists { path }.into());
    }
    let folder = repository.canonicalize().map_err(|source| CliError::File {
        verb: "read",
        path: repository.clone(),
        source,
    })?;
    if !folder.is_dir() {
        let path = repository.clone();
        return Err(InitError::NotAFolder { path }.into());
    }
    let mut found = find::services(&folder);
    let is_empty = found.services.is_empty() && starter::is_for(&folder);
    if is_empty {
        found
            .tools
            .push("an empty folder, which gets a first service".to_owned());
        found.services.push(starter::service());
    }
    if found.services.is_empty() {
        return Err(nothing(folder, found).into());
    }
    // Before the questions: who reads them has to know what they are about.
    show(global, &found.text());
    let asks = !arguments.yes && can_ask();
    let application = application(arguments, &folder, asks)?;
    let environments = environments(arguments, asks)?;
    let plan = Plan::new(&folder, found, &application, &environments, is_empty);
    check(plan.definition()).map_err(|reason| InitError::Wrong { reason })?;
    show(global, &plan.text());
    if !arguments.yes {
        match question::confirm_by_default(&plan.question()) {
            Answer::Yes => {}
            answer => return Err(InitError::NotConfirmed { answer }.into()),
        }
    }
    let files = plan.write(repository)?;
    answer::print(
        global.json,
        &initialized(path, files, application, environments, plan.found),
    );
    Ok(Exit::Success)
}

/// Why there is nothing to write.
fn nothing(path: PathBuf, found: Found) -> InitError {
    let Found {
        unclear, broken, ..
    } = found;
    if broken.is_empty() {
        return InitError::Nothing { path, unclear };
    }
    InitError::Broken { files: broken }
}

/// Shows text to a person; with `--json` standard output is for the answer.
fn show(global: &Global, text: &str) {
    if global.json {
        write_stderr(text);
    } else {
        write_stdout(text);
    }
}

fn initialized(
    file: PathBuf,
    files: Vec<PathBuf>,
    application: String,
    environments: Vec<String>,
    found: Found,
) -> Initialized {
    let services = found.services.into_iter().map(|one| InitializedService {
        kind: one.kind.word().to_owned(),
        name: one.name,
        directory: one.directory,
    });
    let left_out = found.unclear.into_iter().map(|one| LeftOut {
        directory: one.directory,
        reason: one.why,
    });
    Initialized {
        file,
        files,
        application,
        environments,
        found: found.tools,
        services: services.collect(),
        left_out: left_out.collect(),
        to_do: found.missing,
    }
}

/// The application's name: the option's, what a person types, or the folder's.
fn application(arguments: &Init, folder: &Path, asks: bool) -> Result<String, InitError> {
    if let Some(name) = &arguments.application {
        return Ok(name.clone());
    }
    let default = application_name(folder);
    if !asks {
        return Ok(default);
    }
    let question = "Application (names of stacks begin with it)";
    let environments = ENVIRONMENTS.map(str::to_owned);
    question::ask(question, &default, |name| {
        check(&smallest(name, &environments))
    })
    .map_err(|answer| InitError::NotConfirmed { answer })
}

/// The environments in their order: the option's, what a person types, or `test` and `prod`.
fn environments(arguments: &Init, asks: bool) -> Result<Vec<String>, InitError> {
    if !arguments.environments.is_empty() {
        return Ok(arguments.environments.clone());
    }
    let default = ENVIRONMENTS.map(str::to_owned).to_vec();
    if !asks {
        return Ok(default);
    }
    let question = "Environments, in the order of delivery";
    let typed = question::ask(question, &ENVIRONMENTS.join(", "), |text| {
        check(&smallest("application", &split(text)))
    });
    let typed = typed.map_err(|answer| InitError::NotConfirmed { answer })?;
    Ok(split(&typed))
}

fn split(text: &str) -> Vec<String> {
    let names = text.split([',', ' ']).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

/// A file with these names, to have them checked.
fn smallest(application: &str, environments: &[String]) -> String {
    file::text(application, &[starter::service()], environments)
}

fn check(text: &str) -> Result<(), String> {
    delivery_definition::parse(text, FILE_NAME)
        .map(drop)
        .map_err(|mistakes| mistakes.to_string())
}

/// The folder's name, as far as an application may have it.
fn application_name(folder: &Path) -> String {
    let name = application::stack_name_of(folder);
    let cut = name.get(..APPLICATION_CHARACTERS).unwrap_or(&name);
    cut.trim_end_matches('-').to_owned()
}
