//! `delivery render`: the templates of the application's pipeline as files.

use std::path::PathBuf;

use delivery_render::RenderedEnvironment;
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
pub(crate) struct EnvironmentStage {
    /// The environment.
    name: String,
    /// The stage that deploys to it.
    stage: String,
    /// How traffic moves to a new version there, in words, where `delivery.toml` says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    rollout: Option<String>,
}

impl From<RenderedEnvironment> for EnvironmentStage {
    fn from(rendered: RenderedEnvironment) -> Self {
        Self {
            name: rendered.name,
            stage: rendered.stage,
            rollout: rendered.rollout,
        }
    }
}

/// A line for each environment with a rollout.
pub(crate) fn rollouts(environments: &[EnvironmentStage]) -> String {
    let with_rollout = environments
        .iter()
        .filter_map(|one| Some((&one.name, one.rollout.as_ref()?)));
    let lines = with_rollout.map(|(name, rollout)| format!("{name}: rollout {rollout}\n"));
    lines.collect()
}

impl CommandAnswer for Rendered {
    const TYPE: &'static str = "rendered";

    fn text(&self) -> String {
        let files = self
            .files
            .iter()
            .map(|file| format!("{}\n", file.display()));
        files.collect::<String>() + &rollouts(&self.environments) + "next: delivery validate\n"
    }
}

/// The command.
pub(crate) fn render(global: &Global, arguments: &Render) -> Result<Exit, CliError> {
    let settings = Settings::load(global)?;
    let templates = Templates::of(&settings)?;
    let mut files = templates.write(&arguments.out)?;
    files.sort_by_key(|file| !file.ends_with(ROOT));
    let environments = templates.environments.into_iter();
    let rendered = Rendered {
        files,
        environments: environments.map(EnvironmentStage::from).collect(),
    };
    answer::print(global.json, &rendered);
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environments_with_a_rollout_have_a_line() {
        let environment = |name: &str, rollout: Option<&str>| EnvironmentStage {
            name: name.to_owned(),
            stage: name.to_owned(),
            rollout: rollout.map(ToOwned::to_owned),
        };
        let rendered = Rendered {
            files: vec![PathBuf::from("out/delivery.yaml")],
            environments: vec![
                environment("int", None),
                environment("prd", Some("canary 10 % for 5 minutes")),
            ],
        };
        insta::assert_snapshot!(rendered.text(), @r"
        out/delivery.yaml
        prd: rollout canary 10 % for 5 minutes
        next: delivery validate
        ");
        let json = serde_json::to_value(&rendered).unwrap();
        assert_eq!(
            json["environments"],
            serde_json::json!([
                { "name": "int", "stage": "int" },
                { "name": "prd", "stage": "prd", "rollout": "canary 10 % for 5 minutes" },
            ])
        );
    }
}
