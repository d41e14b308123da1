//! `delivery init`: the smallest `delivery.toml` for the services that are found.

mod find;

use std::path::PathBuf;

use delivery_definition::names::APPLICATION_CHARACTERS;
use schemars::JsonSchema;
use serde::Serialize;

use crate::application;
use crate::args::Global;
use crate::args::definition::Init;
use crate::error::{CliError, Explained};
use crate::exit::Exit;
use crate::output::answer::{self, CommandAnswer};
use crate::settings::FILE_NAME;

use find::{Found, Unclear};

/// The file that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Initialized {
    /// Its path.
    file: PathBuf,
    /// The application's name.
    application: String,
    /// The services in it.
    services: Vec<InitializedService>,
    /// Folders that could be services, and are not in the file.
    left_out: Vec<LeftOut>,
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
        let services = self
            .services
            .iter()
            .map(|one| format!("  {} ({}) in `{}`\n", one.name, one.kind, one.directory));
        let left_out = self.left_out.iter();
        let left_out =
            left_out.map(|one| format!("not in it: `{}`: {}\n", one.directory, one.reason));
        let found: String = services.chain(left_out).collect();
        let file = self.file.display();
        format!("{file}\n{found}next: delivery validate, then commit it and `delivery run`\n")
    }
}

/// Why no file was written.
#[derive(Debug, thiserror::Error)]
enum InitError {
    #[error("`{}` already exists", .path.display())]
    Exists { path: PathBuf },
    #[error("nothing in `{}` can be deployed{}", .path.display(), listed(.unclear))]
    Nothing {
        path: PathBuf,
        unclear: Vec<Unclear>,
    },
}

fn listed(unclear: &[Unclear]) -> String {
    let lines = unclear
        .iter()
        .map(|one| format!("\n  {}: {}", one.directory, one.why));
    lines.collect()
}

impl Explained for InitError {
    fn exit(&self) -> Exit {
        match self {
            Self::Exists { .. } => Exit::Usage,
            Self::Nothing { .. } => Exit::NotFound,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Exists { .. } => "conflict",
            Self::Nothing { .. } => "not-found",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Exists { .. } => format!("edit it, or remove it first; `delivery validate` checks it ({FILE_NAME})"),
            Self::Nothing { .. } => {
                "a service is a folder with a `template.yaml` with `Resources`, an `index.html`, or a `package.json` with \
                 the script `package`"
                    .to_owned()
            }
        })
    }
}

/// The command.
pub(crate) fn init(global: &Global, arguments: &Init) -> Result<Exit, CliError> {
    let repository = &arguments.repository;
    let file = repository.join(FILE_NAME);
    if file.exists() {
        return Err(InitError::Exists { path: file }.into());
    }
    let folder = repository.canonicalize().map_err(|source| CliError::File {
        verb: "read",
        path: repository.clone(),
        source,
    })?;
    let Found { services, unclear } = find::services(&folder);
    if services.is_empty() {
        return Err(InitError::Nothing {
            path: folder,
            unclear,
        }
        .into());
    }
    let application = application_name(&folder);
    let text = find::text(&application, &services);
    std::fs::write(&file, text).map_err(|source| CliError::File {
        verb: "write",
        path: file.clone(),
        source,
    })?;
    let initialized = Initialized {
        file,
        application,
        services: services
            .into_iter()
            .map(|one| InitializedService {
                kind: one.kind.word().to_owned(),
                name: one.name,
                directory: one.directory,
            })
            .collect(),
        left_out: unclear
            .into_iter()
            .map(|one| LeftOut {
                directory: one.directory,
                reason: one.why,
            })
            .collect(),
    };
    answer::print(global.json, &initialized);
    Ok(Exit::Success)
}

/// The folder's name, as far as an application may have it.
fn application_name(folder: &std::path::Path) -> String {
    let name = application::stack_name_of(folder);
    let cut = name.get(..APPLICATION_CHARACTERS).unwrap_or(&name);
    cut.trim_end_matches('-').to_owned()
}
