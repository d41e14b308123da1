//! How a run ends, and what is known of it by then.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::error::CliError;
use crate::exit::Exit;
use crate::follow::Snapshot;
use crate::message::{ActionReport, Cause, PipelineResult, ResultError, RunResult, StageUrls};

/// How following the pipeline ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The execution is over; its snapshot says how.
    Over,
    /// The time ran out before it was.
    TimedOut,
    /// A signal asked for the end.
    Interrupted,
}

/// What is known so far: also an interrupted run reports it.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Where each stage answers.
    pub(crate) urls: BTreeMap<String, StageUrls>,
    /// The execution that was started last, and how far it came.
    pub(crate) latest: Snapshot,
    /// How far each pipeline came that began, where there are several, by its name.
    pub(crate) pipelines: Vec<(String, Snapshot)>,
    /// What an interruption means, where it is not that everything ended.
    pub(crate) interrupted: Option<Cow<'static, str>>,
    ended: Option<Exit>,
}

impl Progress {
    /// Remembers the newest look at the newest execution.
    pub(crate) fn saw(&mut self, snapshot: &Snapshot) {
        self.latest.clone_from(snapshot);
        self.ended = ended(snapshot);
    }

    /// The same of the newest execution of one of several pipelines.
    pub(crate) fn saw_of(&mut self, pipeline: &str, snapshot: &Snapshot) {
        let known = self.pipelines.iter_mut().find(|(name, _)| name == pipeline);
        match known {
            Some((_, known)) => known.clone_from(snapshot),
            None => self.pipelines.push((pipeline.to_owned(), snapshot.clone())),
        }
    }

    /// What the actions did, in all pipelines.
    fn reports(&self) -> Vec<ActionReport> {
        if self.pipelines.is_empty() {
            return self.latest.reports();
        }
        let all = self.pipelines.iter();
        all.flat_map(|(_, snapshot)| snapshot.reports()).collect()
    }

    /// Whether the newest execution delivered its commit.
    pub(crate) fn has_succeeded(&self) -> bool {
        self.ended == Some(Exit::Success)
    }

    /// Whether an execution has begun and has not ended.
    pub(crate) fn is_under_way(&self) -> bool {
        !self.latest.execution.is_empty() && self.ended.is_none()
    }
}

fn ended(snapshot: &Snapshot) -> Option<Exit> {
    match snapshot.status.as_str() {
        "Succeeded" => Some(Exit::Success),
        "Superseded" => Some(Exit::Superseded),
        "Failed" | "Stopped" | "Cancelled" => Some(Exit::PipelineFailed),
        _ => None,
    }
}

/// The exit code.
pub(crate) fn exit(outcome: &Result<Outcome, CliError>, progress: &Progress) -> Exit {
    match outcome {
        Ok(Outcome::Over) => progress.ended.unwrap_or(Exit::Failed),
        Ok(Outcome::TimedOut) => Exit::TimedOut,
        Ok(Outcome::Interrupted) => Exit::Interrupted,
        Err(error) => error.exit(),
    }
}

/// The last line of the output.
pub(crate) fn result(
    outcome: &Result<Outcome, CliError>,
    progress: &Progress,
    seconds: f64,
) -> RunResult {
    let latest = &progress.latest;
    RunResult {
        execution: Some(latest.execution.clone()).filter(|execution| !execution.is_empty()),
        revision: latest.revision.clone(),
        urls: progress.urls.clone(),
        actions: progress.reports(),
        pipelines: progress.pipelines.iter().map(of_pipeline).collect(),
        seconds,
        error: error(outcome, latest, progress.interrupted.as_deref()),
        ..RunResult::new(exit(outcome, progress))
    }
}

fn of_pipeline((name, snapshot): &(String, Snapshot)) -> PipelineResult {
    PipelineResult {
        name: name.clone(),
        execution: snapshot.execution.clone(),
        status: snapshot.status.clone(),
        revision: snapshot.revision.clone(),
    }
}

fn error(
    outcome: &Result<Outcome, CliError>,
    latest: &Snapshot,
    interrupted: Option<&str>,
) -> Option<ResultError> {
    let (kind, message) = match outcome {
        Ok(Outcome::Over) => match latest.status.as_str() {
            "Succeeded" => return None,
            "Superseded" => (
                "superseded",
                "a newer execution took the place of this one".to_owned(),
            ),
            _ => ("pipeline-failed", failed(latest)),
        },
        Ok(Outcome::TimedOut) => ("timeout", timed_out(latest)),
        Ok(Outcome::Interrupted) => (
            "interrupted",
            interrupted
                .unwrap_or("interrupted; everything that was started has been stopped")
                .to_owned(),
        ),
        Err(error) => (error.kind(), error.message()),
    };
    Some(ResultError {
        kind: kind.to_owned(),
        message,
    })
}

fn failed(latest: &Snapshot) -> String {
    let failed: Vec<String> = latest
        .failed()
        .map(|action| {
            let message = action.error.as_ref().map_or("", |(_, message)| message);
            let cause = Cause::read("", message);
            let cause = cause.message.lines().next().unwrap_or_default();
            format!(
                "action {} in stage {} failed: {cause}",
                action.action, action.stage
            )
        })
        .collect();
    if failed.is_empty() {
        format!("the execution ended as {}", latest.status)
    } else {
        failed.join("; ")
    }
}

fn timed_out(latest: &Snapshot) -> String {
    match latest.running().as_slice() {
        [] => "timed out before the execution ended".to_owned(),
        running => format!("timed out while {} was in progress", running.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::follow::ActionSnapshot;

    fn progress(status: &str, error: Option<&str>) -> Progress {
        let action = ActionSnapshot {
            id: "1".to_owned(),
            stage: "Commit".to_owned(),
            action: "test-and-package".to_owned(),
            status: if error.is_some() {
                "Failed"
            } else {
                "InProgress"
            }
            .to_owned(),
            started: 0.0,
            seconds: 1.0,
            summary: None,
            outputs: BTreeMap::new(),
            request: None,
            error: error.map(|message| ("JobFailed".to_owned(), message.to_owned())),
        };
        let mut progress = Progress::default();
        progress.saw(&Snapshot {
            execution: "e".to_owned(),
            status: status.to_owned(),
            actions: vec![action],
            ..Snapshot::default()
        });
        progress
    }

    fn printed(outcome: &Result<Outcome, CliError>, progress: &Progress) -> (u8, String, String) {
        let result = result(outcome, progress, 1.0);
        (
            result.exit_code,
            result.status,
            result.error.map_or(String::new(), |error| error.message),
        )
    }

    #[test]
    fn every_end_has_a_code_of_its_own() {
        let printed = [
            printed(&Ok(Outcome::Over), &progress("Succeeded", None)),
            printed(
                &Ok(Outcome::Over),
                &progress("Failed", Some("1 test failed: a b\nhint: c")),
            ),
            printed(&Ok(Outcome::Over), &progress("Superseded", None)),
            printed(&Ok(Outcome::Over), &progress("Stopped", None)),
            printed(&Ok(Outcome::TimedOut), &progress("InProgress", None)),
            printed(&Ok(Outcome::Interrupted), &progress("InProgress", None)),
            printed(
                &Err(CliError::NoEnvironment {
                    application: "/app".into(),
                    elsewhere: Vec::new(),
                }),
                &Progress::default(),
            ),
        ];
        insta::assert_debug_snapshot!(printed);
    }
}
