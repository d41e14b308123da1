//! Adds to each change what a person needs to know: why an action failed, which command approves it.

use std::time::Duration;

use crate::function_log::{self, Entry, LogPlace};
use crate::message::{Cause, Failure, RunMessage};
use crate::output::foreign;

use super::outage::{AWS_OUTAGE_LIMIT, ENGINE_OUTAGE_LIMIT};
use super::{ActionSnapshot, LOOK_INTERVAL, Pipeline, Shape, Snapshot, changes, repair};

/// How often the engine is asked: it is on this machine, and a person sees no more.
const LOCAL_LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Where the pipeline runs, which decides the commands that messages suggest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// `delivery run` has launched it on this machine.
    Local {
        /// How another shell calls `delivery` on it, whatever account it is signed in to.
        delivery: String,
        /// Whether it stays up when the run is over, and its logs with it.
        stays: bool,
    },
    /// It is the pipeline of a stack.
    Aws,
}

/// Tells the changes of one pipeline's executions, with what explains them.
#[derive(Clone, Debug)]
pub(crate) struct Explainer {
    pipeline: Pipeline,
    shape: Shape,
    lambda: aws_sdk_lambda::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    location: Location,
}

impl Explainer {
    pub(crate) fn new(
        pipeline: Pipeline,
        shape: Shape,
        lambda: aws_sdk_lambda::Client,
        logs: aws_sdk_cloudwatchlogs::Client,
        location: Location,
    ) -> Self {
        Self {
            pipeline,
            shape,
            lambda,
            logs,
            location,
        }
    }

    /// The pipeline.
    pub(crate) fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// How often to look.
    pub(crate) fn interval(&self) -> Duration {
        match self.location {
            Location::Local { .. } => LOCAL_LOOK_INTERVAL,
            Location::Aws => LOOK_INTERVAL,
        }
    }

    /// How long it may not answer.
    pub(crate) fn outage_limit(&self) -> Duration {
        match self.location {
            Location::Local { .. } => ENGINE_OUTAGE_LIMIT,
            Location::Aws => AWS_OUTAGE_LIMIT,
        }
    }

    /// The lines that an action has logged so far; nothing where it has no log.
    pub(crate) async fn logged(&self, action: &ActionSnapshot) -> Vec<Entry> {
        let Some(place) = self.log(action).await else {
            return Vec::new();
        };
        let entries = function_log::read(&self.logs, &place, action).await;
        entries.unwrap_or_default()
    }

    /// Where an action's log is.
    async fn log(&self, action: &ActionSnapshot) -> Option<LogPlace> {
        let (stage, name) = (&action.stage, &action.action);
        if self.shape.runs_commands(stage, name) {
            return Some(LogPlace::of_commands(self.pipeline.name(), action));
        }
        let function = self.shape.function(stage, name)?;
        let group = function_log::group(&self.lambda, function).await;
        Some(LogPlace::of_function(group))
    }

    /// What changed between two looks, each change followed by what explains it.
    pub(crate) async fn explained(&self, before: &Snapshot, now: &Snapshot) -> Vec<RunMessage> {
        let mut events = Vec::new();
        for event in changes(before, now) {
            let explanation = self.explanation(&event, now).await;
            events.push(event);
            events.extend(explanation);
        }
        events
    }

    async fn explanation(&self, event: &RunMessage, now: &Snapshot) -> Option<RunMessage> {
        let RunMessage::Action(report) = event else {
            return None;
        };
        match report.status.as_str() {
            "Failed" => {
                let failed = now.failed().filter(|action| {
                    action.stage == report.stage && action.action == report.action
                });
                let action = failed.last()?;
                Some(RunMessage::Failure(self.failure(now, action).await))
            }
            "InProgress" if self.shape.function(&report.stage, &report.action).is_none() => {
                // Only an approval has a token: a Source action invokes no function, either.
                self.pipeline
                    .approval_token(&report.stage, &report.action)
                    .await?;
                Some(RunMessage::Approval {
                    execution: report.execution.clone(),
                    stage: report.stage.clone(),
                    action: report.action.clone(),
                    command: self.approve(now),
                })
            }
            _ => None,
        }
    }

    /// The command that approves what waits.
    fn approve(&self, now: &Snapshot) -> String {
        let revision = now.revision.as_deref().map(crate::output::text::short);
        let delivery = match &self.location {
            Location::Local { delivery, .. } => delivery,
            Location::Aws => "delivery",
        };
        match revision {
            Some(revision) => format!("{delivery} approve {revision}"),
            None => format!("{delivery} approve"),
        }
    }

