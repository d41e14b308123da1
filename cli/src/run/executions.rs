//! Starts executions and follows them to their ends.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::application::Application;
use crate::error::CliError;
use crate::follow::outage::Outage;
use crate::follow::outcome::{Outcome, Progress};
use crate::follow::{ActionSnapshot, ClosedWait, HEARTBEAT_INTERVAL, Snapshot};
use crate::message::RunMessage;
use crate::output::Reporter;
use crate::record;

use super::deliveries::Delivery;
use super::keys::{self, Key, Keys};

/// How often the source is checked for a new revision: each check starts a process.
const REVISION_INTERVAL: Duration = Duration::from_secs(1);

/// How often the logs of running actions are read: people read no faster.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// Most lines that people see of the log of an action that was not waited for any longer: with what stands around them they
/// fit a small terminal.
const MAX_LAST_LINES: usize = 12;

/// The executions of a run.
pub(super) struct Executions {
    deliveries: Vec<Delivery>,
    /// The pipelines that are still to begin, by their places.
    awaited: BTreeSet<usize>,
    /// Those that did not begin since one before them failed: the next commit has to bring their changes, too.
    left_out: BTreeSet<usize>,
    /// The pipeline whose stages were reported last.
    shown: Option<usize>,
    /// What is said of environments that releases come to by a promotion.
    promotions: Vec<String>,
    timeout: Duration,
    outage: Outage,
    followed: Vec<Followed>,
    last_report: Instant,
    /// The log entries already reported or written down.
    logged: BTreeSet<String>,
    /// Whether people read the logs (`--verbose`); else they are only written down.
    reports_logs: bool,
    asked_for_logs: Instant,
}

/// An execution that is not over.
struct Followed {
    /// The place of its pipeline.
    delivery: usize,
    snapshot: Snapshot,
    closed: ClosedWait,
    since: Instant,
}

impl Executions {
    /// `deliveries`: at least one. All of them are to deliver, one after the other.
    pub(super) fn new(
        deliveries: Vec<Delivery>,
        promotions: Vec<String>,
        timeout: Duration,
        reports_logs: bool,
    ) -> Self {
        Self {
            outage: Outage::new(deliveries[0].explainer.outage_limit()),
            awaited: (0..deliveries.len()).collect(),
            deliveries,
            left_out: BTreeSet::new(),
            shown: None,
            promotions,
            timeout,
            followed: Vec::new(),
            last_report: Instant::now(),
            logged: BTreeSet::new(),
            reports_logs,
            asked_for_logs: Instant::now(),
        }
    }

    /// Lets all pipelines deliver again.
    fn await_all(&mut self) {
        self.awaited = (0..self.deliveries.len()).collect();
    }

    /// Lets those pipelines deliver that a new revision concerns, and those that a failure left out.
    fn await_changed(&mut self, changed: Option<&[String]>) {
        self.awaited.append(&mut self.left_out);
        let all = self.deliveries.iter().enumerate();
        let concerned = all.filter(|(_, delivery)| delivery.concerns(changed));
        self.awaited.extend(concerned.map(|(place, _)| place));
    }

    /// Starts each awaited pipeline for which no other one before it is in progress: it may read what that deploys.
    pub(super) async fn begin(
        &mut self,
        reporter: &Reporter,
        progress: &mut Progress,
    ) -> Result<(), CliError> {
        while let Some(place) = self.awaited.first().copied() {
            if self
                .followed
                .iter()
                .any(|followed| followed.delivery < place)
            {
                break;
            }
            self.awaited.remove(&place);
            self.begin_one(place, reporter, progress).await?;
        }
        Ok(())
    }

    /// Follows an execution that has begun already, else starts one.
    async fn begin_one(
        &mut self,
        place: usize,
        reporter: &Reporter,
        progress: &mut Progress,
    ) -> Result<(), CliError> {
        self.show(place, reporter);
        let delivery = &mut self.deliveries[place];
        let execution = match delivery.begun.take() {
            Some(execution) => execution,
            None => delivery.explainer.pipeline().start(None).await?,
        };
        let snapshot = Snapshot {
            execution,
            ..Snapshot::default()
        };
        saw(delivery, &snapshot, progress);
        progress.saw(&snapshot);
        self.followed.push(Followed {
            delivery: place,
            snapshot,
            closed: ClosedWait::default(),
            since: Instant::now(),
        });
        Ok(())
    }

    /// Says which pipeline delivers, and what stages it has.
    fn show(&mut self, place: usize, reporter: &Reporter) {
        if self.shown.replace(place) == Some(place) {
            return;
        }
        let delivery = &self.deliveries[place];
        if let Some(name) = &delivery.name {
            let message = format!("the pipeline {name} delivers");
            reporter.report(RunMessage::Notice { message });
        }
        reporter.report(RunMessage::Pipeline {
            name: delivery.explainer.pipeline().name().to_owned(),
            stages: delivery.stages.clone(),
        });
    }

