//! Functions go back: the old version gets all traffic.

use delivery_rollout::{Change, Description, abort};

use crate::args::rollout::Rollback;
use crate::error::CliError;
use crate::pipeline::delivered::place::{App, Place};
use crate::pipeline::rollout::{Look, changed_meanwhile};

use super::RollbackPlan;
use super::partly::{NotBack, PartlyBack};
use super::reason::NO_REASON;
use super::rolled_back::FunctionBack;

/// Gives the old version of each function all traffic, in one call each. One that is refused does not keep the others
/// from going back: each that is back harms nobody any more.
/// `choice`: the option that names the pipeline in a further command.
pub(super) async fn functions_back(
    place: &Place,
    looks: &[Look],
    plan: &RollbackPlan,
    arguments: &Rollback,
    choice: &str,
    by: &str,
) -> Result<Vec<FunctionBack>, CliError> {
    let (mut back, mut not_back) = (Vec::new(), Vec::new());
    for (app, look) in place.apps.iter().zip(looks) {
        match function_back(app, look, plan, arguments, by).await {
            Ok(gone_back) => back.extend(gone_back),
            Err(error) if place.apps.len() == 1 => return Err(error),
            Err(error) => not_back.push(NotBack::new(app, look, &error)),
        }
    }
    if not_back.is_empty() {
        return Ok(back);
    }
    Err(PartlyBack::new(arguments, choice, plan, &back, &not_back).into())
}

/// `None` where the function is on the version that is meant already.
async fn function_back(
    app: &App,
    look: &Look,
    plan: &RollbackPlan,
    arguments: &Rollback,
    by: &str,
) -> Result<Option<FunctionBack>, CliError> {
    let why = arguments.message.as_deref().unwrap_or(NO_REASON);
    let found = &look.found.alias;
    let change = match plan {
        RollbackPlan::Abort => abort(found, look.good_version(), by, why),
        RollbackPlan::Version(version) => Some(to_version(look, version, None)),
        RollbackPlan::Delivery(delivery) => {
            let revision = delivery
                .revision
                .as_ref()
                .map(|revision| revision.id.clone());
            let to = delivery.versions.get(&app.action);
            to.map(|to| to_version(look, to, revision))
        }
    };
    let Some(change) = change else {
        return Ok(None);
    };
    let is_there = found.is_wholly_on(&change.version);
    if !is_there {
        let changed = look.alias.change(&look.found, &change).await;
        changed.map_err(|error| changed_meanwhile(&look.alias, error))?;
    }
    // Also where it was there already: an earlier rollback may have ended in between.
    if matches!(plan, RollbackPlan::Delivery(_)) {
        keep(look, &change.version).await?;
    }
    let from = look
        .under_way()
        .map_or(&found.version, |marker| &marker.new);
    Ok((!is_there).then(|| FunctionBack {
        alias: look.alias.resource(),
        version: change.version.clone(),
        from: from.clone(),
    }))
}

fn to_version(look: &Look, version: &str, revision: Option<String>) -> Change {
    Change {
        version: version.to_owned(),
        share: None,
        description: Description {
            marker: None,
            revision,
            before: Some(look.found.alias.version.clone()),
        },
    }
}

/// What was delivered here once is the last good version now: nobody can delete it, and the guard goes back to it.
async fn keep(look: &Look, version: &str) -> Result<(), CliError> {
    if look.good_version() == Some(version) {
        return Ok(());
    }
    let good = look.alias.good();
    let kept = match &look.good {
        Some(found) => {
            let before = Some(found.alias.version.clone());
            good.keep(Some(found), version, before).await
        }
        None => return Ok(()), // No rollout was ever made here, so nothing looks at it.
    };
    kept.map(drop)
        .map_err(|error| changed_meanwhile(&good, error))
}
