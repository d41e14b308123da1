//! A run, put together from its events.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::event::Recorded;
use crate::message::{
    ActionReport, Failure, Finding, RunMessage, RunResult, Severity, StageShape, StageUrls, Step,
};
use crate::output::text::short;

/// How many executions of one run are on its page: `--watch` begins one for each commit.
const MOST_EXECUTIONS: usize = 20;

/// Most points of the curve of one action: one a second for an hour. Later ones replace the last.
const MOST_POINTS: usize = 3_600;

/// What is known of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RunRecord {
    pub(crate) id: String,
    pub(crate) application: String,
    pub(crate) began: Timestamp,
    /// When the last event was.
    pub(crate) updated: Timestamp,
    pub(crate) steps: Vec<StepRecord>,
    pub(crate) notes: Vec<Finding>,
    /// In the order in which they began.
    pub(crate) executions: Vec<ExecutionRecord>,
    pub(crate) urls: BTreeMap<String, StageUrls>,
    pub(crate) result: Option<RunResult>,
    /// The pipeline that was shown last, whose execution begins next.
    shape: Option<(String, Vec<StageShape>)>,
}

/// A part of the preparation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StepRecord {
    pub(crate) began: Timestamp,
    pub(crate) seconds: Option<f64>,
    pub(crate) detail: String,
    step: Step,
}

/// An execution of a pipeline.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ExecutionRecord {
    pub(crate) id: String,
    pub(crate) pipeline: String,
    pub(crate) stages: Vec<StageShape>,
    pub(crate) status: String,
    pub(crate) revision: Option<String>,
    pub(crate) summary: Option<String>,
    /// In the order in which they began; a retried action is there again.
    pub(crate) actions: Vec<ActionRecord>,
}

/// What an action did.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ActionRecord {
    pub(crate) began: Timestamp,
    /// What was last reported of it.
    pub(crate) report: ActionReport,
    pub(crate) failure: Option<Failure>,
    /// The command that approves it, while it waits.
    pub(crate) approval: Option<String>,
    /// What it said while it was in progress, and when.
    pub(crate) said: Vec<(Timestamp, String)>,
}

/// A text as the name of a file, whatever it contains.
pub(super) fn file_name(text: &str) -> String {
    let safe = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => character,
        _ => '_',
    };
    text.chars().map(safe).collect()
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It goes on.
    Running,
    /// It ended, and its result says how.
    Over,
    /// Its process was ended before it could say so.
    Killed,
}

impl State {
    /// The state of a run whose process lives or not.
    pub(crate) fn of(record: &RunRecord, is_live: bool) -> Self {
        match (&record.result, is_live) {
            (Some(_), _) => Self::Over,
            (None, true) => Self::Running,
            (None, false) => Self::Killed,
        }
    }
}

impl RunRecord {
    /// Adds what happened next.
    pub(crate) fn apply(&mut self, recorded: Recorded) {
        let Some(at) = recorded.at() else { return };
        self.updated = at;
        match recorded.message {
            RunMessage::Run {
                run, application, ..
            } => {
                (self.id, self.application, self.began) = (run, application, at);
            }
            RunMessage::Step {
                step,
                seconds,
                detail,
                ..
            } => self.step(at, step, seconds, detail),
            RunMessage::Finding(finding) => self.notes.push(finding),
            RunMessage::Notice { message } => self.notes.push(Finding {
                severity: Severity::Note,
                message,
                help: None,
            }),
            RunMessage::Pipeline { name, stages } => self.shape = Some((name, stages)),
            RunMessage::Execution {
                execution,
                status,
                revision,
                summary,
            } => {
                let one = self.execution(&execution);
                one.status = status;
                one.revision = revision.or_else(|| one.revision.take());
                one.summary = summary.or_else(|| one.summary.take());
            }
            RunMessage::Action(report) => self.action(at, report),
            RunMessage::Progress(report) => self.progress(at, report),
            RunMessage::Failure(failure) => self.failure(*failure),
            RunMessage::Approval {
                execution,
                stage,
                action,
                command,
            } => {
                if let Some(known) = self.known(&execution, &stage, &action) {
                    known.approval = Some(command);
                }
            }
            RunMessage::Addresses { urls } => self.urls = urls,
            RunMessage::Result(result) => {
                if !result.urls.is_empty() {
                    self.urls.clone_from(&result.urls);
                }
                self.result = Some(result);
            }
            RunMessage::Heartbeat { .. }
            | RunMessage::Log { .. }
            | RunMessage::Environment { .. } => {}
        }
    }

