//! `delivery resume`: lets the pipeline deliver to an environment again.

use aws_sdk_codepipeline::types::StageTransitionType;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::Global;
use crate::args::rollout::Resume;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::answer::{self, CommandAnswer};
use crate::release::agree;

use super::delivered::place::{self, Place};
use super::read;
use super::state::{Revision, StageState, short_form};
use super::target::Target;

/// A stage that is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Resumed {
    /// The environment.
    environment: String,
    /// The stage.
    stage: String,
    /// Whether it was open already.
    was_open: bool,
    /// What waited to be delivered.
    waiting: Vec<Option<Revision>>,
    /// The command to go on with.
    next: String,
}

impl CommandAnswer for Resumed {
    const TYPE: &'static str = "resume";

    fn text(&self) -> String {
        let mut lines = vec![if self.was_open {
            format!("• {} was open already", self.stage)
        } else {
            format!("✓ deliveries to {} are on again", self.environment)
        }];
        let waited = |revision: &Option<Revision>| {
            format!(
                "• {} was waiting and goes on now",
                short_form(revision.as_ref())
            )
        };
        lines.extend(self.waiting.iter().map(waited));
        lines.push(format!("next: {}\n", self.next));
        lines.join("\n")
    }
}

pub(crate) async fn resume(global: &Global, arguments: &Resume) -> Result<Exit, CliError> {
    let target = Target::find(global).await?;
    let pipeline = arguments.choice.pipeline.as_deref();
    let (place, stage) = find(&target, pipeline, &arguments.environment).await?;
    let was_open = !is_held(stage.as_ref());
    let waiting = stage
        .iter()
        .filter(|_| !was_open)
        .flat_map(|stage| &stage.inbound);
    let waiting: Vec<_> = waiting.map(|one| one.revision.clone()).collect();
    ask(global, arguments, &waiting)?;
    let sent = place
        .pipeline
        .client()
        .enable_stage_transition()
        .pipeline_name(place.pipeline.name())
        .stage_name(&place.stage)
        .transition_type(StageTransitionType::Inbound)
        .send()
        .await;
    sent.map_err(place.pipeline.refused("codepipeline:EnableStageTransition"))?;
    let resumed = Resumed {
        environment: arguments.environment.clone(),
        stage: place.stage,
        was_open,
        next: format!(
            "delivery {}{}",
            if waiting.is_empty() {
                "start"
            } else {
                "log --follow"
            },
            target.choice(&place.pipeline)
        ),
        waiting,
    };
    answer::print(global.json, &resumed);
    Ok(Exit::Success)
}

/// What waits is delivered then, and whoever has just rolled back may not know that it is the same release.
fn ask(global: &Global, arguments: &Resume, waiting: &[Option<Revision>]) -> Result<(), CliError> {
    if waiting.is_empty() {
        return Ok(());
    }
    let environment = &arguments.environment;
    let waiting: Vec<_> = waiting
        .iter()
        .map(|revision| short_form(revision.as_ref()))
        .collect();
    let waiting = waiting.join(", ");
    let question = format!("{waiting} is waiting, and goes to {environment} then. Open it?");
    let otherwise = format!("{waiting} is waiting and would be delivered: nothing was changed");
    Ok(agree(arguments.yes, global.json, &question, &otherwise)?)
}

/// The stage that delivers to the environment. Of several pipelines the one whose stage is held is meant.
async fn find(
    target: &Target,
    pipeline: Option<&str>,
    environment: &str,
) -> Result<(Place, Option<StageState>), CliError> {
    let places = place::places(target.meant(pipeline)?, environment).await?;
    let mut found = Vec::new();
    for place in places {
        let mut stages = read::state(&place.pipeline).await?.stages.into_iter();
        let stage = stages.find(|stage| stage.name == place.stage);
        found.push((place, stage));
    }
    if found.iter().any(|(_, stage)| is_held(stage.as_ref())) {
        found.retain(|(_, stage)| is_held(stage.as_ref()));
    }
    if found.len() > 1 {
        let places: Vec<_> = found.into_iter().map(|(place, _)| place).collect();
        return Err(place::several(target, environment, &places).into());
    }
    Ok(found.remove(0))
}

/// Whether nothing is delivered to the stage.
fn is_held(stage: Option<&StageState>) -> bool {
    stage.is_some_and(|stage| stage.closed.is_some())
}
