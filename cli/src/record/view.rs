//! A run as its page shows it: texts that are safe to show, and places of bars.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::curve::RolloutView;
use super::folder::LogTail;
use super::run::{ActionRecord, ExecutionRecord, RunRecord, State};
use crate::message::{Cause, Failure, Finding, ResultError, StageUrls};
use crate::output::foreign;
use crate::output::text::{duration, short, short_summary, untouched};

/// How wide a bar's drawing is, in its own units.
const BAR_WIDTH: f64 = 1_000.0;

/// The narrowest bar, in the same units: what took no time is still seen.
const LEAST_BAR: f64 = 4.0;

/// What a page shows.
#[derive(Debug, Serialize)]
pub(super) struct PageView {
    pub(super) application: String,
    pub(super) run: String,
    pub(super) running: bool,
    pub(super) status: Mark,
    pub(super) began: String,
    pub(super) updated: String,
    pub(super) took: String,
    /// The revision, and its message.
    pub(super) revision: Option<String>,
    pub(super) headline: String,
    pub(super) message: String,
    pub(super) error: Option<String>,
    pub(super) waits: Vec<Waiting>,
    pub(super) failures: Vec<FailureView>,
    pub(super) executions: Vec<ExecutionView>,
    pub(super) rollouts: Vec<RolloutView>,
    pub(super) addresses: Vec<Address>,
    pub(super) tests: Vec<TestsView>,
    pub(super) deployed: Vec<Deployed>,
    pub(super) logs: Vec<LogView>,
    pub(super) notes: Vec<NoteView>,
    pub(super) steps: Vec<StepView>,
    pub(super) version: &'static str,
}

/// A status as symbol and word, so that colour is never the only sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Mark {
    symbol: &'static str,
    word: &'static str,
    /// The class of its colour.
    class: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Waiting {
    place: String,
    command: String,
}

#[derive(Debug, Serialize)]
pub(super) struct FailureView {
    place: String,
    code: String,
    headline: String,
    more: String,
    tests: Vec<String>,
    /// What the first of them says, and where it is.
    test_says: Vec<String>,
    location: Option<String>,
    output: Vec<String>,
    log: Vec<String>,
    application_log: Vec<String>,
    hint: Option<String>,
    untouched: Option<String>,
    next: String,
}

#[derive(Debug, Serialize)]
pub(super) struct ExecutionView {
    title: String,
    mark: Mark,
    revision: Option<String>,
    headline: String,
    took: String,
    stages: Vec<StageView>,
}

#[derive(Debug, Serialize)]
struct StageView {
    name: String,
    mark: Mark,
    actions: Vec<ActionView>,
}

#[derive(Debug, Serialize)]
struct ActionView {
    name: String,
    mark: Mark,
    took: String,
    summary: String,
    bar: Option<Bar>,
}