    async fn failure(&self, now: &Snapshot, action: &ActionSnapshot) -> Failure {
        let place = self.log(action).await;
        let (code, message) = action.error.clone().unwrap_or_default();
        let cause = Cause::read(&code, &message);
        let help = help(
            &self.shape,
            now,
            repair(&self.location, &code, &action.stage),
        );
        let log = match &place {
            // What the failed program wrote says more than the action's own lines, which repeat it.
            Some(place) if cause.output.is_empty() => {
                let tail = function_log::tail(&self.logs, place, action).await;
                if only_repeats(&tail, &message) {
                    Vec::new()
                } else {
                    tail
                }
            }
            _ => Vec::new(),
        };
        Failure {
            execution: now.execution.clone(),
            stage: action.stage.clone(),
            action: action.action.clone(),
            code,
            message,
            cause,
            log_group: place.map(|place| place.group),
            log,
            help,
        }
    }
}

fn repair(location: &Location, code: &str, stage: &str) -> String {
    const LOG: &str = "the whole log: `delivery log --failed`";
    match location {
        Location::Local { stays: true, .. } => format!("{}; {LOG}", repair::of_run(code)),
        Location::Local { .. } => {
            format!(
                "{}; the page of the run, with the whole log: `delivery open`",
                repair::of_run(code)
            )
        }
        Location::Aws => format!("{}; {LOG}", repair::of_stack(code, stage)),
    }
}

/// What the SDK itself logs of every job.
const LINES_OF_EVERY_JOB: [&str; 4] = [
    "job started",
    "fetched artifact",
    "extracted artifact",
    "stored artifact",
];

/// Whether a log says nothing that the reported message does not: the SDK logs the message, too.
fn only_repeats(log: &[String], message: &str) -> bool {
    let message = foreign::text(&delivery_action::logging::redact(message));
    let reported: Vec<&str> = message.lines().map(str::trim).collect();
    log.iter().all(|line| {
        let line = line.strip_prefix("ERROR ").unwrap_or(line).trim();
        reported.contains(&line) || LINES_OF_EVERY_JOB.contains(&line)
    })
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
        // Another pipeline may have delivered the same commit there.
        [stage] => format!("{stage} is untouched by this pipeline; {repair}"),
        [stages @ .., last] => {
            let stages = stages.join(", ");
            format!("{stages} and {last} are untouched by this pipeline; {repair}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::StageShape;

    #[test]
    fn a_log_that_only_repeats_the_message_is_left_out() {
        let message =
            "index.js has 12 bytes\nhint: make it smaller\nlog: /aws/lambda/size-budget s";
        let lines = |lines: &[&str]| {
            lines
                .iter()
                .map(|line| (*line).to_owned())
                .collect::<Vec<_>>()
        };
        let repeated = [
            "job started",
            "extracted artifact",
            "ERROR index.js has 12 bytes",
            "hint: make it smaller",
            "log: /aws/lambda/size-budget s",
        ];
        assert!(only_repeats(&lines(&repeated), message));
        let more = [repeated.as_slice(), &["index.js was read"]].concat();
        assert!(!only_repeats(&lines(&more), message));
        assert!(!only_repeats(&lines(&["ERROR another error"]), message));
    }

    #[test]
    fn the_help_names_the_stages_that_were_not_reached() {
        let stage = |name: &str| StageShape {
            name: name.to_owned(),
            actions: Vec::new(),
        };
        let shape = Shape {
            stages: ["Commit", "Acceptance", "Production"].map(stage).to_vec(),
            ..Shape::default()
        };
        let help = |place| {
            let repair = repair(&place, "SystemUnavailable", "Source");
            help(&shape, &Snapshot::default(), repair)
        };
        let run = |stays| Location::Local {
            delivery: "delivery".to_owned(),
            stays,
        };
        insta::assert_snapshot!(help(run(false)), @"Commit, Acceptance and Production are untouched by this pipeline; fix it, commit, and run `delivery run` again; the page of the run, with the whole log: `delivery open`");
        insta::assert_snapshot!(help(run(true)), @"Commit, Acceptance and Production are untouched by this pipeline; fix it, commit, and run `delivery run` again; the whole log: `delivery log --failed`");
        insta::assert_snapshot!(help(Location::Aws), @"Commit, Acceptance and Production are untouched by this pipeline; try again with `delivery retry Source`, or fix it, commit and push; the whole log: `delivery log --failed`");
    }
}
