//! How far a rollout is, as `delivery rollout show` prints it.

use std::time::Duration;

use delivery_action::clock;
use delivery_action::parameters::UserParameters;
use delivery_alias::Watcher;
use delivery_rollout::{AlarmState, Marker, Phase, Plan, Requests, Rollout, began};
use deploy_app::DeployAppParams;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::subject::{Look, Subject};
use super::versions::VersionState;
use crate::pipeline::delivered::history::AppRun;

/// What an environment's function serves.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RolloutDocument {
    /// The environment.
    pub(super) environment: String,
    /// The service, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service: Option<String>,
    /// The function and its alias.
    pub(super) alias: String,
    /// The version that serves what a rollout leaves it.
    pub(super) version: String,
    /// The revision that it was built from.
    pub(super) revision: Option<String>,
    /// The version that was good last.
    pub(super) good: Option<String>,
    /// The rollout that is under way.
    pub(super) rollout: Option<RolloutState>,
    /// How the last rollout ended, if somebody ended it.
    pub(super) ended: Option<String>,
    /// The newest versions of the function.
    pub(super) versions: Vec<VersionState>,
    /// Commands to go on with.
    pub(super) next: Vec<String>,
}

/// A rollout that is under way.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RolloutState {
    /// Its id.
    pub(crate) id: String,
    /// The first characters of the execution's id.
    pub(crate) execution: Option<String>,
    /// The version that is to get all traffic.
    pub(crate) new: VersionTraffic,
    /// The version that had it.
    pub(crate) old: VersionTraffic,
    /// The step, from 1; `null` while the new version has all traffic and is watched.
    pub(crate) step: Option<usize>,
    /// How many steps there are.
    pub(crate) steps: Option<usize>,
    /// Since when it is in this step (RFC 3339).
    pub(crate) since: String,
    /// Seconds in this step.
    pub(crate) seconds: i64,
    /// Seconds that this step takes, if nothing holds it.
    pub(crate) planned_seconds: Option<u64>,
    /// Until when the action watches it; after that the next release takes it back (RFC 3339).
    pub(crate) watched_until: String,
    /// Its alarms.
    pub(crate) alarms: Vec<AlarmView>,
    /// What could not be read.
    pub(crate) unread: Vec<String>,
    /// What the action says of it, such as what holds it; `null` where no action is at work.
    pub(crate) action: Option<String>,
}

/// What a version serves in a rollout.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VersionTraffic {
    /// The version.
    pub(crate) version: String,
    /// Its share of the requests, in percent.
    pub(crate) percent: f64,
    /// Its requests since the rollout began; `null` where they cannot be read.
    pub(crate) requests: Option<u64>,
    /// Those of them that failed.
    pub(crate) errors: Option<u64>,
}

/// An alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AlarmView {
    /// Its name.
    pub(crate) name: String,
    /// CloudWatch's word for its state, or `MISSING`.
    pub(crate) state: &'static str,
    /// Why it rings.
    pub(crate) reason: Option<String>,
}

impl RolloutState {
    /// The rollout of this marker.
    pub(super) async fn of(
        subject: &Subject,
        look: &Look,
        marker: &Marker,
        run: Option<&AppRun>,
    ) -> Self {
        let plan = run.and_then(|run| plan(run.user_parameters.as_deref()?));
        let now = clock::timestamp();
        let rollout = Rollout {
            id: marker.id.clone(),
            execution: marker.execution.clone(),
            stable: Some(marker.stable.clone()),
            new: marker.new.clone(),
            revision: None,
        };
        let cloud_watch = aws_sdk_cloudwatch::Client::new(subject.cloud.config());
        let watcher = Watcher::new(&cloud_watch, &subject.app.function, &subject.app.alias);
        let (step, steps, since, watched_until) = phase(&marker.phase);
        let started = plan
            .as_ref()
            .and_then(|plan| began(plan, &rollout, &look.found.alias));
        let mut unread = Vec::new();
        let traffic = watcher
            .traffic(&marker.stable, &marker.new, started.unwrap_or(since), now)
            .await;
        let traffic = traffic.map_err(|error| unread.push(error.to_string())).ok();
        let names = plan.as_ref().map(Plan::alarm_names).unwrap_or_default();
        let alarms = watcher.alarms(&names).await;
        let alarms = alarms.map_err(|error| unread.push(error.to_string()));
        let of = |version: &str, requests: Option<Requests>| VersionTraffic {
            version: version.to_owned(),
            percent: look.percent(version),
            requests: requests.map(|one| one.served),
            errors: requests.map(|one| one.failed),
        };
        Self {
            id: marker.id.clone(),
            execution: marker.execution.clone(),
            new: of(&marker.new, traffic.map(|traffic| traffic.new)),
            old: of(&marker.stable, traffic.map(|traffic| traffic.stable)),
            step,
            steps,
            since: since.to_string(),
            seconds: now.duration_since(since).as_secs().max(0),
            planned_seconds: plan.as_ref().map(|plan| planned(plan, step).as_secs()),
            watched_until: watched_until.to_string(),
            alarms: alarms
                .unwrap_or_default()
                .into_iter()
                .map(AlarmView::from)
                .collect(),
            unread,
            action: run
                .filter(|run| run.status == "InProgress")
                .and_then(|run| run.summary.clone()),
        }
    }
}

impl From<delivery_rollout::Alarm> for AlarmView {
    fn from(alarm: delivery_rollout::Alarm) -> Self {
        let (state, reason) = match alarm.state {
            AlarmState::Quiet => ("OK", None),
            AlarmState::Ringing { reason, .. } => ("ALARM", Some(reason)),
            AlarmState::NoData => ("INSUFFICIENT_DATA", None),
            AlarmState::Missing => ("MISSING", None),
        };
        Self {
            name: alarm.name,
            state,
            reason: reason.map(|text| crate::output::foreign::line(&text)),
        }
    }
}

/// Step from 1, number of steps, since when, until when it is watched.
fn phase(phase: &Phase) -> (Option<usize>, Option<usize>, Timestamp, Timestamp) {
    match phase {
        Phase::Step {
            index,
            count,
            since,
            watched_until,
        } => (Some(index + 1), Some(*count), *since, *watched_until),
        Phase::Bake {
            since,
            watched_until,
        } => (None, None, *since, *watched_until),
        Phase::Ended(_) => (None, None, Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH),
    }
}

/// What the action was told to do; `None` where another version of it wrote the parameters.
fn plan(user_parameters: &str) -> Option<Plan> {
    let parameters = UserParameters::parse(Some(user_parameters)).ok()?;
    DeployAppParams::read(parameters)
        .ok()
        .map(|params| params.plan())
}

fn planned(plan: &Plan, step: Option<usize>) -> Duration {
    match step {
        Some(number) => {
            let step = plan.strategy.steps.get(number - 1);
            step.map_or(Duration::ZERO, |step| step.lasts)
        }
        None => plan.bake,
    }
}
