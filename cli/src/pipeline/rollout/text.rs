//! A rollout as text for people.

use std::fmt::Write as _;

use super::state::{RolloutDocument, RolloutState, VersionTraffic};
use super::versions::VersionState;
use crate::output::answer::CommandAnswer;
use crate::output::style::{BAD, DIM, GOOD, HEADING, ID, WAITING};
use crate::output::text::{duration, short};

/// Characters of the bar that shows how much of a step is over.
const BAR: usize = 20;

impl CommandAnswer for RolloutDocument {
    const TYPE: &'static str = "rollout";

    fn text(&self) -> String {
        let mut text = String::new();
        let alias = &self.alias;
        let _infallible = match &self.rollout {
            Some(rollout) => writeln!(
                text,
                "{HEADING}{alias}{HEADING:#}  rollout of version {} over version {} under way",
                rollout.new.version, rollout.old.version
            ),
            None => writeln!(
                text,
                "{HEADING}{alias}{HEADING:#}  all traffic is on version {}{}",
                self.version,
                of_revision(self.revision.as_deref())
            ),
        };
        if let Some(rollout) = &self.rollout {
            text.push_str(&under_way(rollout));
        }
        if let Some(ended) = &self.ended {
            let _infallible = writeln!(text, "  {BAD}✗ last rollout{BAD:#} {ended}");
        }
        text.push_str(&versions(&self.versions));
        if !self.next.is_empty() {
            let _infallible = writeln!(text, "next: {}", self.next.join("\n      "));
        }
        text
    }
}

fn of_revision(revision: Option<&str>) -> String {
    revision.map_or_else(String::new, |revision| {
        format!(" (revision {})", short(revision))
    })
}

fn under_way(rollout: &RolloutState) -> String {
    let mut text = String::new();
    let place = match (rollout.step, rollout.steps) {
        (Some(step), Some(steps)) => format!("step {step} of {steps}"),
        _ => "all traffic on the new version, watched".to_owned(),
    };
    let _infallible = writeln!(text, "  {place}  {}", time(rollout));
    for (name, version) in [("new", &rollout.new), ("old", &rollout.old)] {
        let _infallible = writeln!(text, "  {name}  {}", traffic(version));
    }
    for alarm in &rollout.alarms {
        let (sign, style) = match alarm.state {
            "OK" => ("✓", GOOD),
            "INSUFFICIENT_DATA" => ("•", WAITING),
            _ => ("✗", BAD),
        };
        let reason = alarm.reason.as_deref().map(|reason| format!(": {reason}"));
        let _infallible = writeln!(
            text,
            "  {style}{sign} alarm {} {}{style:#}{}",
            alarm.name,
            alarm.state,
            reason.unwrap_or_default()
        );
    }
    for unread in &rollout.unread {
        let _infallible = writeln!(text, "  {BAD}✗ cannot be read:{BAD:#} {unread}");
    }
    let action = rollout.action.as_deref();
    let action = action.unwrap_or("no action of a pipeline is at work on it");
    let _infallible = writeln!(text, "  {DIM}{action}{DIM:#}");
    let _infallible = writeln!(
        text,
        "  {DIM}watched until {}{DIM:#}",
        rollout.watched_until
    );
    text
}

/// The time in a step: a bar, if it is known how long the step takes.
fn time(rollout: &RolloutState) -> String {
    let passed = duration_of(rollout.seconds);
    let Some(planned) = rollout.planned_seconds else {
        return format!("for {passed}");
    };
    let seconds = u64::try_from(rollout.seconds)
        .unwrap_or_default()
        .min(planned);
    let bar = usize::try_from(seconds).unwrap_or_default() * BAR;
    let filled = bar.checked_div(usize::try_from(planned).unwrap_or_default());
    let filled = filled.unwrap_or(BAR);
    let planned = duration_of(i64::try_from(planned).unwrap_or(i64::MAX));
    format!(
        "{ID}{}{ID:#}{DIM}{}{DIM:#} {passed} of {planned}",
        "━".repeat(filled),
        "─".repeat(BAR - filled)
    )
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rollout takes hours, not millennia"
)]
fn duration_of(seconds: i64) -> String {
    duration(seconds as f64)
}

fn traffic(version: &VersionTraffic) -> String {
    let share = format!("version {}  {} %", version.version, version.percent);
    let (Some(requests), Some(errors)) = (version.requests, version.errors) else {
        return share;
    };
    let style = if errors > 0 { BAD } else { DIM };
    let rate = (errors * 1000).checked_div(requests).unwrap_or_default();
    format!(
        "{share}  {requests} requests  {style}{errors} failed ({}.{} %){style:#}",
        rate / 10,
        rate % 10
    )
}

fn versions(versions: &[VersionState]) -> String {
    let mut text = String::new();
    if !versions.is_empty() {
        let _infallible = writeln!(text, "versions");
    }
    for version in versions {
        let mut notes = Vec::new();
        if version.percent > 0.0 {
            notes.push(format!("{} % of the traffic", version.percent));
        }
        if version.is_good {
            notes.push("last good".to_owned());
        }
        notes.extend(version.outcome.clone());
        let revision = version.revision.as_deref().map_or("", short);
        let published = version.published.as_deref().unwrap_or_default();
        let line = format!(
            "  {:>4}  {revision:<8}  {DIM}{published}{DIM:#}  {}",
            version.version,
            notes.join(", ")
        );
        let _infallible = writeln!(text, "{}", line.trim_end());
    }
    text
}
