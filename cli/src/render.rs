//! `delivery render`: the templates of the application's pipeline as files.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use crate::args::Global;
use crate::args::definition::Render;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::answer::{self, CommandAnswer};
use crate::settings::Settings;
use crate::templates::{ROOT, Templates};

/// The templates that were written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rendered {
    /// Their files, the one that is launched first.
    files: Vec<PathBuf>,
    /// The environments in the order of their stages.
    environments: Vec<EnvironmentStage>,
}

/// An environment and its stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct EnvironmentStage {
    /// The environment.
    name: String,
    /// The stage that deploys to it.
    stage: String,
}

impl CommandAnswer for Rendered {
    const TYPE: &'static str = "rendered";

    fn text(&self) -> String {
        let files = self
            .files
            .iter()
            .map(|file| format!("{}\n", file.display()));
        files.collect::<String>() + "next: delivery validate\n"
    }
}

/// The command.
pub(crate) fn render(global: &Global, arguments: &Render) -> Result<Exit, CliError> {
    let settings = Settings::load(global)?;
    let templates = Templates::of(&settings)?;
    let mut files = templates.write(&arguments.out)?;
    files.sort_by_key(|file| !file.ends_with(ROOT));
    let environments = templates
        .environments
        .into_iter()
        .map(|one| EnvironmentStage {
            name: one.name,
            stage: one.stage,
        });
    let rendered = Rendered {
        files,
        environments: environments.collect(),
    };
    answer::print(global.json, &rendered);
    Ok(Exit::Success)
}
