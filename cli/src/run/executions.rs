//! Starts executions and follows them to their ends.

use std::time::{Duration, Instant};

use crate::application::Application;
use crate::endpoints::Endpoints;
use crate::error::CliError;
use crate::event::{Event, Failure};
use crate::follow::{ActionSnapshot, Pipeline, Shape, Snapshot, changes};
use crate::log;
use crate::output::Output;

use super::outcome::{Outcome, Progress};

/// How often the engine is asked: it is on this machine, and a person sees no more.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// How often the source is asked for a new revision: each time costs a process.
const REVISION_INTERVAL: Duration = Duration::from_secs(1);

/// After how long without a change a log reader is told that the run goes on.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(30);

/// The executions of a run.
pub(super) struct Executions {
    pipeline: Pipeline,
    shape: Shape,
    endpoints: Endpoints,
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
    pub(super) fn new(
        pipeline: Pipeline,
        shape: Shape,
        endpoints: Endpoints,
        timeout: Duration,
    ) -> Self {
        Self {
            pipeline,
            shape,
            endpoints,
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
            None => self.pipeline.start().await?,
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
            tokio::time::sleep(LOOK_INTERVAL).await;
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
            tokio::time::sleep(LOOK_INTERVAL).await;
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
            let now = self.pipeline.look(&before.execution).await?;
            for event in changes(&before, &now) {
                self.last_told = Instant::now();
                output.tell(&event);
                self.explain(&event, &now, output).await;
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

    /// Says why an action failed, or what it waits for.
    async fn explain(&self, event: &Event, now: &Snapshot, output: &mut Output) {
        let Event::Action(report) = event else { return };
        match report.status.as_str() {
            "Failed" => {
                let failed = now.failed().filter(|action| {
                    action.stage == report.stage && action.action == report.action
                });
                if let Some(action) = failed.last() {
                    output.tell(&Event::Failure(self.failure(now, action).await));
                }
            }
            "InProgress" if !self.has_function(&report.stage, &report.action) => {
                if let Some(token) = self
                    .pipeline
                    .approval_token(&report.stage, &report.action)
                    .await
                {
                    output.tell(&Event::Approval {
                        execution: report.execution.clone(),
                        stage: report.stage.clone(),
                        action: report.action.clone(),
                        command: self.approve(&report.stage, &report.action, &token),
                    });
                }
            }
            _ => {}
        }
    }

    fn has_function(&self, stage: &str, action: &str) -> bool {
        self.function(stage, action).is_some()
    }

    fn function(&self, stage: &str, action: &str) -> Option<&str> {
        let mut functions = self.shape.functions.iter();
        let found = functions.find(|(of_stage, name, _)| of_stage == stage && name == action);
        found.map(|(_, _, function)| function.as_str())
    }

    fn approve(&self, stage: &str, action: &str, token: &str) -> String {
        format!(
            "aws codepipeline put-approval-result --pipeline-name {} --stage-name {stage} --action-name \
             {action} --token {token} --result status=Approved,summary=ok",
            self.pipeline.name()
        )
    }

    async fn failure(&self, now: &Snapshot, action: &ActionSnapshot) -> Failure {
        let group = match self.function(&action.stage, &action.action) {
            Some(function) => Some(log::group(&self.endpoints.lambda(), function).await),
            None => None,
        };
        let log = match &group {
            Some(group) => log::tail(&self.endpoints.logs(), group, action).await,
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
            help: help(&self.shape, now),
        }
    }
}

/// What a person does next, and what need not be worried about.
fn help(shape: &Shape, now: &Snapshot) -> String {
    let reached = |stage: &str| now.actions.iter().any(|action| action.stage == stage);
    let untouched: Vec<&str> = shape
        .stages
        .iter()
        .map(|stage| stage.name.as_str())
        .filter(|stage| !reached(stage))
        .collect();
    let repair = "repair it, commit, and run `delivery run` again";
    match untouched.as_slice() {
        [] => repair.to_owned(),
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
        assert_eq!(
            help(&shape, &Snapshot::default()),
            "Commit, Acceptance and Production are untouched; repair it, commit, and run `delivery run` again"
        );
    }
}
