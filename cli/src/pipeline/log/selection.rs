//! Which actions' logs are meant. Pure.

use crate::error::Explained;
use crate::exit::Exit;
use crate::follow::ActionSnapshot;
use crate::pipeline::listed;
use crate::pipeline::state::{NoStage, PipelineState};

/// The stage and the action that were named.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named<'a> {
    pub(super) stage: Option<&'a str>,
    pub(super) action: Option<&'a str>,
}

impl Named<'_> {
    /// Whether an action is meant.
    pub(super) fn covers(&self, stage: &str, action: &str) -> bool {
        self.stage.is_none_or(|named| named == stage)
            && self.action.is_none_or(|named| named == action)
    }

    /// Whether the names are of this pipeline.
    pub(super) fn check(&self, state: &PipelineState) -> Result<(), SelectionError> {
        if let Some(stage) = self.stage {
            state.stage(stage)?;
        }
        let Some(action) = self.action else {
            return Ok(());
        };
        let stages = state.stages.iter();
        let here = stages.filter(|stage| self.stage.is_none_or(|named| named == stage.name));
        let mut known: Vec<String> = Vec::new();
        // Stages share actions' names: each is listed once.
        for one in here.flat_map(|stage| &stage.actions) {
            if !known.contains(&one.name) {
                known.push(one.name.clone());
            }
        }
        if known.iter().any(|name| name == action) {
            return Ok(());
        }
        Err(SelectionError::NoAction {
            action: action.to_owned(),
            known: listed(&known),
        })
    }
}

/// An action's run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) execution: String,
    pub(super) stage: String,
    pub(super) action: String,
}

/// The latest runs of the actions that are meant; with `failed` those that failed.
pub(super) fn latest(state: &PipelineState, named: Named<'_>, failed: bool) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for stage in &state.stages {
        for action in &stage.actions {
            let Some(execution) = &action.execution else {
                continue;
            };
            let has_failed =
                action.status.as_deref() == Some("Failed") && !stage.has_not_reached(action);
            if named.covers(&stage.name, &action.name) && (has_failed || !failed) {
                wanted.push(Wanted {
                    execution: execution.clone(),
                    stage: stage.name.clone(),
                    action: action.name.clone(),
                });
            }
        }
    }
    wanted
}

/// The runs of one execution that are meant, each attempt of its own.
pub(super) fn runs_of<'a>(
    actions: &'a [ActionSnapshot],
    named: Named<'_>,
    failed: bool,
) -> Vec<&'a ActionSnapshot> {
    actions
        .iter()
        .filter(|action| named.covers(&action.stage, &action.action))
        .filter(|action| !failed || action.status == "Failed")
        .collect()
}

/// What was named is not there.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SelectionError {
    /// The stage does not exist.
    #[error(transparent)]
    NoStage(#[from] NoStage),
    /// The action does not exist.
    #[error("the pipeline has no action `{action}`; it has {known}")]
    NoAction {
        /// What was given.
        action: String,
        /// What there is.
        known: String,
    },
    /// The execution does not exist.
    #[error("the pipeline has no execution `{execution}`")]
    NoExecution {
        /// What was given.
        execution: String,
    },
    /// There is no execution at all.
    #[error("the pipeline has not run yet")]
    NeverRun,
}

impl Explained for SelectionError {
    fn exit(&self) -> Exit {
        Exit::NotFound
    }

    fn kind(&self) -> &'static str {
        "not-found"
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::NoStage(error) => return Some(error.hint()),
                Self::NoAction { .. } => "choose one of these",
                Self::NoExecution { .. } => {
                    "`delivery status` shows the executions in the pipeline"
                }
                Self::NeverRun => "start it: `delivery start`",
            }
            .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::status::tests::busy;

    fn printed(stage: Option<&str>, action: Option<&str>, failed: bool) -> Vec<String> {
        let shown = busy().pipeline.unwrap();
        let named = Named { stage, action };
        named.check(&shown).unwrap();
        latest(&shown, named, failed)
            .into_iter()
            .map(|wanted| {
                let execution = crate::output::text::short(&wanted.execution).to_owned();
                format!("{execution} {} {}", wanted.stage, wanted.action)
            })
            .collect()
    }

    #[test]
    fn what_failed_is_what_the_status_shows_as_failed() {
        assert_eq!(
            printed(None, None, true),
            ["bbbbbbbb Commit test-and-package"]
        );
        assert_eq!(printed(Some("Source"), None, true), [""; 0]);
    }

    #[test]
    fn an_action_s_latest_run_may_be_of_an_older_execution() {
        assert_eq!(
            printed(Some("Production"), None, false),
            [
                "dddddddd Production deploy-app",
                "aaaaaaaa Production deploy-site"
            ]
        );
    }

    #[test]
    fn what_is_not_there_is_answered_with_what_is() {
        let shown = busy().pipeline.unwrap();
        let error = |stage, action| {
            Named { stage, action }
                .check(&shown)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            error(Some("Prod"), None),
            "the pipeline has no stage `Prod`; it has Source, Commit, Approval and Production"
        );
        assert_eq!(
            error(Some("Commit"), Some("e2e")),
            "the pipeline has no action `e2e`; it has npm-install and test-and-package"
        );
    }
}