#[derive(Debug, Serialize)]
struct Bar {
    x: f64,
    width: f64,
    /// What is read out.
    label: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Address {
    stage: String,
    what: String,
    url: String,
    is_link: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct TestsView {
    place: String,
    mark: Mark,
    counted: String,
    failed: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Deployed {
    place: String,
    summary: String,
    outputs: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
pub(super) struct LogView {
    name: String,
    lines: Vec<String>,
    left_out: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct StepView {
    detail: String,
    took: String,
}

impl PageView {
    pub(super) fn of(record: &RunRecord, state: State, logs: Vec<LogTail>) -> Self {
        let (revision, message) = newest(record);
        let all = || record.executions.iter().flat_map(|one| one.actions.iter());
        let executions = record.executions.iter().rev();
        Self {
            application: foreign::line(&record.application),
            run: foreign::line(&record.id),
            running: state == State::Running,
            status: Mark::of_run(record.status(state)),
            began: time(record.began),
            updated: time(record.updated),
            took: duration(record.seconds()),
            revision: revision.map(|revision| foreign::line(short(revision))),
            headline: foreign::line(message.lines().next().unwrap_or_default()),
            message: foreign::text(message),
            error: error(record, state),
            waits: all().filter_map(|one| waiting(one, state)).collect(),
            failures: all()
                .filter_map(|one| Some(FailureView::of(one.failure.as_ref()?)))
                .collect(),
            executions: executions
                .map(|one| ExecutionView::of(one, record, state))
                .collect(),
            rollouts: all()
                .filter_map(|one| RolloutView::of(one, state))
                .collect(),
            addresses: addresses(&record.urls),
            tests: all().filter_map(TestsView::of).collect(),
            deployed: all().filter_map(Deployed::of).collect(),
            logs: logs.into_iter().map(LogView::of).collect(),
            notes: record.notes.iter().map(note).collect(),
            steps: record.steps.iter().map(StepView::of).collect(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

fn newest(record: &RunRecord) -> (Option<&str>, &str) {
    let mut newest = record.executions.iter().rev();
    let found = newest.find(|one| one.revision.is_some());
    let message = found.and_then(|one| one.summary.as_deref());
    (
        found.and_then(|one| one.revision.as_deref()),
        message.unwrap_or_default(),
    )
}

/// Why the run ended, where no failed action says it already.
fn error(record: &RunRecord, state: State) -> Option<String> {
    if state == State::Killed {
        let text = "The process ended before the run was over: it was killed, or the machine stopped. What happened until \
                    then is below.";
        return Some(text.to_owned());
    }
    let result = record.result.as_ref()?;
    let ResultError { kind, message } = result.error.as_ref()?;
    let is_told = kind == "pipeline-failed" && result.failed_actions() > 0;
    (!is_told).then(|| foreign::text(message))
}

fn waiting(action: &ActionRecord, state: State) -> Option<Waiting> {
    let command = action.approval.as_ref()?;
    (state == State::Running).then(|| Waiting {
        place: place(action),
        command: foreign::line(command),
    })
}

/// Something that people should know.
#[derive(Debug, Serialize)]
pub(super) struct NoteView {
    message: String,
    help: Option<String>,
}

fn note(finding: &Finding) -> NoteView {
    NoteView {
        message: foreign::text(&finding.message),
        help: finding.help.as_deref().map(foreign::text),
    }
}

fn addresses(urls: &BTreeMap<String, StageUrls>) -> Vec<Address> {
    let named = urls.iter().flat_map(|(stage, urls)| {
        let named = urls.named();
        named.map(move |(what, url)| Address {
            stage: foreign::line(stage),
            what: foreign::line(&what),
            // Another scheme (`javascript:`) is text.
            is_link: url.starts_with("https://") || url.starts_with("http://"),
            url: foreign::line(url),
        })
    });
    named.collect()
}

pub(super) fn place(action: &ActionRecord) -> String {
    let report = &action.report;
    foreign::line(&format!("{} / {}", report.stage, report.action))
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

impl Mark {
    pub(crate) const fn new(symbol: &'static str, word: &'static str, class: &'static str) -> Self {
        Self {
            symbol,
            word,
            class,
        }
    }

    fn of_run(status: &str) -> Self {
        match status {
            "success" => Self::new("✓", "Delivered", "good"),
            "running" => Self::new("•", "Running", "busy"),
            "superseded" => Self::new("⊘", "Superseded", "waiting"),
            "timeout" => Self::new("■", "Timed out", "bad"),
            "interrupted" => Self::new("■", "Interrupted", "waiting"),
            _ => Self::new("✗", "Not delivered", "bad"),
        }
    }

    /// Whether it says that something failed.
    pub(crate) fn is_bad(self) -> bool {
        self.class == "bad"
    }

    /// The mark of CodePipeline's status as it is now.
    pub(crate) fn now(status: &str) -> Self {
        Self::of(status, State::Running)
    }

    /// The mark of CodePipeline's status. What did not end is in progress only as long as the run is.
    fn of(status: &str, state: State) -> Self {
        match status {
            "Succeeded" => Self::new("✓", "Succeeded", "good"),
            "Failed" => Self::new("✗", "Failed", "bad"),
            "Abandoned" => Self::new("✗", "Abandoned", "bad"),
            "Superseded" => Self::new("⊘", "Superseded", "waiting"),
            "Cancelled" => Self::new("⊘", "Cancelled", "waiting"),
            "Stopped" => Self::new("■", "Stopped", "waiting"),
            "Stopping" => Self::new("■", "Stopping", "waiting"),
            "InProgress" if state == State::Running => Self::new("•", "In progress", "busy"),
            "InProgress" => Self::new("■", "Did not end", "waiting"),
            _ => Self::new("·", "Not reached", "dim"),
        }
    }
}

impl FailureView {
    fn of(failure: &Failure) -> Self {
        let cause = &failure.cause;
        let (headline, more) = cause
            .message
            .split_once('\n')
            .unwrap_or((&cause.message, ""));
        let lines = |lines: &[String]| lines.iter().map(|line| foreign::line(line)).collect();
        Self {
            place: foreign::line(&format!("{} / {}", failure.stage, failure.action)),
            code: foreign::line(&failure.code),
            headline: foreign::line(headline),
            more: foreign::text(more),
            tests: lines(&cause.failed_tests),
            test_says: lines(&cause.test_says),
            location: cause.location.as_deref().map(foreign::line),
            output: lines(&cause.output),
            log: lines(&failure.log),
            application_log: lines(&failure.application_log),
            hint: cause.advice().map(foreign::text),
            untouched: untouched(&failure.untouched).map(|text| foreign::line(&text)),
            next: foreign::text(&failure.next),
        }
    }
}

impl ExecutionView {
    fn of(execution: &ExecutionRecord, record: &RunRecord, state: State) -> Self {
        let began = execution
            .actions
            .first()
            .map_or(record.began, |one| one.began);
        let end =
            |one: &ActionRecord| seconds_between(began, one.began) + one.lasted(record, state);
        let whole = execution.actions.iter().map(end).fold(0.0, f64::max);
        let view = |name: &str, declared: &[String]| {
            StageView::of(
                name,
                declared,
                execution,
                |action| {
                    let lasted = action.lasted(record, state);
                    Bar::of(seconds_between(began, action.began), lasted, whole)
                },
                state,
            )
        };
        let stages = execution.stages.iter();
        let message = execution.summary.as_deref().unwrap_or_default();
        Self {
            title: foreign::line(&format!("{} {}", execution.pipeline, short(&execution.id))),
            mark: Mark::of(&execution.status, state),
            revision: execution.revision.as_deref().map(short).map(foreign::line),
            headline: foreign::line(message.lines().next().unwrap_or_default()),
            took: duration(whole),
            stages: stages
                .map(|shape| view(&shape.name, &shape.actions))
                .collect(),
        }
    }
}

impl ActionRecord {
    /// How long it took. Of one that goes on nothing is reported until it ends.
    pub(super) fn lasted(&self, record: &RunRecord, state: State) -> f64 {
        if self.report.status == "InProgress" && state == State::Running {
            return seconds_between(self.began, record.updated).max(self.report.seconds);
        }
        self.report.seconds
    }
}

pub(super) fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

impl StageView {
    fn of(
        name: &str,
        declared: &[String],
        execution: &ExecutionRecord,
        bar: impl Fn(&ActionRecord) -> Bar,
        state: State,
    ) -> Self {
        let began = execution
            .actions
            .iter()
            .filter(|one| one.report.stage == name);
        let mut actions: Vec<ActionView> = began
            .clone()
            .map(|one| ActionView::of(one, bar(one), state))
            .collect();
        for action in declared {
            if !began.clone().any(|one| one.report.action == *action) {
                actions.push(ActionView {
                    name: foreign::line(action),
                    mark: Mark::of("", state),
                    took: String::new(),
                    summary: String::new(),
                    bar: None,
                });
            }
        }
        Self {
            name: foreign::line(name),
            mark: worst(&actions),
            actions,
        }
    }
}

/// How a stage is: the first of these that one of its actions is.
fn worst(actions: &[ActionView]) -> Mark {
    let of = |class: &str| {
        actions
            .iter()
            .map(|one| one.mark)
            .find(|mark| mark.class == class)
    };
    let worst = ["bad", "busy", "waiting", "good", "dim"]
        .into_iter()
        .find_map(of);
    worst.unwrap_or(Mark::new("·", "Not reached", "dim"))
}

impl ActionView {
    fn of(action: &ActionRecord, bar: Bar, state: State) -> Self {
        let report = &action.report;
        let summary = report.summary.as_deref().and_then(short_summary);
        Self {
            name: foreign::line(&report.action),
            mark: Mark::of(&report.status, state),
            took: bar.label.split(", ").next().unwrap_or_default().to_owned(),
            summary: summary.map(foreign::line).unwrap_or_default(),
            bar: Some(bar),
        }
    }
}

impl Bar {
    fn of(from: f64, seconds: f64, whole: f64) -> Self {
        let scale = BAR_WIDTH / whole.max(0.001);
        let width = (seconds * scale).clamp(LEAST_BAR, BAR_WIDTH);
        Self {
            x: (from * scale).min(BAR_WIDTH - width).max(0.0).round(),
            width: width.round(),
            label: format!("{}, from {}", duration(seconds), duration(from)),
        }
    }
}

impl TestsView {
    fn of(action: &ActionRecord) -> Option<Self> {
        let report = &action.report;
        let cause = report.failure.as_ref();
        let summary = report.summary.as_deref().unwrap_or_default();
        let counted_failed = || cause.and_then(Cause::counted_tests);
        let counted = counted_tests(summary).or_else(counted_failed)?;
        let failed = cause.map_or(&[][..], |cause| &cause.failed_tests);
        Some(Self {
            place: place(action),
            mark: if cause.is_some() {
                Mark::new("✗", "Failed", "bad")
            } else {
                Mark::new("✓", "Passed", "good")
            },
            counted: foreign::line(counted),
            failed: failed.iter().map(|name| foreign::line(name)).collect(),
        })
    }
}

/// `14 tests: 14 passed` of an action's summary (`delivery_node::junit::TestResults`).
fn counted_tests(summary: &str) -> Option<&str> {
    let line = short_summary(summary)?;
    line.split("; ").find(|part| {
        let is_count = |word: &str| word.parse::<usize>().is_ok();
        let mut words = part.split(' ');
        words.next().is_some_and(is_count)
            && words
                .next()
                .is_some_and(|word| word == "tests:" || word == "test:")
    })
}

impl Deployed {
    fn of(action: &ActionRecord) -> Option<Self> {
        let report = &action.report;
        (report.status == "Succeeded" && !report.outputs.is_empty()).then(|| Self {
            place: place(action),
            summary: report
                .summary
                .as_deref()
                .and_then(short_summary)
                .map(foreign::line)
                .unwrap_or_default(),
            outputs: report
                .outputs
                .iter()
                .map(|(name, value)| (foreign::line(name), foreign::line(value)))
                .collect(),
        })
    }
}

impl LogView {
    fn of(tail: LogTail) -> Self {
        Self {
            name: tail.name,
            lines: tail.lines.iter().map(|line| foreign::line(line)).collect(),
            left_out: tail.left_out,
        }
    }
}

impl StepView {
    fn of(step: &super::run::StepRecord) -> Self {
        Self {
            detail: foreign::line(&step.detail),
            took: step.seconds.map(duration).unwrap_or_default(),
        }
    }
}
