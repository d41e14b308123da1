//! What waits for a person.

use serde::Serialize;

use super::{Link, links};
use crate::console::look::Look;
use crate::console::offer::{Offer, Place};
use crate::pipeline::state::{PipelineState, StageState, short_form};
use crate::record::Mark;

#[derive(Debug, Serialize)]
pub(super) struct Wanted {
    mark: Mark,
    text: String,
    more: String,
    links: Vec<Link>,
}

/// The mark of what waits for somebody: of a failure, where there is one.
pub(super) fn worst(wanted: &[Wanted]) -> Option<Mark> {
    let failed = wanted.iter().find(|one| one.mark.is_bad());
    failed.or(wanted.first()).map(|one| one.mark)
}

/// Approvals, failed stages, and stages that nothing is delivered to.
pub(super) fn wanted(look: &Look, offers: &[Offer]) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    let connection = look.status.connection.as_ref();
    if let Some(connection) = connection.filter(|one| one.is_pending()) {
        wanted.push(Wanted {
            mark: Mark::new("•", "Pending", "waiting"),
            text: "The connection to the repository is not complete: nothing is fetched."
                .to_owned(),
            more: format!("complete it: {}", connection.console),
            links: Vec::new(),
        });
    }
    for pipeline in look.status.all_pipelines() {
        for stage in &pipeline.stages {
            wanted.extend(wanted_of_stage(pipeline, stage, offers));
            wanted.extend(wanted_of_closed(pipeline, stage, offers));
        }
    }
    wanted
}

fn wanted_of_stage(
    pipeline: &PipelineState,
    stage: &StageState,
    offers: &[Offer],
) -> Option<Wanted> {
    let mut actions = stage.actions.iter();
    let (mark, more) = if let Some(action) = actions.find(|action| action.waits_for_approval) {
        let since = action.changed.as_deref().unwrap_or("an unknown time");
        let mark = Mark::new("•", "Waits for approval", "waiting");
        (mark, format!("since {since}"))
    } else if stage.is_failed() {
        let status = stage.status.as_deref().unwrap_or_default();
        (Mark::now(status), failures(stage))
    } else {
        return None;
    };
    let what = short_form(stage.revision.as_ref());
    let place = Place::Stage(pipeline.name.clone(), stage.name.clone());
    Some(Wanted {
        mark,
        text: format!("{} / {}: {what}", pipeline.name, stage.name),
        more,
        links: links(offers, &place),
    })
}

fn wanted_of_closed(
    pipeline: &PipelineState,
    stage: &StageState,
    offers: &[Offer],
) -> Option<Wanted> {
    let closed = stage.closed.as_ref()?;
    let reason = closed.reason.as_deref().unwrap_or("no reason given");
    let place = Place::Closed(pipeline.name.clone(), stage.name.clone());
    Some(Wanted {
        mark: Mark::new("■", "Held", "waiting"),
        text: format!(
            "{} / {}: nothing is delivered to it",
            pipeline.name, stage.name
        ),
        more: reason.to_owned(),
        links: links(offers, &place),
    })
}

fn failures(stage: &StageState) -> String {
    let failed = stage
        .actions
        .iter()
        .filter(|action| !stage.has_not_reached(action));
    let failed = failed.filter_map(|action| {
        let error = action.error.as_ref()?;
        Some(format!(
            "{} ({}): {}",
            action.name, error.code, error.message
        ))
    });
    failed.collect::<Vec<_>>().join("\n\n")
}
