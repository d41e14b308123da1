//! What a person has to know beside a change: why an action failed, what it waits for.

use std::time::Duration;

use crate::event::{Event, Failure};
use crate::log;

use super::{ActionSnapshot, LOOK_INTERVAL, Pipeline, Shape, Snapshot, changes};

/// How often the engine is asked: it is on this machine, and a person sees no more.
const LOCAL_LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Where the pipeline is, so that a person is told the commands that work there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `delivery run` has launched it on this machine.
    Run,
    /// It is the pipeline of a stack.
    Stack,
}

/// Tells the changes of one pipeline's executions, with what explains them.
#[derive(Clone, Debug)]
pub(crate) struct Explainer {
    pipeline: Pipeline,
    shape: Shape,
    lambda: aws_sdk_lambda::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    place: Place,
}

impl Explainer {
    pub(crate) fn new(
        pipeline: Pipeline,
        shape: Shape,
        lambda: aws_sdk_lambda::Client,
        logs: aws_sdk_cloudwatchlogs::Client,
        place: Place,
    ) -> Self {
        Self {
            pipeline,
            shape,
            lambda,
            logs,
            place,
        }
    }

    /// The pipeline.
    pub(crate) fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// How often to look.
    pub(crate) fn interval(&self) -> Duration {
        match self.place {
            Place::Run => LOCAL_LOOK_INTERVAL,
            Place::Stack => LOOK_INTERVAL,
        }
    }

    /// What changed between two looks, each change followed by what explains it.
    pub(crate) async fn explained(&self, before: &Snapshot, now: &Snapshot) -> Vec<Event> {
        let mut events = Vec::new();
        for event in changes(before, now) {
            let explanation = self.explanation(&event, now).await;
            events.push(event);
            events.extend(explanation);
        }
        events
    }

    async fn explanation(&self, event: &Event, now: &Snapshot) -> Option<Event> {
        let Event::Action(report) = event else {
            return None;
        };
        match report.status.as_str() {
            "Failed" => {
                let failed = now.failed().filter(|action| {
                    action.stage == report.stage && action.action == report.action
                });
                let action = failed.last()?;
                Some(Event::Failure(self.failure(now, action).await))
            }
            "InProgress" if self.shape.function(&report.stage, &report.action).is_none() => {
                let token = self
                    .pipeline
                    .approval_token(&report.stage, &report.action)
                    .await?;
                Some(Event::Approval {
                    execution: report.execution.clone(),
                    stage: report.stage.clone(),
                    action: report.action.clone(),
                    command: self.approve(&report.stage, &report.action, &token, now),
                })
            }
            _ => None,
        }
    }

    fn approve(&self, stage: &str, action: &str, token: &str, now: &Snapshot) -> String {
        match (self.place, &now.revision) {
            (Place::Stack, Some(revision)) => {
                format!("delivery approve {}", crate::output::lines::short(revision))
            }
            _ => format!(
                "aws codepipeline put-approval-result --pipeline-name {} --stage-name {stage} --action-name \
                 {action} --token {token} --result status=Approved,summary=ok",
                self.pipeline.name()
            ),
        }
    }

    async fn failure(&self, now: &Snapshot, action: &ActionSnapshot) -> Failure {
        let group = match self.shape.function(&action.stage, &action.action) {
            Some(function) => Some(log::group(&self.lambda, function).await),
            None => None,
        };
        let log = match &group {
            Some(group) => log::tail(&self.logs, group, action).await,
            None => Vec::new(),
        };
        let (code, message) = action.error.clone().unwrap_or_default();
        Failure {
            execution: now.execution.clone(),
            stage: action.stage.clone(),
            action: action.action.clone(),
            code,
            message,
            log_group: group,
            log,
            help: help(&self.shape, now, repair(self.place, &action.stage)),
        }
    }
}

fn repair(place: Place, stage: &str) -> String {
    match place {
        Place::Run => "repair it, commit, and run `delivery run` again".to_owned(),
        Place::Stack => {
            format!("`delivery retry {stage}` tries again, or repair it, commit and push")
        }
    }
}

/// What a person does next, and what need not be worried about.
fn help(shape: &Shape, now: &Snapshot, repair: String) -> String {
    let reached = |stage: &str| now.actions.iter().any(|action| action.stage == stage);
    let untouched: Vec<&str> = shape
        .stages
        .iter()
        .map(|stage| stage.name.as_str())
        .filter(|stage| !reached(stage))
        .collect();
    match untouched.as_slice() {
        [] => repair,
        [stage] => format!("{stage} is untouched; {repair}"),
        [stages @ .., last] => format!("{} and {last} are untouched; {repair}", stages.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::StageShape;

    #[test]
    fn the_help_names_the_stages_that_were_not_reached() {
        let stage = |name: &str| StageShape {
            name: name.to_owned(),
            actions: Vec::new(),
        };
        let shape = Shape {
            stages: ["Commit", "Acceptance", "Production"].map(stage).to_vec(),
            functions: Vec::new(),
        };
        let help = |place| help(&shape, &Snapshot::default(), repair(place, "Source"));
        insta::assert_snapshot!(help(Place::Run), @"Commit, Acceptance and Production are untouched; repair it, commit, and run `delivery run` again");
        insta::assert_snapshot!(help(Place::Stack), @"Commit, Acceptance and Production are untouched; `delivery retry Source` tries again, or repair it, commit and push");
    }
}