    /// What an ended execution means for the pipelines that wait for it.
    fn ended(&mut self, place: usize, status: &str, reporter: &Reporter) {
        let is_in_progress = self
            .followed
            .iter()
            .any(|followed| followed.delivery == place);
        if status == "Succeeded" || is_in_progress || self.awaited.is_empty() {
            return;
        }
        let mut left_out = self.awaited.split_off(&(place + 1));
        let name = |place: &usize| self.deliveries[*place].name.clone().unwrap_or_default();
        let names: Vec<_> = left_out.iter().map(name).collect();
        let message = format!(
            "not started, since the pipeline {} did not succeed: {}",
            name(&place),
            names.join(", ")
        );
        if !names.is_empty() {
            reporter.report(RunMessage::Notice { message });
        }
        self.left_out.append(&mut left_out);
    }

    /// Follows what has begun to its end.
    pub(super) async fn once(
        mut self,
        reporter: &Reporter,
        progress: &mut Progress,
    ) -> Result<Outcome, CliError> {
        while !self.followed.is_empty() {
            self.look(reporter, progress).await?;
            if self.is_late(reporter).await {
                return Ok(Outcome::TimedOut);
            }
            tokio::time::sleep(self.interval()).await;
        }
        self.say_promotions(reporter, progress);
        Ok(Outcome::Over)
    }

    /// Where the release can go from here, if it was delivered.
    fn say_promotions(&self, reporter: &Reporter, progress: &Progress) {
        if progress.has_succeeded() {
            for sentence in &self.promotions {
                reporter.notice(sentence);
            }
        }
    }

