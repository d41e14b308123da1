//! A pipeline with its stages and actions.

use serde::Serialize;

use crate::output::text::{duration, short_summary};
use crate::pipeline::state::{ActionState, PipelineState, Revision, StageState, short_form};
use crate::record::Mark;

#[derive(Debug, Serialize)]
pub(super) struct PipelineView {
    name: String,
    applies: bool,
    stages: Vec<StageView>,
}

#[derive(Debug, Serialize)]
struct StageView {
    name: String,
    mark: Mark,
    what: String,
    actions: Vec<ActionView>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ActionView {
    name: String,
    mark: Mark,
    took: String,
    summary: String,
}

impl PipelineView {
    pub(super) fn of(pipeline: &PipelineState, applies: bool) -> Self {
        Self {
            name: pipeline.name.clone(),
            applies,
            stages: pipeline.stages.iter().map(StageView::of).collect(),
        }
    }
}

impl StageView {
    fn of(stage: &StageState) -> Self {
        let inbound = stage.inbound.iter().map(|inbound| {
            let what = short_form(inbound.revision.as_ref());
            format!("{what} waits to enter")
        });
        Self {
            name: stage.name.clone(),
            mark: Mark::now(stage.status.as_deref().unwrap_or_default()),
            what: stage
                .revision
                .as_ref()
                .map(Revision::short_form)
                .unwrap_or_default(),
            actions: stage
                .actions
                .iter()
                .map(|action| ActionView::of(stage, action))
                .collect(),
            notes: inbound.collect(),
        }
    }
}

impl ActionView {
    fn of(stage: &StageState, action: &ActionState) -> Self {
        if stage.has_not_reached(action) {
            return Self {
                name: action.name.clone(),
                mark: Mark::now(""),
                took: String::new(),
                summary: String::new(),
            };
        }
        let error = action
            .error
            .as_ref()
            .and_then(|error| error.message.lines().next());
        let summary = action.summary.as_deref().and_then(short_summary);
        let percent = action
            .percent_complete
            .filter(|_| action.status.as_deref() == Some("InProgress"));
        Self {
            name: action.name.clone(),
            mark: if action.waits_for_approval {
                Mark::new("•", "Waits", "waiting")
            } else {
                Mark::now(action.status.as_deref().unwrap_or_default())
            },
            took: action.seconds.map(duration).unwrap_or_default(),
            summary: match (error, summary, percent) {
                (Some(error), ..) => error.to_owned(),
                (None, Some(summary), Some(percent)) => format!("{percent} %: {summary}"),
                (None, Some(summary), None) => summary.to_owned(),
                (None, None, _) => String::new(),
            },
        }
    }
}
