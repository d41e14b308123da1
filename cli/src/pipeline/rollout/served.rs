//! What the functions serve to which the stages of pipelines deploy, and the rollouts that are under way there.

use super::state::RolloutState;
use super::subject::{Look, Subject};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::foreign;
use crate::pipeline::delivered::history;
use crate::pipeline::delivered::place::{self, App, Place};
use crate::pipeline::target::Target;

/// A stage that delivers to an environment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ServedEnvironment {
    /// The environment.
    pub(crate) name: String,
    /// Its pipeline, as `delivery.toml` has it.
    pub(crate) pipeline: String,
    /// Its functions.
    pub(crate) functions: Vec<ServedFunction>,
}

/// What the function of an environment serves.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ServedFunction {
    /// The service, where there are several.
    pub(crate) service: Option<String>,
    /// The function and its alias.
    pub(crate) alias: String,
    /// The version that serves what a rollout leaves it.
    pub(crate) version: String,
    /// The revision that it was built from.
    pub(crate) revision: Option<String>,
    /// The rollout that is under way.
    pub(crate) rollout: Option<RolloutState>,
}

/// Looks at the functions of all stages. Who may see a pipeline need not be allowed to see what it deploys: a function that
/// is hidden, or not made yet, is left out.
pub(crate) async fn served(target: &Target) -> Result<Vec<ServedEnvironment>, CliError> {
    let mut found = Vec::new();
    for (name, place) in place::all(target.meant(None)?).await? {
        let mut functions = Vec::new();
        for app in &place.apps {
            functions.extend(function(target, &place, app).await?);
        }
        found.push(ServedEnvironment {
            name,
            pipeline: target.short(&place.pipeline).to_owned(),
            functions,
        });
    }
    Ok(found)
}

async fn function(
    target: &Target,
    place: &Place,
    app: &App,
) -> Result<Option<ServedFunction>, CliError> {
    let lambda = target.cloud.lambda();
    let look = match Look::at(&lambda, app).await {
        Ok(look) => look,
        Err(error) if is_hidden(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let rollout = match look.under_way() {
        Some(marker) => {
            let runs = history::app_runs(place).await?;
            let run = runs
                .iter()
                .find(|run| run.action == app.action && marker.is_of_execution(&run.execution));
            let subject = Subject {
                cloud: target.cloud.clone(),
                lambda,
                app: app.clone(),
                place: Some(place.clone()),
            };
            Some(RolloutState::of(&subject, &look, marker, run).await)
        }
        None => None,
    };
    Ok(Some(ServedFunction {
        service: app.service.clone(),
        alias: look.alias.resource(),
        version: look.found.alias.version.clone(),
        revision: look.description().revision.as_deref().map(foreign::line),
        rollout,
    }))
}

fn is_hidden(error: &CliError) -> bool {
    matches!(error.exit(), Exit::NotFound | Exit::Denied)
}
