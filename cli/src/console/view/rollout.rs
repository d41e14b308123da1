//! A rollout that is under way.

use serde::Serialize;

use super::{Link, links};
use crate::console::look::Look;
use crate::console::offer::{Offer, Place};
use crate::output::text::{duration, short_summary};
use crate::pipeline::rollout::{RolloutState, ServedFunction, VersionTraffic};

#[derive(Debug, Serialize)]
pub(super) struct RolloutView {
    alias: String,
    place: String,
    time: String,
    versions: Vec<VersionView>,
    alarms: Vec<String>,
    notes: Vec<String>,
    watched_until: String,
    links: Vec<Link>,
}

#[derive(Debug, Serialize)]
struct VersionView {
    which: &'static str,
    version: String,
    percent: String,
    requests: String,
    is_failing: bool,
}

pub(super) fn rollouts(look: &Look, offers: &[Offer]) -> Vec<RolloutView> {
    let functions = look.served.iter().flat_map(|one| &one.functions);
    let under_way = functions.filter_map(|one| Some((one, one.rollout.as_ref()?)));
    under_way
        .map(|(function, rollout)| RolloutView::of(function, rollout, offers))
        .collect()
}

impl RolloutView {
    fn of(function: &ServedFunction, rollout: &RolloutState, offers: &[Offer]) -> Self {
        let alarms = rollout.alarms.iter().map(|alarm| {
            let reason = alarm.reason.as_ref().map(|reason| format!(": {reason}"));
            format!(
                "alarm {} {}{}",
                alarm.name,
                alarm.state,
                reason.unwrap_or_default()
            )
        });
        let action = rollout.action.as_deref().and_then(short_summary);
        let unread = rollout
            .unread
            .iter()
            .map(|one| format!("cannot be read: {one}"));
        Self {
            alias: function.alias.clone(),
            place: match (rollout.step, rollout.steps) {
                (Some(step), Some(steps)) => format!("step {step} of {steps}"),
                _ => "all traffic on the new version, watched".to_owned(),
            },
            time: time(rollout),
            versions: vec![
                VersionView::of("new", &rollout.new),
                VersionView::of("old", &rollout.old),
            ],
            alarms: alarms.collect(),
            notes: action
                .map(str::to_owned)
                .into_iter()
                .chain(unread)
                .collect(),
            watched_until: rollout.watched_until.clone(),
            links: links(offers, &Place::Rollout(function.alias.clone())),
        }
    }
}

impl VersionView {
    fn of(which: &'static str, version: &VersionTraffic) -> Self {
        Self {
            which,
            version: version.version.clone(),
            percent: version.percent.to_string(),
            requests: match (version.requests, version.errors) {
                (Some(requests), Some(errors)) => format!("{requests} requests, {errors} failed"),
                _ => "its requests cannot be read".to_owned(),
            },
            is_failing: version.errors.is_some_and(|errors| errors > 0),
        }
    }
}

/// How long the rollout has taken, and how long it is to take.
#[expect(
    clippy::cast_precision_loss,
    reason = "a rollout takes hours, not millennia"
)]
fn time(rollout: &RolloutState) -> String {
    let passed = duration(rollout.seconds as f64);
    match rollout.planned_seconds {
        Some(planned) => format!("{passed} of {}", duration(planned as f64)),
        None => format!("for {passed}"),
    }
}
