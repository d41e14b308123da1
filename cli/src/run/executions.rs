//! Starts executions and follows them to their ends.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::application::Application;
use crate::error::CliError;
use crate::follow::outage::Outage;
use crate::follow::outcome::{Outcome, Progress};
use crate::follow::{ActionSnapshot, Explainer, HEARTBEAT_INTERVAL, Snapshot};
use crate::message::RunMessage;
use crate::output::Reporter;

/// How often the source is checked for a new revision: each check starts a process.
const REVISION_INTERVAL: Duration = Duration::from_secs(1);

/// How often the logs of running actions are read: people read no faster.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// The executions of a run.
pub(super) struct Executions {
    explainer: Explainer,
    timeout: Duration,
    outage: Outage,
    followed: Vec<Followed>,
    last_report: Instant,
    /// The log entries already reported; `None` without `--verbose`.
    logged: Option<BTreeSet<String>>,
    asked_for_logs: Instant,
}

/// An execution that is not over.
struct Followed {
    snapshot: Snapshot,
    since: Instant,
}

impl Executions {
    pub(super) fn new(explainer: Explainer, timeout: Duration, reports_logs: bool) -> Self {
        Self {
            outage: Outage::new(explainer.outage_limit()),
            explainer,
            timeout,
            followed: Vec::new(),
            last_report: Instant::now(),
            logged: reports_logs.then(BTreeSet::new),
            asked_for_logs: Instant::now(),
        }
    }

    /// Follows an execution that has begun already, else starts one.
    pub(super) async fn begin(
        &mut self,
        begun: Option<String>,
        progress: &mut Progress,
    ) -> Result<(), CliError> {
        let execution = match begun {
            Some(execution) => execution,
            None => self.explainer.pipeline().start(None).await?,
        };
        let snapshot = Snapshot {
            execution,
            ..Snapshot::default()
        };
        progress.saw(&snapshot);
        self.followed.push(Followed {
            snapshot,
            since: Instant::now(),
        });
        Ok(())
    }

    /// Follows what has begun to its end.
    pub(super) async fn once(
        mut self,
        reporter: &Reporter,
        progress: &mut Progress,
    ) -> Result<Outcome, CliError> {
        while !self.followed.is_empty() {
            self.look(reporter, progress).await?;
            if self.is_late() {
                return Ok(Outcome::TimedOut);
            }
            tokio::time::sleep(self.explainer.interval()).await;
        }
        Ok(Outcome::Over)
    }

    /// Follows what has begun, and takes each new commit through the pipeline, until interrupted.
    pub(super) async fn watch(
        mut self,
        application: &Application,
        reporter: &Reporter,
        progress: &mut Progress,
    ) -> Result<Outcome, CliError> {
        let mut revision = application.revision().await?;
        let mut asked = Instant::now();
        loop {
            let busy = !self.followed.is_empty();
            self.look(reporter, progress).await?;
            if self.is_late() {
                return Ok(Outcome::TimedOut);
            }
            if busy && self.followed.is_empty() {
                let message = format!("{}; Ctrl-C stops", application.awaited());
                reporter.report(RunMessage::Notice { message });
            }
            if asked.elapsed() >= REVISION_INTERVAL {
                asked = Instant::now();
                let now = application.revision().await?;
                if now != revision {
                    revision = now;
                    for finding in application.left_out().await {
                        reporter.report(RunMessage::Finding(finding));
                    }
                    self.begin(None, progress).await?;
                }
            }
            tokio::time::sleep(self.explainer.interval()).await;
        }
    }

    fn is_late(&self) -> bool {
        self.followed
            .iter()
            .any(|followed| followed.since.elapsed() >= self.timeout)
    }

    /// Reports new log lines of the actions that are in progress or have just ended.
    async fn report_logs(&mut self, before: &Snapshot, now: &Snapshot, reporter: &Reporter) {
        let Some(seen) = &mut self.logged else {
            return;
        };
        let ends = |action: &ActionSnapshot| {
            let known = before.actions.iter().find(|known| known.id == action.id);
            known.is_none_or(|known| known.status != action.status)
        };
        let is_time = self.asked_for_logs.elapsed() >= LOG_INTERVAL;
        for action in &now.actions {
            if !(ends(action) || is_time && action.status == "InProgress") {
                continue;
            }
            self.asked_for_logs = Instant::now();
            let entries = self.explainer.logged(action).await;
            let news = entries
                .into_iter()
                .filter(|entry| seen.insert(entry.id.clone()));
            let lines: Vec<String> = news.flat_map(|entry| entry.lines).collect();
            if !lines.is_empty() {
                reporter.report(RunMessage::Log {
                    stage: action.stage.clone(),
                    action: action.action.clone(),
                    lines,
                });
            }
        }
    }

    async fn look(&mut self, reporter: &Reporter, progress: &mut Progress) -> Result<(), CliError> {
        for index in 0..self.followed.len() {
            let before = self.followed[index].snapshot.clone();
            let looked = self.explainer.pipeline().look(&before.execution).await;
            let Some(now) = self.outage.tolerate(looked)? else {
                return Ok(());
            };
            self.report_logs(&before, &now, reporter).await;
            for event in self.explainer.explained(&before, &now).await {
                self.last_report = Instant::now();
                reporter.report(event);
            }
            if progress.latest.execution == now.execution {
                progress.saw(&now);
            }
            self.followed[index].snapshot = now;
        }
        if self.last_report.elapsed() >= HEARTBEAT_INTERVAL
            && let Some(followed) = self.followed.last()
        {
            self.last_report = Instant::now();
            let seconds = crate::follow::round(followed.since.elapsed().as_secs_f64());
            reporter.report(RunMessage::Heartbeat {
                running: followed.snapshot.running(),
                seconds,
            });
        }
        self.followed
            .retain(|followed| !followed.snapshot.is_over());
        Ok(())
    }
}