    /// Follows what has begun, and takes each new commit through the pipeline, until somebody ends it.
    pub(super) async fn watch(
        mut self,
        application: &Application,
        reporter: &Reporter,
        progress: &mut Progress,
    ) -> Result<Outcome, CliError> {
        let mut keys = reporter.takes_keys().then(Keys::listen).flatten();
        let ends = keys.as_ref().map_or("Ctrl-C stops", |_| keys::HELP);
        let mut revision = application.revision().await?;
        let mut asked = Instant::now();
        loop {
            let busy = !self.followed.is_empty();
            self.look(reporter, progress).await?;
            if self.is_late(reporter).await {
                return Ok(Outcome::TimedOut);
            }
            if busy && self.followed.is_empty() {
                self.say_promotions(reporter, progress);
                let message = format!("{}; {ends}", application.awaited());
                reporter.report(RunMessage::Notice { message });
            }
            if asked.elapsed() >= REVISION_INTERVAL {
                asked = Instant::now();
                let now = application.revision().await?;
                if now != revision {
                    self.deliver(application, &revision, &now, reporter, progress)
                        .await?;
                    revision = now;
                }
            }
            let interval = self.interval();
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                key = Keys::next(keys.as_mut()) => match key {
                    Key::Quit => return Ok(Outcome::Interrupted),
                    Key::Open => open(reporter),
                    Key::Log => self.show_log(progress, reporter).await,
                    Key::Again => {
                        self.await_all();
                        self.begin(reporter, progress).await?;
                    }
                },
            }
        }
    }

    /// Takes a new revision through the pipelines that it concerns.
    async fn deliver(
        &mut self,
        application: &Application,
        before: &str,
        now: &str,
        reporter: &Reporter,
        progress: &mut Progress,
    ) -> Result<(), CliError> {
        let changed = application.changed(before, now).await;
        for finding in application.left_out().await {
            reporter.report(RunMessage::Finding(finding));
        }
        self.await_changed(changed.as_deref());
        self.begin(reporter, progress).await?;
        if self.followed.is_empty() {
            let message = "the commit changes nothing that a pipeline delivers".to_owned();
            reporter.report(RunMessage::Notice { message });
        }
        Ok(())
    }

    /// Shows the whole log of the action that failed, else of the one that began last.
    async fn show_log(&self, progress: &Progress, reporter: &Reporter) {
        let latest = &progress.latest;
        let Some(action) = latest.failed().last().or_else(|| latest.actions.last()) else {
            reporter.notice("nothing has run yet");
            return;
        };
        let delivery = self.shown.map_or(0, |place| place);
        let entries = self.deliveries[delivery].explainer.logged(action).await;
        let lines: Vec<String> = entries.into_iter().flat_map(|entry| entry.lines).collect();
        if lines.is_empty() {
            let message = format!("{} / {} has no log", action.stage, action.action);
            reporter.notice(message);
            return;
        }
        let log = RunMessage::Log {
            execution: latest.execution.clone(),
            stage: action.stage.clone(),
            action: action.action.clone(),
            lines,
            reports: Vec::new(),
        };
        reporter.show(&log.into());
    }

    fn interval(&self) -> Duration {
        self.deliveries[0].explainer.interval()
    }

    /// Whether an execution takes longer than it may. The logs of what still runs end with the local AWS, so they are written
    /// down before, and people see their ends.
    async fn is_late(&mut self, reporter: &Reporter) -> bool {
        let mut followed = self.followed.iter();
        let is_late = followed.any(|followed| followed.since.elapsed() >= self.timeout);
        if is_late && self.report_running(reporter).await {
            reporter.notice(
                "the whole log is on the page of the run (`delivery open`); `--timeout` gives it longer",
            );
        }
        is_late
    }

    /// Whether anything that runs has logged something.
    async fn report_running(&mut self, reporter: &Reporter) -> bool {
        let mut has_log = false;
        let running = self.followed.iter().flat_map(|followed| {
            let actions = followed.snapshot.actions.iter();
            let running = actions.filter(|action| action.status == "InProgress");
            let execution = &followed.snapshot.execution;
            running.map(|action| (followed.delivery, execution.clone(), action.clone()))
        });
        for (place, execution, action) in running.collect::<Vec<_>>() {
            let Some(mut log) = self.new_log(place, &execution, &action).await else {
                continue;
            };
            has_log = true;
            reporter.write_down(&log);
            if let RunMessage::Log { lines, .. } = &mut log {
                lines.drain(..lines.len().saturating_sub(MAX_LAST_LINES));
            }
            reporter.show(&log.into());
        }
        has_log
    }

    /// Reports new log lines of the actions that are in progress or have just ended. Where nobody reads them they are
    /// written down, at the end.
    async fn report_logs(
        &mut self,
        place: usize,
        before: &Snapshot,
        now: &Snapshot,
        reporter: &Reporter,
    ) {
        let ends = |action: &ActionSnapshot| {
            let known = before.actions.iter().find(|known| known.id == action.id);
            known.is_none_or(|known| known.status != action.status)
        };
        let is_time = self.reports_logs && self.asked_for_logs.elapsed() >= LOG_INTERVAL;
        for action in &now.actions {
            if !(ends(action) || is_time && action.status == "InProgress") {
                continue;
            }
            self.asked_for_logs = Instant::now();
            let Some(message) = self.new_log(place, &now.execution, action).await else {
                continue;
            };
            if self.reports_logs {
                reporter.report(message);
            } else {
                reporter.write_down(&message);
            }
        }
    }

    /// What an action has logged since it was asked last; `None` where that is nothing.
    async fn new_log(
        &mut self,
        place: usize,
        execution: &str,
        action: &ActionSnapshot,
    ) -> Option<RunMessage> {
        let entries = self.deliveries[place].explainer.logged(action).await;
        let (mut lines, mut reports) = (Vec::new(), Vec::new());
        for entry in entries {
            if self.logged.insert(entry.id.clone()) {
                lines.extend(entry.lines);
                reports.extend(entry.report);
            }
        }
        (!lines.is_empty()).then(|| RunMessage::Log {
            execution: execution.to_owned(),
            stage: action.stage.clone(),
            action: action.action.clone(),
            lines,
            reports,
        })
    }

    async fn look(&mut self, reporter: &Reporter, progress: &mut Progress) -> Result<(), CliError> {
        for index in 0..self.followed.len() {
            let place = self.followed[index].delivery;
            let before = self.followed[index].snapshot.clone();
            let explainer = self.deliveries[place].explainer.clone();
            let looked = explainer.pipeline().look(&before.execution).await;
            let Some(now) = self.outage.tolerate(looked)? else {
                return Ok(());
            };
            self.report_logs(place, &before, &now, reporter).await;
            for event in explainer.explained(&before, &now).await {
                self.last_report = Instant::now();
                reporter.report(event);
            }
            if progress.latest.execution == now.execution {
                progress.saw(&now);
            }
            saw(&self.deliveries[place], &now, progress);
            let followed = &mut self.followed[index];
            followed
                .closed
                .look(explainer.pipeline(), &now, reporter)
                .await;
            followed.snapshot = now;
        }
        if self.last_report.elapsed() >= HEARTBEAT_INTERVAL
            && let Some(followed) = self.followed.last()
        {
            self.last_report = Instant::now();
            let seconds = crate::follow::round(followed.since.elapsed().as_secs_f64());
            reporter.report(RunMessage::Heartbeat {
                running: followed.closed.running(&followed.snapshot),
                seconds,
            });
        }
        let is_over = |followed: &mut Followed| followed.snapshot.is_over();
        let over: Vec<_> = self.followed.extract_if(.., is_over).collect();
        for one in over {
            self.ended(one.delivery, &one.snapshot.status, reporter);
        }
        self.begin(reporter, progress).await
    }
}

/// Shows the page of the run.
fn open(reporter: &Reporter) {
    let Some(page) = reporter.page() else {
        reporter.notice("this run has no page");
        return;
    };
    if !record::shows(&page) {
        reporter.notice(format!(
            "no browser can be started from here; the page: {}",
            page.display()
        ));
    }
}

/// Remembers how far one of several pipelines came, by its newest execution.
fn saw(delivery: &Delivery, snapshot: &Snapshot, progress: &mut Progress) {
    if delivery.name.is_none() {
        return;
    }
    progress.saw_of(delivery.explainer.pipeline().name(), snapshot);
}
