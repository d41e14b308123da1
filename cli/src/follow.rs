//! Follows executions: asks CodePipeline for its state again and again, and reports what changed.
//!
//! A pipeline goes on whether somebody follows it or not, so a call that fails does not end the following: only
//! an [`outage`] that lasts too long does. What is reported is the difference of two snapshots ([`changes`]),
//! so nothing is lost when a look fails, and nothing is reported twice.

mod application_log;
mod cause;
mod changes;
mod client;
mod closed;
mod commands;
mod explainer;
pub(crate) mod outage;
pub(crate) mod outcome;
pub(crate) mod repair;
mod retried;

use std::time::{Duration, Instant};

use crate::error::CliError;
use crate::message::RunMessage;
use crate::output::Reporter;

pub(crate) use application_log::Clients;
pub(crate) use changes::{ActionSnapshot, Snapshot, changes};
pub(crate) use client::{Pipeline, Shape, round};
pub(crate) use closed::ClosedWait;
pub(crate) use explainer::{Explainer, Location};
use outage::Outage;
use outcome::{Outcome, Progress};
pub(crate) use retried::BeforeRetry;

/// After how long without a change a message says that the execution is still in progress.
pub(crate) const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(30);

/// How often AWS is polled: each look is two calls, three while no action runs, and CodePipeline's request limit is not published.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Follows one execution until it has ended or the timeout is over, and reports what happens. `before` is what it had done
/// before it was retried, if it was.
pub(crate) async fn to_the_end(
    explainer: &Explainer,
    execution: &str,
    mut before: BeforeRetry,
    timeout: Option<Duration>,
    reporter: &Reporter,
    progress: &mut Progress,
) -> Result<Outcome, CliError> {
    let since = Instant::now();
    let mut last_report = since;
    let mut snapshot = Snapshot {
        execution: execution.to_owned(),
        ..Snapshot::default()
    };
    progress.saw(&snapshot);
    let mut outage = Outage::new(explainer.outage_limit());
    let mut closed = ClosedWait::default();
    loop {
        if let Some(now) = outage.tolerate(explainer.pipeline().look(execution).await)? {
            let now = before.left_out(now);
            for event in explainer.explained(&snapshot, &now).await {
                last_report = Instant::now();
                reporter.report(event);
            }
            progress.saw(&now);
            closed.look(explainer.pipeline(), &now, reporter).await;
            snapshot = now;
        }
        if snapshot.is_over() {
            return Ok(Outcome::Over);
        }
        if timeout.is_some_and(|timeout| since.elapsed() >= timeout) {
            return Ok(Outcome::TimedOut);
        }
        if last_report.elapsed() >= HEARTBEAT_INTERVAL {
            last_report = Instant::now();
            reporter.report(RunMessage::Heartbeat {
                running: closed.running(&snapshot),
                seconds: round(since.elapsed().as_secs_f64()),
            });
        }
        tokio::time::sleep(explainer.interval()).await;
    }
}
