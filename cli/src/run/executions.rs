//! Starts executions and follows them to their ends.

use std::time::{Duration, Instant};

use crate::application::Application;
use crate::error::CliError;
use crate::event::Event;
use crate::follow::outcome::{Outcome, Progress};
use crate::follow::{Explainer, HEARTBEAT_INTERVAL, Snapshot};
use crate::output::Output;

/// How often the source is asked for a new revision: each time costs a process.
const REVISION_INTERVAL: Duration = Duration::from_secs(1);

/// The executions of a run.
pub(super) struct Executions {
    explainer: Explainer,
    timeout: Duration,
    followed: Vec<Followed>,
    last_told: Instant,
}

/// An execution that is not over.
struct Followed {
    snapshot: Snapshot,
    since: Instant,
}

impl Executions {
    pub(super) fn new(explainer: Explainer, timeout: Duration) -> Self {
        Self {
            explainer,
            timeout,
            followed: Vec::new(),
            last_told: Instant::now(),
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
        output: &mut Output,
        progress: &mut Progress,
    ) -> Result<Outcome, CliError> {
        while !self.followed.is_empty() {
            self.look(output, progress).await?;
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
        output: &mut Output,
        progress: &mut Progress,
    ) -> Result<Outcome, CliError> {
        let mut revision = application.revision().await?;
        let mut asked = Instant::now();
        loop {
            let busy = !self.followed.is_empty();
            self.look(output, progress).await?;
            if self.is_late() {
                return Ok(Outcome::TimedOut);
            }
            if busy && self.followed.is_empty() {
                let message = "waiting for a new commit; Ctrl-C ends".to_owned();
                output.tell(&Event::Notice { message });
            }
            if asked.elapsed() >= REVISION_INTERVAL {
                asked = Instant::now();
                let now = application.revision().await?;
                if now != revision {
                    revision = now;
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

    async fn look(&mut self, output: &mut Output, progress: &mut Progress) -> Result<(), CliError> {
        for index in 0..self.followed.len() {
            let before = self.followed[index].snapshot.clone();
            let now = self.explainer.pipeline().look(&before.execution).await?;
            for event in self.explainer.explained(&before, &now).await {
                self.last_told = Instant::now();
                output.tell(&event);
            }
            if progress.latest.execution == now.execution {
                progress.saw(&now);
            }
            self.followed[index].snapshot = now;
        }
        if self.last_told.elapsed() >= HEARTBEAT_INTERVAL
            && let Some(followed) = self.followed.last()
        {
            self.last_told = Instant::now();
            let seconds = crate::follow::round(followed.since.elapsed().as_secs_f64());
            output.tell(&Event::Heartbeat {
                running: followed.snapshot.running(),
                seconds,
            });
        }
        self.followed
            .retain(|followed| !followed.snapshot.is_over());
        Ok(())
    }
}