    fn step(&mut self, at: Timestamp, step: Step, seconds: Option<f64>, detail: String) {
        let mut known = self.steps.iter_mut();
        let known = known.rfind(|known| known.step == step && known.seconds.is_none());
        if let Some(known) = known {
            (known.seconds, known.detail) = (seconds, detail);
            return;
        }
        self.steps.push(StepRecord {
            began: before(at, seconds.unwrap_or_default()),
            seconds,
            detail,
            step,
        });
    }

    fn execution(&mut self, id: &str) -> &mut ExecutionRecord {
        let place = self.executions.iter().position(|one| one.id == id);
        let place = place.unwrap_or_else(|| {
            let (pipeline, stages) = self.shape.clone().unwrap_or_default();
            self.executions.push(ExecutionRecord {
                id: id.to_owned(),
                pipeline,
                stages,
                ..ExecutionRecord::default()
            });
            if self.executions.len() > MOST_EXECUTIONS {
                self.executions.remove(0);
            }
            self.executions.len() - 1
        });
        &mut self.executions[place]
    }

    fn action(&mut self, at: Timestamp, report: ActionReport) {
        let began = before(at, report.seconds);
        let known = self.known(&report.execution, &report.stage, &report.action);
        // One that had ended and is in progress again is a retry.
        if let Some(known) = known.filter(|known| known.report.status == "InProgress") {
            known.began = began;
            known.approval = None;
            known.report = report;
            return;
        }
        let execution = self.execution(&report.execution);
        execution.actions.push(ActionRecord {
            began,
            report,
            failure: None,
            approval: None,
            said: Vec::new(),
        });
    }

    fn progress(&mut self, at: Timestamp, report: ActionReport) {
        let Some(known) = self.known(&report.execution, &report.stage, &report.action) else {
            return self.action(at, report);
        };
        if known.said.len() == MOST_POINTS {
            known.said.pop();
        }
        let said = report.summary.clone().unwrap_or_default();
        known.said.push((at, said));
        known.report = report;
    }

    fn failure(&mut self, failure: Failure) {
        let known = self.known(&failure.execution, &failure.stage, &failure.action);
        if let Some(known) = known {
            known.failure = Some(failure);
        }
    }

    fn known(&mut self, execution: &str, stage: &str, action: &str) -> Option<&mut ActionRecord> {
        let mut executions = self.executions.iter_mut();
        let execution = executions.find(|one| one.id == execution)?;
        let mut actions = execution.actions.iter_mut();
        actions.rfind(|one| one.report.stage == stage && one.report.action == action)
    }

    /// The name of the file of an action's log, without its extension. Only later executions have their id in it.
    pub(super) fn log_name(&self, execution: &str, stage: &str, action: &str) -> String {
        let name = format!("{stage}-{action}");
        let first = self.executions.first();
        let name = if first.is_none_or(|first| first.id == execution) {
            name
        } else {
            format!("{name}-{}", short(execution))
        };
        file_name(&name)
    }

    /// How long it took, or has taken so far.
    pub(crate) fn seconds(&self) -> f64 {
        let so_far = || self.updated.duration_since(self.began).as_secs_f64();
        self.result
            .as_ref()
            .map_or_else(so_far, |result| result.seconds)
    }

    /// The word for how it is, as in the result of `--json`; `running` while it goes on.
    pub(crate) fn status(&self, state: State) -> &str {
        match (state, &self.result) {
            (State::Running, _) => "running",
            (State::Over, Some(result)) => &result.status,
            _ => "interrupted",
        }
    }

    /// Whether it delivered a revision whose id begins so.
    pub(crate) fn has_revision(&self, beginning: &str) -> bool {
        let mut revisions = self
            .executions
            .iter()
            .filter_map(|one| one.revision.as_deref());
        revisions.any(|revision| revision.starts_with(beginning))
    }

    /// What it delivered: the newest revision, and the first line of its message.
    pub(crate) fn delivered(&self) -> Option<(&str, &str)> {
        let mut newest = self.executions.iter().rev();
        let found =
            newest.find_map(|one| Some((one.revision.as_deref()?, one.summary.as_deref())))?;
        let line = found.1.and_then(|summary| summary.lines().next());
        Some((found.0, line.unwrap_or_default()))
    }
}

/// The time some seconds before.
fn before(at: Timestamp, seconds: f64) -> Timestamp {
    let lasted = SignedDuration::try_from_secs_f64(seconds).unwrap_or_default();
    at.checked_sub(lasted).unwrap_or(at)
}
